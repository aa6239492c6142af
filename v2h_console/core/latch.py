"""The lock that keeps an opened MID open, across a restart too (I3).

The record on disk says "locked" at all times except between a requalified grid and the close that follows: it is
cleared write-ahead (the close waits for the receipt) and locked again as soon as the MID is closed. So an opening
finds the lock already durable and never waits for a disk, and a crash at any moment boots into a locked, open MID.
A missing or corrupt record reads as locked.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.commands import PersistLatch
from v2h_console.core.frozen import replace
from v2h_console.core.observation import LatchReceipt


@dataclass(frozen=True, slots=True)
class LatchState:
    """What is wanted and what is known to be on disk. ``durable_locked`` is believed only from a receipt."""

    wanted_locked: bool = True
    sequence: int = 0
    reason: str = "start"
    durable_sequence: int = -1
    durable_locked: bool = True

    @property
    def lock_is_durable(self) -> bool:
        """The lock is on disk, or was found there at the start: forming may rely on it."""
        return self.wanted_locked and self.durable_locked and self.durable_sequence >= 0

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
                sequence=max(state.sequence, receipt.sequence),
            )
    return state


def want(state: LatchState, locked: bool, reason: str) -> tuple[LatchState, PersistLatch | None]:
    """Ask for the lock to be set or cleared; a request that already stands asks for nothing (idempotent).

    A record found otherwise than it is wanted, with none on its way, is written again: a crash after the clearing
    leaves a clear record to the next start, which wants it locked.
    """
    contradicted = state.durable_sequence == state.sequence and state.durable_locked != locked
    if state.wanted_locked == locked and not contradicted:
        return state, None
    following = replace(state, wanted_locked=locked, sequence=state.sequence + 1, reason=reason)
    return following, PersistLatch(following.sequence, locked, reason)
