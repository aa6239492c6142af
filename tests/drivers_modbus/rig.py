"""Modbus devices behind one wire, in a time that is given: the twin's faces, and whatever a test makes of them."""

from __future__ import annotations

import copy
import itertools
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from v2h_console.proving.virtual_loop import VirtualLoop
from v2h_console.twin.faces.modbus_server import FaceFaults, MbapMachine, RtuMachine, UnitFace, crc16
from v2h_console.twin.faces.sunspec_devices import InverterUnit, SolarUnit, SunSpecUnit
from v2h_console.twin.faces.sunspec_registers import Image
from v2h_console.twin.house import House
from v2h_console.twin.world import World
from v2h_drivers.capabilities.devices import Reading, SlowDevice
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState
from v2h_drivers.modbus.connection import SHARED_TIMEOUT_S, Connection, Port
from v2h_drivers.modbus.machine import Framing

S = 1_000_000_000
Kind = TypeVar("Kind")
#: A unit and a request's PDU to the reply's PDU; b"" = silence, ``None`` = as the unit itself would answer.
Meddler = Callable[[int, bytes], bytes | None]


class Unit(SunSpecUnit):
    """A SunSpec device as the twin makes it, whose models a test may change; whatever is written is taken."""

    def __init__(self, models: list[Image]) -> None:
        super().__init__(lambda: copy.deepcopy(self.models), threading.Lock())
        self.models = models
        self.written = {}

    def model(self, number: int) -> Image:
        """One of its models."""
        return next(one for one in self.models if one.registers[0] == number)

    def drop(self, *numbers: int) -> None:
        """Leave models out of the chain."""
        self.models = [one for one in self.models if one.registers[0] not in numbers]

    def _check(self, model: int, offset: int, value: int) -> None:
        """Anything goes."""


def inverter() -> Unit:
    """The twin's inverter, its car plugged in."""
    world = World(House(), 3, boot=False)
    unit = Unit(InverterUnit(world, threading.Lock(), 1)._models())
    unit.model(704).u16(14, 1)
    unit.model(704).u16(15, 100.0, -1)
    return unit


def solar() -> Unit:
    """The twin's roof."""
    return Unit(SolarUnit(World(House(), 3, boot=False), threading.Lock(), 2)._models())


class _Port:
    """One connection's bytes on their way; ``alive`` until somebody closes it."""

    def __init__(self, wire: Wire, connection: Connection) -> None:
        self._wire = wire
        self._connection = connection
        self.alive = True
        self.number = wire.opened

    def write(self, data: bytes) -> None:
        """Send."""
        self._wire.loop.call_later(self._wire.way_s, self._arrive, data)

    def close(self) -> None:
        """Let go."""
        self.alive = False

    def _arrive(self, data: bytes) -> None:
        reply = self._wire.serve(self.number, data)
        if reply:
            self._wire.loop.call_later(self._wire.way_s, self._deliver, reply)

    def _deliver(self, data: bytes) -> None:
        if self.alive:
            self._connection.received(data)


class Wire:
    """``units`` behind one connection, 20 ms there and back. ``silent`` units and ``dead`` connections (by number, the
    first is 1) say nothing; ``meddle`` answers in a unit's place; ``asked`` is (second, unit, PDU) of each request."""

    def __init__(
        self, units: dict[int, UnitFace], *, rtu: bool = False, timeout_s: float = SHARED_TIMEOUT_S
    ) -> None:
        self.loop = VirtualLoop(5 * S)  # type: ignore[abstract]  # only what machines use
        self.units = units
        self.way_s = 0.01
        self.silent: set[int] = set()
        self.dead: set[int] = set()
        self.meddle: Meddler | None = None
        self.asked: list[tuple[float, int, bytes]] = []
        self.opened = 0
        self.told: list[Reading] = []
        self._rtu = rtu

        async def open_port(connection: Connection) -> Port:
            self.opened += 1
            return self.port(connection)

        self.connection = Connection(
            "virtual",
            Framing.RTU if rtu else Framing.TCP,
            lambda one: self.loop.create_task(open_port(one)),
            clock_ns=self.now_ns,
            timeout_s=timeout_s,
        )

    def port(self, connection: Connection) -> Port:
        """What opening gives."""
        return _Port(self, connection)

    def now_ns(self) -> int:
        """The time."""
        return self.loop.now_ns

    def emit(self, reading: Reading) -> None:
        """Where devices put what they read."""
        self.told.append(reading)

    def run(self, device: SlowDevice) -> None:
        """Start a device's task."""
        self.loop.create_task(device.run())

    def live(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until(self.loop.now_ns + int(seconds * S))

    def since(self, at_ns: int, kind: type[Kind], device: str | None = None) -> list[Kind]:
        """What was told of this kind since then, by one device or any."""
        return [
            one
            for one in self.told
            if isinstance(one, kind) and one.at_ns > at_ns and device in (None, getattr(one, "device", ""))
        ]

    def health(self, device: str) -> tuple[LinkState, str]:
        """How the device's link was said to be, last."""
        last = [one for one in self.told if isinstance(one, LinkHealth) and one.device == device][-1]
        return last.state, last.reason

    def reasons(self, since_ns: int) -> set[str]:
        """Everything that was said of links since then."""
        return {one.reason for one in self.since(since_ns, LinkHealth)}

    def writes(self) -> list[bytes]:
        """The PDUs that would change something, so far."""
        return [pdu for _, _, pdu in self.asked if pdu[0] in (5, 6, 15, 16)]

    def serve(self, port: int, request: bytes) -> bytes:
        """What comes back for one request."""
        unit, pdu = (request[0], request[1:-2]) if self._rtu else (request[6], request[7:])
        self.asked.append((self.loop.now_ns / S, unit, pdu))
        if port in self.dead or unit in self.silent:
            return b""
        answer = None if self.meddle is None else self.meddle(unit, pdu)
        if answer is None:
            return self._as_is(request)
        if not answer:
            return b""
        if self._rtu:
            return bytes((unit,)) + answer + struct.pack("<H", crc16(bytes((unit,)) + answer))
        return struct.pack(">HHHB", *struct.unpack(">H", request[:2]), 0, len(answer) + 1, unit) + answer

    def _as_is(self, request: bytes) -> bytes:
        if self._rtu:
            return RtuMachine(self.units, FaceFaults()).receive(request, self.loop.now_ns)
        return MbapMachine(self.units, FaceFaults()).receive(request)


def longest_gap_s(readings: Sequence[Reading]) -> float:
    """The longest time between two of them."""
    at = [one.at_ns for one in readings]
    return max(later - earlier for earlier, later in itertools.pairwise(at)) / S


def exception(pdu: bytes, code: int) -> bytes:
    """An exception reply."""
    return bytes((pdu[0] | 0x80, code))
