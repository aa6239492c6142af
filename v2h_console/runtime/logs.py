"""The owner's log files: /var/log/v2h/init.log for what happens, error.log for what needs somebody. Rotated, inert.

Written from the owner's main thread, never from the lane; a disk that is full costs lines, not control.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from v2h_console.session.snapshot import EventView

FOLDER = Path("var/log/v2h")
MOST_BYTES = 1_000_000
KEPT = 5
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "alarm": logging.ERROR,
    "lockout": logging.CRITICAL,
}


class EventLog:
    """Two files below ``root``. Raises OSError when they cannot be opened at the start."""

    def __init__(self, root: Path) -> None:
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._log = logging.Logger("v2h")
        for name, level in (("init.log", logging.INFO), ("error.log", logging.ERROR)):
            handler = logging.handlers.RotatingFileHandler(
                folder / name, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8"
            )
            handler.setLevel(level)
            # A full disk must not print a traceback on whatever stderr is.
            handler.handleError = self._failed  # type: ignore[method-assign]  # the documented hook
            handler.setFormatter(logging.Formatter("%(message)s"))
            self._log.addHandler(handler)
        self._last = 0
        self.lost_lines = 0

    def say(self, text: str, level: int = logging.INFO) -> None:
        """A line of the owner's own."""
        at = datetime.now().astimezone().isoformat(timespec="milliseconds")
        self._log.log(level, "%s %s %s", at, logging.getLevelName(level).lower(), _inert(text))

    def take(self, events: Iterable[EventView]) -> None:
        """Events that are new since the last call."""
        for event in events:
            if event.sequence <= self._last:
                continue
            self._last = event.sequence
            at = datetime.fromtimestamp(event.wall_s).astimezone().isoformat(timespec="milliseconds")
            level = _LEVELS.get(event.severity, logging.INFO)
            self._log.log(level, "%s %s %s %s", at, event.severity, event.code, _inert(event.text))

    def close(self) -> None:
        """Let go of the files."""
        for handler in tuple(self._log.handlers):
            handler.close()

    def _failed(self, record: logging.LogRecord) -> None:
        self.lost_lines += 1


def _inert(text: str) -> str:
    """One line, nothing that a terminal would act on."""
    return "".join(char if char.isprintable() else " " for char in text)
