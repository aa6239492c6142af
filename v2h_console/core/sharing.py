"""Which of several inverters run beside the primary, and what they can give together.

The primary is isochronous. A secondary joins only while it is in phase with the house (5°, 2 %, 0.05 Hz, held), one at
a time, and only where all can give more with it; one that leaves its phase, falls silent, fails or does not run though
told to is left out of the mask in the same step, and comes back after a wait, three times at most.
"""

from __future__ import annotations

import math

from v2h_console.core import soc
from v2h_console.core.frozen import replace
from v2h_console.core.parallel import RIVAL_FRAMES, UNIT_LIMIT_MS, ParallelState, Unit, healthy
from v2h_console.core.senses import HOUSE_FAST_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import (
    NOMINAL_V,
    NS_PER_MS,
    NS_PER_S,
    CarSettings,
    ParallelSettings,
    UnitSettings,
)
from v2h_drivers.capabilities.fast_readings import InverterMode

DEAD_PU = 0.05
#: A car joins again only so much above its stop.
CLEAR_PCT = 1.0
#: A gate that was told on is on, and said to be, after this.
STARTS_NS = 150 * NS_PER_MS
#: One that has shared the load for so long has made up for what it was dropped for.
FADE_NS = 600 * NS_PER_S
#: One that runs may fall a little below what it would have to give to join, so that it does not come and go.
STAYS_SHARE = 0.9
NO_ANGLE = "its angle is unknown"
SILENT = "silent"


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
    gated: bool = True,
    unit_limit_w: float = math.inf,
) -> ParallelState:
    """Who may run with the primary now. ``settled``: the island has stood long enough to join others to it; ``started``:
    the core has just begun, and a unit that the last run had chosen may form until the controller lets go of it. ``car``:
    what each unit's own car must have left, and within what its word counts; ``gated``: the gates are asked for;
    ``unit_limit_w``: what each may give by what the site asks."""
    if not state.units:
        return state
    if not started:
        for index, unit in enumerate(state.units):
            if index != state.primary and unit.forming_frames >= RIVAL_FRAMES and _heard(unit, now_ns):
                text = f"inverter {index + 1} makes a frequency of its own"
                state = replace(state, second_master=text)
    if gated != (state.gated_since_ns is not None):
        state = replace(state, gated_since_ns=now_ns if gated else None)
    state = _judge_cars(state, tied=tied)
    shared = (
        _share(settings, car, state, settled or tied, unit_limit_w, now_ns)
        if lit or tied
        else _alone(state, senses, now_ns)
    )
    return _count_out(shared, gated, now_ns)


def _heard(unit: Unit, now_ns: int) -> bool:
    return fresh(unit.reading, now_ns, UNIT_LIMIT_MS) is not None


def _judge_cars(state: ParallelState, *, tied: bool) -> ParallelState:
    """Each further car's word against what was drawn, as the primary's is judged."""
    units = tuple(
        unit
        if index == state.primary
        or unit.car is None
        or unit.car.soc_pct is None
        or unit.car.at_ns == unit.soc.at_ns
        else replace(unit, soc=soc.update(unit.soc, unit.car, unit.car.soc_pct, tied=tied))
        for index, unit in enumerate(state.units)
    )
    return state if units == state.units else replace(state, units=units)


def _count_out(state: ParallelState, gated: bool, now_ns: int) -> ParallelState:
    """Since when each has been told to be off: by the mask, or with all the others."""
    units = []
    for index, unit in enumerate(state.units):
        out = not (gated and state.mask >> index & 1)
        if out == (unit.out_since_ns is None):
            unit = replace(unit, out_since_ns=now_ns if out else None)
        units.append(unit)
    return state if tuple(units) == state.units else replace(state, units=tuple(units))


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
    settings: ParallelSettings,
    car: CarSettings,
    state: ParallelState,
    settled: bool,
    unit_limit_w: float,
    now_ns: int,
) -> ParallelState:
    """Lit, or on the grid: drop who must not stay, join the next who may."""
    units = list(state.units)
    next_join_ns = state.next_join_ns
    # Where nobody is heard it is the bus that is silent, and no unit's doing.
    anybody = any(_heard(unit, now_ns) for unit in units)
    own_w = [
        min(unit_limit_w, own_limit_w(one, unit)) for one, unit in zip(settings.units, units, strict=True)
    ]
    primary_w = own_w[state.primary]
    able = [
        index == state.primary or unit.joined or _may_join(settings, car, unit, now_ns)
        for index, unit in enumerate(units)
    ]
    for index, unit in enumerate(units):
        if index == state.primary:
            continue
        wrong = _wrong(settings, state, unit, now_ns)
        others_w = [
            min(primary_w, own_w[other]) for other in range(len(units)) if able[other] and other != index
        ]
        spared = "" if wrong else _car_wrong(unit, car, now_ns)
        if not wrong and not spared:
            spared = _binds(unit, min(primary_w, own_w[index]), others_w)
        if unit.joined:
            if wrong == NO_ANGLE or spared or (wrong == SILENT and not anybody):
                # The bus itself has gone, its car has given what it has, or it would hold the others down: nothing that
                # the unit did.
                units[index] = replace(unit, joined=False, in_phase_since_ns=None, reason=wrong or spared)
            elif wrong:
                units[index] = replace(
                    unit,
                    joined=False,
                    in_phase_since_ns=None,
                    drops=unit.drops + 1,
                    not_before_ns=now_ns + int(settings.rejoin_s * NS_PER_S),
                    reason=_why_out(settings, unit.drops + 1, wrong),
                )
            elif unit.drops and now_ns - unit.joined_ns >= FADE_NS:
                units[index] = replace(unit, drops=0)
            continue
        if wrong or spared or not _in_window(settings, unit):
            reason = (
                unit.reason if unit.drops >= settings.most_drops else wrong or spared or "not in phase yet"
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
            units[index] = replace(unit, joined=True, joined_ns=now_ns, reason="")
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


def _wrong(settings: ParallelSettings, state: ParallelState, unit: Unit, now_ns: int) -> str:
    """Why this secondary must not run now; unknown is a reason."""
    reading = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
    if reading is None:
        return SILENT
    if reading.fault or reading.mode in (InverterMode.FAULT, InverterMode.OFF):
        return "fault" if reading.fault else reading.mode.value
    if reading.phase_deg is None or reading.slip_hz is None or reading.voltage_difference_pct is None:
        return NO_ANGLE
    if abs(reading.phase_deg) > settings.drop_phase_deg:
        return f"{reading.phase_deg:+.0f}° out of phase"
    gated_ns = state.gated_since_ns
    idle = not reading.gate_on or reading.mode is InverterMode.STANDBY
    if unit.joined and idle and gated_ns is not None:
        # It carries nothing, and the others were given its part.
        return "it does not run though told to" if now_ns - max(unit.joined_ns, gated_ns) >= STARTS_NS else ""
    return ""


def _car_wrong(unit: Unit, settings: CarSettings, now_ns: int) -> str:
    """Why this secondary's car must not be drawn from (I7): each has its own reserve. Unknown is a reason."""
    car = fresh(unit.car, now_ns, settings.fresh_ms)
    if car is None or car.soc_pct is None or car.dc_voltage_v is None:
        return "its car is not heard"
    least_pct = settings.stop_soc_pct + (0.0 if unit.joined else CLEAR_PCT)
    if unit.soc.believed_pct < least_pct:
        return f"its car is at {unit.soc.believed_pct:.0f} %, it needs {least_pct:.0f} %"
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


def _may_join(settings: ParallelSettings, car: CarSettings, unit: Unit, now_ns: int) -> bool:
    return (
        unit.drops < settings.most_drops
        and healthy(unit, now_ns)
        and _in_window(settings, unit)
        and not _car_wrong(unit, car, now_ns)
    )


def _given_w(limits_w: list[float], limit_w: float) -> float:
    """What all can give that bear at least ``limit_w``, the primary among them: they share one current in equal parts."""
    return limit_w * sum(one >= limit_w for one in limits_w)


def _binds(unit: Unit, limit_w: float, limits_w: list[float]) -> str:
    """Why this one's limit would hold the others down; "" = all can give more with it, or about as much where it runs."""
    most_w = max(_given_w(limits_w, one) for one in limits_w)
    if _given_w([*limits_w, limit_w], limit_w) >= most_w * (STAYS_SHARE if unit.joined else 1.0):
        return ""
    return f"its limit of {limit_w / 1000:.1f} kW would hold the others down"


def capacity_w(settings: ParallelSettings, state: ParallelState, unit_limit_w: float) -> tuple[float, float]:
    """Watts that all that run can give together, and what is left of them without the largest.

    Each gives ``unit_limit_w``, or less by its own nameplate and by what it says of itself. They share one current in
    equal parts, so the weakest sets everybody's part.
    """
    if not settings.units:
        return unit_limit_w, 0.0
    each_w = sorted(
        min(unit_limit_w, own_limit_w(one, unit))
        for index, (one, unit) in enumerate(zip(settings.units, state.units, strict=True))
        if state.mask >> index & 1
    )
    return each_w[0] * len(each_w), each_w[0] * (len(each_w) - 1)


def primary_limit_w(settings: ParallelSettings, state: ParallelState, unit_limit_w: float) -> float:
    """Watts that the one that forms can give before others join it."""
    if not settings.units:
        return unit_limit_w
    return min(unit_limit_w, own_limit_w(settings.units[state.primary], state.units[state.primary]))


def own_limit_w(settings: UnitSettings, unit: Unit) -> float:
    """By its nameplate, and by the current limit that it says."""
    limit_a = None if unit.reading is None else unit.reading.limit_a
    said_w = settings.rated_w if limit_a is None else limit_a * 2.0 * NOMINAL_V
    return min(settings.rated_w, said_w)
