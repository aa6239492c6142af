"""A file that is replaced whole or not at all, whenever the power goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from v2h_console.storage.disk import DISK, Disk


def write(
    path: Path,
    data: bytes,
    *,
    disk: Disk = DISK,
    mode: int = 0o644,
    whatever_the_umask: bool = False,
    last_look: Callable[[], object] | None = None,
) -> None:
    """Temporary file, fsync, rename, fsync of the folder. Raises OSError: then the old file stands, or the new one.

    ``last_look`` comes right before the rename, which a slow disk may keep waiting for seconds; what it raises leaves
    the old file.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = disk.open_new(temporary, mode)
        try:
            if whatever_the_umask:
                disk.set_mode(descriptor, mode)
            write_all(disk, descriptor, data)
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
        if last_look is not None:
            last_look()
        disk.replace(temporary, path)
    except Exception:
        with suppress(OSError):
            disk.remove(temporary)
        raise
    disk.sync_folder(path.parent)


def write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    """A disk that fills up takes a part and refuses the rest."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(descriptor, bytes(rest)) :]
