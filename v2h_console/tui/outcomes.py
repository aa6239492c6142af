"""What came of an order: the owner's receipt says that it was taken, the core's events what it did with it."""

from __future__ import annotations

import asyncio

from v2h_console.session.protocol import Session
from v2h_console.session.snapshot import EventView, Snapshot

#: The core's answers by order; the worse one first, where both may come.
ANSWERS = {
    "operator.reset_lockout": ("LOCKOUT_RESET_REFUSED", "LOCKOUT_RESET", "LOAD_RESET"),
    "operator.close_mid": ("MID_HOLD_RELEASED",),
    "operator.island": ("ISLANDING_REFUSED",),
}
#: The core takes an order with its next step, 40 ms later at most, and a picture comes ten times a second.
WAIT_S = 0.6
_LOOK_S = 0.05


def last_sequence(snapshot: Snapshot) -> int:
    """Of the newest event that is shown."""
    return max((event.sequence for event in snapshot.events), default=0)


async def outcome(session: Session, do: str, before: int) -> EventView | None:
    """The core's answer to the order ``do`` among the events after ``before``; ``None`` = none in time."""
    codes = ANSWERS.get(do, ())
    for _ in range(round(WAIT_S / _LOOK_S) if codes else 0):
        new = [event for event in session.watch().events if event.sequence > before and event.code in codes]
        if new:
            return min(new, key=lambda event: codes.index(event.code))
        await asyncio.sleep(_LOOK_S)
    return None
