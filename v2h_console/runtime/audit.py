"""The audit: who asked for what and what came of it, lockouts, starts and ends; written by a thread of its own.

Nothing waits for it: an order is carried out whether its line can be written or not. A disk that fails is said; what
the bounded queue could not hold meanwhile is counted, and the count stands in the chain.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from v2h_console.core.events import Event, Severity
from v2h_console.runtime.folds import FOLDED_NS, Folds, Lines, Others, Said
from v2h_console.session.orders import OPEN_MID, Order, Receipt
from v2h_console.storage.audit_file import AuditFile, Entry
from v2h_console.storage.disk import DISK, Disk, unheard

FOLDER = Path("var/lib/v2h/audit")
#: More orders than people give while a disk is being exchanged.
MOST_WAITING = 512
#: Written with one fsync.
BATCH = 64
RETRY_S = 1.0
#: A parameter that a stranger chose must not fill the disk.
MOST_CHARACTERS = 200
#: Of what a refused order named, and of what it asked for.
MOST_ABOUT, MOST_DO = 120, 60
_CLEARED = "_CLEARED"


@dataclass(frozen=True, slots=True)
class Who:
    """A person at a console, or the program itself (no ``uid``)."""

    name: str
    role: str
    uid: int | None = None


CORE = Who("control core", "core")
OWNER = Who("owner", "owner")


class AuditWriter(threading.Thread):
    """``failed`` hears why nothing can be written, and "" once it can again. All but ``run`` from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        disk: Disk = DISK,
        failed: Callable[[str], None] = unheard,
        wall_s: Callable[[], float] = time.time,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(name="audit", daemon=True)
        self._file = AuditFile(folder, disk=disk)
        self._wall_s, self._monotonic_ns = wall_s, monotonic_ns
        self.failed = failed
        self._changed = threading.Condition()
        self._waiting: deque[Entry] = deque()
        self._lost = 0
        self._ending = False
        self._locked: set[str] = set()
        self._refused, self._lines, self._others = Folds(), Lines(monotonic_ns()), Others()
        self._opened = Folds()
        self.failure = ""

    def submit(self, who: Who, what: str, said: Mapping[str, Any]) -> None:
        """Queue one line; never blocks on a disk."""
        entry = {
            **self._stamp(who),
            "what": what,
            "said": {key: _short(value) for key, value in said.items()},
        }
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                self._lost += 1
            else:
                self._waiting.append(entry)
            self._changed.notify()

    def ordered(self, who: Who, order: Order, receipt: Receipt) -> None:
        """An order and its answer. What anybody may give without end is counted: a refusal that is repeated, ever new
        ones, an opening that is pressed again with nothing done in between. The count is written once in a while."""
        answer = {"accepted": receipt.accepted, "reason": receipt.reason}
        anybodys = order.do == OPEN_MID or not receipt.accepted
        with self._changed:
            self._tell_repeats(False, acted=receipt.accepted and not anybodys)
            if anybodys and self._counted(who, order, receipt):
                return
            what: dict[str, Any] = {"do": order.do, "params": order.params}
            if anybodys:
                what = {"do": _plain(order.do, MOST_DO), "about": _about(order.params)}
            self.submit(who, "order", {**what, "confirmed": order.confirmed, **answer})

    def _counted(self, who: Who, order: Order, receipt: Receipt) -> bool:
        """Whether it has no line of its own."""
        now_ns = self._monotonic_ns()
        said = Said(
            who.uid, who.role, _plain(order.do, MOST_DO), receipt.reason[:MOST_CHARACTERS], name=who.name
        )
        folds = self._opened if receipt.accepted else self._refused
        if folds.again(said):
            return True
        if not receipt.accepted and not self._lines.may(now_ns):
            self._others.add(who.uid, now_ns)
            return True
        folds.begin(said, now_ns)
        return False

    def _tell_repeats(self, ending: bool, acted: bool = False) -> None:
        """``acted``: what is opened from here on may have been closed in between."""
        now_ns = self._monotonic_ns()
        with self._changed:
            for folds, accepted in ((self._refused, False), (self._opened, True)):
                for said, times in folds.due(now_ns, ending or (accepted and acted)):
                    who = Who(said.name, said.role, said.uid)
                    answer = {"accepted": accepted, "reason": said.reason, "times": times}
                    self.submit(who, "order.repeated", {"do": said.do, **answer})
            times, uids = self._others.due(now_ns, ending)
            if times:
                answer = {"accepted": False, "reason": "various", "times": times}
                self.submit(OWNER, "order.repeated", {"do": "", **answer, "uids": " ".join(map(str, uids))})

    def saw(self, events: Iterable[Event]) -> None:
        """The core's events: lockouts, their end, and what was kept from before the start."""
        for event in events:
            over = event.code.removesuffix(_CLEARED)
            if event.severity is Severity.LOCKOUT:
                self._locked.add(event.code)
                self.submit(CORE, "lockout", {"code": event.code, "text": event.text})
            elif over in self._locked:
                self._locked.discard(over)
                self.submit(CORE, "lockout.over", {"code": over, "text": event.text})
            elif event.code == "LATCH_KEPT":
                self.submit(CORE, "lockout.kept", {"code": event.code, "text": event.text})

    def stop(self) -> None:
        """Write what waits, then end; a disk that fails is tried once more."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def run(self) -> None:
        """The thread's life."""
        while True:
            with self._changed:
                if self.failure:
                    self._changed.wait_for(lambda: self._ending, RETRY_S)
                else:
                    # What is only counted wakes nobody.
                    self._changed.wait_for(
                        lambda: self._ending or self._waiting or self._lost, FOLDED_NS / 1e9
                    )
                ending = self._ending
            self._tell_repeats(ending)
            written = self.write()
            if ending and (not written or not self._waiting):
                self._file.close()
                return

    def write(self) -> bool:
        """Write the next batch; whether the disk took it."""
        with self._changed:
            batch = [self._waiting[nth] for nth in range(min(BATCH, len(self._waiting)))]
            lost = self._lost
        own = self._stamp(OWNER)
        if lost:
            batch.append({**own, "what": "audit.lost", "said": {"lines": lost}})
        if not batch:
            return True
        try:
            self._file.append(batch, own)
        except OSError as error:
            self._say(error.strerror or str(error))
            return False
        with self._changed:
            for _ in range(len(batch) - bool(lost)):
                self._waiting.popleft()
            self._lost -= lost
        self._say("")
        return True

    def _say(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            self.failed(failure)

    def _stamp(self, who: Who) -> dict[str, Any]:
        try:
            at = datetime.fromtimestamp(self._wall_s(), UTC).isoformat(timespec="milliseconds")
        except (ValueError, OverflowError, OSError):
            # The lane comes by here: a clock that shows no date must not stop it.
            at = "unknown"
        person = {"name": who.name, "uid": who.uid, "role": who.role}
        return {"at": at, "monotonic_ns": self._monotonic_ns(), "who": person}


def _short(value: Any) -> Any:
    """Bounded, and of JSON's own kinds: a float that is no number is said as a word."""
    if isinstance(value, Mapping):
        return {str(key)[:40]: _short(one) for key, one in list(value.items())[:20]}
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    text = str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}... ({len(text)} characters)"


def _about(params: Mapping[str, Any]) -> str:
    """What a refused order named, as one bounded word: a stranger chose it, and nothing was done with it."""
    return _plain(" ".join(f"{key}={value}" for key, value in list(params.items())[:4]), MOST_ABOUT)


def _plain(text: str, most: int) -> str:
    """Characters that are one byte each in the file."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:most])
