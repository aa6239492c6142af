"""Several inverters on one house: one makes the frequency, the others share the current (I14).

The primary is isochronous. A secondary joins only while it is in phase with the house (5°, 2 %, 0.05 Hz, held), one at
a time; one that leaves its phase, falls silent or fails is left out of the mask in the same step, and comes back after
a wait, three times at most. A primary that is silent for 60 ms ends the island: all gates off, the bus dead for 100 ms,
then the next in rank forms. No secondary is ever promoted while the house is lit.

With one inverter nothing here runs: ``Settings.parallel.units`` is empty then.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import HOUSE_FAST_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import (
    NOMINAL_V,
    NS_PER_MS,
    NS_PER_S,
    CarSettings,
    ParallelSettings,
    UnitSettings,
)
from v2h_drivers.capabilities import (
    CarStatus,
    ForeignCommand,
    InverterFast,
    InverterMode,
    InverterStatus,
    Reading,
    UnitFast,
)

#: Three periods of a unit's state frame: longer is silence (fault class 61).
UNIT_LIMIT_MS = 60.0
#: A car joins again only so much above its stop.
CLEAR_PCT = 1.0
NO_ANGLE = "its angle is unknown"
DEAD_PU = 0.05
DEAD_BUS_NS = 100 * NS_PER_MS
#: A second voice on the bus counts when it speaks this often within this time: one stray frame is no master.
FOREIGN_VOICES = 3
FOREIGN_WITHIN_NS = 500 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Unit:
    """One inverter as last heard. ``reason``: why it does not run with the others, "" = it does or may."""

    reading: UnitFast | None = None
    car: CarStatus | None = None
    joined: bool = False
    in_phase_since_ns: int | None = None
    drops: int = 0
    not_before_ns: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ParallelState:
    """``primary``: index of the unit that makes the frequency; ``mask``: whose gates may be on, bit = index.

    ``second_master``: who else commands or makes a frequency, in words.
    """

    primary: int = 0
    mask: int = 1
    units: tuple[Unit, ...] = ()
    dead_since_ns: int | None = None
    next_join_ns: int = 0
    second_master: str = ""
    foreign: ForeignCommand | None = None
    foreign_heard: int = 0
    foreign_first_ns: int = 0

    @property
    def units_running(self) -> int:
        """How many inverters carry the house, or would: the primary and those that have joined."""
        return self.mask.bit_count()


def initial(settings: ParallelSettings) -> ParallelState:
    """Nothing heard, the first in rank is the primary."""
    return ParallelState(units=tuple(Unit() for _ in settings.units))


def sense(
    settings: ParallelSettings, state: ParallelState, readings: tuple[Reading, ...]
) -> tuple[ParallelState, tuple[Reading, ...]]:
    """Take what the units and their cars said; what the core is to see as its one inverter comes back.

    All rules of the island speak of "the inverter": that is the primary, whichever unit it is.
    """
    names = tuple(unit.name for unit in settings.units)
    units = list(state.units)
    seen: list[Reading] = []
    for reading in readings:
        match reading:
            case InverterFast():
                # Unit 1's own frame, ten times as rich: it is what the core sees while unit 1 is the primary.
                if state.primary == 0:
                    seen.append(reading)
            case UnitFast():
                index = reading.unit - 1
                if 0 <= index < len(units):
                    units[index] = replace(units[index], reading=reading)
                    if index == state.primary != 0:
                        seen.append(_as_primary(reading))
            case CarStatus() | InverterStatus() if reading.device in names:
                index = names.index(reading.device)
                if isinstance(reading, CarStatus):
                    units[index] = replace(units[index], car=reading)
                if index == state.primary:
                    seen.append(reading)
            case _:
                seen.append(reading)
    return replace(state, units=tuple(units)), tuple(seen)


def _as_primary(reading: UnitFast) -> InverterFast:
    return InverterFast(
        reading.at_ns, reading.quality, reading.mode, reading.gate_on, reading.form_enabled, reading.fault,
        None, None, reading.current_a, reading.limit_a,
    )  # fmt: skip


def hear_foreign(state: ParallelState, heard: ForeignCommand | None) -> ParallelState:
    """Count a command on the bus that is not ours; several in a short time are a second master."""
    if heard is None:
        return replace(state, foreign=None)
    if state.foreign_heard and heard.at_ns - state.foreign_first_ns <= FOREIGN_WITHIN_NS:
        count, first_ns = state.foreign_heard + 1, state.foreign_first_ns
    else:
        count, first_ns = 1, heard.at_ns
    words = "somebody else commands the controller" if count >= FOREIGN_VOICES else state.second_master
    return replace(state, foreign=heard, foreign_heard=count, foreign_first_ns=first_ns, second_master=words)


def update(
    settings: ParallelSettings,
    car: CarSettings,
    state: ParallelState,
    senses: Senses,
    *,
    lit: bool,
    tied: bool,
    settled: bool,
    now_ns: int,
    started: bool = False,
) -> ParallelState:
    """Who may run with the primary now. ``settled``: the island has stood long enough to join others to it; ``started``:
    the core has just begun, and a unit that the last run had chosen may form until the controller lets go of it. ``car``:
    what each unit's own car must have left, and within what its word counts."""
    if not state.units:
        return state
    rival = next(
        (
            index + 1
            for index, unit in enumerate(state.units)
            if index != state.primary and _forms(unit, now_ns)
        ),
        None,
    )
    if rival is not None and not started:
        text = f"inverter {rival} makes a frequency of its own"
        state = replace(state, second_master=text)
    if not lit and not tied:
        return _alone(state, senses, now_ns)
    return _share(settings, car, state, settled or tied, now_ns)


def _forms(unit: Unit, now_ns: int) -> bool:
    reading = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
    return reading is not None and reading.mode is InverterMode.FORMING


def healthy(unit: Unit, now_ns: int) -> bool:
    """Heard within 60 ms and without a fault."""
    reading = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
    return (
        reading is not None
        and not reading.fault
        and reading.mode not in (InverterMode.FAULT, InverterMode.OFF)
    )


def _alone(state: ParallelState, senses: Senses, now_ns: int) -> ParallelState:
    """Dark or on the way: the primary alone, and how long the bus has been dead."""
    house = fresh(senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    dead = (
        house is not None
        and house.l1_pu is not None
        and house.l2_pu is not None
        and max(house.l1_pu, house.l2_pu) < DEAD_PU
    )
    since_ns = state.dead_since_ns
    if any(unit.joined or unit.in_phase_since_ns is not None for unit in state.units):
        state = replace(
            state, units=tuple(replace(unit, joined=False, in_phase_since_ns=None) for unit in state.units)
        )
    if not dead:
        since_ns = None
    elif since_ns is None:
        since_ns = now_ns
    return replace(state, mask=1 << state.primary, dead_since_ns=since_ns)


def _share(
    settings: ParallelSettings, car: CarSettings, state: ParallelState, settled: bool, now_ns: int
) -> ParallelState:
    """Lit, or on the grid: drop who must not stay, join the next who may."""
    units = list(state.units)
    next_join_ns = state.next_join_ns
    for index, unit in enumerate(units):
        if index == state.primary:
            continue
        wrong = _wrong(settings, unit, now_ns)
        empty = "" if wrong else _car_wrong(unit, car, now_ns)
        if unit.joined:
            if wrong == NO_ANGLE or empty:
                # The bus itself has gone, or its car has given what it has: nothing that the unit did.
                units[index] = replace(unit, joined=False, in_phase_since_ns=None, reason=wrong or empty)
            elif wrong:
                units[index] = replace(
                    unit,
                    joined=False,
                    in_phase_since_ns=None,
                    drops=unit.drops + 1,
                    not_before_ns=now_ns + int(settings.rejoin_s * NS_PER_S),
                    reason=_why_out(settings, unit.drops + 1, wrong),
                )
            continue
        if wrong or empty or not _in_window(settings, unit):
            reason = (
                unit.reason if unit.drops >= settings.most_drops else wrong or empty or "not in phase yet"
            )
            units[index] = replace(unit, in_phase_since_ns=None, reason=reason)
            continue
        since_ns = unit.in_phase_since_ns if unit.in_phase_since_ns is not None else now_ns
        units[index] = unit = replace(unit, in_phase_since_ns=since_ns)
        if (
            settled
            and unit.drops < settings.most_drops
            and now_ns >= max(unit.not_before_ns, next_join_ns)
            and now_ns - since_ns >= settings.join_hold_ms * NS_PER_MS
        ):
            units[index] = replace(unit, joined=True, reason="")
            next_join_ns = now_ns + int(settings.between_joins_s * NS_PER_S)
    mask = 1 << state.primary
    for index, unit in enumerate(units):
        if unit.joined:
            mask |= 1 << index
    return replace(state, units=tuple(units), mask=mask, next_join_ns=next_join_ns, dead_since_ns=None)


def _why_out(settings: ParallelSettings, drops: int, wrong: str) -> str:
    if drops >= settings.most_drops:
        return f"dropped {drops} times ({wrong}); kept out until reset with R"
    return wrong


def _wrong(settings: ParallelSettings, unit: Unit, now_ns: int) -> str:
    """Why this secondary must not run now; unknown is a reason."""
    reading = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
    if reading is None:
        return "silent"
    if reading.fault or reading.mode in (InverterMode.FAULT, InverterMode.OFF):
        return "fault" if reading.fault else reading.mode.value
    if reading.phase_deg is None or reading.slip_hz is None or reading.voltage_difference_pct is None:
        return NO_ANGLE
    if abs(reading.phase_deg) > settings.drop_phase_deg:
        return f"{reading.phase_deg:+.0f}° out of phase"
    return ""


def _car_wrong(unit: Unit, settings: CarSettings, now_ns: int) -> str:
    """Why this secondary's car must not be drawn from (I7): each has its own reserve. Unknown is a reason."""
    car = fresh(unit.car, now_ns, settings.fresh_ms)
    if car is None or car.soc_pct is None or car.dc_voltage_v is None:
        return "its car is not heard"
    least_pct = settings.stop_soc_pct + (0.0 if unit.joined else CLEAR_PCT)
    if car.soc_pct < least_pct:
        return f"its car is at {car.soc_pct:.0f} %, it needs {least_pct:.0f} %"
    if not settings.dc_lo_v <= car.dc_voltage_v <= settings.dc_hi_v:
        return f"its car's DC side is at {car.dc_voltage_v:.0f} V"
    return ""


def _in_window(settings: ParallelSettings, unit: Unit) -> bool:
    reading = unit.reading
    return (
        reading is not None
        and reading.phase_deg is not None
        and reading.slip_hz is not None
        and reading.voltage_difference_pct is not None
        and abs(reading.phase_deg) <= settings.join_phase_deg
        and abs(reading.slip_hz) <= settings.join_slip_hz
        and abs(reading.voltage_difference_pct) <= settings.join_voltage_pct
    )


def next_in_rank(state: ParallelState, car: CarSettings, now_ns: int) -> int | None:
    """Who forms after the primary is lost: the next healthy unit whose car can; ``None`` = nobody, or not yet."""
    if state.dead_since_ns is None or now_ns - state.dead_since_ns < DEAD_BUS_NS:
        return None
    count = len(state.units)
    for step in range(1, count):
        index = (state.primary + step) % count
        unit = state.units[index]
        if healthy(unit, now_ns) and _can_feed(unit, car, now_ns):
            return index
    return None


def _can_feed(unit: Unit, settings: CarSettings, now_ns: int) -> bool:
    car = fresh(unit.car, now_ns, settings.fresh_ms)
    return (
        car is not None
        and car.soc_pct is not None
        and car.soc_pct >= settings.stop_soc_pct
        and car.dc_voltage_v is not None
        and settings.dc_lo_v <= car.dc_voltage_v <= settings.dc_hi_v
    )


def elect(state: ParallelState, senses: Senses, index: int) -> tuple[ParallelState, Senses]:
    """Unit ``index`` is the primary from now on, and what the core takes for its inverter and car."""
    unit = state.units[index]
    assert unit.reading is not None
    return (
        replace(state, primary=index, mask=1 << index, dead_since_ns=None),
        replace(senses, inverter_fast=_as_primary(unit.reading), car=unit.car),
    )


def gates_off(state: ParallelState, now_ns: int, *, told_off: bool) -> bool:
    """Every gate that is heard of is off. ``told_off``: all have been told so for longer than it takes; the controller
    itself turns a silent unit's off with the others, and its last word from before says nothing any more."""
    return not any(
        unit.reading is not None
        and unit.reading.gate_on
        and not (told_off and fresh(unit.reading, now_ns, UNIT_LIMIT_MS) is None)
        for unit in state.units
    )


def reset(state: ParallelState) -> ParallelState:
    """A person has looked: all may join again, and whoever else commanded is believed to be gone."""
    units = tuple(replace(unit, drops=0, not_before_ns=0, reason="") for unit in state.units)
    return replace(state, units=units, second_master="", foreign_heard=0)


def capacity_w(settings: ParallelSettings, state: ParallelState, unit_limit_w: float) -> tuple[float, float]:
    """Watts that all that run can give together, and what is left of them without the largest.

    Each gives ``unit_limit_w``, or less by its own nameplate and by what it says of itself. They share one current in
    equal parts, so the weakest sets everybody's part.
    """
    if not settings.units:
        return unit_limit_w, 0.0
    each_w = sorted(
        _own_limit_w(one, unit, unit_limit_w)
        for index, (one, unit) in enumerate(zip(settings.units, state.units, strict=True))
        if state.mask >> index & 1
    )
    return each_w[0] * len(each_w), each_w[0] * (len(each_w) - 1)


def primary_limit_w(settings: ParallelSettings, state: ParallelState, unit_limit_w: float) -> float:
    """Watts that the one that forms can give before others join it."""
    if not settings.units:
        return unit_limit_w
    return _own_limit_w(settings.units[state.primary], state.units[state.primary], unit_limit_w)


def _own_limit_w(settings: UnitSettings, unit: Unit, limit_w: float) -> float:
    limit_a = None if unit.reading is None else unit.reading.limit_a
    said_w = settings.rated_w if limit_a is None else limit_a * 2.0 * NOMINAL_V
    return min(limit_w, settings.rated_w, said_w)
