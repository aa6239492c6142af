"""Who waits for a window of waveforms: one at a time, in turn, and only for those who still wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from v2h_drivers.capabilities.requests import WaveCapture

#: Who asked is told by this: the window, or in words why there is none. Must only queue.
Captured = Callable[[WaveCapture | str], None]
#: Whether whoever asked still waits.
Wanted = Callable[[], bool]

#: A window takes 3.5 s, and check-sync waits for 15 s: who would be further back in the row is told so at once instead.
WAITING_MOST = 2
TOO_MANY = "others wait for waveforms already: try again in a moment"


def _always() -> bool:
    return True


class Captures:
    """The row; any thread may append to it, the lane alone takes from it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Captured, Wanted]] = deque()
        self._running: Captured | None = None

    def append(self, asked: Captured, wanted: Wanted = _always) -> None:
        """Wait in turn; ``wanted`` says, from any thread, whether anybody still waits for it."""
        with self._lock:
            self._waiting = deque(one for one in self._waiting if one[1]())
            if len(self._waiting) < WAITING_MOST:
                self._waiting.append((asked, wanted))
                return
        asked(TOO_MANY)

    def begins(self) -> bool:
        """Whether a window is to be recorded from now on.

        One that nobody wants any more is recorded to its end all the same: its samples bear no number of a window, and
        those still on their way would be taken for the next one's.
        """
        if self._running is not None or not self._waiting:
            return False
        with self._lock:
            while self._waiting:
                asked, wanted = self._waiting.popleft()
                if wanted():
                    self._running = asked
                    return True
        return False

    def ended(self, captured: WaveCapture | str) -> None:
        """The window that was being recorded, or why there is none, for whoever asked for it."""
        asked, self._running = self._running, None
        if asked is not None:
            asked(captured)
