"""The configuration of the last good start: what an owner falls back to, and what tells a file of limits that is lost."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

from v2h_console.site import reader
from v2h_console.site.errors import ConfigError
from v2h_console.site.reader import Texts
from v2h_console.storage import whole_file
from v2h_console.storage.disk import DISK, Disk

FOLDER = Path("var/lib/v2h/config")
LAST_GOOD = "last_good.json"
#: All files at their longest, every sign of them escaped.
MOST_BYTES = 6 * reader.MAX_BYTES * (len(reader.FILES) + 1)
#: Without them more is allowed. One that is empty is what an editor leaves on a full disk, or the power in the middle of
#: a write: a person who wants none says so with a remark.
LIMITING = ("limits.conf", "loads.conf")


def read(root: Path, disk: Disk = DISK) -> tuple[str, Texts] | None:
    """When, and the files of it; ``None`` where there is none that is whole."""
    try:
        found = json.loads(disk.read(root / FOLDER / LAST_GOOD))
        at, files = str(found["at"]), dict(found["files"])
        whole = found["crc"] == _crc({"at": at, "files": files})
        texts = all(text is None or isinstance(text, str) for text in files.values())
        return (at, files) if whole and texts else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write(root: Path, texts: Texts, at: str, disk: Disk = DISK) -> None:
    """Keep it. Raises OSError."""
    body = {"at": at, "files": dict(texts)}
    disk.make_folder(root / FOLDER)
    content = json.dumps({**body, "crc": _crc(body)}, indent=1).encode("ascii")
    whole_file.write(root / FOLDER / LAST_GOOD, content, disk=disk, mode=0o640)


def check_missing(root: Path, texts: Texts, disk: Disk = DISK, names: Collection[str] = LIMITING) -> None:
    """A file of limits that is lost would leave the defaults in its place, and nobody would be told. Raises ConfigError.

    ``names``: those of LIMITING that are asked for.
    """
    good = read(root, disk)
    for name in LIMITING:
        if name in names and is_lost(name, texts.get(name), good):
            raise ConfigError(
                f"{reader.config_path(root, name)}: {'missing' if texts.get(name) is None else 'empty'}, though the last good "
                "configuration has one: put it back; where it shall be none, leave a file with one remark (#)"
            )


def is_lost(name: str, text: str | None, good: tuple[str, Texts] | None) -> bool:
    """Whether this file of limits says nothing, and what was ``good`` said something in it."""
    if name not in LIMITING or good is None or (text or "").strip():
        return False
    return any(
        line.strip() and not line.lstrip().startswith("#") for line in (good[1].get(name) or "").splitlines()
    )


def _crc(body: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode("ascii"))
