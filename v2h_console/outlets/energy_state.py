"""``/dev/shm/energy_state``: the picture as a file that `cat`, `jq` and any program can read. Never read as a command.

The file is replaced whole by a rename, so that a reader sees the old one or the new one. The name may have been taken
by somebody else (/dev/shm is open to all): a symbolic link is never followed, another one's file is never trusted.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

ENERGY_STATE = Path("dev/shm/energy_state")
#: What a new picture is called until it is whole: a name that can be foretold could be taken by anybody.
HALF_WRITTEN = ".energy_state."
MODE = 0o644


class EnergyStateFailed(Exception):
    """The file could not be written. ``str()`` is one line."""


class EnergyStateFile:
    """Writes one file. ``write`` is called from one thread."""

    def __init__(self, root: Path) -> None:
        self.path = root / ENERGY_STATE
        self._swept = False

    def write(self, content: bytes) -> None:
        """Replace the file's content. Raises EnergyStateFailed; the picture before is then gone, if it can be: nobody
        would renew it."""
        try:
            self._check_owner()
            self._replace(content)
        except OSError as error:
            with suppress(EnergyStateFailed):
                self.remove()
            raise EnergyStateFailed(f"{self._named(error)}: {error.strerror or error}") from None

    def remove(self) -> None:
        """At the owner's end: a picture that nobody renews must not be taken for the present one."""
        try:
            self._check_owner()
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise EnergyStateFailed(f"{self.path}: {error.strerror or error}") from None

    def _check_owner(self) -> None:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            raise EnergyStateFailed(f"{self.path}: is no regular file; remove it")
        if found.st_uid != os.geteuid():
            raise EnergyStateFailed(f"{self.path}: belongs to user {found.st_uid}; remove it")

    def _replace(self, content: bytes) -> None:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not self._swept:
            self._sweep()
        new = folder / f"{HALF_WRITTEN}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(new, flags, MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), MODE)
                file.write(content)
            os.rename(new, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(new)
            raise

    def _sweep(self) -> None:
        """What an owner of this user left that was killed half way; others' files are others'."""
        self._swept = True
        try:
            names = os.listdir(self.path.parent)
        except PermissionError:
            return  # to write there is all that this needs
        for name in names:
            left = self.path.with_name(name)
            if name.startswith(HALF_WRITTEN):
                with suppress(OSError):
                    if left.lstat().st_uid == os.geteuid():
                        left.unlink()

    def _named(self, error: OSError) -> Path:
        """The file, or the folder where no new one can be made; a name by chance says nothing to anybody."""
        made = error.filename is not None and Path(error.filename).name.startswith(HALF_WRITTEN)
        if made and error.filename2 is None:
            return self.path.parent
        return self.path if made or error.filename is None else Path(error.filename)


def read(root: Path, *, trusted_uids: frozenset[int]) -> bytes:
    """The file's bytes for a reader that wants to know whose they are. Raises EnergyStateFailed."""
    path = root / ENERGY_STATE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in trusted_uids:
                raise EnergyStateFailed(f"{path}: belongs to user {found.st_uid}, not to the owner")
            return file.read()
    except OSError as error:
        raise EnergyStateFailed(f"{path}: {error.strerror or error}") from None
