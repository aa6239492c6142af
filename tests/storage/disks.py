"""A disk in memory that fails at a chosen call, and that forgets what was not synced when its power goes."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

from v2h_console.storage.disk import Disk

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
#: ``choose(n)`` gives 0 to n: what of the unsynced survives.
Choose = Callable[[int], int]


class Inode:
    """A file's bytes as programs see them, and as they are on the platter."""

    def __init__(self, durable: bytes = b"") -> None:
        self.data = bytearray(durable)
        self.durable = durable


class FakeDisk(Disk):
    """``fail(call, number)`` returns the error of the call, or 0; ``calls`` names every one that was made."""

    def __init__(self, files: dict[Path, bytes] | None = None) -> None:
        self.files = {path: Inode(data) for path, data in (files or {}).items()}
        self.durable_names = dict(self.files)
        self.calls: list[str] = []
        self.fail: Callable[[str, int], int] = lambda call, number: 0
        self._open: dict[int, Inode] = {}
        self._next = 3

    def power_cut(self, choose: Choose) -> FakeDisk:
        """What the next start finds: each name the old or the new one, each file's unsynced end cut anywhere."""
        found: dict[Path, bytes] = {}
        for path in sorted({*self.files, *self.durable_names}):
            before, after = self.durable_names.get(path), self.files.get(path)
            inode = before if before is after or choose(1) else after
            if inode is None:
                continue
            durable, data = inode.durable, bytes(inode.data)
            if data.startswith(durable):
                grown = data[len(durable) :]
                kept = choose(len(grown))
                # The length may be on the disk before the bytes are: the rest is then zeros.
                zeros = choose(1) * (len(grown) - kept)
                found[path] = durable + grown[:kept] + bytes(zeros)
            else:
                found[path] = durable if choose(1) else data
        return FakeDisk(found)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        error = self.fail(name, len(self.calls) - 1)
        if error:
            raise OSError(error, errno.errorcode[error])

    def read(self, path: Path) -> bytes:
        self._call("read")
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return bytes(self.files[path].data)

    def names(self, folder: Path) -> list[str]:
        self._call("names")
        return [path.name for path in self.files if path.parent == folder]

    def make_folder(self, folder: Path) -> None:
        self._call("make_folder")

    def open_new(self, path: Path, mode: int) -> int:
        self._call("open_new")
        self.files[path] = Inode()
        return self._opened(path)

    def set_mode(self, descriptor: int, mode: int) -> None:
        self._call("set_mode")

    def open_append(self, path: Path, mode: int) -> int:
        self._call("open_append")
        self.files.setdefault(path, Inode())
        return self._opened(path)

    def _opened(self, path: Path) -> int:
        self._next += 1
        self._open[self._next] = self.files[path]
        return self._next

    def size(self, descriptor: int) -> int:
        self._call("size")
        return len(self._open[descriptor].data)

    def identity(self, descriptor: int) -> tuple[int, int]:
        return 0, id(self._open[descriptor])

    def ends_a_line(self, descriptor: int, size: int) -> bool:
        data = self._open[descriptor].data
        return not size or bytes(data[size - 1 : size]) == b"\n"

    def is_at(self, descriptor: int, path: Path) -> bool:
        return self.files.get(path) is self._open[descriptor]

    def write(self, descriptor: int, data: bytes) -> int:
        # A disk that fills up takes what fits: the first half of a write that fails is there.
        taken = max(1, len(data) // 2)
        try:
            self._call("write")
        except OSError:
            self._open[descriptor].data += data[:taken]
            raise
        self._open[descriptor].data += data[:taken]
        return taken

    def cut(self, descriptor: int, size: int) -> None:
        self._call("cut")
        del self._open[descriptor].data[size:]

    def sync(self, descriptor: int) -> None:
        self._call("sync")
        inode = self._open[descriptor]
        inode.durable = bytes(inode.data)

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]
        self._call("close")

    def replace(self, source: Path, target: Path) -> None:
        self._call("replace")
        if source not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(source))
        self.files[target] = self.files.pop(source)

    def remove(self, path: Path) -> None:
        self._call("remove")
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        del self.files[path]

    def sync_folder(self, folder: Path) -> None:
        self._call("sync_folder")
        for path in [*self.durable_names]:
            if path.parent == folder and path not in self.files:
                del self.durable_names[path]
        for path, inode in self.files.items():
            if path.parent == folder:
                self.durable_names[path] = inode

    @property
    def still_open(self) -> int:
        """Descriptors that nobody has closed."""
        return len(self._open)


class Cut(BaseException):
    """The power goes: nothing after this call is carried out, no handler either."""


def power_goes_at(disk: FakeDisk, number: int) -> None:
    """At call ``number`` of the disk, and at every later one that a handler tries."""

    def fail(call: str, at: int) -> int:
        if at >= number:
            raise Cut
        return 0

    disk.fail = fail


def fails_once(disk: FakeDisk, number: int, error: int) -> None:
    """Call ``number`` from now on fails, the others do not."""
    wanted = len(disk.calls) + number
    disk.fail = lambda call, at: error if at == wanted else 0


def fails_from(disk: FakeDisk, number: int, error: int) -> None:
    """Every call that would write fails from there on, as on a disk that is full or read-only."""
    wanted = len(disk.calls) + number
    disk.fail = lambda call, at: (
        error if at >= wanted and call not in ("read", "names", "size", "close") else 0
    )


def works_again(disk: FakeDisk) -> None:
    """Room was made."""
    disk.fail = lambda call, number: 0


class HungDisk(Disk):
    """A disk whose fsync does not come back until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def sync(self, descriptor: int) -> None:
        self.reached.set()
        assert self.go.wait(10.0)
        super().sync(descriptor)
