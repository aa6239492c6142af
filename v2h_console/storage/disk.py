"""The few calls by which anything of the owner's reaches a disk. A test puts one in their place that fails or is cut off."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from v2h_console import plain_file

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk:
    """Each method is one call of the kernel's and raises OSError as that does."""

    def read(self, path: Path) -> bytes:
        """The whole file; one that is no plain file is an error: a pipe that nobody writes to is not waited for."""
        with os.fdopen(plain_file.opened(path, os.O_RDONLY, sys.maxsize), "rb") as file:
            return file.read()

    def names(self, folder: Path) -> list[str]:
        """What is in the folder."""
        return os.listdir(folder)

    def make_folder(self, folder: Path) -> None:
        """The folder and those above it; one that is there already is good."""
        folder.mkdir(parents=True, exist_ok=True)

    def open_new(self, path: Path, mode: int) -> int:
        """An empty file."""
        return os.open(path, _NEW, mode)

    def set_mode(self, descriptor: int, mode: int) -> None:
        """The open file's, whatever the umask."""
        os.fchmod(descriptor, mode)

    def open_append(self, path: Path, mode: int) -> int:
        """The file, or an empty one; every write goes to its end."""
        return os.open(path, _APPEND, mode)

    def size(self, descriptor: int) -> int:
        """Bytes in the open file."""
        return os.fstat(descriptor).st_size

    def identity(self, descriptor: int) -> tuple[int, int]:
        """Which file the open one is, whatever its name."""
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino

    def ends_a_line(self, descriptor: int, size: int) -> bool:
        """Whether what is written behind ``size`` bytes of the open file begins a line."""
        return not size or os.pread(descriptor, 1, size - 1) == b"\n"

    def is_at(self, descriptor: int, path: Path) -> bool:
        """Whether the open file is the one of that name."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.lstat(path))
        except FileNotFoundError:
            return False

    def write(self, descriptor: int, data: bytes) -> int:
        """How many bytes were taken."""
        return os.write(descriptor, data)

    def cut(self, descriptor: int, size: int) -> None:
        """The open file ends there."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """What was written outlives a loss of power."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Let go of the file."""
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """``target`` is what ``source`` was: the old one or the new one at every moment."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """The file goes."""
        os.unlink(path)

    def sync_folder(self, folder: Path) -> None:
        """Names that were made or changed in the folder outlive a loss of power."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


DISK = Disk()


def unheard(failure: str) -> None:
    """For whoever has nobody to tell that the disk fails."""
