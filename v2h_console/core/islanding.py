"""The islanding machine: one transition table, read from top to bottom, and what each mode commands.

The first edge whose guard holds is taken; a step follows edges until none holds, so that a loss leads from TIED
through OPENING in the same step. Outputs depend on the mode alone (a Moore machine): what is commanded can be read
off ``mode_commands`` without knowing how one got there. Deadlines are guards on time in the mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from v2h_console.core import guards, house_watch, overdraw, street_side, street_trial
from v2h_console.core.grid_monitor import GridCondition
from v2h_console.core.mid_proof import Position
from v2h_console.core.senses import HEARTBEAT_LIMIT_MS, INVERTER_LIMIT_MS, fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import FaultCause, Mode, State
from v2h_drivers.capabilities.fast_readings import InverterMode

OPENING_DEADLINE_MS = 100
PROVING_DEADLINE_MS = 100
DISAGREEMENT_MS = 20
BOOT_DEADLINE_MS = 200
FORMING_DEADLINE_MS = 200
CLOSING_DEADLINE_MS = 100
HANDBACK_DEADLINE_MS = 100
CLOSED_HOLD_MS = 10
CLOSED_MAX_DIFFERENCE_PCT = 2.0
FAULT_PROOF_NS = NS_PER_S
HOUSE_LOST_MS = 100
#: A tied MID seen open for this long was opened by something else: follow it.
SEEN_OPEN_MS = 20


@dataclass(frozen=True, slots=True)
class View:
    """What a guard may look at."""

    settings: Settings
    state: State
    now_ns: int
    open_ordered: bool
    reset_ordered: bool

    def elapsed_ms(self) -> float:
        """Milliseconds in the present mode."""
        return (self.now_ns - self.state.islanding.since_ns) / NS_PER_MS


Guard = Callable[[View], bool]


@dataclass(frozen=True, slots=True)
class Edge:
    """One row of the table. ``event`` names it for events, effects and the diagram; ``words`` is the guard's text."""

    sources: tuple[Mode, ...]
    event: str
    words: str
    guard: Guard
    target: Mode


def _grid_lost(view: View) -> bool:
    return view.state.grid.loss is not None or _controller_silent(view)


def _controller_silent(view: View) -> bool:
    return fresh(view.state.senses.heartbeat, view.now_ns, HEARTBEAT_LIMIT_MS) is None


def _seen_open(view: View) -> bool:
    proof = view.state.proof
    return proof.position is Position.OPEN and view.now_ns - proof.since_ns >= SEEN_OPEN_MS * NS_PER_MS


def _disagrees(view: View) -> bool:
    proof = view.state.proof
    return (
        proof.position in (Position.DISAGREE, Position.CLOSED)
        and view.now_ns - proof.since_ns >= DISAGREEMENT_MS * NS_PER_MS
    )


def _contact_unbidden(view: View) -> bool:
    moved = view.state.proof.position in (Position.CLOSED, Position.DISAGREE)
    return (moved or view.state.contacts.conducts(view.now_ns)) and (
        view.now_ns >= view.state.islanding.contact_grace_until_ns
    )


def _source_gone(view: View) -> bool:
    """Nothing can form: car, DC, charge, heat, inverter, or the controller that carries the gates."""
    state = view.state
    return bool(
        state.car.refusal
        or state.thermal.stopped
        or state.supply.stop
        or state.proof.position is Position.UNKNOWN
        or state.parallel.second_master
        or _inverter_fault(view)
    )


def _source_lost(view: View) -> bool:
    """The island cannot go on: its source is gone, its neutral, or its voltage."""
    state = view.state
    if _source_gone(view) or guards.neutral_lost(state, view.now_ns):
        return True
    if overdraw.reason(state.loads, state.senses, view.now_ns):
        return True
    inverter = view.state.senses.inverter_fast
    settled = view.elapsed_ms() >= HOUSE_LOST_MS
    if settled and inverter is not None and inverter.mode is not InverterMode.FORMING:
        return True
    if house_watch.too_high(state.house, view.now_ns):
        return True
    return settled and guards.house_lost(state, view.now_ns)


def _may_form(view: View) -> bool:
    return not guards.forming_refusal(view.settings, view.state, view.now_ns)


def _may_close(view: View) -> bool:
    return (
        not guards.closing_refusal(view.settings, view.state, view.now_ns)
        and view.state.latch.clear_is_durable
    )


def _dead_bus_held(view: View) -> bool:
    since = view.state.islanding.dead_since_ns
    return since is not None and view.now_ns - since >= guards.DEAD_BUS_NS


def _closed_and_level(view: View) -> bool:
    since = view.state.islanding.closed_since_ns
    if since is None or view.now_ns - since < CLOSED_HOLD_MS * NS_PER_MS:
        return False
    sync = fresh(view.state.senses.sync, view.now_ns, view.settings.sync.max_age_ms)
    return (
        sync is not None
        and sync.voltage_difference_pct is not None
        and abs(sync.voltage_difference_pct) < CLOSED_MAX_DIFFERENCE_PCT
        # a frame from before the contact cannot speak for it
        and sync.at_ns >= since
    )


def _follows(view: View) -> bool:
    inverter = fresh(view.state.senses.inverter_fast, view.now_ns, INVERTER_LIMIT_MS)
    return (
        inverter is not None
        and inverter.at_ns > view.state.islanding.since_ns
        and inverter.mode is InverterMode.FOLLOWING
    )


def _after(limit_ms: float) -> Guard:
    return lambda view: view.elapsed_ms() >= limit_ms


def _boot_overdue(view: View) -> bool:
    heard = view.state.islanding.heard_mid_since_ns
    return heard is not None and view.now_ns - heard >= BOOT_DEADLINE_MS * NS_PER_MS


def _soft_fault_proven(view: View) -> bool:
    islanding = view.state.islanding
    since = islanding.proven_in_fault_since_ns
    return (
        islanding.fault_cause in (FaultCause.BOOT, FaultCause.NOT_OPEN, FaultCause.UNHEARD)
        and since is not None
        and view.now_ns - since >= FAULT_PROOF_NS
    )


def _left_window(view: View) -> bool:
    grid = view.state.grid
    return grid.condition is not GridCondition.IN_WINDOW or grid.ok_since_ns is None


def _ordered_open(view: View) -> bool:
    return view.open_ordered


_LIT = (Mode.ISLANDED, Mode.SYNCING)
#: The relay travels.
CLOSING = (Mode.CLOSING_SYNC, Mode.CLOSING_DEAD)

#: design: from | event [guard] | to. Order matters: opening first, then faults, then progress.
TABLE: tuple[Edge, ...] = (
    Edge((Mode.TIED,), "operator", "a person orders it", _ordered_open, Mode.OPENING),
    Edge((Mode.TIED,), "loss", "grid lost, tripped, or not sensed", _grid_lost, Mode.OPENING),
    Edge(
        (Mode.TIED,),
        "chatter",
        "contacts moved 5 times in 1 s unbidden",
        lambda v: v.state.contacts.chatters,
        Mode.OPENING,
    ),
    Edge((Mode.TIED,), "seen_open", "contacts open 20 ms unbidden", _seen_open, Mode.OPENING),
    Edge((*CLOSING, Mode.HANDBACK), "operator", "a person orders it", _ordered_open, Mode.OPENING),
    Edge((*CLOSING, Mode.HANDBACK), "loss", "grid lost, tripped, or not sensed", _grid_lost, Mode.OPENING),
    Edge(
        (Mode.TIED, *CLOSING, Mode.HANDBACK),
        "supply",
        "the controller's supply fails",
        lambda v: v.state.supply.stop,
        Mode.OPENING,
    ),
    Edge((Mode.BOOT_OPEN,), "proven", "proof of open", lambda v: v.state.proof.proven, Mode.DARK),
    Edge((Mode.BOOT_OPEN,), "boot_overdue", "200 ms without proof", _boot_overdue, Mode.FAULT_OPEN),
    Edge(
        (Mode.OPENING,),
        "opened",
        "both contacts open",
        lambda v: v.state.proof.position is Position.OPEN,
        Mode.PROVING,
    ),
    # A bus that carries nothing says nothing of how long the MID took.
    Edge(
        (Mode.OPENING,),
        "unheard",
        "100 ms, and the contacts are not heard",
        lambda v: v.elapsed_ms() >= OPENING_DEADLINE_MS and v.state.proof.position is Position.UNKNOWN,
        Mode.FAULT_OPEN,
    ),
    Edge((Mode.OPENING,), "not_open", "100 ms", _after(OPENING_DEADLINE_MS), Mode.FAULT_OPEN),
    Edge((Mode.PROVING,), "proven", "proof of open for 12 ms", lambda v: v.state.proof.proven, Mode.DARK),
    Edge((Mode.PROVING,), "disagree", "contacts disagree 20 ms", _disagrees, Mode.FAULT_OPEN),
    Edge((Mode.PROVING,), "disagree", "100 ms without proof", _after(PROVING_DEADLINE_MS), Mode.FAULT_OPEN),
    Edge(
        (Mode.DARK, Mode.FORMING, *_LIT),
        "unbidden",
        "a contact closes unbidden, or an open pole carries current",
        _contact_unbidden,
        Mode.FAULT_OPEN,
    ),
    Edge(
        (Mode.FORMING,),
        "backfeed",
        "the grid side follows",
        lambda v: street_side.follows(v.state, v.now_ns),
        Mode.FAULT_OPEN,
    ),
    Edge(
        (Mode.ISLANDED,),
        "fed_past",
        "a street that came alive turns with the house for 0.6 s, or shows nothing for 2 s",
        lambda v: street_trial.fed_by_the_house(v.state.street, v.now_ns),
        Mode.FAULT_OPEN,
    ),
    Edge((Mode.DARK,), "form", "car, inverter, shed, bond, proof ready", _may_form, Mode.FORMING),
    Edge(
        (Mode.DARK,),
        "close_dead",
        "dead bus 300 ms, delay served, clear durable",
        lambda v: _dead_bus_held(v) and _may_close(v) and guards.grid_is_fresh(v.settings, v.state, v.now_ns),
        Mode.CLOSING_DEAD,
    ),
    Edge(
        (Mode.FORMING,),
        "formed",
        "both legs at 0.9 pu",
        lambda v: guards.formed(v.state, v.now_ns),
        Mode.ISLANDED,
    ),
    Edge((Mode.FORMING,), "not_formed", "200 ms", _after(FORMING_DEADLINE_MS), Mode.DARK),
    Edge(
        (Mode.FORMING,),
        "source_lost",
        "inverter, car, DC, charge, heat, neutral",
        lambda v: _source_gone(v) or guards.neutral_lost_in_the_rise(v.state, v.now_ns),
        Mode.DARK,
    ),
    Edge(
        _LIT,
        "source_lost",
        "inverter, car, DC, charge, heat, neutral, voltage, overdraw",
        _source_lost,
        Mode.DARK,
    ),
    Edge(
        (Mode.CLOSING_SYNC,),
        "source_lost",
        "inverter fault before the contacts are closed",
        lambda v: _inverter_fault(v) and v.state.proof.position is not Position.CLOSED,
        Mode.OPENING,
    ),
    # Closed in phase, the house is the street's already: it needs no inverter.
    Edge((Mode.HANDBACK,), "source_lost", "inverter fault", lambda v: _inverter_fault(v), Mode.TIED),
    Edge((Mode.ISLANDED,), "requalified", "delay served, clear durable", _may_close, Mode.SYNCING),
    Edge((Mode.SYNCING,), "window_left", "the grid leaves its window", _left_window, Mode.ISLANDED),
    Edge((Mode.SYNCING,), "held_off", "closing refused", lambda v: not _may_close(v), Mode.ISLANDED),
    Edge(
        (Mode.SYNCING,),
        "in_phase",
        "predicted angle held 0.5 s, age <= 20 ms",
        lambda v: (
            v.state.sync.held(v.settings.sync, v.now_ns)
            and guards.grid_is_fresh(v.settings, v.state, v.now_ns)
        ),
        Mode.CLOSING_SYNC,
    ),
    Edge(
        (Mode.SYNCING,),
        "sync_timeout",
        "300 s",
        lambda v: v.elapsed_ms() >= v.settings.sync.timeout_s * 1000.0,
        Mode.ISLANDED,
    ),
    Edge(
        (Mode.CLOSING_SYNC,), "closed", "contacts closed, level for 10 ms", _closed_and_level, Mode.HANDBACK
    ),
    # The relay travels for 30 ms. Contacts that meet all the same meet a house without a source.
    Edge(
        (Mode.CLOSING_SYNC,),
        "slipped",
        "over 20 degrees before the contacts meet",
        lambda v: (
            v.state.proof.position is Position.OPEN
            and guards.out_of_phase(v.settings, v.state, v.state.islanding.since_ns, v.now_ns)
        ),
        Mode.OPENING,
    ),
    Edge(
        (Mode.CLOSING_SYNC,),
        "not_closed",
        "100 ms, both contacts still open, the house lit",
        lambda v: (
            _after(CLOSING_DEADLINE_MS)(v)
            and v.state.proof.position is Position.OPEN
            and guards.house_formed(v.state, v.now_ns)
            and guards.gate_is_on(v.state, v.now_ns)
        ),
        Mode.ISLANDED,
    ),
    # A contact that moved may have closed a pole, and a house that went dark meanwhile is not formed in passing: nothing
    # forms until the MID is proven open again.
    Edge(
        (Mode.CLOSING_SYNC,),
        "half_closed",
        "100 ms, not known to be open, or the house dark",
        _after(CLOSING_DEADLINE_MS),
        Mode.OPENING,
    ),
    Edge(
        (Mode.CLOSING_DEAD,),
        "closed",
        "contacts closed",
        lambda v: guards.contacts_closed(v.state),
        Mode.TIED,
    ),
    Edge(
        (Mode.CLOSING_DEAD,),
        "house_lives",
        "the house is no longer dead, before the contacts meet",
        lambda v: v.state.proof.position is Position.OPEN and v.state.islanding.dead_since_ns is None,
        Mode.OPENING,
    ),
    Edge((Mode.CLOSING_DEAD,), "not_closed", "100 ms", _after(CLOSING_DEADLINE_MS), Mode.OPENING),
    Edge((Mode.HANDBACK,), "following", "the inverter follows", _follows, Mode.TIED),
    Edge((Mode.HANDBACK,), "not_following", "100 ms", _after(HANDBACK_DEADLINE_MS), Mode.TIED),
    Edge(
        (Mode.FAULT_OPEN,),
        "apart",
        "the street lives by itself, cause back-feed",
        lambda v: street_side.lives_apart(v.state, v.now_ns),
        Mode.DARK,
    ),
    Edge((Mode.FAULT_OPEN,), "reset", "a person resets and proof", lambda v: _reset_and_proven(v), Mode.DARK),
    Edge(
        (Mode.FAULT_OPEN,),
        "proven_late",
        "proof for 1 s, cause slow, unheard or boot",
        _soft_fault_proven,
        Mode.DARK,
    ),
)


def _reset_and_proven(view: View) -> bool:
    return view.reset_ordered and view.state.proof.proven


def _inverter_fault(view: View) -> bool:
    inverter = fresh(view.state.senses.inverter_fast, view.now_ns, INVERTER_LIMIT_MS)
    return inverter is None or inverter.fault


_EDGES_FROM: dict[Mode, tuple[Edge, ...]] = {
    mode: tuple(edge for edge in TABLE if mode in edge.sources) for mode in Mode
}


def next_edge(view: View) -> Edge | None:
    """The edge to take now, or ``None``."""
    for edge in _EDGES_FROM[view.state.islanding.mode]:
        if edge.guard(view):
            return edge
    return None


def deadline_ns(settings: Settings, state: State) -> int | None:
    """When the present mode's time runs out; ``None`` where it has no deadline."""
    islanding = state.islanding
    limits_ms: dict[Mode, float] = {
        Mode.OPENING: OPENING_DEADLINE_MS,
        Mode.PROVING: PROVING_DEADLINE_MS,
        Mode.FORMING: FORMING_DEADLINE_MS,
        Mode.CLOSING_SYNC: CLOSING_DEADLINE_MS,
        Mode.CLOSING_DEAD: CLOSING_DEADLINE_MS,
        Mode.HANDBACK: HANDBACK_DEADLINE_MS,
        Mode.SYNCING: settings.sync.timeout_s * 1000.0,
    }
    limit_ms = limits_ms.get(islanding.mode)
    return None if limit_ms is None else islanding.since_ns + int(limit_ms * NS_PER_MS)
