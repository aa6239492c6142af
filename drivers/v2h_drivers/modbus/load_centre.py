"""The load centre on one RS-485 line: a relay board and one meter a circuit, laid out by profiles.

Relays: FC 1 and 5 on a board whose coil i is circuit i. Meters: FC 4, float32, high word first.
"""

from __future__ import annotations

import math
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping

from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import RelayRequest, SlowRequest
from v2h_drivers.capabilities.slow_readings import CircuitReading, LinkState, RelayStates
from v2h_drivers.modbus.connection import Connection, ModbusFailure
from v2h_drivers.modbus.health import HealthTeller
from v2h_drivers.modbus.machine import FailureKind
from v2h_drivers.modbus.pace import Pace
from v2h_drivers.modbus.plausible import Plausibility
from v2h_drivers.modbus.profile import MeterProfile, RelayProfile, meter_profile, relay_profile

PROTOCOL = "Modbus RTU"
#: A relay is not switched for a request older than this.
EXPIRY_NS = 2_000_000_000
#: In a round of meters that takes longer the relays are read again.
RELAYS_STALE_NS = 1_000_000_000


class LoadCentre:
    """Polls relays and meters in turn; a relay write is read back and retried once."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        relays_unit: int,
        meters: Mapping[int, int],
        relay_count: int,
        emit: Callable[[Reading], None],
        *,
        period_s: float = 1.0,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``meters`` maps a circuit's index to its meter's unit id."""
        self.name = name
        self._connection = connection
        self._relays_unit = relays_unit
        self._meters = dict(meters)
        self._relay_count = relay_count
        self._emit = emit
        self._clock_ns = clock_ns
        self._relays: RelayProfile = relay_profile("waveshare_relay_8")
        self._meter: MeterProfile = meter_profile("eastron_sdm230")
        self._health = HealthTeller(name, PROTOCOL, connection, relays_unit, emit, clock_ns)
        #: Each with when it came.
        self._requests: deque[tuple[RelayRequest, int]] = deque(maxlen=64)
        self._switching = False
        #: circuit → what its relay was to be and did not become, and the words for it, until it does or is asked anew.
        self._astray: dict[int, tuple[bool, str]] = {}
        self._looked_ns = 0
        self._pace = Pace(period_s, clock_ns, self._health.again)

    def submit(self, request: SlowRequest) -> bool:
        """Take a relay request for a circuit that this board has."""
        if not isinstance(request, RelayRequest) or not 0 <= request.circuit < self._relay_count:
            return False
        if self._health.state is LinkState.LOST:
            return False
        self._requests.append((request, self._clock_ns()))
        self._pace.hurry()
        return True

    def busy(self) -> bool:
        """Whether a relay is still to be switched: the core asks once."""
        # In this order: what is taken from the queue is being switched before that.
        return bool(self._requests) or self._switching

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._pace.begin()
            try:
                await self.poll()
            except ModbusFailure as failure:
                self._health.failed(str(failure))
                # A board that is busy is there, and soon free: an order that is too old by then is not carried out.
                if failure.kind is not FailureKind.EXCEPTION:
                    self._drop(str(failure))
            state = self._health.state
            await self._pace.rest(answered=state is LinkState.OK, lost=state is LinkState.LOST)

    def ended(self, words: str) -> None:
        """Its task ended by a defect."""
        self._health.lost(words)
        self._drop(words)

    async def poll(self) -> None:
        """One round. Raises ModbusFailure for the board; a single silent meter only fails its own circuit."""
        await self._switch()
        await self._look_at_relays()
        silent = []
        for circuit, unit in self._meters.items():
            await self._switch()
            if self._clock_ns() - self._looked_ns >= RELAYS_STALE_NS:
                await self._look_at_relays()
            try:
                self._emit(await self._read_meter(circuit, unit))
                # On a slow line a round takes longer than the link's word holds.
                self._health.again()
            except ModbusFailure as failure:
                silent.append(f"meter {unit} {failure}")
                # Said now: with others silent too, the round may take seconds. The board itself has answered.
                self._say(silent)
        self._say(silent)

    async def _look_at_relays(self) -> None:
        """What the relays are, said. Raises ModbusFailure."""
        mask = await self._read_relays()
        self._looked_ns = self._clock_ns()
        self._astray = {
            circuit: (closed, words)
            for circuit, (closed, words) in self._astray.items()
            if bool(mask >> circuit & 1) is not closed
        }
        self._emit(RelayStates(self._clock_ns(), Quality.GOOD, self.name, mask))

    def _say(self, silent: list[str]) -> None:
        """The board answers; which relay did not follow, and which meters are silent."""
        self._health.note(_in_words([words for _, words in self._astray.values()] + silent))
        self._health.good()

    async def _read_relays(self) -> int:
        coils = await self._connection.read_coils(
            self._relays_unit, self._relays.first_coil, self._relay_count
        )
        return sum(coil << index for index, coil in enumerate(coils))

    async def _read_meter(self, circuit: int, unit: int) -> CircuitReading:
        meter = self._meter
        ok = Plausibility()
        # Two reads: the meter's measured block, and the frequency that stands far behind it.
        block = await self._connection.read_input(unit, meter.voltage_v, meter.power_w + 2 - meter.voltage_v)
        hertz = await self._connection.read_input(unit, meter.frequency_hz, 2)
        start = meter.voltage_v
        fields = {
            "voltage_v": ok.check("voltage_v", float32(block, meter.voltage_v - start)),
            "current_a": ok.check("current_a", float32(block, meter.current_a - start)),
            "power_w": ok.check("power_w", float32(block, meter.power_w - start)),
            "frequency_hz": ok.check("frequency_hz", float32(hertz, 0)),
        }
        quality = Quality.GOOD if ok.held else Quality.BAD
        return CircuitReading(
            at_ns=self._clock_ns(), quality=quality, device=self.name, circuit=circuit, **fields
        )

    async def _switch(self) -> None:
        self._switching = bool(self._requests)
        try:
            await self._switch_all()
        finally:
            self._switching = False

    async def _switch_all(self) -> None:
        while self._requests:
            request, came_ns = self._requests.popleft()
            self._astray.pop(request.circuit, None)
            if self._clock_ns() - came_ns > EXPIRY_NS:
                self._missed(request, "the line was not free in time")
                continue
            try:
                await self._set(request)
            except ModbusFailure as failure:
                self._missed(request, str(failure))
                if failure.kind is not FailureKind.EXCEPTION:
                    raise

    async def _set(self, request: RelayRequest) -> None:
        """Write it, read it back, retry once. Raises ModbusFailure."""
        coil = self._relays.first_coil + request.circuit
        for _ in range(2):
            await self._connection.write_coil(self._relays_unit, coil, request.closed)
            if bool(await self._read_relays() >> request.circuit & 1) == request.closed:
                return
        self._astray[request.circuit] = (request.closed, f"relay {request.circuit + 1} does not follow")

    def _missed(self, request: RelayRequest, why: str) -> None:
        """A request that is not tried again."""
        words = f"relay {request.circuit + 1} was not {'closed' if request.closed else 'opened'}: {why}"
        self._astray[request.circuit] = (request.closed, words)

    def _drop(self, why: str) -> None:
        """Nobody wants a load switched by an order that waited for a line to come back."""
        while self._requests:
            self._missed(self._requests.popleft()[0], why)


def _in_words(silent: list[str]) -> str:
    return "; ".join(silent[:2]) + (f" and {len(silent) - 2} more" if len(silent) > 2 else "")


def float32(registers: tuple[int, ...], at: int) -> float | None:
    """Two registers, high word first; NaN and infinities are unknown."""
    number = float(struct.unpack(">f", struct.pack(">HH", registers[at], registers[at + 1]))[0])
    return number if math.isfinite(number) else None
