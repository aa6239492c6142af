"""What taking an edge of the islanding table changes, besides the mode: timers, lockouts, holds, the transfer record.

One small function an event; the table itself stays free of side notes.
"""

from __future__ import annotations

from v2h_console.core import (
    black_start,
    grid_monitor,
    load_holds,
    open_fault,
    relay_times,
    synchronism,
    transfer,
)
from v2h_console.core.car_session import DC_LOCKS
from v2h_console.core.edge_outcome import Effect, Outcome, told
from v2h_console.core.events import Severity
from v2h_console.core.frozen import replace
from v2h_console.core.grid_loss import Kind
from v2h_console.core.grid_monitor import GridCondition
from v2h_console.core.islanding import CLOSING, Edge, View
from v2h_console.core.lockouts import RIVALS
from v2h_console.core.mid_proof import Position
from v2h_console.core.settings import NS_PER_S
from v2h_console.core.state import CONTACT_RESTS_NS, Mode, State
from v2h_console.core.transfer import Transfer

#: Waits between tries to close; after three failures LK_CLOSE.
CLOSE_RETRY_S = 30
CLOSE_TRIES = 3
#: With these the inverter stands by on the grid too, until a person resets them.
_GATE_STAYS_OFF = (*DC_LOCKS, RIVALS)


def take(edge: Edge, view: View) -> Outcome:
    """Follow the edge: change the mode, then what the event and the target ask for."""
    moved = replace(
        view.state, islanding=replace(view.state.islanding, mode=edge.target, since_ns=view.now_ns)
    )
    effect = _EFFECTS.get((edge.event, edge.target))
    if effect is None:
        return Outcome(moved)
    return effect(view, moved)


def _opening(view: View, state: State) -> Outcome:
    """The MID is told to open: the enter-service count starts anew, heavy loads drop, the transfer is timed."""
    now_ns = view.now_ns
    loss = state.grid.loss
    if view.open_ordered:
        kind, cause, fell_ns = "intentional", "opened by hand", now_ns
    elif loss is not None:
        kind, cause, fell_ns = loss.transfer_class, loss.reason, min(loss.fell_at_ns, now_ns)
    else:
        kind, cause, fell_ns = (
            "sense_fault",
            "the logic controller is silent or opened the MID itself",
            now_ns,
        )
    record = Transfer(kind, cause, fell_ns, now_ns) if view.state.islanding.mode is Mode.TIED else None
    # A close that is taken back before its contact has moved: it may meet for a moment yet, bidden as it was. Nothing
    # forms before it has come to rest, and nobody calls it unbidden.
    travels = view.state.islanding.mode in CLOSING and state.proof.position is Position.OPEN
    rests_ns = now_ns + CONTACT_RESTS_NS if travels else 0
    islanding = replace(
        state.islanding,
        operator_hold=state.islanding.operator_hold or view.open_ordered,
        form_tries=0,
        soft_stops=0,
        form_not_before_ns=rests_ns,
        contact_grace_until_ns=rests_ns,
    )
    loads = state.loads
    if view.state.islanding.mode is Mode.TIED:
        loads = load_holds.with_rests(view.settings, loads, state.senses, now_ns)
    if state.proof.position is Position.CLOSED:
        state = replace(state, relay=relay_times.told_to_open(state.relay, now_ns))
    state = replace(
        state,
        islanding=islanding,
        grid=grid_monitor.restart(state.grid, now_ns),
        loads=load_holds.drop_for_forming(view.settings, loads, state.car.shed, now_ns),
        transfer=record,
    )
    if view.open_ordered:
        event = told(view, "MID_OPENED_BY_HAND", Severity.INFO, "MID opened by hand.")
    else:
        code, said = _LEFT[Kind.NOT_SENSED if loss is None else loss.kind]
        event = told(view, code, Severity.WARNING, f"{said}: {cause}. MID told to open.")
    return Outcome(state, (event,))


#: A grid that is gone, one that is there but must not be used, and one that nobody can see.
_LEFT = {
    Kind.LOST: ("GRID_LOST", "Grid lost"),
    Kind.REJECTED: ("GRID_REJECTED", "Grid rejected"),
    Kind.NOT_SENSED: ("GRID_NOT_SENSED", "Grid not sensed"),
}


def _supply_stop(view: View, state: State) -> Outcome:
    """In order, while there is still somebody to do it: open, gates off; the latch has long been on the disk."""
    outcome = _opening(view, state)
    text = f"Orderly stop: {state.supply.reason}. MID told to open, gates off."
    event = told(view, "SUPPLY_STOP", Severity.ALARM, text)
    return Outcome(replace(outcome.state, transfer=None), (event,))


def _source_lost_closing(view: View, state: State) -> Outcome:
    outcome = _opening(view, state)
    event = told(
        view, "INVERTER_LOST_AT_CLOSE", Severity.WARNING, "The inverter failed while closing. MID opened."
    )
    return Outcome(outcome.state, (event,))


def _proven(view: View, state: State) -> Outcome:
    """Proven open after a start: what must not be on while islanded drops before the first forming."""
    if view.state.islanding.mode is not Mode.BOOT_OPEN:
        return Outcome(state)
    loads = load_holds.drop_for_forming(view.settings, state.loads, state.car.shed, view.now_ns)
    return Outcome(replace(state, loads=loads))


def _proving(_view: View, state: State) -> Outcome:
    record = transfer.opened(state.transfer, state.proof.opened_at_ns)
    relay = relay_times.opened(state.relay, state.proof.opened_at_ns)
    return Outcome(replace(state, transfer=record, relay=relay))


def _forming(view: View, state: State) -> Outcome:
    islanding = replace(
        state.islanding, grid_was_dead=state.grid.condition is GridCondition.DEAD, coupling=(1.0, 1.0)
    )
    return Outcome(replace(state, islanding=islanding, transfer=transfer.proven(state.transfer, view.now_ns)))


def _formed(view: View, state: State) -> Outcome:
    islanding = replace(state.islanding, contact_grace_until_ns=0, emptied=False)
    loads = load_holds.begin_island(view.settings, state.loads, view.now_ns)
    event = told(view, "ISLANDED", Severity.INFO, "House lit from the car.")
    return Outcome(replace(state, islanding=islanding, loads=loads), (event,))


def _form_failed(view: View, state: State) -> Outcome:
    """GO, shed a tier, and try again after 2, 10 and 60 s; then a person is needed."""
    failure = black_start.failed(view.settings, state, view.now_ns)
    return Outcome(failure.state, (failure.event,))


def _island_lost(view: View, state: State) -> Outcome:
    """The source went away: gates off, MID stays open."""
    # By when it was lit: it may have been about to close again for a moment.
    stood_ns = view.now_ns - (state.loads.lit_ns or view.state.islanding.since_ns)
    failure = black_start.island_lost(view.settings, state, stood_ns, view.now_ns)
    return Outcome(failure.state, (failure.event,))


def _syncing(view: View, state: State) -> Outcome:
    event = told(view, "GRID_REQUALIFIED", Severity.INFO, "Grid requalified. Bringing the house in phase.")
    # An angle that happened to be right while nobody steered it holds nothing: what is held is the steered one.
    return Outcome(replace(state, sync=replace(state.sync, ok_since_ns=None)), (event,))


def _not_in_phase(_view: View, state: State) -> Outcome:
    tries = state.islanding.sync_tries + 1
    return Outcome(replace(state, islanding=replace(state.islanding, sync_tries=tries)))


def _close_in_phase(view: View, state: State) -> Outcome:
    aim = synchronism.aim(view.settings, view.state.senses, view.now_ns)
    return _close(view, replace(state, sync=replace(state.sync, aim=aim)))


def _close(_view: View, state: State) -> Outcome:
    # A token counts once, and a restart must not use the last one again: every close follows a clearing of the latch,
    # and the records' numbers go on across restarts.
    token = state.latch.sequence % 255 + 1
    if token == state.islanding.close_token:
        token = token % 255 + 1
    return Outcome(
        replace(state, islanding=replace(state.islanding, close_token=token, closed_since_ns=None))
    )


def _close_failed(view: View, state: State) -> Outcome:
    tries = state.islanding.close_tries + 1
    if tries >= CLOSE_TRIES:
        reason = f"{tries} tries to close failed"
        islanding = replace(state.islanding, close_tries=tries, lk_close=reason)
        event = told(view, "MID_DOES_NOT_CLOSE", Severity.LOCKOUT, f"Closing is locked out: {reason}.")
    else:
        islanding = replace(
            state.islanding,
            close_tries=tries,
            close_not_before_ns=view.now_ns + CLOSE_RETRY_S * NS_PER_S,
        )
        event = told(
            view,
            "MID_CLOSE_FAILED",
            Severity.ALARM,
            f"The MID did not close (try {tries} of {CLOSE_TRIES}). Next in {CLOSE_RETRY_S} s.",
        )
    islanding = replace(islanding, contact_grace_until_ns=view.now_ns + CONTACT_RESTS_NS)
    return Outcome(replace(state, islanding=islanding), (event,))


def _slipped(view: View, state: State) -> Outcome:
    """The street's phase jumped while the relay travelled. No fault of the relay's: the delay is served anew, that is all."""
    text = "The grid's phase jumped while the MID closed. MID told to open, gate off."
    return Outcome(
        _opening(view, state).state, (told(view, "PHASE_JUMPED_AT_CLOSE", Severity.WARNING, text),)
    )


def _house_lives(view: View, state: State) -> Outcome:
    """A house that was dead when the close was commanded is so no longer, and nobody knows in which phase."""
    text = "The house bus came alive while the MID closed onto it. MID told to open."
    return Outcome(_opening(view, state).state, (told(view, "HOUSE_LIVE_AT_CLOSE", Severity.ALARM, text),))


def _half_closed(view: View, state: State) -> Outcome:
    """The close went wrong with a contact on its way: gates off, open, prove, and form anew."""
    failed = _close_failed(view, state)
    opened = _opening(view, failed.state)
    return Outcome(opened.state, failed.events)


def _close_dead_failed(view: View, state: State) -> Outcome:
    failed = _close_failed(view, state)
    following = replace(
        failed.state, transfer=None, grid=grid_monitor.restart(failed.state.grid, view.now_ns)
    )
    return Outcome(following, failed.events)


def _closed(view: View, state: State) -> Outcome:
    """Contacts closed on an island in phase: how long they took is the next close's prediction."""
    machine = view.state.islanding
    return Outcome(
        replace(state, relay=relay_times.closed(state.relay, machine.since_ns, machine.closed_since_ns))
    )


def _closed_dead(view: View, state: State) -> Outcome:
    return _tied(view, _closed(view, state).state)


def _chatter(view: View, state: State) -> Outcome:
    """Let the coil go before the contacts burn; what flutters is not closed again by itself."""
    outcome = _opening(view, state)
    islanding = replace(outcome.state.islanding, lk_close="the MID's contacts chatter")
    text = "The MID's contacts move unbidden: chatter. MID told to open, closing locked out."
    event = told(view, "MID_CHATTERS", Severity.LOCKOUT, text)
    return Outcome(replace(outcome.state, islanding=islanding), (event,))


def _tied(view: View, state: State) -> Outcome:
    islanding = replace(
        state.islanding,
        close_tries=0,
        sync_tries=0,
        form_tries=0,
        soft_stops=0,
        # What stands by meanwhile stays where it is: a second master, a DC side that a person must look at, be it well
        # again by its own word.
        gate_in_tied=not state.parallel.second_master
        and not state.car.session.lock(view.now_ns)
        and state.islanding.lk_form not in _GATE_STAYS_OFF,
        contact_grace_until_ns=0,
        emptied=False,
    )
    loads = load_holds.release_all(view.settings, state.loads, view.now_ns)
    event = told(view, "GRID_TIED", Severity.INFO, "MID closed: the house is on the grid.")
    return Outcome(
        replace(state, islanding=islanding, loads=loads, transfer=None),
        (event,),
    )


def _tied_without(code: str, text: str) -> Effect:
    """On the grid, and the inverter's gate off."""

    def effect(view: View, state: State) -> Outcome:
        outcome = _tied(view, state)
        islanding = replace(outcome.state.islanding, gate_in_tied=False)
        event = told(view, code, Severity.ALARM, text)
        return Outcome(replace(outcome.state, islanding=islanding), (*outcome.events, event))

    return effect


_EFFECTS: dict[tuple[str, Mode], Effect] = {
    ("operator", Mode.OPENING): _opening,
    ("loss", Mode.OPENING): _opening,
    ("supply", Mode.OPENING): _supply_stop,
    ("seen_open", Mode.OPENING): _opening,
    ("source_lost", Mode.OPENING): _source_lost_closing,
    ("opened", Mode.PROVING): _proving,
    ("proven", Mode.DARK): _proven,
    ("unheard", Mode.FAULT_OPEN): open_fault.UNHEARD,
    ("not_open", Mode.FAULT_OPEN): open_fault.NOT_OPEN,
    ("disagree", Mode.FAULT_OPEN): open_fault.DISAGREE,
    ("unbidden", Mode.FAULT_OPEN): open_fault.UNBIDDEN,
    ("backfeed", Mode.FAULT_OPEN): open_fault.BACKFEED,
    ("fed_past", Mode.FAULT_OPEN): open_fault.FED_PAST,
    ("boot_overdue", Mode.FAULT_OPEN): open_fault.BOOT,
    ("proven_late", Mode.DARK): open_fault.fault_over,
    ("apart", Mode.DARK): open_fault.apart,
    ("reset", Mode.DARK): open_fault.reset,
    ("form", Mode.FORMING): _forming,
    ("formed", Mode.ISLANDED): _formed,
    ("not_formed", Mode.DARK): _form_failed,
    ("source_lost", Mode.DARK): _island_lost,
    ("requalified", Mode.SYNCING): _syncing,
    ("sync_timeout", Mode.ISLANDED): _not_in_phase,
    ("in_phase", Mode.CLOSING_SYNC): _close_in_phase,
    ("close_dead", Mode.CLOSING_DEAD): _close,
    ("not_closed", Mode.ISLANDED): _close_failed,
    ("not_closed", Mode.OPENING): _close_dead_failed,
    ("half_closed", Mode.OPENING): _half_closed,
    ("slipped", Mode.OPENING): _slipped,
    ("house_lives", Mode.OPENING): _house_lives,
    ("closed", Mode.HANDBACK): _closed,
    ("closed", Mode.TIED): _closed_dead,
    ("chatter", Mode.OPENING): _chatter,
    ("following", Mode.TIED): _tied,
    ("not_following", Mode.TIED): _tied_without(
        "INVERTER_DID_NOT_FOLLOW", "The inverter did not follow the grid within 100 ms: gate off."
    ),
    ("source_lost", Mode.TIED): _tied_without(
        "INVERTER_LOST_AT_CLOSE", "The inverter failed as it handed the house over to the grid: gate off."
    ),
}
