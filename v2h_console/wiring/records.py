"""What an owner keeps: its writers begin once the owner before has written its last line. The house waits for neither."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from v2h_console.runtime.lock import RECORDS_PATIENCE_S, Held, RecordsLock
from v2h_console.storage.disk import unheard

#: How often the lock is looked at.
LOOK_S = 0.05


class Records(threading.Thread):
    """``begin`` starts the writers, once, with the lock: at once where nobody has it, else from this thread.

    ``failed`` hears why it takes longer than the disk of an owner that ends orderly, and "" once they have begun; also of
    a defect in their beginning, which is not tried again: half of them may run.
    """

    def __init__(
        self,
        root: Path,
        begin: Callable[[], None],
        failed: Callable[[str], None] = unheard,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="records", daemon=True)
        self._root, self._begin, self._failed, self._now_s = root, begin, failed, now_s
        self._lock: RecordsLock | None = None
        self._ending = threading.Event()
        #: The writers run, and this process alone writes.
        self.begun = False

    def begin(self) -> None:
        """Now, or as soon as the owner before lets go."""
        if self._begin_with_the_lock():
            self.start()

    def run(self) -> None:
        """Until they have begun, or the owner ends."""
        gives_up_at_s, said = self._now_s() + RECORDS_PATIENCE_S, ""
        while why := self._begin_with_the_lock():
            if self._now_s() >= gives_up_at_s and why != said:
                said = why
                self._failed(why)
            if self._ending.wait(LOOK_S):
                return
        if said and self.begun:
            self._failed("")

    def end(self, patience_s: float) -> bool:
        """Whether the writers run; those that do not begin within this time never do."""
        if self.ident is not None:
            self.join(patience_s)
            self._ending.set()
            self.join(patience_s)
        return self.begun

    def release(self) -> None:
        """The last line is written."""
        # One that hangs in its beginning keeps the lock until the process ends, and writes nothing beside another.
        if self._lock is not None and not self.is_alive():
            self._lock.release()

    def _begin_with_the_lock(self) -> str:
        """Why not yet, "" = they have begun, or never will."""
        try:
            self._lock = RecordsLock(self._root, patience_s=0.0)
        except Held as error:
            return str(error)
        except OSError as error:
            return f"{error.filename or self._root}: {error.strerror or error}"
        try:
            self._begin()
            self.begun = True
        except Exception as error:  # noqa: BLE001  (what is kept must not darken the house, nor end unseen; it is shown)
            self._failed(f"{type(error).__name__}: {error}, at {_place(error)}")
        return ""


def _place(error: Exception) -> str:
    """Where it was raised."""
    raised = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(raised.filename).name}:{raised.lineno}"
