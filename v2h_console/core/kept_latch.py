"""What the latch record must say now, and what the last run's record says to this one (I3).

A lockout and an MID that a person opened outlive the process: else a restart would close what a line worker opened.
FAULT_OPEN itself is a mode, and every start is BOOT_OPEN; a cause that only a person ends is kept as a lockout.
"""

from __future__ import annotations

from v2h_console.core import guards, latch, street_side
from v2h_console.core.commands import PersistLatch
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.observation import Kept, LatchReceipt
from v2h_console.core.settings import Settings
from v2h_console.core.state import FaultCause, Mode, State

#: Causes of FAULT_OPEN that a person must look into, and what a later run says of them.
_LASTING = {
    FaultCause.DISAGREEMENT: "the MID's contacts contradicted each other",
    FaultCause.UNBIDDEN: "a contact closed unbidden",
    FaultCause.BACKFEED: street_side.BACKFEED,
}


def take_receipts(
    state: State, receipts: tuple[LatchReceipt, ...], now_ns: int
) -> tuple[State, tuple[Event, ...]]:
    """Believe the storage; the first receipt brings back what the last run kept."""
    if not receipts:
        return state, ()
    first = not state.latch.found
    state = replace(state, latch=latch.take_receipts(state.latch, receipts))
    kept = state.latch.durable_kept
    if not first or kept == Kept():
        return state, ()
    islanding = replace(
        state.islanding,
        lk_form=state.islanding.lk_form or kept.lk_form,
        lk_close=state.islanding.lk_close or kept.lk_close,
        operator_hold=state.islanding.operator_hold or kept.held_open,
    )
    # What was found is what is wanted until something changes it: nothing has to be written for it. A record that could
    # not be read is replaced by one that can, so that the next start knows of it too.
    wanted = state.latch
    if wanted.durable_sequence:
        wanted = replace(wanted, wanted_kept=kept)
    said = [
        text
        for text in (
            kept.lk_form and f"forming is locked out ({kept.lk_form})",
            kept.lk_close and f"closing is locked out ({kept.lk_close})",
            "the MID was opened by hand" if kept.held_open else "",
        )
        if text
    ]
    event = Event(now_ns, "LATCH_KEPT", Severity.WARNING, f"From before the start: {', '.join(said)}.")
    return replace(state, islanding=islanding, latch=wanted), (event,)


def kept_of(state: State) -> Kept:
    """What a restart must not forget."""
    islanding = state.islanding
    cause = _LASTING.get(islanding.fault_cause, "") if islanding.mode is Mode.FAULT_OPEN else ""
    return Kept(islanding.lk_form or cause, islanding.lk_close or cause, islanding.operator_hold)


def keep(settings: Settings, state: State, now_ns: int) -> tuple[State, PersistLatch | None]:
    """Ask the storage for what must stand on disk, where it does not stand there yet."""
    if not state.latch.found:
        # Written now, it would replace what has not been read.
        return state, None
    locked = not _clear_wanted(settings, state, now_ns)
    reason = state.islanding.mode.value if locked else "grid requalified"
    following, persist = latch.want(state.latch, locked, reason, kept_of(state))
    return (state if persist is None else replace(state, latch=following)), persist


def _clear_wanted(settings: Settings, state: State, now_ns: int) -> bool:
    """Whether the latch may be clear: only between a requalified grid and the close that follows."""
    mode = state.islanding.mode
    if mode in (Mode.CLOSING_SYNC, Mode.CLOSING_DEAD, Mode.HANDBACK):
        return not state.latch.wanted_locked
    if mode in (Mode.ISLANDED, Mode.SYNCING) or (
        mode is Mode.DARK and state.islanding.dead_since_ns is not None
    ):
        return not guards.closing_refusal(settings, state, now_ns)
    return False
