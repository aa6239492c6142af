"""What the house's own course holds off and lets go: before it is formed, once it is lit, back on the grid (I10).

Heavy loads drop before forming and wait a minute; what stood in a dark house rests; on the grid only a compressor that
has not rested is still held off.
"""

from __future__ import annotations

from v2h_console.core import load_admission, load_overload
from v2h_console.core.frozen import replace
from v2h_console.core.load_limits import limits
from v2h_console.core.load_peaks import Peaks
from v2h_console.core.load_state import CULPRIT, CircuitState, LoadState, hold, known
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_S, Circuit, Settings

RESTS = "its compressor rests"


def drop_for_forming(
    settings: Settings, state: LoadState, shed_reserve: bool, now_ns: int, *, dark: bool = False
) -> LoadState:
    """Before the inverter forms: heavy loads and tier 4 off, more tiers after each failed start.

    ``dark``: the house has no voltage now, and what has stopped with it must rest before it starts again.
    """
    worst_tier = 4 - state.drop_more_tiers
    following = []
    for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True):
        if held.culprit:
            following.append(hold(held, CULPRIT, None, now_ns))
        elif circuit.heavy or circuit.tier >= worst_tier or (shed_reserve and circuit.tier >= 2):
            reason = (
                "not carried while islanded"
                if circuit.tier >= 4
                else "held for the first minute of islanding"
            )
            following.append(hold(held, reason, None, now_ns))
        elif dark and circuit.min_off_s:
            following.append(hold(held, RESTS, now_ns + int(circuit.min_off_s * NS_PER_S), now_ns))
        else:
            following.append(held)
    following = drop_cold_pickup(settings, following, state.may_start_w(settings), now_ns, state.rested_mask)
    peaks = replace(state.peaks, second=-1)
    return replace(state, circuits=tuple(following), start=None, peaks=peaks)


def rest(settings: Settings, state: LoadState, since_ns: int, now_ns: int) -> LoadState:
    """The house has been without voltage since then: a compressor that stands in it starts again only once it has rested."""
    circuits = tuple(
        hold(held, RESTS, since_ns + int(circuit.min_off_s * NS_PER_S), now_ns) if circuit.min_off_s else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return state if circuits == state.circuits else replace(state, circuits=circuits)


def with_rests(settings: Settings, state: LoadState, senses: Senses, now_ns: int) -> LoadState:
    """As the grid is left: which appliances drew nothing, by their meters while they still had voltage."""
    mask = 0
    for index in range(len(settings.loads.circuits)):
        if not load_overload.draws(state, senses, index, now_ns):
            mask |= 1 << index
    return state if mask == state.rested_mask else replace(state, rested_mask=mask)


def drop_cold_pickup(
    settings: Settings, circuits: list[CircuitState], start_w: float, now_ns: int, rested_mask: int = 0
) -> list[CircuitState]:
    """What is still connected starts with the house: what the inverter cannot start joins the held ones.

    A circuit whose switch does not open stays whatever is decided here: it is counted first.
    """
    bounds = limits(settings, start_w)
    staying = [
        index
        for index, held in enumerate(circuits)
        # A switch that does not open on an appliance that drew nothing starts nothing with the house.
        if not held.shed or (held.doubted and not rested_mask >> index & 1)
    ]
    table = [known(settings.loads.circuits[index], circuits[index]) for index in staying]
    fixed = [place for place, index in enumerate(staying) if circuits[index].doubted]
    for place in load_admission.cold_pickup(table, bounds, fixed):
        index = staying[place]
        circuits[index] = hold(circuits[index], "the inverter cannot start it with the house", None, now_ns)
    return circuits


def begin_island(settings: Settings, state: LoadState, now_ns: int) -> LoadState:
    """The house is lit: the holds start to count."""
    hold_ns = int(settings.loads.heavy_hold_s * NS_PER_S)
    circuits = tuple(
        replace(held, until_ns=max(held.until_ns or 0, now_ns + max(hold_ns, int(circuit.hold_s * NS_PER_S))))
        if held.shed and circuit.tier < 4 and not held.culprit
        else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return replace(
        state,
        circuits=circuits,
        next_admission_ns=now_ns + hold_ns,
        over_since_ns=None,
        helpless_since_ns=None,
        suspects=0,
        lit_ns=now_ns,
    )


def release_all(settings: Settings, state: LoadState, now_ns: int) -> LoadState:
    """Back on the grid: nothing is held off but a compressor that has not rested; only a culprit's trips still count, and
    what was learned stays."""
    circuits = tuple(
        _released(circuit, held, now_ns)
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return LoadState(
        circuits=circuits,
        blind=state.blind,
        peaks=Peaks(slots=state.peaks.slots, uncontrolled_va=state.peaks.uncontrolled_va),
        heard_since_ns=state.heard_since_ns,
    )


def _released(circuit: Circuit, held: CircuitState, now_ns: int) -> CircuitState:
    free = CircuitState(
        trips=held.trips if held.culprit else 0, learned_va=held.learned_va, doubted=held.doubted
    )
    if not held.shed or held.stuck or held.off_since_ns is None:
        return free
    rested_ns = held.off_since_ns + int(circuit.min_off_s * NS_PER_S)
    if rested_ns <= now_ns:
        return free
    return replace(free, shed=True, reason=RESTS, until_ns=rested_ns, off_since_ns=held.off_since_ns)


def update_tied(state: LoadState, now_ns: int) -> LoadState:
    """On the grid: a compressor that has rested may start again."""
    if not state.mask:
        return state
    circuits = tuple(
        replace(held, shed=False, reason="", until_ns=None, off_since_ns=None)
        if held.shed and (held.until_ns is None or now_ns >= held.until_ns)
        else held
        for held in state.circuits
    )
    return state if circuits == state.circuits else replace(state, circuits=circuits)


def reset_culprits(state: LoadState, now_ns: int) -> LoadState:
    """A person has looked: a culprit may ask to be let in again, as after its first overload."""
    if not any(held.culprit for held in state.circuits):
        return state
    circuits = tuple(
        replace(
            held,
            trips=0,
            until_ns=now_ns + load_overload.READMIT_NS,
            reason="waits after its reset" if held.shed else "",
        )
        if held.culprit
        else held
        for held in state.circuits
    )
    return replace(state, circuits=circuits)
