"""How many orders a console may give: more than a person's fingers do, less than what wears out a disk or the core."""

from __future__ import annotations

from v2h_console.session.orders import Receipt
from v2h_console.session.wire import Ask

ORDERS_A_SECOND = 20.0
AT_ONCE = 20.0
#: Folded openings whose senders wait for an answer; more of them wait for none.
_MOST_WAITING = 200


class Pace:
    """``AT_ONCE``, then ``ORDERS_A_SECOND``."""

    def __init__(self, now_s: float) -> None:
        self._left, self._at_s = AT_ONCE, now_s

    def may(self, now_s: float) -> bool:
        """Whether one more is in time; it counts then."""
        self._left = min(AT_ONCE, self._left + (now_s - self._at_s) * ORDERS_A_SECOND)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def in_s(self, now_s: float) -> float:
        """How long until one more is in time."""
        return max(0.0, (1.0 - self._left) / ORDERS_A_SECOND - (now_s - self._at_s))


class Openings:
    """A console's orders to open the MID: every one is heard, those in quick succession as one."""

    def __init__(self, now_s: float) -> None:
        self._pace = Pace(now_s)
        self._folded: list[Ask] = []

    def __bool__(self) -> bool:
        return bool(self._folded)

    def came(self, message: Ask) -> None:
        """One more; ``due`` gives it."""
        if len(self._folded) >= _MOST_WAITING:
            # The newest speaks for all: it is the one that is still young enough.
            self._folded.pop(0)
        self._folded.append(message)

    def due_in_s(self, now_s: float) -> float:
        """How long until ``due`` gives those that wait."""
        return self._pace.in_s(now_s)

    def due(self, now_s: float) -> tuple[Ask, ...]:
        """Those that came, once one may be given for all of them: the last."""
        if not self._folded or not self._pace.may(now_s):
            return ()
        return self.rest()

    def rest(self) -> tuple[Ask, ...]:
        """Those that came, whatever the pace: there will be no later turn."""
        due, self._folded = tuple(self._folded), []
        return due


def too_many(nonce: str) -> Receipt:
    """The answer to what is not in time."""
    return Receipt(nonce, accepted=False, reason="too many orders in a second: press again")
