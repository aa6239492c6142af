"""What ends the discharge, and when: the charge's floor, the pack's least volts, or a current limit that sinks below the
load. The rungs that are shed before it, and their way back."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import pack
from v2h_console.core.pack import PackState
from v2h_console.core.settings import NS_PER_S, CarSettings
from v2h_drivers.capabilities.slow_readings import CarStatus

#: Below this discharge there is no use in naming a runtime.
MIN_POWER_W = 50.0
#: The limit's slope needs this much discharge to be seen.
SLOPE_SPAN_PCT = 1.0
#: Seconds left: tier 3 goes, tier 2 goes, the discharge is stopped in order.
LATE_S, SOON_S, STOP_S = 900.0, 300.0, 60.0
#: A rung is left only when all that waits could run this much longer than the rung's own time.
RETURN_SHARE = 1.2
#: A start's current is over by then; one rung at a time, so that what a rung frees is seen before the next.
HOLD_NS = 3 * NS_PER_S

#: Rungs by how far down they are: nothing, tiers from 3, tiers from 2, stop.
RUNG_NONE, RUNG_LATE, RUNG_SOON, RUNG_STOP = range(4)


@dataclass(frozen=True, slots=True)
class LimitTrend:
    """How the car's current limit goes with its charge: ``slope_a_per_pct``, ``None`` while it does not sink."""

    anchor_pct: float | None = None
    anchor_a: float = 0.0
    slope_a_per_pct: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Seconds left at the present and at the planned load, and what ends it: "charge", "volts", "limit"; ``None`` =
    unknown, or nothing is drawn."""

    runtime_s: float | None = None
    planned_s: float | None = None
    ends_by: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """``rung``: how far down; ``since_ns``: since when a deeper one has been asked for."""

    rung: int = RUNG_NONE
    since_ns: int | None = None


def follow_limit(trend: LimitTrend, limit_a: float | None, soc_pct: float) -> LimitTrend:
    """Take one message's limit; a limit that rises, or a charge that does, begins anew."""
    if limit_a is None:
        return LimitTrend()
    if trend.anchor_pct is None or soc_pct > trend.anchor_pct or limit_a > trend.anchor_a:
        return LimitTrend(soc_pct, limit_a)
    span_pct = trend.anchor_pct - soc_pct
    if span_pct < SLOPE_SPAN_PCT:
        return trend
    slope = (trend.anchor_a - limit_a) / span_pct
    return LimitTrend(soc_pct, limit_a, slope if slope > 0.0 else None)


def find(
    settings: CarSettings,
    car: CarStatus,
    behind: PackState,
    trend: LimitTrend,
    soc_pct: float,
    mean_w: float,
    held_w: float,
) -> End:
    """The earliest end at ``mean_w``, and at that with ``held_w`` of circuits that wait on top."""
    capacity_wh = pack.capacity_wh(car)
    if capacity_wh is None:
        capacity_wh = behind.said_wh
    if capacity_wh is None:
        return End()
    wh_per_pct = capacity_wh / 100.0
    now = _least(settings, car, behind, trend, soc_pct, 0.0)
    planned = _least(settings, car, behind, trend, soc_pct, held_w)
    total_w = mean_w + held_w
    return End(
        now[0] * wh_per_pct / mean_w * 3600.0 if mean_w >= MIN_POWER_W else None,
        planned[0] * wh_per_pct / total_w * 3600.0 if total_w >= MIN_POWER_W else None,
        now[1] if mean_w >= MIN_POWER_W else "",
    )


def _least(
    settings: CarSettings, car: CarStatus, behind: PackState, trend: LimitTrend, soc_pct: float, more_w: float
) -> tuple[float, str]:
    """Per cent of charge until the first end, with ``more_w`` drawn beside what is drawn now."""
    ends = [(max(0.0, soc_pct - settings.floor_soc_pct), "charge")]
    volts, amps = car.dc_voltage_v, car.dc_current_a
    more_a = more_w / volts if volts else 0.0
    sag_v = more_a * (behind.resistance_ohm or 0.0)
    to_volts_pct = pack.pct_to_volts(behind, car, settings.dc_lo_v + sag_v)
    if to_volts_pct is not None:
        ends.append((to_volts_pct, "volts"))
    if trend.slope_a_per_pct is not None and amps is not None:
        # A limit that has sunk below the load already is met by shedding, at once.
        ends.append((max(0.0, (trend.anchor_a - amps - more_a) / trend.slope_a_per_pct), "limit"))
    return min(ends)


def climb(held: Rung, end: End, at_ns: int) -> Rung:
    """One rung down after ``HOLD_NS`` of being asked for; up as soon as all that waits may return."""
    asked = _rung(end.runtime_s, 1.0)
    if asked is RUNG_STOP and end.ends_by == "limit":
        asked = RUNG_SOON  # shedding meets a limit; it stops nothing until it is nothing
    if asked > held.rung:
        since_ns = at_ns if held.since_ns is None else held.since_ns
        if at_ns - since_ns < HOLD_NS:
            return Rung(held.rung, since_ns)
        return Rung(held.rung + 1, at_ns)
    return Rung(min(held.rung, max(asked, _rung(end.planned_s, RETURN_SHARE))))


def _rung(seconds: float | None, share: float) -> int:
    if seconds is None or seconds > LATE_S * share:
        return RUNG_NONE
    if seconds > SOON_S * share:
        return RUNG_LATE
    return RUNG_SOON if seconds > STOP_S * share else RUNG_STOP
