"""Whether the voltage sensors can be believed: frozen, drifting, or a neutral that has come off.

A live channel carries noise: at the controller's resolution it never gives the same value for long. With the MID closed
both sides and the inverter measure one voltage, so that a gain that wanders shows. What was seen then is remembered
while the MID is open, when nothing can be compared. An angle between the sides that is told beside a dead one, or that
bears the same time again and again, is no measurement, however fresh its frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import GRID_FAST_LIMIT_MS, HOUSE_FAST_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS
from v2h_console.core.since import since
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import GridFast, HouseFast, Side, SideCycle, Sync
from v2h_drivers.capabilities.quality import Quality

#: The same value so often in a row (2 ms apart): noise of ±0.04 % over steps of 0.05 % repeats a value at most 5
#: times in 8, so that 70 in a row are a matter of 10^-14.
SAME_FRAMES = 70
#: Below this a dead line's value may well stand still.
LIVE_PU = 0.2
#: Two channels on one voltage: 1 % each of the sensors, and what the contacts' millivolts add.
DRIFT_PU = 0.03
DRIFT_HOLD_NS = 500 * NS_PER_MS
AGREE_HOLD_NS = 1_000 * NS_PER_MS
CYCLE_FRESH_MS = 60.0
#: Legs apart by this much while the two together stay near 240 V.
NEUTRAL_APART_V = 0.12 * NOMINAL_V
NEUTRAL_TOGETHER = 0.06
#: The filter of the angle lets go of a side that dies later than that of its volts.
ANGLE_LINGERS_NS = 200 * NS_PER_MS
#: Ten frames of the angle that all bear one time; after a gap of half a second it may have come round (it wraps at 1000 ms).
ANGLE_STANDS_NS = 100 * NS_PER_MS
ANGLE_GAP_NS = 500 * NS_PER_MS
#: Half cycles in a row.
NEUTRAL_COUNT = 4


@dataclass(frozen=True, slots=True)
class SensePlausibility:
    """``stuck``, ``drift`` and ``angle_false`` in words, "" = none seen. ``neutral_open``: the street's neutral has come off.
    ``angle_beside_dead_ns``: since when an angle is told beside a dead side; ``angle_time``: the time that the newest one
    bears, since when all have, and when it was heard."""

    stuck: str = ""
    drift: str = ""
    neutral_open: bool = False
    last_pu: tuple[float | None, float | None] = (None, None)
    same: tuple[int, int] = (0, 0)
    apart: int = 0
    differs_since_ns: int | None = None
    agrees_since_ns: int | None = None
    angle_false: str = ""
    angle_beside_dead_ns: int | None = None
    angle_time: tuple[int, int, int] | None = None


def update(
    state: SensePlausibility, senses: Senses, readings: tuple[Reading, ...], *, tied: bool, now_ns: int
) -> SensePlausibility:
    """``tied``: the MID is closed, so that both sides are one voltage."""
    frames = [reading for reading in readings if isinstance(reading, GridFast)]
    if frames:
        state = _stuck(state, frames)
    if not tied:
        # Two sides that are not one voltage differ as they like: what they did before counts no further.
        state = replace(state, differs_since_ns=None, agrees_since_ns=None)
    for reading in readings:
        if isinstance(reading, Sync):
            state = _angle(state, senses, reading, now_ns)
        elif isinstance(reading, SideCycle) and reading.side is Side.GRID:
            state = _neutral(state, reading)
            if tied:
                state = _drift(state, senses, reading, now_ns)
    return state


def forget(state: SensePlausibility) -> SensePlausibility:
    """A person has looked at the sensors: what was remembered of their drift goes."""
    return replace(state, drift="", differs_since_ns=None, agrees_since_ns=None)


def _stuck(state: SensePlausibility, frames: list[GridFast]) -> SensePlausibility:
    (last1_pu, last2_pu), (same1, same2) = state.last_pu, state.same
    for fast in frames:
        if fast.quality is not Quality.GOOD:
            last1_pu, last2_pu, same1, same2 = None, None, 0, 0
            continue
        same1 = _same(fast.l1_pu, last1_pu, same1)
        same2 = _same(fast.l2_pu, last2_pu, same2)
        last1_pu, last2_pu = fast.l1_pu, fast.l2_pu
    if frames[-1].quality is not Quality.GOOD:
        return replace(state, last_pu=(last1_pu, last2_pu), same=(same1, same2))
    now_pu, same = (last1_pu, last2_pu), (same1, same2)
    legs = [name for name, count in zip(("L1", "L2"), same, strict=True) if count >= SAME_FRAMES]
    words = f"the grid sensing of {' and '.join(legs)} stands still" if legs else ""
    return replace(state, last_pu=now_pu, same=same, stuck=words)


def _same(value: float | None, last: float | None, count: int) -> int:
    return min(count + 1, SAME_FRAMES) if value is not None and value > LIVE_PU and value == last else 0


def _angle(state: SensePlausibility, senses: Senses, sync: Sync, now_ns: int) -> SensePlausibility:
    """Once found false, it is until the controller says again that it knows none."""
    if sync.quality is not Quality.GOOD or sync.phase_deg is None:
        return replace(state, angle_false="", angle_beside_dead_ns=None, angle_time=None)
    beside_dead_ns = since(state.angle_beside_dead_ns, _a_side_is_dead(senses, now_ns), sync.at_ns)
    why = state.angle_false
    if beside_dead_ns is not None and sync.at_ns - beside_dead_ns >= ANGLE_LINGERS_NS:
        why = "it is told beside a side without voltage"
    before, bears_ms = state.angle_time, sync.lc_time_ms
    began_ns = sync.at_ns
    if before is not None and before[0] == bears_ms and sync.at_ns - before[2] < ANGLE_GAP_NS:
        began_ns = before[1]
    if sync.at_ns - began_ns >= ANGLE_STANDS_NS:
        why = "it stands still"
    angle_time = None if bears_ms is None else (bears_ms, began_ns, sync.at_ns)
    return replace(state, angle_false=why, angle_beside_dead_ns=beside_dead_ns, angle_time=angle_time)


def _a_side_is_dead(senses: Senses, now_ns: int) -> bool:
    sides: tuple[GridFast | HouseFast | None, ...] = (
        fresh(senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS),
        fresh(senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS),
    )
    return any(
        side is not None
        and side.l1_pu is not None
        and side.l2_pu is not None
        and max(side.l1_pu, side.l2_pu) < LIVE_PU
        for side in sides
    )


def believed(state: SensePlausibility, sync: Sync | None) -> Sync | None:
    """The angle as the core may use it: a false one is unknown."""
    if sync is None or not state.angle_false:
        return sync
    return replace(sync, phase_deg=None, slip_mhz=None, voltage_difference_pct=None)


def _neutral(state: SensePlausibility, cycle: SideCycle) -> SensePlausibility:
    if (
        cycle.quality is not Quality.GOOD
        or cycle.l1_v is None
        or cycle.l2_v is None
        or cycle.l1l2_v is None
        or abs(cycle.l1_v - cycle.l2_v) <= NEUTRAL_APART_V
        or abs(cycle.l1l2_v - 2 * NOMINAL_V) > NEUTRAL_TOGETHER * 2 * NOMINAL_V
    ):
        return replace(state, apart=0, neutral_open=False) if state.apart else state
    apart = min(state.apart + 1, NEUTRAL_COUNT)
    return replace(state, apart=apart, neutral_open=apart >= NEUTRAL_COUNT)


def _drift(state: SensePlausibility, senses: Senses, street: SideCycle, now_ns: int) -> SensePlausibility:
    house = fresh(senses.house_cycle, now_ns, CYCLE_FRESH_MS)
    if street.quality is not Quality.GOOD or house is None:
        return state
    differs = False
    for outside, inside in ((street.l1_v, house.l1_v), (street.l2_v, house.l2_v)):
        if outside is None or inside is None or min(outside, inside) < 0.5 * NOMINAL_V:
            return replace(state, differs_since_ns=None, agrees_since_ns=None)
        differs = differs or abs(outside - inside) > DRIFT_PU * NOMINAL_V
    if not differs:
        if not state.drift:
            return replace(state, differs_since_ns=None)
        since_ns = state.agrees_since_ns if state.agrees_since_ns is not None else now_ns
        if now_ns - since_ns >= AGREE_HOLD_NS:
            return forget(state)
        return replace(state, differs_since_ns=None, agrees_since_ns=since_ns)
    since_ns = state.differs_since_ns if state.differs_since_ns is not None else now_ns
    if now_ns - since_ns < DRIFT_HOLD_NS:
        return replace(state, differs_since_ns=since_ns, agrees_since_ns=None)
    words = "the two sides of the closed MID measure different voltages: a sensor drifts"
    return replace(state, drift=words, differs_since_ns=since_ns, agrees_since_ns=None)
