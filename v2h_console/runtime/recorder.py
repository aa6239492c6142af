"""Keeps the last seconds of what the core saw and said, and writes them down when something has happened.

The lane appends to a bounded ring and hands over a tuple; compressing and disk are this thread's. A memory of the core
is kept once a second, so that a replay has somewhere to begin. Each step is kept as the bytes that the file will hold:
references to the readings themselves cost the lane less at once, but 100,000 of them stand in a ring in which an
incident is under way, and each full garbage pass went through all of them (25-125 ms; packed: 3-6 ms).
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from v2h_console.core.events import Severity
from v2h_console.core.observation import Observation
from v2h_console.core.settings import NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_console.core.step import Step
from v2h_console.runtime import incident_file
from v2h_console.runtime.incident_file import Entry
from v2h_console.storage.disk import DISK, Disk, unheard

BEFORE_NS = 4 * NS_PER_S
AFTER_NS = 3 * NS_PER_S
CHECKPOINT_NS = NS_PER_S
#: However long it lasts, an incident is written after this; what follows is the next one.
LONGEST_NS = 20 * NS_PER_S
#: On disk; the oldest goes.
KEPT = 200
#: Waiting for the disk; when it does not keep up, the newest is dropped and counted.
WAITING = 4
#: One that the disk refused is tried again this often.
RETRY_S = 1.0
#: The worst event names the incident.
_WEIGHTS = {Severity.INFO: 2, Severity.WARNING: 3, Severity.ALARM: 4, Severity.LOCKOUT: 5}


@dataclass(slots=True)
class _Open:
    """An incident that is under way."""

    weight: int
    title: str
    began_ns: int
    until_ns: int


class Ring:
    """Called by the lane after each step; ``finished`` must only queue."""

    def __init__(self, settings: Settings, finished: Callable[[str, State, tuple[bytes, ...]], None]) -> None:
        self._settings = settings
        self._finished = finished
        #: Each step's time and its packed entry.
        self._entries: deque[tuple[int, bytes]] = deque()
        #: (index of the entry that follows, memory before it), the index counted from the ring's start.
        self._checkpoints: deque[tuple[int, State]] = deque()
        self._first = 0
        self._next = 0
        self._checkpoint_ns = 0
        self._open: _Open | None = None
        #: Steps that could not be packed.
        self.unwritable = 0

    def took(self, before: State, observation: Observation, now_ns: int, result: Step) -> None:
        """One step of the core."""
        if now_ns - self._checkpoint_ns >= CHECKPOINT_NS:
            self._checkpoint_ns = now_ns
            self._checkpoints.append((self._next, before))
        entry = Entry(now_ns, observation, result.commands, result.events)
        try:
            record = incident_file.packed(entry)
        except (ValueError, TypeError, OverflowError):
            # What cannot be written down costs the recording, never the lane: it begins anew with the next step.
            self._begin_anew()
            return
        self._entries.append((now_ns, record))
        self._next += 1
        weight, title = _title(before, result)
        if weight:
            if self._open is None:
                self._open = _Open(weight, title, now_ns, now_ns + AFTER_NS)
            elif weight > self._open.weight:
                self._open.weight, self._open.title = weight, title
            self._open.until_ns = now_ns + AFTER_NS
        if self._open is None:
            self._forget(now_ns)
        elif now_ns >= min(self._open.until_ns, self._open.began_ns + LONGEST_NS):
            self._close(self._open)

    def end(self) -> None:
        """The lane has ended: an incident that is under way is written as far as it went."""
        if self._open is not None:
            self._close(self._open)

    def died(self, stepping: tuple[State, Observation, int] | None) -> None:
        """The lane ended by a defect: what led there is written. ``stepping``: the memory, the observation and the time
        of the step in which it did; that step stands last, without what it would have commanded."""
        if stepping is not None:
            before, observation, now_ns = stepping
            with suppress(ValueError, TypeError, OverflowError):
                record = incident_file.packed(Entry(now_ns, observation, (), ()))
                if not self._checkpoints:
                    self._checkpoints.append((self._next, before))
                self._entries.append((now_ns, record))
                self._next += 1
        if self._checkpoints:
            self._close(_Open(0, "core_stopped", 0, 0))

    def _begin_anew(self) -> None:
        self.unwritable += 1
        self._entries.clear()
        self._checkpoints.clear()
        self._first = self._next = self._checkpoint_ns = 0
        self._open = None

    def _forget(self, now_ns: int) -> None:
        """Whole stretches between two memories go, once the younger one is old enough itself."""
        while len(self._checkpoints) > 1:
            index, _ = self._checkpoints[1]
            if now_ns - self._entries[index - self._first][0] < BEFORE_NS:
                return
            self._checkpoints.popleft()
            while self._first < index:
                self._entries.popleft()
                self._first += 1

    def _close(self, incident: _Open) -> None:
        self._open = None
        index, state = self._checkpoints[0]
        self._finished(
            incident.title,
            state,
            tuple(record for _, record in islice(self._entries, index - self._first, None)),
        )


def _title(before: State, result: Step) -> tuple[int, str]:
    """What makes an incident, and its weight: the worst event, or the islanding machine's move; (0, "") = nothing."""
    worst = max(result.events, key=lambda event: _WEIGHTS[event.severity], default=None)
    mode = result.state.islanding.mode
    moved = mode is not before.islanding.mode and Mode.BOOT_OPEN not in (mode, before.islanding.mode)
    if worst is not None and (moved or worst.severity is not Severity.INFO):
        return _WEIGHTS[worst.severity], worst.code.lower()
    return (1, f"{before.islanding.mode.value}_{mode.value}") if moved else (0, "")


class IncidentWriter(threading.Thread):
    """Writes finished incidents below ``folder``. A disk that fails is said (``failed`` hears why, and "" once it takes
    one again) and tried again; it costs the incidents that do not fit into the queue, nothing else."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        wall_s: Callable[[], float] = time.time,
        *,
        disk: Disk = DISK,
        failed: Callable[[str], None] = unheard,
    ) -> None:
        super().__init__(name="incidents", daemon=True)
        self._folder = folder
        self._settings = settings
        self._wall_s = wall_s
        self._disk = disk
        self._failed = failed
        self._ending = threading.Event()
        self._queue: queue.Queue[tuple[str, State, tuple[bytes, ...]] | None] = queue.Queue(WAITING)
        #: What this process wrote, in its order: whatever the clock says, nothing on the disk is younger.
        self._own: deque[str] = deque(maxlen=KEPT)
        self.written = 0
        self.dropped = 0
        self.failure = ""

    def submit(self, title: str, state: State, records: tuple[bytes, ...]) -> None:
        """From the lane: never blocks. ``records`` as incident_file packs them."""
        try:
            self._queue.put_nowait((title, state, records))
        except queue.Full:
            self.dropped += 1

    def stop(self) -> None:
        """Write what waits, then end."""
        self._ending.set()
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def run(self) -> None:
        """The thread's life."""
        while (taken := self._queue.get()) is not None:
            title, state, records = taken
            wall_s = self._wall_s()
            path = self._path(title, wall_s)
            data = incident_file.encode_packed(
                title, self._settings.site, wall_s, self._settings, state, records
            )
            while not self.write(path, data):
                if self._ending.wait(RETRY_S):
                    self.dropped += 1
                    break
            if self._ending.is_set() and self._queue.empty():
                return

    def write(self, path: Path, data: bytes) -> bool:
        """Write one file and let the oldest go; whether the disk took it."""
        try:
            incident_file.write(path, data, self._disk)
        except OSError as error:
            self._say(error.strerror or str(error))
            return False
        self._own.append(path.name)
        self.written += 1
        self._say("")
        with suppress(OSError):
            self._prune()
        return True

    def _say(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            self._failed(failure)

    def _path(self, title: str, wall_s: float) -> Path:
        at = datetime.fromtimestamp(wall_s, UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        return self._folder / f"{at}Z-{title[:40]}{incident_file.SUFFIX}"

    def _prune(self) -> None:
        found = {n for n in self._disk.names(self._folder) if n.endswith(incident_file.SUFFIX)}
        own = [name for name in self._own if name in found]
        for name in [*sorted(found.difference(own)), *own][:-KEPT]:
            self._disk.remove(self._folder / name)
