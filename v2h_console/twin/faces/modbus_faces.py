"""The twin's Modbus ports: SunSpec over TCP, the load centre over RTU on a pty, in a thread of their own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import tty
from typing import Any

from v2h_console.twin.faces.load_centre import CircuitMeter, RelayBoard
from v2h_console.twin.faces.modbus_server import FaceFaults, MbapMachine, RtuMachine, UnitFace
from v2h_console.twin.faces.sunspec_devices import InverterUnit, SolarUnit
from v2h_console.twin.world import World

INVERTER_UNIT, SOLAR_UNIT = 1, 2
RELAYS_UNIT, FIRST_METER_UNIT = 1, 11
BAUD = 9600


class ModbusFaces:
    """``start`` raises OSError when the port is busy; ``addresses`` is then complete."""

    def __init__(self, world: World, lock: threading.Lock, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._port = port
        self._tcp_units: dict[int, UnitFace] = {
            INVERTER_UNIT: InverterUnit(world, lock, INVERTER_UNIT),
            SOLAR_UNIT: SolarUnit(world, lock, SOLAR_UNIT),
        }
        meters = {circuit.id: FIRST_METER_UNIT + index for index, circuit in enumerate(world.circuits)}
        self._rtu_units: dict[int, UnitFace] = {RELAYS_UNIT: RelayBoard(world, lock)}
        for index in range(len(world.circuits)):
            self._rtu_units[FIRST_METER_UNIT + index] = CircuitMeter(world, lock, index)
        self._meters = meters
        self.tcp_faults = FaceFaults()
        self.rtu_faults = FaceFaults()
        self.addresses: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._started: threading.Event = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="twin-modbus", daemon=True)

    def start(self) -> None:
        """Listen. Raises OSError."""
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Close every port and end the thread."""
        if self._loop is not None and self._ended is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(2.0)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        try:
            server = await asyncio.start_server(self._client, self._host, self._port)
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.addresses = {
            "modbus_tcp": {
                "host": self._host,
                "port": server.sockets[0].getsockname()[1],
                "units": {"inverter": INVERTER_UNIT, "solar": SOLAR_UNIT},
            },
            "load_centre": {
                "tty": os.ttyname(slave),
                "baud": BAUD,
                "units": {"relays": RELAYS_UNIT, "meters": self._meters},
            },
        }
        machine = RtuMachine(self._rtu_units, self.rtu_faults)
        self._loop.add_reader(master, self._serial, master, machine)
        self._started.set()
        async with server:
            await self._ended.wait()
        self._loop.remove_reader(master)
        # The slave stays open until here: closing it would hang up whoever else has the line.
        os.close(slave)
        os.close(master)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        machine = MbapMachine(self._tcp_units, self.tcp_faults)
        try:
            while not machine.broken and (data := await reader.read(4096)):
                reply = machine.receive(data)
                if reply:
                    writer.write(reply)
                    await writer.drain()
        except ConnectionError:
            return  # the client went away in the middle: nothing is owed to it
        finally:
            writer.close()

    def _serial(self, master: int, machine: RtuMachine) -> None:
        data = os.read(master, 4096)
        reply = machine.receive(data, time.monotonic_ns())
        if reply:
            os.write(master, reply)
