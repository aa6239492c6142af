"""Into the mode of an MID that is not proven open, and out of it: what each cause locks out, and what sets it free."""

from __future__ import annotations

from v2h_console.core import load_holds, relay_times, street_side, transfer
from v2h_console.core.edge_outcome import Effect, Outcome, told
from v2h_console.core.events import Severity
from v2h_console.core.frozen import replace
from v2h_console.core.islanding import View
from v2h_console.core.state import FaultCause, State


def _fault(cause: FaultCause, code: str, severity: Severity, text: str, lk_close: str) -> Effect:
    def effect(view: View, state: State) -> Outcome:
        islanding = replace(
            state.islanding,
            fault_cause=cause,
            # The first reason stays: what this fault may take back must not take another's with it.
            lk_close=state.islanding.lk_close or lk_close,
            lk_form=state.islanding.lk_form or (street_side.BACKFEED if cause is FaultCause.BACKFEED else ""),
            proven_in_fault_since_ns=None,
            street_lives_since_ns=None,
        )
        return Outcome(replace(state, islanding=islanding), (told(view, code, severity, text),))

    return effect


def fault_over(view: View, state: State) -> Outcome:
    """It was slow, unheard or not proven at the start, and is proven open now."""
    record = transfer.opened(state.transfer, state.proof.opened_at_ns)
    islanding = replace(state.islanding, fault_cause=FaultCause.NONE, proven_in_fault_since_ns=None)
    relay = relay_times.opened(state.relay, state.proof.opened_at_ns)
    event = told(view, "MID_PROVEN_OPEN_LATE", Severity.WARNING, "The MID is proven open at last.")
    return Outcome(_dark(view, replace(state, islanding=islanding, transfer=record, relay=relay)), (event,))


def _dark(view: View, state: State) -> State:
    """Out of a fault: what ran on the island before it must be off, and seen to be, before anything forms (I10)."""
    loads = load_holds.drop_for_forming(view.settings, state.loads, state.car.shed, view.now_ns, dark=True)
    return replace(state, loads=loads)


def reset(view: View, state: State) -> Outcome:
    """A person has seen to it."""
    islanding = replace(state.islanding, fault_cause=FaultCause.NONE, proven_in_fault_since_ns=None)
    event = told(view, "LOCKOUT_RESET", Severity.INFO, "Lockout reset by a person; the MID is proven open.")
    return Outcome(_dark(view, replace(state, islanding=islanding)), (event,))


def apart(view: View, state: State) -> Outcome:
    """What this fault locked out is free again; what was locked before it stays."""
    before = state.islanding
    islanding = replace(
        before,
        fault_cause=FaultCause.NONE,
        proven_in_fault_since_ns=None,
        lk_form="" if before.lk_form == street_side.BACKFEED else before.lk_form,
        lk_close="" if before.lk_close == street_side.BACKFEED else before.lk_close,
    )
    text = "No back-feed: the street lives on beside the dark house. It had come back while the house was formed."
    following = _dark(view, replace(state, islanding=islanding))
    return Outcome(following, (told(view, "STREET_APART", Severity.INFO, text),))


NOT_OPEN = _fault(
    FaultCause.NOT_OPEN,
    "MID_DID_NOT_OPEN",
    Severity.LOCKOUT,
    "The MID is not open 100 ms after the command: slow or welded. Gate off, closing locked out.",
    "the MID took over 100 ms to open",
)
UNHEARD = _fault(
    FaultCause.UNHEARD,
    "MID_NOT_HEARD",
    Severity.ALARM,
    "The MID was told to open and is not heard: not proven open. Gate off: treat the street as live.",
    "",
)
DISAGREE = _fault(
    FaultCause.DISAGREEMENT,
    "MID_CONTACTS_DISAGREE",
    Severity.LOCKOUT,
    "The MID's contacts or voltages contradict each other: not proven open. Gate off.",
    "the MID's contacts contradicted each other",
)
UNBIDDEN = _fault(
    FaultCause.UNBIDDEN,
    "MID_CLOSED_UNBIDDEN",
    Severity.LOCKOUT,
    "A MID contact closed unbidden, or an open pole carries current. Gate off: treat the street as live.",
    "a contact closed unbidden",
)
BACKFEED = _fault(
    FaultCause.BACKFEED,
    "GRID_SIDE_FOLLOWS",
    Severity.LOCKOUT,
    "The street side followed the house's voltage. Gate off: treat the street as live.",
    street_side.BACKFEED,
)
FED_PAST = _fault(
    FaultCause.BACKFEED,
    "GRID_SIDE_FOLLOWS",
    Severity.LOCKOUT,
    "The street came alive and nothing tells it from the house: something may feed it past the MID (a closed bypass?). Gate "
    "off: treat the street as live.",
    street_side.BACKFEED,
)
BOOT = _fault(
    FaultCause.BOOT,
    "MID_NOT_PROVEN_AT_START",
    Severity.ALARM,
    "The MID was not proven open within 200 ms of the start. Gate off until it is.",
    "",
)
