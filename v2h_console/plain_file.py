"""A file that a person names, read only when it is one: a pipe would keep whoever reads it waiting, a device has no end."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read(path: Path, most_bytes: int) -> bytes:
    """What the file holds. Raises OSError with words in ``strerror``, also where it is no plain file or longer than that."""
    with os.fdopen(opened(path, os.O_RDONLY, most_bytes), "rb") as file:
        return file.read(most_bytes)


def opened(path: Path, flags: int, most_bytes: int) -> int:
    """The descriptor of a plain file that is no longer than that. Raises OSError."""
    if "\0" in str(path):
        raise OSError(0, "no file has a NUL in its name")
    # O_NONBLOCK: a pipe that nobody writes to is not waited for even here.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "is no plain file")
        if found.st_size > most_bytes:
            raise OSError(0, f"{found.st_size} bytes long, at most {most_bytes}")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
