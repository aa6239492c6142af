"""The polled devices' real machines against the twin's real faces, byte for byte, in one process and in virtual time.

The owner's side (drivers, connections, the protocol machine) is what a console runs; the house's side is what the twin
serves; between them a wire that takes its time and, told to, loses, garbles or makes up what it carries. What the wire
did and what was made of it is told as truth: ``modbus.tampered``, ``modbus.refused`` (a device says that it is not
answered well), ``modbus.believed`` (a value went further that the asked unit never gave), ``modbus.wrote``.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from v2h_console.proving import slow_readings
from v2h_console.proving.virtual_loop import NEVER_NS, VirtualLoop
from v2h_console.proving.wire_faults import MBAP_BYTES, WireFault, confirmed_write
from v2h_console.twin.faces.load_centre import CircuitMeter, RelayBoard
from v2h_console.twin.faces.modbus_faces import FIRST_METER_UNIT, INVERTER_UNIT, RELAYS_UNIT, SOLAR_UNIT
from v2h_console.twin.faces.modbus_server import FaceFaults, MbapMachine, ModbusError, RtuMachine, UnitFace
from v2h_console.twin.faces.sunspec_devices import InverterUnit, SolarUnit
from v2h_console.twin.physics.streams import uniform
from v2h_console.twin.world import World
from v2h_drivers.capabilities.devices import Reading, SlowDevice
from v2h_drivers.capabilities.requests import SlowRequest
from v2h_drivers.capabilities.slow_readings import CarStatus, Identity, InverterStatus, LinkHealth, LinkState
from v2h_drivers.modbus.connection import Connection, Port
from v2h_drivers.modbus.load_centre import LoadCentre
from v2h_drivers.modbus.machine import READ_COILS, READ_HOLDING, READ_INPUT, WRITE_REGISTERS, Framing, Request
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter
from v2h_drivers.modbus.sunspec_solar import SunSpecSolar

MS = 1_000_000
#: Through a switch and two kernels; a byte at 9600 baud, 8N1.
TCP_WAY_NS = 250_000
RTU_BYTE_NS = 1_042_000
RTU_TURN_NS = 4 * MS
WRITES = (5, 6, 15, 16)
#: A limit is written in tenths of a per cent of what the inverter is rated for, and taken to stand to half a per cent;
#: what is smaller is a switch.
LIMIT_ROUNDS, LEAST_LIMIT = 5, 20
_READS = (READ_COILS, READ_HOLDING, READ_INPUT)

_Key = tuple[int, int, int, int]


class Wire:
    """One link with all that is behind it. ``fault``, ``ignores`` and ``impostor`` are set while something is wrong:
    the impostor answers for the unit with its number as often as the unit itself does."""

    def __init__(self, world: World, units: Mapping[int, UnitFace], *, rtu: bool) -> None:
        self._world = world
        self._units = units
        self.rtu = rtu
        self.fault: WireFault | None = None
        self.ignores_writes = False
        self.impostor: tuple[int, UnitFace] | None = None
        self.connection: Connection | None = None
        #: What the asked units truly answered last, and which of what was taken they never gave.
        self.given: dict[_Key, tuple[int, ...]] = {}
        self.foreign: set[_Key] = set()
        #: Requests on their way that would change something.
        self.writing = 0
        self._messages = 0

    def serve(self, request: bytes, now_ns: int) -> tuple[bytes, int]:
        """What comes back for one request, and how much later than it would; b"": nothing."""
        self._messages += 1
        unit, pdu = self.unit_and_pdu(request)
        if pdu[0] in WRITES:
            made_up = confirmed_write(request, rtu=self.rtu) if self.ignores_writes else None
            if made_up is not None:
                if not self._stands_already(unit, pdu):
                    self._tampered("a confirmed write that nobody took")
                return made_up, 0
            self._world.tell("modbus.wrote", unit=float(unit))
        reply = self._answer(self._units, request, now_ns)
        if pdu[0] in _READS and reply:
            self._remember(unit, pdu, reply)
        if self.impostor is not None and self.impostor[0] == unit:
            reply = self._second_answer(request, reply, now_ns)
        if self.fault is not None and reply:
            arrives, late_ns = self.fault.reply(reply, self._messages, rtu=self.rtu)
            if (arrives, late_ns) != (reply, 0):
                self._tampered(self.fault.how)
            return arrives, late_ns
        return reply, 0

    def _stands_already(self, unit: int, pdu: bytes) -> bool:
        """Whether the registers hold what is written to them, a limit as nearly as a driver reads it back: then nobody can
        tell that nobody took it."""
        words = pdu[6:] if pdu[0] == WRITE_REGISTERS else pdu[3:5]
        address, values = struct.unpack(">H", pdu[1:3])[0], list(struct.unpack(f">{len(words) // 2}H", words))
        try:
            held = self._units[unit].read_holding(address, len(values))
        except (KeyError, ModbusError):
            return False
        return all(
            new == old or (min(new, old) >= LEAST_LIMIT and abs(new - old) <= LIMIT_ROUNDS)
            for new, old in zip(values, held, strict=True)
        )

    def unit_and_pdu(self, request: bytes) -> tuple[int, bytes]:
        """Whom a request asks, and for what."""
        return (request[0], request[1:-2]) if self.rtu else (request[6], request[MBAP_BYTES:])

    def _answer(self, units: Mapping[int, UnitFace], request: bytes, now_ns: int) -> bytes:
        if self.rtu:
            return RtuMachine(units, FaceFaults()).receive(request, now_ns)
        return MbapMachine(units, FaceFaults()).receive(request)

    def _second_answer(self, request: bytes, reply: bytes, now_ns: int) -> bytes:
        """On one line both speak; behind a gateway now one, now the other is asked."""
        assert self.impostor is not None
        other = self._answer(dict((self.impostor,)), request, now_ns)
        if self.rtu:
            return reply + other
        mine = uniform(self._world.seed, "wire.impostor", self._messages, (0.0, 1.0)) < 0.5
        return reply if mine else other

    def _tampered(self, how: str) -> None:
        self._world.tell("modbus.tampered", how=how)

    def _remember(self, unit: int, pdu: bytes, reply: bytes) -> None:
        """What the asked unit says, before anything happens to it."""
        body = reply[1:-2] if self.rtu else reply[MBAP_BYTES:]
        address, count = struct.unpack(">HH", pdu[1:5])
        key = (unit, pdu[0], address, count)
        if body[0] & 0x80:
            self.given.pop(key, None)
        elif pdu[0] == READ_COILS:
            self.given[key] = tuple(body[2 + bit // 8] >> bit % 8 & 1 for bit in range(count))
        else:
            self.given[key] = struct.unpack(f">{count}H", body[2:])

    def taken(self, request: Request, values: tuple[int, ...]) -> None:
        """The driver was handed ``values`` for ``request``."""
        key = (request.unit, request.function, request.address, request.count)
        if request.function not in _READS or self.given.get(key) == values:
            self.foreign.discard(key)
            return
        if self.impostor is None:
            self._world.tell("modbus.believed", unit=float(request.unit), address=float(request.address))
        elif request.count > 2:
            # Looking for the map leaves nothing in what is reported.
            self.foreign.add(key)

    def reported(self, unit: int) -> None:
        """A driver reported readings of this unit."""
        if any(key[0] == unit for key in self.foreign):
            self._world.tell("modbus.believed", unit=float(unit))


class _Connection(Connection):
    """The drivers' own connection, with a witness of what it hands out."""

    def __init__(
        self,
        wire: Wire,
        loop: VirtualLoop,
        open_port: Callable[[Connection], asyncio.Future[Port] | asyncio.Task[Port]],
    ) -> None:
        framing = Framing.RTU if wire.rtu else Framing.TCP
        super().__init__("virtual", framing, open_port, clock_ns=lambda: loop.now_ns)
        self._wire = wire

    async def _ask(self, request: Request) -> tuple[int, ...]:
        values = await super()._ask(request)
        self._wire.taken(request, values)
        return values


class _Port:
    """One connection's bytes on their way; ``alive`` until it is let go."""

    def __init__(self, wire: Wire, connection: Connection, loop: VirtualLoop) -> None:
        self._wire = wire
        self._connection = connection
        self._loop = loop
        self.alive = True

    def write(self, data: bytes) -> None:
        """Send."""
        self._wire.writing += self._wire.unit_and_pdu(data)[1][0] in WRITES
        self._loop.at_ns(self._loop.now_ns + self._way_ns(data), self._arrive, data)

    def close(self) -> None:
        """Let go: what is still on its way is lost."""
        self.alive = False

    def _way_ns(self, data: bytes) -> int:
        return RTU_TURN_NS + RTU_BYTE_NS * len(data) if self._wire.rtu else TCP_WAY_NS

    def _arrive(self, data: bytes) -> None:
        now_ns = self._loop.now_ns
        self._wire.writing -= self._wire.unit_and_pdu(data)[1][0] in WRITES
        reply, late_ns = self._wire.serve(data, now_ns)
        if reply:
            self._loop.at_ns(now_ns + self._way_ns(reply) + late_ns, self._deliver, reply)

    def _deliver(self, data: bytes) -> None:
        if self.alive:
            self._connection.received(data)


class ModbusLane:
    """The house's ``links`` ("tcp", "rtu"), and the slow lane of one owner's life at a time."""

    def __init__(self, world: World, links: frozenset[str]) -> None:
        self._links = links
        lock = threading.Lock()
        self._world = world
        self.inverter = InverterUnit(world, lock, INVERTER_UNIT)
        tcp: dict[int, UnitFace] = {
            INVERTER_UNIT: self.inverter,
            SOLAR_UNIT: SolarUnit(world, lock, SOLAR_UNIT),
        }
        rtu: dict[int, UnitFace] = {RELAYS_UNIT: RelayBoard(world, lock)}
        for index in range(len(world.circuits)):
            rtu[FIRST_METER_UNIT + index] = CircuitMeter(world, lock, index)
        self.tcp = Wire(world, tcp, rtu=False)
        self.rtu = Wire(world, rtu, rtu=True)
        self._loop: VirtualLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._devices: list[SlowDevice] = []
        self._readings: list[Reading] = []
        self._said: dict[str, tuple[LinkState, str]] = {}

    # ------------------------------------------------------------ the owner's side

    def begin(self) -> None:
        """An owner starts: connections, drivers, their first polls."""
        self.end()
        loop = self._loop = VirtualLoop(self._world.now_ns)  # type: ignore[abstract]  # only what the drivers use
        self._readings, self._said = [], {}

        def connection(wire: Wire) -> _Connection:
            async def open_port(one: Connection) -> Port:
                return _Port(wire, one, loop)

            return _Connection(wire, loop, lambda one: loop.create_task(open_port(one)))

        self._devices = []
        if "tcp" in self._links:
            self._devices += self._sunspec(connection(self.tcp), loop)
        if "rtu" in self._links:
            self._devices.append(self._load_centre(connection(self.rtu), loop))
        self._tasks = [loop.create_task(device.run(), name=device.name) for device in self._devices]

    def has_bytes(self, reading: Reading) -> bool:
        """Whether readings of this kind come from the machines, so that nobody need read them off the house."""
        device = getattr(reading, "device", "")
        if device == slow_readings.embodied(self._world):
            device = "Inverter"
        return any(device == one.name for one in self._devices)

    def _sunspec(self, connection: Connection, loop: VirtualLoop) -> list[SlowDevice]:
        def clock() -> int:
            return loop.now_ns

        return [
            SunSpecInverter(
                "Inverter", connection, INVERTER_UNIT, self._emit(self.tcp, INVERTER_UNIT), clock_ns=clock
            ),
            SunSpecSolar(
                "Solar",
                connection,
                SOLAR_UNIT,
                self._emit(self.tcp, SOLAR_UNIT),
                period_s=1.0,
                clock_ns=clock,
            ),
        ]

    def _load_centre(self, connection: Connection, loop: VirtualLoop) -> SlowDevice:
        meters = {index: FIRST_METER_UNIT + index for index in range(len(self._world.circuits))}
        return LoadCentre(
            "Load centre",
            connection,
            RELAYS_UNIT,
            meters,
            min(8, len(meters)),
            self._emit(self.rtu, RELAYS_UNIT),
            clock_ns=lambda: loop.now_ns,
        )

    def end(self) -> None:
        """The owner is gone, and its connections with it."""
        if self._loop is None:
            return
        for task in self._tasks:
            task.cancel()
        self._loop.run_until(self._loop.now_ns)
        self._loop, self._devices = None, []
        self.tcp.writing = self.rtu.writing = 0

    def submit(self, request: SlowRequest) -> bool:
        """To the first device that takes it; False where none of these does."""
        return any(device.submit(request) for device in self._devices)

    @property
    def writing(self) -> bool:
        """Whether something is on its way that changes the house when it arrives."""
        return bool(self.tcp.writing or self.rtu.writing)

    def next_ns(self) -> int:
        """When something is due."""
        return NEVER_NS if self._loop is None else self._loop.next_ns()

    def live_until(self, now_ns: int) -> list[Reading]:
        """Whatever is due; the readings that it gave."""
        if self._loop is not None:
            self._loop.run_until(now_ns)
        readings, self._readings = self._readings, []
        return readings

    def _emit(self, wire: Wire, unit: int) -> Callable[[Reading], None]:
        def emit(reading: Reading) -> None:
            if isinstance(reading, LinkHealth):
                self._say(reading)
            elif not isinstance(reading, Identity):
                # Who it says it is, is looked at to find it out.
                wire.reported(unit)
            embodied = slow_readings.embodied(self._world)
            if isinstance(reading, InverterStatus | CarStatus) and embodied != reading.device:
                # Behind whichever inverter holds the house stands the one face that the twin has.
                reading = replace(reading, device=embodied)
            self._readings.append(reading)

        return emit

    def _say(self, health: LinkHealth) -> None:
        said = (health.state, health.reason)
        if said != self._said.get(health.device) and health.reason:
            self._world.tell("modbus.refused", device=health.device, reason=health.reason)
        self._said[health.device] = said
