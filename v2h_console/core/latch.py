"""The lock that keeps an opened MID open, across a restart too (I3).

The record on disk says "locked" at all times except between a requalified grid and the close that follows: it is
cleared write-ahead (the close waits for the receipt) and locked again as soon as the MID is closed. So an opening
finds the lock already durable and never waits for a disk, and a crash at any moment boots into a locked, open MID.
A missing or corrupt record reads as locked.

The same record carries what only a person ends (``Kept``). It is written behind when it is set, so that an opening
waits for nothing; a close waits for the newest record, so that what a person has released is released on disk first.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.commands import PersistLatch
from v2h_console.core.frozen import replace
from v2h_console.core.observation import Kept, LatchReceipt

#: So many close tokens there are.
NUMBERS = 255


@dataclass(frozen=True, slots=True)
class LatchState:
    """What is wanted and what is known to be on disk. ``durable_*`` are believed only from a receipt."""

    wanted_locked: bool = True
    wanted_kept: Kept = Kept()
    sequence: int = 0
    reason: str = "start"
    durable_sequence: int = -1
    durable_locked: bool = True
    durable_kept: Kept = Kept()
    #: Since when a record has been on its way to the disk; ``None`` = none is.
    wanted_since_ns: int | None = None

    @property
    def found(self) -> bool:
        """Whether the record of the last run has been read: before that, nobody knows what a person forbade."""
        return self.durable_sequence >= 0

    @property
    def lock_is_durable(self) -> bool:
        """The lock is on disk, or was found there at the start: forming may rely on it."""
        return self.wanted_locked and self.durable_locked and self.found

    @property
    def clear_is_durable(self) -> bool:
        """The clearing is on disk: a close may follow."""
        return not self.wanted_locked and not self.durable_locked and self.durable_sequence == self.sequence


def take_receipts(state: LatchState, receipts: tuple[LatchReceipt, ...]) -> LatchState:
    """Believe the storage's word about the newest record."""
    for receipt in receipts:
        if receipt.sequence >= state.durable_sequence:
            state = replace(
                state,
                durable_sequence=receipt.sequence,
                durable_locked=receipt.locked,
                durable_kept=receipt.kept,
                sequence=max(state.sequence, receipt.sequence),
            )
    return state


def want(state: LatchState, locked: bool, reason: str, kept: Kept) -> tuple[LatchState, PersistLatch | None]:
    """Ask for the lock to be set or cleared; a request that already stands asks for nothing (idempotent).

    A record found otherwise than it is wanted, with none on its way, is written again: a crash after the clearing
    leaves a clear record to the next start, which wants it locked.
    """
    wanted = (locked, kept)
    contradicted = (
        state.durable_sequence == state.sequence and (state.durable_locked, state.durable_kept) != wanted
    )
    if (state.wanted_locked, state.wanted_kept) == wanted and not contradicted:
        return state, None
    sequence = state.sequence + 1
    following = replace(state, wanted_locked=locked, wanted_kept=kept, sequence=sequence, reason=reason)
    return following, PersistLatch(sequence, locked, reason, kept)
