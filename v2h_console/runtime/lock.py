"""One owner of the hardware: a lock that the kernel lets go of when its holder dies; and who may have it next."""

from __future__ import annotations

import fcntl
import os
import pwd
import time
from contextlib import suppress
from pathlib import Path

from v2h_console.session import place

#: Whoever starts looks at the heir's lock for an instant.
HEIR_PATIENCE_S = 1.0
#: An owner joins each of its writers for at most 2 s, and a disk may keep its process longer than that.
RECORDS_PATIENCE_S = 60.0


class Held(Exception):
    """Another process has it. ``str()`` is one line for the person."""


class HeirLock:
    """The next owner's, from before it asks for the house until it has the owner's lock: meanwhile nobody else gets
    that one, though it falls free. Raises Held, OSError."""

    def __init__(self, root: Path, patience_s: float = HEIR_PATIENCE_S) -> None:
        path = _folder(root) / place.HEIR
        self._held = _waited_for(path, patience_s, "another process takes the house over already")

    def release(self) -> None:
        """It owns, or has given up."""
        os.close(self._held)


class RecordsLock:
    """Of whoever writes what is kept: one writer a file. The owner before lets go of it after its house. Raises Held."""

    def __init__(self, root: Path, patience_s: float = RECORDS_PATIENCE_S) -> None:
        path = _folder(root) / place.RECORDS
        self._held = _waited_for(path, patience_s, "the owner before still writes its records")

    def release(self) -> None:
        """The last line is written."""
        os.close(self._held)


class OwnerLock:
    """The lock below ``root``; held until ``release`` or the end of the process. Raises Held, OSError.

    ``heir``: of whoever takes the house over. Without it the lock is not free while somebody does.
    """

    def __init__(self, root: Path, heir: HeirLock | None = None) -> None:
        self.folder = _folder(root)
        looked = None if heir is not None else _open_own(self.folder / place.HEIR)
        try:
            # Kept until the owner's lock is had: else an heir could ask, and be given the house, in between.
            if looked is not None and not _flock(looked, fcntl.LOCK_SH):
                raise Held(f"{self.folder / place.HEIR}: another process takes the house over")
            self._held = self._take()
        finally:
            if looked is not None:
                os.close(looked)

    def _take(self) -> int:
        path = self.folder / place.LOCK
        held = _open_own(path)
        try:
            if not _flock(held, fcntl.LOCK_EX):
                pid = _pid(held) or "unknown"
                raise Held(f"{path}: an owner runs already (process {pid}); `v2h-console attach` shows it")
        except BaseException:
            os.close(held)
            raise
        # They inform: a folder that is full keeps no house without its owner.
        with suppress(OSError):
            os.ftruncate(held, 0)
            os.write(held, f"{os.getpid()}\n".encode())
        with suppress(OSError):
            self._say_who()
        return held

    def _say_who(self) -> None:
        """For all to read, since the lock is not; whole or not at all, and nobody waits for a lock on it. Raises OSError."""
        path = self.folder / place.HOLDER
        written = path.with_suffix(".new")
        try:
            self._write_holder(written)
            written.replace(path)
        except OSError:
            # What an owner before said of itself would be untrue by now.
            for left in (written, path):
                left.unlink(missing_ok=True)
            raise

    def _write_holder(self, written: Path) -> None:
        handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(handle, 0o644)
            os.write(handle, f"{os.getpid()}\n".encode())
        finally:
            os.close(handle)

    def release(self) -> None:
        """Let the next owner in; once and for all."""
        held, self._held = self._held, -1
        if held >= 0:
            # Before the lock: afterwards it may be the next owner's.
            with suppress(OSError):
                (self.folder / place.HOLDER).unlink()
            os.close(held)


def holder(root: Path) -> str:
    """The process that had the owner's lock last, "" where none is known. Raises OSError unless it may be had."""
    looked = os.open(root / place.FOLDER / place.LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        return _pid(looked)
    finally:
        os.close(looked)


def root_refusal(state_folder: Path) -> str:
    """Why root owns no house here, "" = it may. What root writes its service cannot read: after such an owner it found
    an audit, a log and a last good configuration that it could not open."""
    if os.geteuid() != 0 or not state_folder.exists() or state_folder.stat().st_uid == 0:
        return ""
    user = user_of(state_folder)
    return f"{state_folder} is {user}'s, whose service could not read what root writes: `sudo -u {user} ...`"


def user_of(folder: Path) -> str:
    """Whose it is, as `sudo -u` takes it."""
    uid = folder.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _folder(root: Path) -> Path:
    folder = root / place.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _open_own(path: Path) -> int:
    """For this user alone: whoever can read a file can lock it, and would keep the house without an owner."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # An earlier version made it readable.
    with suppress(PermissionError):
        os.fchmod(handle, 0o600)
    return handle


def _waited_for(path: Path, patience_s: float, held: str) -> int:
    handle = _open_own(path)
    try:
        gives_up_at = time.monotonic() + patience_s
        while not _flock(handle, fcntl.LOCK_EX):
            if time.monotonic() >= gives_up_at:
                raise Held(f"{path}: {held}")
            time.sleep(0.01)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(handle: int) -> str:
    return os.pread(handle, 20, 0).decode("ascii", "replace").strip()
