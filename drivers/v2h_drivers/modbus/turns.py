"""Who is asked next where several units share a connection: a unit that is silent must not cost the others their readings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: After a time-out, one that answers has the connection to itself for this: the rest of a poll, which is several requests.
POLL_NS = 150_000_000
#: A unit that is known to be silent is asked no sooner after another one's time-out: two silences in a row, and the car's
#: word is too old to keep a house lit by.
APART_NS = 500_000_000


class Turns:
    """``take`` before a request, ``give`` after it; in the order of asking while all answer."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._taken = False
        self._timer: asyncio.TimerHandle | None = None
        self._heard_ns: dict[int, int] = {}
        #: Of each unit that has not answered since: how many time-outs, and when the last was.
        self._silent: dict[int, tuple[int, int]] = {}
        self._last_silent: tuple[int, int] | None = None

    async def take(self, unit: int) -> None:
        """Wait for the turn of a request to this unit."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((unit, turn))
        self._go_on()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """The request is over."""
        self._taken = False
        self._go_on()

    def heard(self, unit: int) -> None:
        """It answered, whatever it said."""
        self._heard_ns[unit] = self._clock_ns()
        self._silent.pop(unit, None)

    def timed_out(self, unit: int) -> None:
        """It did not."""
        now_ns = self._clock_ns()
        self._silent[unit] = (self._silent.get(unit, (0, 0))[0] + 1, now_ns)
        self._last_silent = (unit, now_ns)

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = [one for one in self._waiting if not one[1].done()]
        if self._taken or not self._waiting:
            return
        now_ns = self._clock_ns()
        due = [(self._due_ns(unit), self._rank(unit), nth) for nth, (unit, _) in enumerate(self._waiting)]
        ready = [(rank, nth) for due_ns, rank, nth in due if due_ns <= now_ns]
        if not ready:
            wait_s = (min(due)[0] - now_ns) / 1e9
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._go_on)
            return
        _, turn = self._waiting.pop(min(ready)[1])
        self._taken = True
        turn.set_result(None)

    def _due_ns(self, unit: int) -> int:
        """When it may be asked."""
        last = self._last_silent
        if last is None:
            return 0
        if unit in self._silent and (self._silent[unit][0] > 1 or last[0] != unit):
            others = [at_ns for one, (_, at_ns) in self._silent.items() if one != unit]
            return max(others) + APART_NS if others else 0
        if self._heard_since(unit, last[1]) or not any(
            self._heard_since(one, last[1]) for one in self._heard_ns
        ):
            return 0
        return last[1] + POLL_NS

    def _rank(self, unit: int) -> tuple[bool, int]:
        """The lowest goes first: who answers; after a time-out, those whose word is the oldest."""
        last = self._last_silent
        heard_ns = self._heard_ns.get(unit, 0)
        nobody = last is not None and not any(self._heard_since(one, last[1]) for one in self._heard_ns)
        return unit in self._silent, heard_ns if nobody else 0

    def _heard_since(self, unit: int, at_ns: int) -> bool:
        return self._heard_ns.get(unit, -1) > at_ns
