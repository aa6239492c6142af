"""One owner of the hardware: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from v2h_console.session import place


class Held(Exception):
    """Another process runs the core. ``str()`` is one line for the person."""


class OwnerLock:
    """The lock below ``root``; held until ``release`` or the end of the process. Raises Held, OSError."""

    def __init__(self, root: Path) -> None:
        self.folder = root / place.FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / place.LOCK
        self._held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(self._held, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._held)
            raise Held(
                f"{path}: an owner runs already (process {pid}); `v2h-console attach` shows it"
            ) from None
        os.ftruncate(self._held, 0)
        os.write(self._held, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the next owner in."""
        os.close(self._held)
