"""A program on a pty of its own, as a person at a terminal would run it."""

from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

MAIN = [sys.executable, "-m", "v2h_console.cli.main"]
#: What a failure shows of the end of all that was written: a screen or two.
LAST_WORDS = 4_000
UTF8 = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


class Terminal:
    """A pty of ``columns`` x ``rows`` with a program on it; ``seen`` is all that it wrote."""

    def __init__(
        self,
        command: list[str],
        *,
        columns: int = 80,
        rows: int = 24,
        environ: Mapping[str, str] = UTF8,
        cwd: Path | None = None,
    ) -> None:
        self.master, self.slave = pty.openpty()
        self._set_size(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.first_s: float | None = None
        self._closed = threading.Event()
        environment = {
            key: value for key, value in os.environ.items() if key not in ("LANG", "LC_ALL", "TERM")
        }
        self.began_s = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**environment, **environ},
            cwd=cwd,
            start_new_session=True,
        )
        self._stalled = False
        threading.Thread(target=self._read, daemon=True).start()

    def _set_size(self, columns: int, rows: int) -> None:
        ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as a dragged window or a tmux pane gives."""
        self._set_size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def stall(self) -> None:
        """Read nothing any more: the line's buffers fill, and writes to it block."""
        self._stalled = True

    def _read(self) -> None:
        while not self._closed.is_set():
            if self._stalled:
                time.sleep(0.05)
                continue
            try:
                chunk = os.read(self.master, 65536)
            except OSError:
                return
            if self.first_s is None:
                self.first_s = time.monotonic()
            self.seen += chunk

    def type(self, keys: str) -> None:
        """Press keys."""
        self.send(keys.encode())

    def send(self, data: bytes) -> None:
        """Bytes as they come over the line, whole or not."""
        os.write(self.master, data)

    def await_text(self, text: str, limit_s: float = 15.0) -> float:
        """Until ``text`` has been written; how long after the start. Raises AssertionError."""
        ends_s = time.monotonic() + limit_s
        while text.encode() not in self.seen:
            assert self.process.poll() is None or text.encode() in self.seen, (
                f"it ended: {self.seen[-LAST_WORDS:]!r}"
            )
            assert time.monotonic() < ends_s, (
                f"no {text!r} within {limit_s:.0f} s: {self.seen[-LAST_WORDS:]!r}"
            )
            time.sleep(0.005)
        return time.monotonic() - self.began_s

    def ended(self, limit_s: float = 10.0) -> int:
        """Its exit status."""
        status = self.process.wait(limit_s)
        time.sleep(0.05)
        return status

    @property
    def is_sane(self) -> bool:
        """Whether the terminal's settings are as before, and its alternate screen left if it was entered."""
        left = self.seen.rfind(b"\x1b[?1049l") >= self.seen.rfind(b"\x1b[?1049h")
        return termios.tcgetattr(self.slave) == self.before and left

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._closed.set()
        for end in (self.slave, self.master):
            with suppress(OSError):
                os.close(end)
