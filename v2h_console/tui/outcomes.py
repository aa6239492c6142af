"""What came of an order: the owner's receipt says that it was taken, the core's events what it did with it."""

from __future__ import annotations

import asyncio

from v2h_console.session.orders import Order
from v2h_console.session.protocol import Session
from v2h_console.session.snapshot import EventView

#: The core's answers by order; the worse one first, where both may come.
ANSWERS = {
    "operator.reset_lockout": ("LOCKOUT_RESET_REFUSED", "LOCKOUT_RESET", "LOAD_RESET"),
    "operator.close_mid": ("MID_HOLD_RELEASED",),
    "operator.island": ("ISLANDING_REFUSED",),
}
#: A session answers within the order's life of 2 s; past this it has not.
ANSWER_S = 3.0
#: The core takes an order with its next step, 40 ms later at most, and a picture comes ten times a second.
WAIT_S = 0.6
_LOOK_S = 0.05
#: How long an answer stands: one that is no plain yes is read twice.
_SHORT_S, _LONG_S = 6.0, 12.0


async def answered(session: Session, order: Order, accepted: str) -> tuple[str, float]:
    """Ask the owner: what is said of its answer, and for how many seconds. ``accepted`` where the core says nothing of it."""
    before = max((event.sequence for event in session.watch().events), default=0)
    try:
        async with asyncio.timeout(ANSWER_S):
            receipt = await session.order(order)
    except TimeoutError:
        return f"No answer from the owner within {ANSWER_S:.0f} s: {order.do} is not confirmed.", _LONG_S
    if not receipt.accepted:
        reason = receipt.reason or "the owner gave no reason"
        return f"Refused: {reason}{'.' if reason[-1:].isalnum() else ''}", _LONG_S
    came = await _outcome(session, order.do, before)
    if came is None:
        return f"{accepted} {receipt.reason}".strip(), _SHORT_S
    return came.text, _SHORT_S if came.severity == "info" else _LONG_S


async def _outcome(session: Session, do: str, before: int) -> EventView | None:
    """The core's answer to the order ``do`` among the events after ``before``; ``None`` = none in time."""
    codes = ANSWERS.get(do, ())
    for _ in range(round(WAIT_S / _LOOK_S) if codes else 0):
        new = [event for event in session.watch().events if event.sequence > before and event.code in codes]
        if new:
            return min(new, key=lambda event: codes.index(event.code))
        await asyncio.sleep(_LOOK_S)
    return None
