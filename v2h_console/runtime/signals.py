"""HUP, TERM and TSTP (where asked for, INT, QUIT and CONT), taken by one thread that waits for them.

A handler of Python's runs in the main thread between two of its instructions, and so not while that thread is stuck in a
write to a stalled terminal. These signals are blocked before any other thread exists, every thread inherits that, and
one thread takes them with ``sigwait``. Children inherit it too: every command of ours unblocks them as it starts.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping

TAKEN = frozenset((signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP))


def block(*more: signal.Signals) -> None:
    """Call in the main thread before any other exists."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (*TAKEN, *more))


class SignalThread(threading.Thread):
    """Calls ``answers[number]`` for each signal; those without an answer (SIGTSTP) are taken and dropped. An answer that
    raises is told to ``failed``, which must not."""

    def __init__(
        self, answers: Mapping[signal.Signals, Callable[[], None]], failed: Callable[[str, Exception], None]
    ) -> None:
        super().__init__(name="signals", daemon=True)
        self._answers, self._failed = answers, failed
        self._taken = TAKEN.union(answers)

    def run(self) -> None:
        """For as long as the process lives."""
        while True:
            number = signal.Signals(signal.sigwait(self._taken))
            answer = self._answers.get(number)
            if answer is None:
                continue
            try:
                answer()
            except Exception as error:  # noqa: BLE001  (one that fails costs itself: the next SIGTERM must be heard)
                self._failed(f"{number.name} could not be answered", error)


def ignore_terminal() -> None:
    """For a process whose screen has gone, called in its main thread: what a terminal still sends has no one to answer it."""
    for number in (signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
