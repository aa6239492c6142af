"""Compares a root with what should be there. Reads only."""

from __future__ import annotations

import difflib
import os
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from v2h_console import plain_file
from v2h_console.installing.layout import CONFIGURATION, RECORD_FOLDER, SERVICE_FOLDERS, Wanted, parents
from v2h_console.installing.record import InstallError, Record, sha256
from v2h_console.site import last_good
from v2h_console.storage.disk import Disk

#: Of the configuration's folder; its files stay whose they are until an edit replaces them.
GIVEN = "given to the user v2h, mode 0755: an edit goes through the owner"


class Action(str, Enum):
    """What becomes of a file or folder. LEFT: it ought to change, and is somebody's, so it does not."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"
    REMOVE = "remove"
    RESTORE = "restore"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Step:
    """One file or folder. ``why`` for what is not done, ``diff`` for what changes."""

    path: str
    action: Action
    why: str = ""
    diff: str = ""


def to_install(root: Path, files: tuple[Wanted, ...], record: Record | None) -> list[Step]:
    """Folders first, then files. Raises InstallError when the root is no place for them."""
    needed: dict[str, None] = {}
    for path in (*SERVICE_FOLDERS, RECORD_FOLDER):
        needed.update(dict.fromkeys((*parents(path), path)))
    for file in files:
        needed.update(dict.fromkeys(parents(file.path)))
    steps = [
        Step(path, Action.CREATE, GIVEN if path == CONFIGURATION else "")
        for path in needed
        if not _inside(root, path).is_dir()
    ]
    steps += [_step(root, file, record) for file in files]
    for step in steps:
        if step.action in (Action.CREATE, Action.CHANGE):
            _check_writable(root, step.path)
    return steps


def content_at(path: Path) -> bytes | None:
    """What a file says; ``None`` where nothing is. Raises InstallError for what is no plain file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise InstallError("is no plain file")
    return path.read_bytes()


def _step(root: Path, file: Wanted, record: Record | None) -> Step:
    path = _inside(root, file.path)
    try:
        found = content_at(path)
    except InstallError as error:
        return Step(file.path, Action.LEFT, str(error))
    if found is None:
        if _is_lost(root, file.path):
            # All that it does not say would be allowed, and nobody told.
            why = "missing, though the last good configuration has one: put it back"
            return Step(file.path, Action.LEFT, why)
        return Step(file.path, Action.CREATE)
    if found == file.content:
        return Step(file.path, Action.KEEP)
    if file.persons:
        return Step(file.path, Action.KEEP, "is there already")
    diff = unified(file.path, found, file.content)
    entry = record.files.get(file.path) if record is not None else None
    if record is None or entry is None or sha256(found) in entry.ours:
        return Step(file.path, Action.CHANGE, diff=diff)
    if record.state != "installed" and sha256(found) == entry.original:
        return Step(file.path, Action.CHANGE, diff=diff)  # an interrupted run had not come to it
    return Step(file.path, Action.LEFT, "was changed by hand since it was installed", diff)


class _PlainFiles(Disk):
    """The copy is in the service's own folder: a pipe under that name would keep root waiting."""

    def read(self, path: Path) -> bytes:
        return plain_file.read(path, last_good.MOST_BYTES)


def _is_lost(root: Path, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == CONFIGURATION and last_good.is_lost(name, None, last_good.read(root, _PlainFiles()))


def unified(path: str, before: bytes, after: bytes) -> str:
    """A unified diff."""
    old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (before, after))
    return "".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"))


def _inside(root: Path, path: str) -> Path:
    """The path, unless a symbolic link on the way leads out of the root."""
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise InstallError(f"{target}: a symbolic link leads out of {root}")
    return target


def _check_writable(root: Path, path: str) -> None:
    place = next(folder for folder in (root / path).parents if folder.exists())
    if not place.is_dir():
        raise InstallError(f"{place}: is no folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InstallError(f"{place}: cannot be written; nothing was changed")
