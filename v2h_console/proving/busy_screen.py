"""A console drawn for nobody, as busy as one can be: the screen's share of a benchmark.

The real app on a real pty of 120×40 whose other end counts and throws away, polled four times a second like any
console's.
"""

from __future__ import annotations

import os
import pty
import struct
import sys
import termios
import threading
import time
from fcntl import ioctl

from v2h_console.session.protocol import Session
from v2h_console.tui.app import ConsoleApp

COLUMNS, ROWS = 120, 40


class BusyScreen:
    """Draws the session until stopped. The app needs the main thread's signal handling, so ``draw`` runs there."""

    def __init__(self, session: Session) -> None:
        self._app = ConsoleApp(session)
        self._bytes = 0
        self._began_at = 0.0
        self._ended_at = 0.0
        self._cpu_s = 0.0

    def draw(self) -> None:
        """Blocks until ``stop``: the app owns this thread."""
        master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        reader = threading.Thread(target=self._count, args=(master,), name="screen-reader", daemon=True)
        saved = [os.dup(fd) for fd in (0, 1, 2)]
        streams = sys.__stdin__, sys.__stdout__, sys.__stderr__
        for stream in streams[1:]:
            if stream is not None:
                stream.flush()
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.environ.setdefault("TERM", "xterm-256color")
        reader.start()
        self._began_at = time.monotonic()
        cpu = time.thread_time()
        try:
            self._app.run(mouse=False)
        finally:
            self._cpu_s = time.thread_time() - cpu
            self._ended_at = time.monotonic()
            for fd, old in enumerate(saved):
                os.dup2(old, fd)
                os.close(old)
            os.close(slave)
            reader.join(1.0)
            os.close(master)

    def stop(self) -> None:
        """From any thread."""
        self._app.call_from_thread(self._app.exit)

    @property
    def bytes_per_s(self) -> float:
        """What went to the terminal."""
        return self._bytes / max(1e-9, self._ended_at - self._began_at)

    @property
    def cpu_pct(self) -> float:
        """The screen thread's share of one core."""
        return 100.0 * self._cpu_s / max(1e-9, self._ended_at - self._began_at)

    def _count(self, master: int) -> None:
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                return
            if not chunk:
                return
            self._bytes += len(chunk)
