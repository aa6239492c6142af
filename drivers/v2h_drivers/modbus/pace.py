"""The pause between two polls: the rest of the period, or less where somebody asks for something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: For others on the line, however late a poll was.
LEAST_S = 0.01
#: A device that did not answer as it should, twice in a row, is asked again after this, counted from the end of the poll
#: that failed: a time-out may be as long, and a unit that is asked again at once holds the line that others answer on.
#: After the first failure nothing is waited for: one packet that is lost must not cost an island the car's word.
RETRY_S = 0.5
#: One that is lost is asked more and more seldom, up to this.
LAST_RETRY_S = 5.0
#: In a longer pause the link goes on being said: whoever hears nothing takes the driver itself to be silent.
SAY_EVERY_S = 1.0


class Pace:
    """One for each polled device; all its methods from the device's own loop."""

    def __init__(
        self, period_s: float, clock_ns: Callable[[], int], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """``meanwhile`` is called every second of a pause before the next try, and at its end."""
        self._meanwhile = meanwhile
        self._period_s = period_s
        self._clock_ns = clock_ns
        self._began_ns = 0
        self._asked = False
        self._resting: asyncio.Future[None] | None = None
        self._retry_s = RETRY_S
        self._failed = False

    def hurry(self) -> None:
        """What is asked for waits for no period: a limit that comes half a second late is a surplus for half a second.
        One that does not answer is asked no sooner for it."""
        self._asked = True
        if self._resting is not None:
            _end(self._resting)

    def begin(self) -> None:
        """A poll begins."""
        self._began_ns = self._clock_ns()

    async def rest(self, *, answered: bool, lost: bool = False, soon: bool = False) -> None:
        """Until the period that began with the poll is over, or somebody hurries. After a poll that failed: the pause
        before the next, short after the first, and doubled while the device is ``lost``, unless it was asked
        for something out of turn and the next is to be ``soon``."""
        if not answered:
            await self._pause(lost=lost, soon=soon)
            return
        self._retry_s, self._failed = RETRY_S, False
        left_s = self._period_s - (self._clock_ns() - self._began_ns) / 1e9
        loop = asyncio.get_running_loop()
        self._resting = loop.create_future()
        timer = loop.call_later(LEAST_S if self._asked else max(LEAST_S, left_s), _end, self._resting)
        try:
            await self._resting
        finally:
            timer.cancel()
            self._resting, self._asked = None, False

    async def _pause(self, *, lost: bool, soon: bool) -> None:
        if not lost:
            # Whatever it said, it has answered, or has not been silent for long.
            self._retry_s = RETRY_S
        left_s = self._retry_s if self._failed or lost else LEAST_S
        self._failed = True
        if lost and soon:
            left_s = RETRY_S
        elif lost:
            self._retry_s = min(LAST_RETRY_S, 2 * self._retry_s)
        while left_s > 0.0:
            await asyncio.sleep(min(SAY_EVERY_S, left_s))
            left_s -= SAY_EVERY_S
            self._meanwhile()
        self._asked = False


def _end(resting: asyncio.Future[None]) -> None:
    if not resting.done():
        resting.set_result(None)
