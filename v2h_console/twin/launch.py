"""Starts the twin as a process of its own and talks to it as any other program would: lines in, lines out."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

#: A twin that has not said its addresses by then has failed.
START_LIMIT_S = 10.0
STOP_LIMIT_S = 3.0
#: Truth kept for whoever reads it; a demo that nobody asks drops the oldest.
TRUTH_KEPT = 100_000


class TwinFailed(Exception):
    """The twin did not start, or has gone. ``str()`` is one line for the person."""


class TwinProcess:
    """A running twin. ``addresses`` is its first line; ``truth()`` gives its later lines, parsed."""

    def __init__(self, arguments: list[str] | None = None) -> None:
        command = [sys.executable, "-m", "v2h_console.cli.main", "twin", *(arguments or [])]
        # A session of its own: a Ctrl+C or a hang-up at the terminal is the console's to handle, not the twin's.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._first: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._complaint: list[str] = []
        threading.Thread(target=self._read, name="twin-stdout", daemon=True).start()
        threading.Thread(target=self._listen, name="twin-stderr", daemon=True).start()
        self.addresses = self._await_first()

    @property
    def pid(self) -> int:
        """The twin's process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def do(self, name: str, params: dict[str, float | str | bool]) -> None:
        """Say one ``do`` line. Raises OSError when the twin has gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": name, **params}) + "\n")
        self._process.stdin.flush()

    def truth(self, timeout_s: float) -> dict[str, Any] | None:
        """The next truth line, or ``None`` after the time-out."""
        try:
            return self._lines.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def drain(self) -> Iterator[dict[str, Any]]:
        """All lines that have come."""
        while True:
            try:
                yield self._lines.get_nowait()
            except queue.Empty:
                return

    def stop(self) -> None:
        """End it: end of stdin first, then SIGTERM, then SIGKILL."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                self._complaint.append("stdin was gone already")
        for wait_s, last_resort in ((STOP_LIMIT_S, signal.SIGTERM), (STOP_LIMIT_S, signal.SIGKILL)):
            try:
                self._process.wait(wait_s)
                return
            except subprocess.TimeoutExpired:
                self._process.send_signal(last_resort)
        self._process.wait()

    def _await_first(self) -> dict[str, Any]:
        try:
            first = self._first.get(timeout=START_LIMIT_S)
        except queue.Empty:
            self.stop()
            raise TwinFailed(f"the twin said nothing within {START_LIMIT_S:.0f} s") from None
        if first is None:
            self._process.wait(STOP_LIMIT_S)
            said = " ".join(self._complaint).strip() or f"exit status {self._process.returncode}"
            raise TwinFailed(f"the twin did not start: {said}")
        return first

    def _read(self) -> None:
        assert self._process.stdout is not None
        first = True
        for line in self._process.stdout:
            try:
                document = json.loads(line)
            except ValueError:
                document = {"error": f"not JSON: {line.strip()[:80]}"}
            if first:
                first = False
                self._first.put(document)
                continue
            if self._lines.qsize() >= TRUTH_KEPT:
                self._lines.get_nowait()
            self._lines.put(document)
        if first:
            self._first.put(None)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if len(self._complaint) < 20:
                self._complaint.append(line.strip())
