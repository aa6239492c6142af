"""The devices of a site: the controller on its bus, and those that are polled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from v2h_console.site.reader import Site
from v2h_console.wiring.running import StartFailed
from v2h_drivers.can.bus import Bus, BusError, open_bus
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.devices import Reading, SlowDevice
from v2h_drivers.capabilities.requests import SlowRequest


def open_fast(site: Site) -> tuple[Bus, LogicControllerLink]:
    """The controller's bus, and the machine that speaks its language. Raises StartFailed."""
    controller = site.comm.controller
    try:
        bus = open_bus(controller.interface, controller.channel, controller.port)
    except BusError as error:
        raise StartFailed(str(error)) from None
    address = f"{controller.interface} {controller.channel}" + (
        f":{controller.port}" if controller.port else ""
    )
    return bus, LogicControllerLink(controller.name, address)


def relay_count(circuit_ids: Sequence[str]) -> int:
    """How many of the circuits the load centre's board switches, from the first on."""
    return min(8, len(circuit_ids))


def slow_devices(site: Site, circuit_ids: Sequence[str], emit: Callable[[Reading], None]) -> list[SlowDevice]:
    """The polled devices, on shared connections; called on the slow lane's loop."""
    from v2h_drivers.modbus.connection import (
        SHARED_TIMEOUT_S,
        SOLE_TIMEOUT_S,
        Connection,
        serial_connection,
        tcp_connection,
    )
    from v2h_drivers.modbus.load_centre import LoadCentre
    from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter
    from v2h_drivers.modbus.sunspec_solar import SunSpecSolar

    comm = site.comm
    solar, centre = comm.solar, comm.load_centre
    polled = [*comm.inverters()] + ([] if solar is None else [solar])
    units = Counter((one.host, one.port) for one in polled)
    carriers = {(one.host, one.port) for one in comm.inverters()}
    connections: dict[tuple[str, int], Connection] = {}

    def shared(host: str, port: int) -> Connection:
        # Whoever carries a car is waited for as on a shared line: there must be time to ask again within a second.
        sole = units[host, port] == 1 and (host, port) not in carriers
        timeout_s = SOLE_TIMEOUT_S if sole else SHARED_TIMEOUT_S
        return connections.setdefault((host, port), tcp_connection(host, port, timeout_s))

    devices: list[SlowDevice] = [
        SunSpecInverter(one.name, shared(one.host, one.port), one.unit, emit) for one in comm.inverters()
    ]
    if solar is not None:
        devices.append(
            SunSpecSolar(solar.name, shared(solar.host, solar.port), solar.unit, emit, period_s=1.0)
        )
    if centre is not None:
        meters = {circuit_ids.index(name): unit for name, unit in centre.meters.items()}
        line = connections[centre.tty, centre.baud] = serial_connection(centre.tty, centre.baud)
        relays = relay_count(circuit_ids)
        devices.append(LoadCentre(centre.name, line, centre.relays_unit, meters, relays, emit))
    if site.schedule is not None:
        from v2h_console.runtime.wall_clock import WallClockSource, kernel_synchronised

        asked = kernel_synchronised if site.schedule.clock == "synchronised" else None
        devices.append(WallClockSource(site.schedule.zone, emit, synchronised=asked))
    devices.append(Lines(tuple(connections.values())))
    return devices


class Line(Protocol):
    """What can be let go of."""

    def close(self) -> None:
        """Let go."""


class Lines:
    """The connections' end, as a device that polls nothing: the next owner opens the serial line while this process
    still writes its records, and the line knows one holder."""

    name = "lines"

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    async def run(self) -> None:
        """Until cancelled, with the other devices."""
        try:
            await asyncio.Event().wait()
        finally:
            for line in self._lines:
                line.close()

    def submit(self, request: SlowRequest) -> bool:
        """Nothing is asked of it."""
        return False

    def busy(self) -> bool:
        """Never."""
        return False

    def ended(self, _words: str) -> None:
        """It has no link of its own to say it of."""
