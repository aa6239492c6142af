"""The record of what was done below a root, written before it is done: an interrupted run is finished or undone from it.

It appears whole, together with the folders above it, and disappears whole: both are one rename.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from v2h_console.installing.layout import FOLDER_MODES, RECORD_FOLDER, parents

NAME = "record.json"
ORIGINALS = "originals"
#: Beside what it becomes, or was; left over by an interrupted run, it means nothing.
ASIDE = ".v2h-install-aside"


class InstallError(Exception):
    """It could not be done, and nothing was changed. ``str()`` is one line for the person."""


class FileRecord(msgspec.Struct, forbid_unknown_fields=True):
    """One file that was written. ``ours``: SHA-256 of all that was ever written there. ``original``: of what stood there
    before, "" for nothing; it is kept under that name."""

    ours: list[str]
    original: str = ""


class OwnerRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Whose something was before systemd-tmpfiles gave it to the service."""

    mode: int
    uid: int
    gid: int


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """``state``: installing, installed, undoing; ``folders``: those that were made, the outermost first."""

    state: str = "installing"
    files: dict[str, FileRecord] = {}
    folders: list[str] = []
    accounts: dict[str, FileRecord] = {}
    owners: dict[str, OwnerRecord] = {}


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def load(root: Path) -> Record | None:
    """``None`` where nothing is installed. Raises InstallError."""
    path = root / RECORD_FOLDER / NAME
    if not root.is_dir():
        raise InstallError(f"{root}: no such folder")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstallError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise InstallError(
            f"{path}: is damaged ({error}); what was installed has to be removed by hand"
        ) from None


def save(root: Path, record: Record) -> None:
    """Durably; whole or not at all. Raises OSError."""
    folder = root / RECORD_FOLDER
    content = msgspec.json.format(msgspec.json.encode(record), indent=1)
    if folder.is_dir():
        write_whole(folder / NAME, content, 0o600)
        return
    top = next(root / path for path in (*parents(RECORD_FOLDER), RECORD_FOLDER) if not (root / path).exists())
    aside = top.parent / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    made = aside
    for part in folder.relative_to(top).parts:
        make_folder(made, 0o755)
        made = made / part
    make_folder(made, FOLDER_MODES[RECORD_FOLDER])
    write_whole(made / NAME, content, 0o600)
    os.rename(aside, top)
    _sync(top.parent)


def forget(root: Path, record: Record) -> None:
    """Remove the record, with those of its folders that were made for it and hold nothing else. Raises OSError."""
    top = root / RECORD_FOLDER
    while str(top.parent.relative_to(root)) in record.folders and len(list(top.parent.iterdir())) == 1:
        top = top.parent
    aside = top.parent / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(top, aside)
    shutil.rmtree(aside)


def sweep(root: Path, paths: list[str]) -> None:
    """Remove what an interrupted run left half written."""
    for path in (*parents(RECORD_FOLDER), RECORD_FOLDER):
        shutil.rmtree((root / path).parent / ASIDE, ignore_errors=True)
    for path in (*paths, f"{RECORD_FOLDER}/{NAME}"):
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(half_written(root / path))


def make_folder(path: Path, mode: int) -> None:
    """With that mode from its first moment, whatever the umask. Raises OSError."""
    before = os.umask(0)
    try:
        os.mkdir(path, mode)
    finally:
        os.umask(before)


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """A file's new content: the old one or the new one, whatever happens. Raises OSError."""
    new = half_written(path)
    with _opened_anew(new) as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    _sync(path.parent)


def copy_whole(source: Path, target: Path) -> None:
    """The same with mode, owner and times. Raises OSError."""
    new = half_written(target)
    with source.open("rb") as original, _opened_anew(new) as file:
        found = os.fstat(original.fileno())
        shutil.copyfileobj(original, file)
        file.flush()
        os.fchown(file.fileno(), found.st_uid, found.st_gid)
        os.fchmod(file.fileno(), found.st_mode & 0o7777)
        os.utime(file.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(file.fileno())
    os.replace(new, target)
    _sync(target.parent)


def _opened_anew(path: Path) -> BinaryIO:
    """An empty file that was not there: in a folder that is not root's, a link could wait under that name."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def kept(root: Path, path: str) -> Path:
    """Where the original of a file is kept."""
    return root / RECORD_FOLDER / ORIGINALS / path.replace("/", "%")


def drop_originals(root: Path, record: Record) -> None:
    """Remove every original that the record names no more: it would be taken for a later one's, and passwords are in some.
    Raises OSError."""
    folder = root / RECORD_FOLDER / ORIGINALS
    named = {kept(root, path).name for path in (*record.files, *record.accounts)}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in named:
            path.unlink()


def half_written(path: Path) -> Path:
    """A file's name until it is whole."""
    return path.with_name(f".{path.name}.v2h-install-new")


def _sync(path: Path) -> None:
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)
