"""The configuration of the last good start: what an owner falls back to, and what tells a file of limits that is lost."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from v2h_console.site import reader
from v2h_console.site.errors import ConfigError
from v2h_console.site.reader import Texts
from v2h_console.storage import whole_file
from v2h_console.storage.disk import DISK, Disk

FOLDER = Path("var/lib/v2h/config")
LAST_GOOD = "last_good.json"
#: Without them more is allowed, and an empty one says that on purpose.
LIMITING = ("limits.conf", "loads.conf")


def read(root: Path, disk: Disk = DISK) -> tuple[str, Texts] | None:
    """When, and the files of it; ``None`` where there is none that is whole."""
    try:
        found = json.loads(disk.read(root / FOLDER / LAST_GOOD))
        at, files = str(found["at"]), dict(found["files"])
        whole = found["crc"] == _crc({"at": at, "files": files})
        texts = all(text is None or isinstance(text, str) for text in files.values())
        return (at, files) if whole and texts else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(root: Path, texts: Texts, at: str, disk: Disk = DISK) -> None:
    """Keep it. Raises OSError."""
    body = {"at": at, "files": dict(texts)}
    disk.make_folder(root / FOLDER)
    content = json.dumps({**body, "crc": _crc(body)}, indent=1).encode("ascii")
    whole_file.write(root / FOLDER / LAST_GOOD, content, disk=disk, mode=0o640)


def check_missing(root: Path, texts: Texts, disk: Disk = DISK) -> None:
    """A file of limits that is lost would leave the defaults in its place, and nobody would be told. Raises ConfigError."""
    good = read(root, disk)
    for name in LIMITING:
        if texts.get(name) is None and good is not None and good[1].get(name):
            raise ConfigError(
                f"{reader.config_path(root, name)}: missing, though the last good configuration has one: put it back; "
                "where it shall be none, leave an empty file"
            )


def _crc(body: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode("ascii"))
