"""The pause between two polls: the rest of the period, or less where somebody asks for something."""

from __future__ import annotations

import asyncio

#: For others on the line, however late a poll was.
LEAST_S = 0.01


class Pace:
    """One for each polled device; both methods from the device's own loop."""

    def __init__(self) -> None:
        self._asked = False
        self._resting: asyncio.Future[None] | None = None

    def hurry(self) -> None:
        """What is asked for waits for no period: a limit that comes half a second late is a surplus for half a second."""
        self._asked = True
        if self._resting is not None:
            _end(self._resting)

    async def rest(self, seconds: float) -> None:
        """Until the time is over, or somebody hurries."""
        loop = asyncio.get_running_loop()
        self._resting = loop.create_future()
        timer = loop.call_later(LEAST_S if self._asked else max(LEAST_S, seconds), _end, self._resting)
        try:
            await self._resting
        finally:
            timer.cancel()
            self._resting, self._asked = None, False


def _end(resting: asyncio.Future[None]) -> None:
    if not resting.done():
        resting.set_result(None)
