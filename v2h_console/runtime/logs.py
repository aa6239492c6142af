"""The owner's log files: /var/log/v2h/init.log for what happens, error.log for what needs somebody. Rotated, inert.

A disk that is full costs lines, not control. How many were lost stands in the log once it can be written again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from v2h_console.session.snapshot import EventView
from v2h_console.storage.disk import DISK, Disk, unheard
from v2h_console.storage.rotating_lines import RotatingLines

FOLDER = Path("var/log/v2h")
MOST_BYTES = 1_000_000
KEPT = 5
#: While nothing can be written, it is tried so often.
RETRY_NS = 1_000_000_000
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "alarm": logging.ERROR,
    "lockout": logging.CRITICAL,
}


class EventLog:
    """Two files below ``root``. ``failed`` hears why they cannot be written, and "" once they can again."""

    def __init__(
        self,
        root: Path,
        *,
        disk: Disk = DISK,
        failed: Callable[[str], None] = unheard,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._folder, self._disk, self._monotonic_ns = root / FOLDER, disk, monotonic_ns
        self._files = tuple(
            (RotatingLines(self._folder / name, most_bytes=MOST_BYTES, kept=KEPT, disk=disk), level)
            for name, level in (("init.log", logging.INFO), ("error.log", logging.ERROR))
        )
        self.failed = failed
        self.failure = ""
        self._retry_ns = 0
        self.lost_lines = 0
        self._try(self._open)

    def say(self, text: str, level: int = logging.INFO) -> None:
        """A line of the owner's own."""
        self._write(f"{_now()} {logging.getLevelName(level).lower()} {_inert(text)}", level)

    def take(self, events: Iterable[EventView]) -> None:
        """A line for each; with none, a disk that failed is tried again."""
        if self.failure and self._monotonic_ns() >= self._retry_ns:
            self._write("", logging.NOTSET)
        for event in events:
            at = datetime.fromtimestamp(event.wall_s).astimezone().isoformat(timespec="milliseconds")
            line = f"{at} {event.severity} {event.code} {_inert(event.text)}"
            self._write(line, _LEVELS.get(event.severity, logging.INFO))

    def close(self) -> None:
        """Let go of the files."""
        for file, _ in self._files:
            file.close()

    def _open(self) -> None:
        self._disk.make_folder(self._folder)
        for file, _ in self._files:
            file.open()

    def _write(self, line: str, level: int) -> None:
        """One line into the files that take its level; an empty one only says what was lost."""
        if self.failure and (self._monotonic_ns() < self._retry_ns or not self._try(self._open)):
            self.lost_lines += bool(line)
            return
        if self.failure or self.lost_lines:
            why = self.failure or "the disk took too long"
            lost = f"{_now()} warning {self.lost_lines} lines could not be written: {why}"
            if not self._try(lambda: self._append(lost, logging.ERROR)):
                self.lost_lines += bool(line)
                return
            self.lost_lines = 0
            self._say("")
        if line and not self._try(lambda: self._append(line, level)):
            self.lost_lines += 1

    def _append(self, line: str, level: int) -> None:
        for file, least in self._files:
            if level >= least:
                file.append(f"{line}\n".encode("utf-8", "replace"))

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError as error:
            self._retry_ns = self._monotonic_ns() + RETRY_NS
            self._say(error.strerror or str(error))
            return False
        return True

    def _say(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            self.failed(failure)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _inert(text: str) -> str:
    """One line, nothing that a terminal would act on."""
    return "".join(char if char.isprintable() else " " for char in text)
