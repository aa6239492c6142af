"""A polled SunSpec device, whatever it is: its map found, its identity watched, its newest request kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import DischargeLimitRequest, SlowRequest, SolarPermitRequest
from v2h_drivers.capabilities.slow_readings import Identity, LinkState
from v2h_drivers.modbus.connection import Connection, ModbusFailure
from v2h_drivers.modbus.health import HealthTeller
from v2h_drivers.modbus.machine import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, FailureKind
from v2h_drivers.modbus.pace import Pace
from v2h_drivers.modbus.sunspec import (
    BASES,
    MAX_BLOCK,
    MAX_RAW,
    NOT_THERE,
    NotSunSpec,
    Place,
    find_models,
    model_points,
    number,
    read_models,
    text,
)

PROTOCOL = "Modbus TCP"
#: Only when one and the same device has answered for this long is a unit id taken to be one device's again.
ALONE_NS = 10_000_000_000
#: Exceptions to a read of the map that is known, from which another device may be told: to it there is nothing there.
#: Every other one (failure, busy, no way through the gateway) is the known device's own word for "not now".
STRANGE = (ILLEGAL_FUNCTION, ILLEGAL_ADDRESS)
#: A request that cannot be carried out is refused at most so many times.
MOST_TRIES = 2
#: One that fails for now is tried again with the next poll, and then after this: an answer that does not come holds the line.
TRY_AGAIN_NS = 2_000_000_000
#: A block is not made smaller than this.
LEAST_BLOCK = 15
#: So many tries to find the map again are where it was, but one of them.
ELSEWHERE_EVERY = 8


class UnitConflict(Exception):
    """More than one device answers as this unit. ``str()`` is a plain clause."""


class Unidentified(Exception):
    """A device that has said who it is does not say it now. ``str()`` is a plain clause."""


class WriteRefused(Exception):
    """The device answered a write with an exception, or its map has no room for it. ``str()`` is a plain clause, ``lasting``
    whether another try would end in the same."""

    def __init__(self, words: str, *, lasting: bool = True) -> None:
        super().__init__(words)
        self.lasting = lasting


Asked = TypeVar("Asked", DischargeLimitRequest, SolarPermitRequest)


class SunSpecDevice(Generic[Asked]):
    """What every SunSpec device shares: find the map, poll, say how the link is, keep the newest request until it is
    carried out. Subclasses emit readings, and carry out what they take."""

    #: Models read at each poll, and every tenth poll. The identity is read each time, in the block that it shares
    #: with the measurements: another device with the same unit id answers with its own.
    often: tuple[int, ...] = (1, 701)
    seldom: tuple[int, ...] = (702,)
    #: The one kind of request that this device takes.
    takes: type[Asked]
    #: Between two polls, where the site says nothing else.
    usual_s: float

    def __init__(
        self,
        name: str,
        connection: Connection,
        unit: int,
        emit: Callable[[Reading], None],
        *,
        period_s: float | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._connection = connection
        self._unit = unit
        self._emit = emit
        self._clock_ns = clock_ns
        self._health = HealthTeller(name, PROTOCOL, connection, unit, emit, clock_ns)
        self._bases: tuple[int, ...] = BASES
        self._found = False
        #: Tries to find the map that nobody answered, and whether the last one was not where it had been.
        self._unheard, self._elsewhere = 0, False
        self._places: dict[int, Place] = {}
        self._registers: dict[int, tuple[int, ...]] = {}
        #: Registers that are asked for at once, and whether a poll has ever been answered.
        self._block, self._read_before = MAX_BLOCK, False
        self._polls = 0
        self._identity: tuple[str, str, str] | None = None
        #: Since when no other device has answered, while the id is in doubt.
        self._stranger_ns: int | None = None
        self._strangers = ""
        #: When last something came that would be another device's if it came again.
        self._odd_ns: int | None = None
        self._blank = False
        self._wanted: Asked | None = None
        self._tries = 0
        self._failed_tries, self._try_at_ns = 0, 0
        period_s = self.usual_s if period_s is None else period_s
        self._pace = Pace(period_s, clock_ns, self._health.again)

    async def run(self) -> None:
        """Poll until cancelled; every failure is said, waited out and tried again."""
        while True:
            self._pace.begin()
            refused = silent = False
            try:
                await self.poll()
            except ModbusFailure as failure:
                refused = failure.kind is FailureKind.EXCEPTION
                if failure.kind is FailureKind.TIMEOUT and self._places and not self._read_before:
                    # Its map was heard: behind a gateway with a slow line a long answer takes more than the time there is.
                    self._block = max(LEAST_BLOCK, self._block // 2)
                silent = failure.kind in (FailureKind.TIMEOUT, FailureKind.CLOSED)
                if failure.code in STRANGE and self._places:
                    self._suspect("one with another map")
                self._failed(str(failure))
            except NotSunSpec as failure:
                self._doubt("one with another map")
                self._failed(str(failure))
            except (UnitConflict, Unidentified) as failure:
                self._failed(str(failure))
            state = self._health.state
            # A refusal is an answer, too: it held the line no longer than a good one, and "busy" is soon over.
            answered = state is LinkState.OK or (refused and state is not LinkState.LOST)
            # Asked seldom, two devices with one number would look like one for long enough to be believed; but when no other
            # has answered for that long, it is a silent unit like any.
            doubted = self._stranger_ns is not None and self._clock_ns() - self._stranger_ns < ALONE_NS
            lost = state is LinkState.LOST and silent and not doubted
            await self._pace.rest(answered=answered, lost=lost, soon=self._elsewhere)

    async def poll(self) -> None:
        """One round, and the request if one is waiting. Raises ModbusFailure, NotSunSpec, UnitConflict or
        Unidentified; then nothing of it was used."""
        if not self._places:
            self._places = await self._find()
            # What a model said that is in this map no longer is nobody's word now.
            self._registers = {}
            await self._identify()
        unread = any(one in self._places and one not in self._registers for one in self.seldom)
        wanted = self.often + self.seldom if unread or self._polls % 10 == 0 else self.often
        self._polls += 1
        places = [self._places[model] for model in wanted if model in self._places]
        read = await read_models(self._connection, self._unit, places, self._block)
        self._know(read)
        self._registers.update(read)
        self.report(self._clock_ns())
        self._read_before = True
        self._health.good()
        request = self._wanted
        if request is not None and (self._failed_tries < 2 or self._clock_ns() >= self._try_at_ns):
            await self._try(request)

    async def _find(self) -> dict[int, Place]:
        """The map. Some devices are silent where they have none: until one has been found, each try that is not answered
        leaves the next to another place; one silence a poll is all that neighbours are asked to bear. Where one was found
        it is looked for first, and now and then elsewhere: a successor, or new firmware, may have it there."""
        turns, left = divmod(self._unheard, ELSEWHERE_EVERY)
        self._elsewhere = self._found and left == ELSEWHERE_EVERY - 1
        first = 1 + turns % (len(BASES) - 1) if self._elsewhere else 0
        bases = self._bases[first:] + self._bases[:first]
        try:
            places = await find_models(self._connection, self._unit, bases)
        except ModbusFailure as failure:
            if failure.kind is FailureKind.TIMEOUT:
                self._unheard += 1
                if not self._found:
                    self._bases = self._bases[1:] + self._bases[:1]
            raise
        self._bases, self._found, self._unheard, self._elsewhere = bases, True, 0, False
        return places

    def report(self, now_ns: int) -> None:
        """Emit readings from what was read."""
        raise NotImplementedError

    def submit(self, request: SlowRequest) -> bool:
        """Take a request of the device's kind; the newest wins."""
        if not isinstance(request, self.takes):
            return False
        self._wanted, self._tries, self._failed_tries = request, 0, 0
        self._pace.hurry()
        return True

    async def carry_out(self, request: Asked) -> None:
        """Write it, read it back, retry once; what does not hold is said. Raises ModbusFailure, NotSunSpec, WriteRefused."""
        raise NotImplementedError

    def in_words(self, request: Asked) -> str:
        """What is asked for: "the discharge limit of 5.0 kW"."""
        raise NotImplementedError

    async def _try(self, request: Asked) -> None:
        """Carry it out. What the device cannot do is said, tried once more with the next poll, and dropped; what fails for
        now (no answer, busy, no way through the gateway) is kept until it is done or something else is asked for: nobody
        asks twice."""
        try:
            await self.carry_out(request)
            self._settled(request)
        except WriteRefused as refusal:
            self._missed(request, str(refusal), lasting=refusal.lasting)
        except (ModbusFailure, NotSunSpec) as failure:
            lasting = isinstance(failure, ModbusFailure) and failure.code in NOT_THERE
            self._missed(request, str(failure), lasting=lasting)
            raise

    def _missed(self, request: Asked, why: str, *, lasting: bool) -> None:
        self._health.note(f"did not take {self.in_words(request)}: {why}")
        if self._wanted is not request:
            return
        self._failed_tries += 1
        self._try_at_ns = self._clock_ns() + TRY_AGAIN_NS
        self._tries += lasting
        if self._tries >= MOST_TRIES:
            self._settled(request)

    def _settled(self, request: Asked) -> None:
        if self._wanted is request:
            self._wanted = None

    async def _write(self, place: Place, offset: int, raw: int) -> None:
        """One register of a model. Raises ModbusFailure, WriteRefused."""
        if offset >= 2 + place.length:
            raise WriteRefused(f"its model {place.model} ends before that")
        if not 0 <= raw <= MAX_RAW:
            raise WriteRefused("its register cannot hold that")
        try:
            await self._connection.write_registers(self._unit, place.address + offset, (raw,))
        except ModbusFailure as failure:
            if failure.kind is FailureKind.EXCEPTION:
                raise WriteRefused(str(failure), lasting=failure.code in NOT_THERE) from None
            raise

    def busy(self) -> bool:
        """The core sees what does not hold, and asks again: nothing is lost."""
        return False

    def ended(self, words: str) -> None:
        """Its task ended by a defect."""
        self._health.lost(words)
        self._forget()

    def _failed(self, reason: str) -> None:
        self._health.failed(reason)
        if self._health.state is LinkState.LOST:
            self._forget()

    def _forget(self) -> None:
        """What comes back may be another device, or the same with new firmware: look anew."""
        self._places, self._registers, self._polls = {}, {}, 0
        if self._stranger_ns is None:
            self._identity = None

    def _doubt(self, other: str) -> None:
        """What answered a moment ago answers otherwise now: maybe another device answers as this unit, too."""
        if self._identity is None:
            return
        self._stranger_ns = self._clock_ns()
        self._strangers = self._strangers or f"{self._identity[2] or self._identity[1]} and {other}"

    def _suspect(self, other: str) -> None:
        """A device may stumble once; what comes a second time before one has answered for long enough is another's."""
        now_ns, before_ns = self._clock_ns(), self._odd_ns
        self._odd_ns = now_ns
        if self._stranger_ns is not None or (before_ns is not None and now_ns - before_ns < ALONE_NS):
            self._doubt(other)

    def _know(self, read: dict[int, tuple[int, ...]]) -> None:
        """Whether the same device answers as before. Raises UnitConflict, until only one has answered for a while, and
        Unidentified."""
        registers, points = read.get(1), model_points(1)
        if registers is None:
            return
        maker, model, serial = (text(points, registers, name) for name in ("Mn", "Md", "SN"))
        said, known = (maker, model, serial), self._identity or ("", "", "")
        now_ns = self._clock_ns()
        if any(one and other and one != other for one, other in zip(said, known, strict=True)):
            self._stranger_ns = now_ns
            self._strangers = " and ".join(sorted((known[2] or known[1], serial or model)))
        elif known[2] and not serial:
            # One that starts says nothing yet, once; of two devices the one without a number comes again and again.
            if not self._blank or self._stranger_ns is not None:
                self._suspect("one without a serial number")
            self._blank = True
            raise Unidentified("does not say its serial number")
        self._identity, self._blank = (maker or known[0], model or known[1], serial), False
        if self._stranger_ns is None:
            return
        if now_ns - self._stranger_ns < ALONE_NS:
            raise UnitConflict(f"two devices answer as unit {self._unit}: {self._strangers}")
        self._stranger_ns, self._strangers = None, ""

    async def _identify(self) -> None:
        place = self._places.get(1)
        if place is None:
            return
        registers = (await read_models(self._connection, self._unit, [place], self._block))[1]
        points = model_points(1)
        self._emit(
            Identity(
                at_ns=self._clock_ns(),
                quality=Quality.GOOD,
                device=self.name,
                manufacturer=text(points, registers, "Mn"),
                model=text(points, registers, "Md"),
                version=text(points, registers, "Vr"),
                serial=text(points, registers, "SN"),
            )
        )

    def _number(self, model: int, name: str, nth: int = 0) -> float | None:
        registers = self._registers.get(model)
        return None if registers is None else number(model_points(model), registers, name, nth)
