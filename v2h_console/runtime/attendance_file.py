"""What people have not seen yet, over an owner's end: one small JSON file, written whole by a thread of its own.

It only informs: a file that is missing or damaged costs a page, nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from v2h_console.runtime.attendance import Ledger
from v2h_console.storage import whole_file
from v2h_console.storage.disk import DISK, Disk, unheard

FILE = "attendance.json"
MOST_BYTES = 1 << 20
#: At most one write in this time, except when somebody comes or goes: keys and events must not wear out the disk.
PERIOD_S = 10.0


def read_ledger(path: Path) -> Ledger | None:
    """What the owner before this one kept; ``None`` where nothing can be read."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def write_ledger(path: Path, ledger: Ledger, *, disk: Disk = DISK) -> None:
    """Replace the file whole: the next owner reads it after a power failure, of all things. Raises OSError."""
    whole_file.write(path, msgspec.json.encode(ledger), disk=disk)


class LedgerWriter(threading.Thread):
    """Writes ``ledger()`` after ``changed``. ``failed`` hears why it cannot, once for each reason, and "" when it can."""

    def __init__(
        self,
        path: Path,
        ledger: Callable[[], Ledger],
        period_s: float = PERIOD_S,
        failed: Callable[[str], None] = unheard,
    ) -> None:
        super().__init__(name="attendance", daemon=True)
        self._failed = failed
        self._path, self._ledger, self._period_s = path, ledger, period_s
        self._wake = threading.Condition()
        self._dirty = self._urgent = self._ending = False
        self.failure = ""

    def changed(self, urgent: bool) -> None:
        """Queue a write, now or with the next period; never blocks."""
        with self._wake:
            self._dirty = True
            self._urgent = self._urgent or urgent
            self._wake.notify()

    def stop(self) -> None:
        """Write what is due, then end."""
        with self._wake:
            self._ending = True
            self._wake.notify()

    def run(self) -> None:
        """Until stopped."""
        while True:
            with self._wake:
                while not self._dirty and not self._ending:
                    self._wake.wait()
                if not self._urgent and not self._ending:
                    self._wake.wait_for(lambda: self._urgent or self._ending, self._period_s)
                ending, due = self._ending, self._dirty
                self._dirty = self._urgent = False
            if due:
                self._write()
            if ending:
                return

    def _write(self) -> None:
        failure = ""
        try:
            write_ledger(self._path, self._ledger())
        except OSError as error:
            failure = f"{self._path}: {error.strerror or error}"
            # Tried again with the next period, whether or not anything else happens.
            self.changed(False)
        if failure != self.failure:
            self.failure = failure
            self._failed(failure)
