"""The thread that writes the owner's log: whoever has something to say only queues it.

Every owner has one, with a screen or without: what happened is looked up in the same two files.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from v2h_console.runtime.logs import RETRY_NS, EventLog
from v2h_console.session.snapshot import EventView
from v2h_console.storage.disk import DISK, Disk

#: A disk that answers nothing at all keeps at most so many lines waiting; what comes then is counted as lost.
MOST_WAITING = 1_000
RETRY_S = RETRY_NS / 1e9

_Line = EventView | tuple[str, int]


class LogWriter(threading.Thread):
    """``failed`` hears why the log cannot be written, and "" once it can again."""

    def __init__(self, root: Path, failed: Callable[[str], None], *, disk: Disk = DISK) -> None:
        super().__init__(name="log", daemon=True)
        self._root, self._failed, self._disk = root, failed, disk
        self._changed = threading.Condition()
        self._waiting: deque[_Line] = deque()
        self._lost = 0
        self._ending = False

    def took(self, event: EventView) -> None:
        """Queue an event; never blocks on a disk."""
        self._queue(event)

    def say(self, text: str, level: int = logging.INFO) -> None:
        """Queue a line of the owner's own."""
        self._queue((text, level))

    def stop(self) -> None:
        """Write what waits, then end."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def run(self) -> None:
        """The thread's life."""
        # Opened here: a disk that hangs keeps nobody's door shut.
        log = EventLog(self._root, disk=self._disk, failed=self._failed)
        self._failed(log.failure)
        while True:
            with self._changed:
                patience_s = RETRY_S if log.failure else None
                self._changed.wait_for(lambda: self._ending or self._waiting, patience_s)
                lines, lost, ending = list(self._waiting), self._lost, self._ending
                self._waiting.clear()
                self._lost = 0
            log.lost_lines += lost
            for line in lines:
                if isinstance(line, EventView):
                    log.take([line])
                else:
                    log.say(*line)
            if not lines:
                log.take(())
            if ending:
                log.close()
                return

    def _queue(self, line: _Line) -> None:
        with self._changed:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(line)
            else:
                self._lost += 1
            self._changed.notify()
