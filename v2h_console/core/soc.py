"""Whether the car's word about its charge can be true: jumps, and rises while it gives power (fault class 28).

A charge moves with the energy that leaves the pack, a few thousandths of a per cent a second. A report that leaps is
held against the count of what was drawn, and the lower of both is believed until they agree or the report has settled;
a lower one only once it has stood for half a second, so that one garbled message does not turn a house dark. A report that stands still, or falls by less than half of what is drawn, is doubted from where it last agreed. A
higher report settles only on the grid and at rest: a house that was emptied down to its reserve and stands dark has
nothing that could have charged the car, and the report that leapt is the one that emptied it.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import pack
from v2h_console.core.frozen import replace
from v2h_drivers.capabilities.slow_readings import CarStatus

#: No house or charger moves a car's charge faster than this.
MOST_PCT_PER_S = 2.0
#: Cars that round to whole per cents step by one: no jump.
ROUNDING_PCT = 1.5
#: So long the report must have settled before it is believed again.
SETTLE_NS = 30_000_000_000
#: So long a report that leapt down must stand before it counts; a tenth of a per cent takes ten times as long to draw.
CONFIRM_NS = 500_000_000
#: A report is held against what was drawn since they last agreed, once that is so much: to within one whole per cent.
COMPARED_PCT, AGREES_PCT = 2.0, 1.0
#: One that lags by so much, and a tenth of what was drawn, cannot be true, whatever it is rounded to.
LAGS_PCT = 2.0
#: A pack's watt hours a per cent fall with its voltage: a count by power alone is short by so much at the lower end.
COUNT_MARGIN = 1.05
#: After a silence this long the count means nothing: another car may hang on the cable.
GAP_NS = 10_000_000_000
#: Less than this is an inverter's own loss beside the grid, not discharge.
DISCHARGING_W = 150.0


@dataclass(frozen=True, slots=True)
class SocState:
    """``believed_pct``: what the reserve is judged by; ``counted_pct``: what it would be by what was drawn alone, below 0 too.
    ``lowest_pct``: lowest report of this discharge. ``doubted_since_ns``: when the report last leapt, while it is doubted;
    ``lower_since_ns``: since when it lies below the count; ``rests_since_ns``: since when the grid has been there and
    nothing drawn from the car; ``agreed_pct``: the report when it last fell as what was drawn, ``drawn_pct``: since then,
    less what went back. ``doubt_wh``: the same since the doubt began, ``taken_pct``: what the count takes off for it.
    ``set_aside_pct``: the count that a lower report has outlasted, counted on: a report that comes back to it was right."""

    at_ns: int | None = None
    reported_pct: float = 0.0
    believed_pct: float = 0.0
    counted_pct: float = 0.0
    lowest_pct: float = 0.0
    doubted_since_ns: int | None = None
    lower_since_ns: int | None = None
    rests_since_ns: int | None = None
    agreed_pct: float = 0.0
    drawn_pct: float = 0.0
    set_aside_pct: float | None = None
    doubt_wh: float = 0.0
    taken_pct: float = 0.0

    @property
    def doubted_pct(self) -> int | None:
        """Whole per cents that a doubted charge is taken for; ``None`` = it is not doubted.

        A count beside a pack of a garbled size runs past the top: no record that is read again has more than 100 %.
        """
        return None if self.doubted_since_ns is None else min(100, int(self.believed_pct))


def remembered(doubted_pct: float) -> SocState:
    """Nothing heard yet, and a doubt from before the start: more than this is not believed."""
    return SocState(believed_pct=doubted_pct, counted_pct=doubted_pct, doubted_since_ns=0)


def update(
    state: SocState, car: CarStatus, reported_pct: float, *, tied: bool, plugged_anew: bool = False
) -> SocState:
    """Take one message of the car; the same message twice changes nothing. ``tied``: the house is on the grid;
    ``plugged_anew``: the plug was out since the last message, and this may be another car."""
    at_ns = car.at_ns
    if state.at_ns == at_ns:
        return state
    if plugged_anew and not (
        # The same word that was doubted: the same car, most likely, that was out for a moment.
        state.doubted_since_ns is not None and abs(reported_pct - state.reported_pct) <= ROUNDING_PCT
    ):
        return _believed(at_ns, reported_pct, reported_pct)
    if state.at_ns is None and state.doubted_since_ns is not None:
        lower_pct = min(reported_pct, state.believed_pct)
        return SocState(at_ns, reported_pct, lower_pct, lower_pct, lower_pct, at_ns, agreed_pct=lower_pct)
    if state.at_ns is None or at_ns - state.at_ns > GAP_NS:
        return _believed(at_ns, reported_pct, reported_pct)
    elapsed_s = (at_ns - state.at_ns) / 1e9
    power_w = pack.power_w(car)
    discharging = power_w is not None and power_w > DISCHARGING_W
    leapt = abs(reported_pct - state.reported_pct) > max(ROUNDING_PCT, MOST_PCT_PER_S * elapsed_s)
    rose = discharging and reported_pct - state.lowest_pct > ROUNDING_PCT
    lowest_pct = min(state.lowest_pct, reported_pct) if discharging else reported_pct
    since_ns = state.doubted_since_ns
    # Negative into the pack; nothing where nobody says what it gives.
    drawn_wh = 0.0 if power_w is None else power_w * elapsed_s / 3600.0
    drawn_pct = 100.0 * drawn_wh / _most_wh(car)
    aside_pct = None if state.set_aside_pct is None else max(0.0, state.set_aside_pct - drawn_pct)
    if leapt and aside_pct is not None and abs(reported_pct - aside_pct) <= ROUNDING_PCT:
        # What stood for so long was the error: in the dark nothing else would ever end the doubt.
        return _believed(at_ns, reported_pct, reported_pct)
    agreed_pct, since_agreed_pct = _compared(state, reported_pct, drawn_pct)
    ought_pct = COUNT_MARGIN * since_agreed_pct
    lags = ought_pct - (agreed_pct - reported_pct) >= LAGS_PCT + 0.1 * ought_pct
    if leapt or ((rose or lags) and since_ns is None):
        since_ns = at_ns
    if since_ns is None:
        believed = _believed(at_ns, reported_pct, lowest_pct)
        return replace(believed, agreed_pct=agreed_pct, drawn_pct=since_agreed_pct, set_aside_pct=aside_pct)
    doubt_wh, taken_pct = _taken(state, car, drawn_wh)
    count_pct = state.counted_pct - (taken_pct - state.taken_pct)
    counted_pct = max(0.0, count_pct)
    if state.doubted_since_ns is not None and abs(reported_pct - counted_pct) <= ROUNDING_PCT:
        # It may have been the leap that was the error, or both: what was drawn is held against it all the same.
        back = _believed(at_ns, reported_pct, reported_pct)
        return replace(back, agreed_pct=agreed_pct, drawn_pct=since_agreed_pct)
    # What has been believed so far is counted from where it began: a creeping rise, a report that lags.
    if rose:
        count_pct = min(count_pct, state.lowest_pct - drawn_pct)
    if lags and state.doubted_since_ns is None:
        since_wh = since_agreed_pct / 100.0 * _most_wh(car)
        since_taken_pct = _cautious_pct(car, since_wh)
        if agreed_pct - since_taken_pct < count_pct:
            count_pct, doubt_wh, taken_pct = agreed_pct - since_taken_pct, since_wh, since_taken_pct
    counted_pct = max(0.0, count_pct)
    higher = reported_pct > counted_pct
    rests_since_ns = None
    if tied and not discharging:
        rests_since_ns = at_ns if state.rests_since_ns is None else state.rests_since_ns
    settles_ns = since_ns
    if higher:
        # Under load, and without the grid, nothing but an error lifts a charge.
        settles_ns = at_ns if rests_since_ns is None else max(since_ns, rests_since_ns)
    if abs(reported_pct - counted_pct) <= ROUNDING_PCT:
        return _believed(at_ns, reported_pct, reported_pct)
    if at_ns - settles_ns >= SETTLE_NS:
        settled = _believed(at_ns, reported_pct, reported_pct)
        return settled if higher else replace(settled, set_aside_pct=counted_pct)
    lower_since_ns = None if higher else at_ns if state.lower_since_ns is None else state.lower_since_ns
    stands = lower_since_ns is not None and at_ns - lower_since_ns >= CONFIRM_NS
    return SocState(
        at_ns=at_ns,
        reported_pct=reported_pct,
        believed_pct=reported_pct if stands else counted_pct,
        counted_pct=count_pct,
        # What is doubted lowers nothing that a later report is held against.
        lowest_pct=state.lowest_pct,
        doubted_since_ns=since_ns,
        lower_since_ns=lower_since_ns,
        rests_since_ns=rests_since_ns,
        agreed_pct=agreed_pct,
        drawn_pct=since_agreed_pct,
        set_aside_pct=aside_pct,
        doubt_wh=doubt_wh,
        taken_pct=taken_pct,
    )


def _compared(state: SocState, reported_pct: float, drawn_pct: float) -> tuple[float, float]:
    """The report at its last agreement with what was drawn, and what was drawn since, less what went back into it."""
    since_pct = state.drawn_pct + drawn_pct
    if state.doubted_since_ns is not None:
        return state.agreed_pct, since_pct
    if since_pct <= 0.0:
        return reported_pct, 0.0
    ought_pct = COUNT_MARGIN * since_pct
    if ought_pct >= COMPARED_PCT and ought_pct - (state.agreed_pct - reported_pct) < AGREES_PCT:
        return reported_pct, 0.0
    return state.agreed_pct, since_pct


def _believed(at_ns: int, pct: float, lowest_pct: float) -> SocState:
    return SocState(at_ns, pct, pct, pct, lowest_pct, agreed_pct=pct)


def _taken(state: SocState, car: CarStatus, drawn_wh: float) -> tuple[float, float]:
    """Net watt hours since the doubt began, and the per cents that the count takes off for them.

    What goes back gives back its share of what was taken for it: a house that gives and takes by turns leaves the count
    where it was. Taken off at the one rate and given back at the other, each turn would lower it.
    """
    net_wh, taken_pct = state.doubt_wh + drawn_wh, state.taken_pct
    if state.doubt_wh * drawn_wh < 0.0:
        if state.doubt_wh * net_wh > 0.0:
            return net_wh, taken_pct * net_wh / state.doubt_wh
        taken_pct, drawn_wh = 0.0, net_wh
    return net_wh, taken_pct + _cautious_pct(car, drawn_wh)


def _most_wh(car: CarStatus) -> float:
    """A pack that does not say how large it is, or how it has aged, is held against as a large and a new one: that doubts
    no honest report."""
    rated_wh, aged_pct = car.capacity_wh, pack.soh_pct(car)
    if rated_wh is None or rated_wh <= 0.0:
        rated_wh = pack.LARGEST_WH
    return rated_wh if aged_pct is None else rated_wh * aged_pct / 100.0


def _cautious_pct(car: CarStatus, drawn_wh: float) -> float:
    """What is taken off a doubted charge for it: as from a small or an aged pack, where the car does not say, and given
    back as into a large and new one."""
    if drawn_wh <= 0.0:
        return 100.0 * drawn_wh / _most_wh(car)
    least_wh = pack.capacity_wh(car)
    if least_wh is None:
        least_wh = pack.SMALLEST_WH
    return 100.0 * COUNT_MARGIN * drawn_wh / least_wh
