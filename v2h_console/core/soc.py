"""Whether the car's word about its charge can be true: jumps, and rises while it gives power (fault class 28).

A charge moves with the energy that leaves the pack, a few thousandths of a per cent a second. A report that leaps is
held against the count of what was drawn, and the lower of both counts until they agree or the report has settled.
A higher report settles only on the grid and at rest: a house that was emptied down to its reserve and stands dark has
nothing that could have charged the car, and the report that leapt is the one that emptied it.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_drivers.capabilities import CarStatus

#: No house or charger moves a car's charge faster than this.
MOST_PCT_PER_S = 2.0
#: Cars that round to whole per cents step by one: no jump.
ROUNDING_PCT = 1.5
#: So long the report must have settled before it is believed again.
SETTLE_NS = 30_000_000_000
#: After a silence this long the count means nothing: another car may hang on the cable.
GAP_NS = 10_000_000_000
#: Less than this is standby, not discharge.
DISCHARGING_W = 50.0


@dataclass(frozen=True, slots=True)
class SocState:
    """``believed_pct``: what the reserve is judged by. ``lowest_pct``: lowest report of this discharge.
    ``doubted_since_ns``: when the report last leapt, while it is doubted; ``rests_since_ns``: since when the grid has
    been there and nothing drawn from the car."""

    at_ns: int | None = None
    reported_pct: float = 0.0
    believed_pct: float = 0.0
    lowest_pct: float = 0.0
    doubted_since_ns: int | None = None
    rests_since_ns: int | None = None


def remembered(doubted_pct: float) -> SocState:
    """Nothing heard yet, and a doubt from before the start: more than this is not believed."""
    return SocState(believed_pct=doubted_pct, doubted_since_ns=0)


def update(state: SocState, car: CarStatus, reported_pct: float, *, tied: bool) -> SocState:
    """Take one message of the car; the same message twice changes nothing. ``tied``: the house is on the grid."""
    at_ns = car.at_ns
    if state.at_ns == at_ns:
        return state
    if state.at_ns is None and state.doubted_since_ns is not None:
        lower_pct = min(reported_pct, state.believed_pct)
        return SocState(at_ns, reported_pct, lower_pct, lower_pct, at_ns)
    if state.at_ns is None or at_ns - state.at_ns > GAP_NS:
        return SocState(at_ns, reported_pct, reported_pct, reported_pct)
    elapsed_s = (at_ns - state.at_ns) / 1e9
    discharging = car.dc_power_w is not None and car.dc_power_w > DISCHARGING_W
    leapt = abs(reported_pct - state.reported_pct) > max(ROUNDING_PCT, MOST_PCT_PER_S * elapsed_s)
    rose = discharging and reported_pct - state.lowest_pct > ROUNDING_PCT
    lowest_pct = min(state.lowest_pct, reported_pct) if discharging else reported_pct
    since_ns = state.doubted_since_ns
    if leapt or (rose and since_ns is None):
        since_ns = at_ns
    if since_ns is None:
        return SocState(at_ns, reported_pct, reported_pct, lowest_pct)
    # A creeping rise has been believed so far: count from where it began.
    from_pct = min(state.believed_pct, state.lowest_pct) if rose else state.believed_pct
    counted_pct = from_pct - _drawn_pct(car, elapsed_s)
    higher = reported_pct > counted_pct
    rests_since_ns = None
    if tied and not discharging:
        rests_since_ns = at_ns if state.rests_since_ns is None else state.rests_since_ns
    settles_ns = since_ns
    if higher:
        # Under load, and without the grid, nothing but an error lifts a charge.
        settles_ns = at_ns if rests_since_ns is None else max(since_ns, rests_since_ns)
    if abs(reported_pct - counted_pct) <= ROUNDING_PCT or at_ns - settles_ns >= SETTLE_NS:
        return SocState(at_ns, reported_pct, reported_pct, reported_pct)
    return SocState(
        at_ns,
        reported_pct,
        max(0.0, min(counted_pct, reported_pct)),
        state.lowest_pct if higher else lowest_pct,
        since_ns,
        rests_since_ns,
    )


def _drawn_pct(car: CarStatus, elapsed_s: float) -> float:
    """Per cent of the pack that left it; 0 where the car does not say how large it is or what it gives."""
    if car.capacity_wh is None or car.capacity_wh <= 0.0 or car.dc_power_w is None:
        return 0.0
    return 100.0 * car.dc_power_w * elapsed_s / 3600.0 / car.capacity_wh
