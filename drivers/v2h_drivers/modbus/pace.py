"""The pause between two polls: the rest of the period, or less where somebody asks for something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: For others on the line, however late a poll was.
LEAST_S = 0.01
#: A device that did not answer as it should is asked again after this.
RETRY_S = 0.5


class Pace:
    """One for each polled device; all its methods from the device's own loop."""

    def __init__(self, period_s: float, clock_ns: Callable[[], int]) -> None:
        self._period_s = period_s
        self._clock_ns = clock_ns
        self._began_ns = 0
        self._asked = False
        self._resting: asyncio.Future[None] | None = None

    def hurry(self) -> None:
        """What is asked for waits for no period: a limit that comes half a second late is a surplus for half a second."""
        self._asked = True
        if self._resting is not None:
            _end(self._resting)

    def begin(self) -> None:
        """A poll begins."""
        self._began_ns = self._clock_ns()

    async def rest(self, *, answered: bool) -> None:
        """Until the period that began with the poll is over, or somebody hurries."""
        left_s = (self._period_s if answered else RETRY_S) - (self._clock_ns() - self._began_ns) / 1e9
        loop = asyncio.get_running_loop()
        self._resting = loop.create_future()
        timer = loop.call_later(LEAST_S if self._asked else max(LEAST_S, left_s), _end, self._resting)
        try:
            await self._resting
        finally:
            timer.cancel()
            self._resting, self._asked = None, False


def _end(resting: asyncio.Future[None]) -> None:
    if not resting.done():
        resting.set_result(None)
