"""A log of lines that never grows beyond its bounds: ``NAME`` is written, ``NAME.1`` is the one before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from v2h_console.storage.disk import DISK, Disk
from v2h_console.storage.line_file import LineFile


class RotatingLines:
    """``kept`` files of ``most_bytes`` beside the one that is written."""

    def __init__(self, path: Path, *, most_bytes: int, kept: int, disk: Disk = DISK) -> None:
        self._path, self._most_bytes, self._kept, self._disk = path, most_bytes, kept, disk
        self._file = LineFile(path, disk=disk)

    def open(self) -> None:
        """Make the file where there is none. Raises OSError."""
        self._file.open()

    def append(self, data: bytes) -> None:
        """Add a line. Raises OSError: then it is not there."""
        # Another owner may have written, somebody may have taken the file away.
        self._file.open()
        if self._file.size and self._file.size + len(data) > self._most_bytes:
            self._rotate()
        self._file.append(data, sync=False)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._disk.replace(self._numbered(number), self._numbered(number + 1))
        self._disk.replace(self._path, self._numbered(1))
        self._file = LineFile(self._path, disk=self._disk)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
