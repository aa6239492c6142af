"""Why a tick of the fast lane was missed: the kernel's account of every thread is read each second, and where a tick came
too late the seconds before and after it are compared.

A late lane has several kinds of cause, and each asks for something else on site: the lane itself worked or collected garbage, another
thread of this program worked (it has the interpreter meanwhile) or was put aside while it had it, the lane got no
processor (other programs), or the machine got none (a virtual machine's host).
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from v2h_console.runtime.lateness import Late, Lateness

LOOK_S = 1.0
#: A busy machine misses many: the worst of so long is told, the first at once.
TOLD_EVERY_NS = 600_000_000_000
#: Whoever has this share of the delay more than in the second before is named.
NAMED_SHARE = 0.4
#: The largest of them.
NAMED_MOST = 3
_NS_PER_MS = 1_000_000
#: Samples that are kept: the one before the tick was due, the one before that, and those of a delay of seconds.
_KEPT = 8
_TOLD_KEPT = 50


@dataclass(frozen=True, slots=True)
class Account:
    """Of one thread since it began: its time on a processor, and its time ready and waiting for one."""

    name: str
    ran_ns: int = 0
    waited_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """At one moment: each thread by its number; how much of the machine's processors its host took; how many pages of this
    program's memory had to be fetched from a disk; what the core's garbage passes took."""

    at_ns: int
    threads: dict[int, Account] = field(default_factory=dict)
    stolen_ns: int = 0
    fetched: int = 0
    collected_ns: int = 0


class Kernel:
    """Linux' accounts of this process (sched-stats.rst, proc_stat(5), getrusage(2)). Without CONFIG_SCHED_INFO there are
    none of its threads."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc, self._tick_ns = proc, 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def sample(self) -> Sample:
        """As it is now."""
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        accounts: dict[int, Account] = {}
        tasks = self._proc / "self/task"
        try:
            numbers = [int(name) for name in os.listdir(tasks)]
        except OSError:
            # No descriptor is left, or no /proc: this moment has no account, the next one may.
            numbers = []
        for number in numbers:
            try:
                ran_ns, waited_ns, _ = (tasks / f"{number}/schedstat").read_text().split()
            except (OSError, ValueError):
                # It ended meanwhile, or this kernel keeps no account.
                continue
            accounts[number] = Account(names.get(number) or f"thread {number}", int(ran_ns), int(waited_ns))
        fetched = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        return Sample(time.monotonic_ns(), accounts, self._stolen_ns(), fetched)

    def _stolen_ns(self) -> int:
        try:
            return int((self._proc / "stat").read_text().split(maxsplit=9)[8]) * self._tick_ns
        except (OSError, ValueError, IndexError):
            return 0


def words(late: Late, samples: tuple[Sample, ...], lane: str) -> str:
    """What the samples say about it, one line: the newest sample is later than the tick."""
    said = f"A tick came {late.late_ns / _NS_PER_MS:.0f} ms late"
    began_ns = late.at_ns - late.late_ns
    older = [sample for sample in samples if sample.at_ns <= began_ns]
    if len(older) < 2 or not older[-1].threads:
        why = (
            "nobody kept an account yet" if samples[-1].threads else "this kernel keeps no account of threads"
        )
        return f"{said}: what held it up is not known ({why})."
    usual, begin, end = older[-2], older[-1], samples[-1]
    least_ns = NAMED_SHARE * late.late_ns
    causes = sorted(_causes(usual, begin, end, lane), key=lambda cause: -cause[0])
    found = [text for share_ns, text in causes[:NAMED_MOST] if share_ns >= least_ns]
    if not found:
        return f"{said}: no account shows why; a process that is stopped (SIGSTOP, a freezer) has none."
    return f"{said}: {'; '.join(found)}."


def _causes(usual: Sample, begin: Sample, end: Sample, lane: str) -> list[tuple[int, str]]:
    """How much more than usual each had, in ns, and how to say it."""
    scale = (end.at_ns - begin.at_ns) / max(1, begin.at_ns - usual.at_ns)
    causes: list[tuple[int, str]] = []

    def note(who: str, before_ns: int, first_ns: int, last_ns: int, at_what: str = "") -> None:
        had_ns, usually_ns = last_ns - first_ns, int((first_ns - before_ns) * scale)
        text = f"{who} {had_ns / _NS_PER_MS:.0f} ms{at_what} (usually {usually_ns / _NS_PER_MS:.0f})"
        causes.append((had_ns - usually_ns, text))

    note("the host took", usual.stolen_ns, begin.stolen_ns, end.stolen_ns, " from this virtual machine")
    note("garbage passes held it for", usual.collected_ns, begin.collected_ns, end.collected_ns)
    if end.fetched > begin.fetched:
        # Each stops its thread for as long as the disk takes.
        pages = f"{end.fetched - begin.fetched} pages of memory were fetched from a disk"
        causes.append((end.at_ns - begin.at_ns, pages))
    for number, last in end.threads.items():
        new = Account(last.name)
        first, before = begin.threads.get(number, new), usual.threads.get(number, new)
        who = "the core" if last.name == lane else f"this program's {last.name!r}"
        note(f"{who} waited", before.waited_ns, first.waited_ns, last.waited_ns, " for a processor")
        note(f"{who} worked", before.ran_ns, first.ran_ns, last.ran_ns)
    return causes


class HoldUps(threading.Thread):
    """Looks each second; ``say`` hears the worst missed tick of ten minutes, the first at once."""

    def __init__(
        self,
        lateness: Callable[[], Lateness],
        lane: str,
        say: Callable[[str], None],
        *,
        collected_ns: Callable[[], int] = lambda: 0,
        sample: Callable[[], Sample] | None = None,
    ) -> None:
        super().__init__(name="hold-ups", daemon=True)
        self._lateness, self._lane, self._say = lateness, lane, say
        self._sample = Kernel().sample if sample is None else sample
        self._collected_ns = collected_ns
        self._samples: deque[Sample] = deque(maxlen=_KEPT)
        self._worst_ns, self._worst_words = 0, ""
        self._tell_at_ns = 0
        self._ending = threading.Event()
        #: What ``say`` heard last.
        self.told: deque[str] = deque(maxlen=_TOLD_KEPT)

    def afresh(self) -> None:
        """What was until now is no matter any more; the next missed tick is told at once."""
        self._worst_ns, self._worst_words, self._tell_at_ns = 0, "", 0
        self.told.clear()

    def stop(self) -> None:
        """End; what has not been told is told."""
        self._ending.set()

    def run(self) -> None:
        """The thread's life."""
        while not self._ending.wait(LOOK_S):
            self.look()
        self.look()
        self._tell(0)

    def look(self) -> None:
        """One sample, and what came late since the last."""
        newest = replace(self._sample(), collected_ns=self._collected_ns())
        self._samples.append(newest)
        late = self._lateness().take_worst()
        if late is not None and late.late_ns > self._worst_ns:
            self._worst_ns, self._worst_words = late.late_ns, words(late, tuple(self._samples), self._lane)
        if newest.at_ns >= self._tell_at_ns:
            self._tell(newest.at_ns)

    def _tell(self, now_ns: int) -> None:
        if self._worst_words:
            self.told.append(self._worst_words)
            self._say(self._worst_words)
            self._tell_at_ns = now_ns + TOLD_EVERY_NS
        self._worst_ns, self._worst_words = 0, ""
