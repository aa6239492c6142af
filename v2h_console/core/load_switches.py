"""What the load switches do: which one does not follow SHED, and what that means for the next forming (I10, I13).

A switch has 100 ms to open. One that has not is at fault: its circuit counts as connected, its inrush belongs to the
cold pick-up, and what no longer fits beside it joins SHED. It is remembered until it is seen to open, so that the next
outage does not wait for it again.
"""

from __future__ import annotations

from v2h_console.core import load_admission
from v2h_console.core.frozen import replace
from v2h_console.core.load_holds import drop_cold_pickup
from v2h_console.core.load_limits import limits
from v2h_console.core.load_manager import is_blind
from v2h_console.core.load_overload import CIRCUIT_LIMIT_MS
from v2h_console.core.load_state import CircuitState, LoadState
from v2h_console.core.senses import LOAD_FEEDBACK_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Settings

#: A contactor drops within 40 ms and its feedback comes at once; what is still closed then does not follow (class 49).
FOLLOW_NS = 100 * NS_PER_MS
#: A meter that was read so long after the order says what flows past a switch that says open; and from here it is no stand-by.
SETTLED_NS = 5 * NS_PER_S
STILL_DRAWS_W = 50.0
#: A gap in what was looked at: the core itself was held up, and what it asked for may not have gone out.
BREAK_NS = 150 * NS_PER_MS


def look(
    settings: Settings, state: LoadState, senses: Senses, *, start_w: float | None, now_ns: int
) -> LoadState:
    """What the sensors say of loads and switches now, in every mode. Returns the same object when nothing changed.

    ``start_w``: the house has no voltage of ours yet, and the inverter may start with so much: a switch found at fault,
    or a limit that is lower than it was, changes what may be started with the house. ``None`` = the house is lit.
    """
    blind = is_blind(senses, now_ns)
    if blind != state.blind:
        state = replace(state, blind=blind)
    found = find_stuck(state, senses, now_ns)
    if start_w is None:
        return found
    if found.stuck_mask & ~state.stuck_mask or start_w < state.may_start_w(settings):
        circuits = drop_cold_pickup(
            settings, list(found.circuits), start_w, now_ns, rested_mask=found.rested_mask
        )
        found = replace(found, circuits=tuple(circuits))
    return found if found.start_w == start_w else replace(found, start_w=start_w)


def find_stuck(state: LoadState, senses: Senses, now_ns: int) -> LoadState:
    """A switch that has not followed SHED in time is at fault: its circuit counts as on from now on."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    if feedback is None:
        return replace(state, heard_since_ns=None, heard_at_ns=None)
    before_ns = state.heard_at_ns
    if before_ns is None or feedback.at_ns - before_ns > BREAK_NS:
        state = replace(state, heard_since_ns=feedback.at_ns)
    state = replace(state, heard_at_ns=feedback.at_ns)
    if not (feedback.closed_mask & state.mask or state.doubted_mask):
        return state
    circuits = tuple(
        _seen(state, held, bool(feedback.closed_mask >> index & 1), feedback.at_ns)
        for index, held in enumerate(state.circuits)
    )
    return state if circuits == state.circuits else replace(state, circuits=circuits)


def _seen(state: LoadState, held: CircuitState, closed: bool, at_ns: int) -> CircuitState:
    if not held.shed:
        return replace(held, stuck=False)
    if not closed:
        return replace(held, stuck=False, doubted=False)
    if held.stuck or held.doubted:
        return replace(held, stuck=True)
    # Only what was heard without a break since the order can tell that the order was not followed.
    began_ns = max(held.off_since_ns or 0, state.heard_since_ns or 0)
    late = held.off_since_ns is not None and at_ns - began_ns >= FOLLOW_NS
    return replace(held, stuck=late, doubted=late)


def still_drawn_w(state: LoadState, senses: Senses, index: int, now_ns: int) -> float | None:
    """What a circuit draws by its own meter although it is held off and its switch says open; ``None`` = nothing, or not
    known. Told, and no more: a meter that sits on another circuit must not keep the house dark."""
    held = state.circuits[index]
    meter = senses.circuits[index] if index < len(senses.circuits) else None
    meter = fresh(meter, now_ns, CIRCUIT_LIMIT_MS)
    if meter is None or meter.power_w is None or not held.shed or held.stuck or held.off_since_ns is None:
        return None
    power_w = abs(meter.power_w)
    return power_w if meter.at_ns - held.off_since_ns >= SETTLED_NS and power_w >= STILL_DRAWS_W else None


def confirmed_off(state: LoadState, senses: Senses, now_ns: int) -> bool:
    """Whether the controller's feedback shows every held circuit's switch open, but for those known to be at fault."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    return feedback is not None and feedback.closed_mask & state.mask & ~state.stuck_mask == 0


def cold_pickup_refusal(settings: Settings, state: LoadState) -> str:
    """Why the circuits that could not be dropped may not be started with the house; "" when they may."""
    stuck = [
        circuit
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if held.stuck and not state.rested_mask >> index & 1
    ]
    if stuck and load_admission.cold_pickup(stuck, limits(settings, state.may_start_w(settings))):
        names = ", ".join(circuit.name for circuit in stuck)
        return f"the switch of {names} does not open, and the inverter cannot start it"
    return ""
