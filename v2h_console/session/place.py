"""Where an owner's lock and socket are, and how to reach a path that is too long for AF_UNIX."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

FOLDER = Path("run/v2h")
LOCK = "owner.lock"
#: The owner's process, for whoever may not open its lock: all may read it, and a lock on it keeps nobody out.
HOLDER = "owner.pid"
#: Held by whoever takes the house over, until it has the owner's lock.
HEIR = "heir.lock"
#: Held by whoever writes the audit, the log, the ledger and the outlets' file: longer than the owner's lock.
RECORDS = "records.lock"
SOCKET = "session.sock"
#: An owner answers within milliseconds; past this it hangs.
_PATIENCE_S = 2.0


def at_socket(folder: Path, use: Callable[[str], None]) -> None:
    """Call ``use`` with a short name of the socket in ``folder``: sun_path holds 108 bytes, a root may be longer."""
    held = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{held}/{SOCKET}")
    finally:
        os.close(held)


def _connect(folder: Path, line: socket.socket) -> None:
    """Knock until there is room at the door: a full backlog answers at once, whatever the time-out."""
    gives_up_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            at_socket(folder, line.connect)
        except BlockingIOError:
            if time.monotonic() >= gives_up_at:
                raise
            time.sleep(0.01)
        else:
            return


def owner_process(root: Path) -> int | None:
    """The process that says that it owns the house below ``root``, while it lives."""
    try:
        process = int((root / FOLDER / HOLDER).read_bytes())
    except (OSError, ValueError):
        return None
    try:
        os.kill(process, 0)
    except PermissionError:
        return process  # another user's, and alive
    except (OSError, OverflowError):
        return None
    return process


def connect(root: Path) -> socket.socket | None:
    """A connection to the owner below ``root``, or ``None`` when nobody answers there. Raises PermissionError."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(_PATIENCE_S)
        _connect(root / FOLDER, line)
    except PermissionError:
        line.close()
        raise
    except OSError:
        line.close()
        return None
    return line
