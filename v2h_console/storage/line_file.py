"""A file that only grows, by whole lines: what does not reach the disk whole is taken back before anything else is written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from v2h_console.storage.disk import DISK, Disk
from v2h_console.storage.whole_file import write_all


class LineFile:
    """``size`` is where the last good line ends; ``None`` until the file has been opened. What others append is theirs: only
    behind a write of this process that failed, in that same file, or behind a ``size`` that was given, anything is cut off."""

    def __init__(self, path: Path, *, disk: Disk = DISK, mode: int = 0o640, size: int | None = None) -> None:
        self.path = path
        self.size = size
        self._disk = disk
        self._mode = mode
        self._descriptor: int | None = None
        self._name_is_durable = False
        self._torn = size is not None
        #: Which file it is that a write has torn, ``None``: the one that ``size`` was given for.
        self._torn_file: tuple[int, int] | None = None

    def open(self) -> None:
        """Open or make the file and cut off what a failed write left; one that was removed or moved is made anew.
        Raises OSError."""
        if self._descriptor is not None and not self._disk.is_at(self._descriptor, self.path):
            # Nobody would read what is written into it.
            self.close()
            self.size, self._torn, self._torn_file, self._name_is_durable = None, False, None, False
        if self._descriptor is None:
            self._descriptor = self._disk.open_append(self.path, self._mode)
        found = self._disk.size(self._descriptor)
        torn = self._torn and self._torn_file in (None, self._disk.identity(self._descriptor))
        if torn and self.size is not None and found > self.size:
            self._disk.cut(self._descriptor, self.size)
        else:
            self.size = found
        self._torn, self._torn_file = False, None

    def append(self, data: bytes, *, sync: bool) -> None:
        """Whole lines at the end, on the disk for good when ``sync``. Raises OSError: then none of them is there."""
        try:
            self.open()
            assert self._descriptor is not None
            assert self.size is not None
            if not self._disk.ends_a_line(self._descriptor, self.size):
                # Saved by an editor, or torn by another's hand: what is written now is a line of its own all the same.
                data = b"\n" + data
            write_all(self._disk, self._descriptor, data)
            if sync:
                self._disk.sync(self._descriptor)
                if not self._name_is_durable:
                    self._disk.sync_folder(self.path.parent)
                    self._name_is_durable = True
            self.size += len(data)
        except OSError:
            # After a failed fsync the kernel takes the pages for written: only writing them anew is believed.
            if self._descriptor is not None and self.size is not None:
                self._torn = True
                with suppress(OSError):
                    # Another may lie under its name by the time that this one can be cut.
                    self._torn_file = self._disk.identity(self._descriptor)
                    self._disk.cut(self._descriptor, self.size)
                    self._torn, self._torn_file = False, None
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                self._disk.close(descriptor)
