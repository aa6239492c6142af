"""Lockouts that no edge of the islanding table sets: what has contradicted itself is not trusted until a person resets it.

A contact that lies while the MID is closed would pass for half a proof of open later; so the contradiction locks
forming and closing at once, while the house stays on the grid.
"""

from __future__ import annotations

from v2h_console.core import pack
from v2h_console.core.car_session import DC_LOCKS
from v2h_console.core.frozen import replace
from v2h_console.core.mid_proof import Position
from v2h_console.core.senses import fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.fast_readings import InverterFast

#: While the relay travels, one contact has moved and the other not yet.
TRAVEL_NS = 100 * NS_PER_MS
#: Gates are off 100 ms after the last valid command, by the controller's own hand too.
GATE_OFF_NS = 120 * NS_PER_MS
#: An inverter that is handed back to the grid follows it within 100 ms.
RIVALS_NS = 200 * NS_PER_MS
#: What a status says may be half a second old, and a poll comes late once; less than this an inverter takes for itself.
TAKES_EFFECT_NS = 500 * NS_PER_MS
CAR_LIMIT_MS = 1_500.0
GIVES_NS = 2 * NS_PER_S
GIVES_W = 300.0
GIVES_A = 4.0
RIVALS = "the inverter makes a frequency beside the grid"
DISOBEYED = "the inverter did not stop when told"
CONTRADICTED = "the MID's contacts contradicted each other"


def contacts_contradict(state: State, now_ns: int) -> bool:
    """Whether the two contacts have disagreed for longer than the relay travels."""
    return state.proof.position is Position.DISAGREE and now_ns - state.proof.since_ns >= TRAVEL_NS


def gate_stays(state: State, now_ns: int) -> bool:
    """Whether the inverter has been told to stop for longer than it may take, and says that it has not."""
    since_ns = state.islanding.gate_stays_since_ns
    return since_ns is not None and now_ns - since_ns >= GATE_OFF_NS


def gives(state: State, off_since_ns: int | None, inverter: InverterFast | None, now_ns: int) -> bool:
    """Whether the inverter gives, by its own current or the car's watts, although it has been told to stop: the gate's bit is
    its word, and the power its deed."""
    if off_since_ns is None or now_ns - off_since_ns < TAKES_EFFECT_NS:
        return False
    if inverter is not None and inverter.current_a is not None and inverter.current_a >= GIVES_A:
        return True
    car = fresh(state.senses.car, now_ns, CAR_LIMIT_MS)
    power_w = None if car is None or car.at_ns - off_since_ns < TAKES_EFFECT_NS else pack.power_w(car)
    return power_w is not None and power_w >= GIVES_W


def gives_against_orders(state: State, now_ns: int) -> bool:
    """The same, for so long that no late reading explains it."""
    since_ns = state.islanding.gives_since_ns
    return since_ns is not None and now_ns - since_ns >= GIVES_NS


def second_master(state: State) -> State:
    """Two that command, or two that make a frequency, are one too many (I14): ours stands by until a person decides."""
    why, islanding = state.parallel.second_master, state.islanding
    if not why or (islanding.lk_form == why and not islanding.gate_in_tied):
        return state
    return replace(state, islanding=replace(islanding, lk_form=why, lk_close=why, gate_in_tied=False))


def dc_side(state: State, now_ns: int) -> State:
    """Welded contactors and a low insulation are not trusted again before a person has looked: the inverter stops."""
    why, islanding = state.car.session.lock(now_ns), state.islanding
    if not why:
        return state
    held = islanding.lk_form
    # The word that keeps the gate off on the grid too, later and after a restart, stands before those that do not.
    stands = held in DC_LOCKS or (held and held == state.parallel.second_master)
    return replace(state, islanding=replace(islanding, lk_form=held if stands else why, gate_in_tied=False))


def update(state: State, now_ns: int) -> State:
    """Lock forming and closing, and take the gate off, on contacts that contradict each other on the grid; lock forming
    with an inverter that does not stop when told."""
    islanding = state.islanding
    if gate_stays(state, now_ns) and not islanding.lk_form:
        return replace(state, islanding=replace(islanding, lk_form=DISOBEYED))
    if islanding.rivals_since_ns is not None and now_ns - islanding.rivals_since_ns >= RIVALS_NS:
        # Two that make a frequency are one too many (I14): its gate goes off, and a person looks.
        return replace(
            state, islanding=replace(islanding, lk_form=islanding.lk_form or RIVALS, gate_in_tied=False)
        )
    if islanding.mode is not Mode.TIED or islanding.lk_form == CONTRADICTED:
        return state
    if not contacts_contradict(state, now_ns):
        return state
    locked = replace(islanding, lk_form=CONTRADICTED, lk_close=CONTRADICTED, gate_in_tied=False)
    return replace(state, islanding=locked)
