"""The account files around systemd-sysusers: kept before it, put back when nothing else has changed in them since."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from v2h_console.installing.layout import (
    ACCOUNT_FILES,
    ACCOUNT_LEAVINGS,
    ACCOUNTS,
    CONFIGURATION,
    GIVEN_FOLDERS,
)
from v2h_console.installing.plan import Action, Step, content_at
from v2h_console.installing.record import FileRecord, OwnerRecord, Record, copy_whole, kept, save, sha256

#: A symbolic link has no other.
LINK_MODE = 0o777


def keep(root: Path, record: Record) -> None:
    """Before the tools run: what stands there, once. Raises OSError, InstallError."""
    if not record.accounts:
        for path in (*ACCOUNT_FILES, *ACCOUNT_LEAVINGS):
            content = content_at(root / path)
            record.accounts[path] = FileRecord([], "" if content is None else sha256(content))
        record.owners = _owners(root, GIVEN_FOLDERS)
        save(root, record)
    elif CONFIGURATION not in record.owners:
        # Installed when the configuration was root's alone.
        record.owners.update(_owners(root, (CONFIGURATION,)))
        save(root, record)
    # Until the copy stands no tool has run: what is there now is what was there before.
    unkept = {
        path: entry
        for path, entry in record.accounts.items()
        if entry.original and not _is_kept(root, path, entry)
    }
    for path, entry in unkept.items():
        if (content := content_at(root / path)) is not None and sha256(content) != entry.original:
            entry.original = sha256(content)
            save(root, record)
        if content is not None:
            copy_whole(root / path, kept(root, path))


def took(root: Path, record: Record) -> None:
    """After the tools ran: what they made of it."""
    for path, entry in record.accounts.items():
        content = content_at(root / path)
        if content is not None and (found := sha256(content)) not in (entry.original, *entry.ours):
            entry.ours.append(found)


def to_undo(root: Path, record: Record) -> list[Step]:
    """What becomes of each account file once the service's folders are gone."""
    return [step for path in record.accounts if (step := _back(root, path, record)) is not None]


def give_back_owners(root: Path, record: Record) -> None:
    """What was there before the service had it belongs to whom it belonged to. Raises OSError."""
    for path, before in record.owners.items():
        descriptor = _opened_itself(root, path)
        if descriptor is None:
            continue
        try:
            found = os.fstat(descriptor)
            if not _plain(found) or _owner(found) == before:
                continue
            os.fchown(descriptor, before.uid, before.gid)
            # A link's own mode, as an earlier version recorded it: what replaced the link is nobody else's to write.
            if not (stat.S_ISREG(found.st_mode) and before.mode == LINK_MODE):
                os.fchmod(descriptor, before.mode)
        finally:
            os.close(descriptor)


def still_owns(root: Path, gone: set[str]) -> str:
    """Something below the service's folders, beside what is ``gone``, that belongs to the user v2h, or ""."""
    uids = _uids(root)
    left = (path for path in _given_paths(root, GIVEN_FOLDERS) if path not in gone)
    return next((path for path in left if os.lstat(root / path).st_uid in uids), "")


def is_given(root: Path, path: str) -> bool:
    """Whether a folder belongs to the user v2h already."""
    return os.lstat(root / path).st_uid in _uids(root)


def _uids(root: Path) -> set[int]:
    try:
        users = (root / "etc/passwd").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {int(line.split(":")[2]) for line in users if line.startswith("v2h:")}


def _back(root: Path, path: str, record: Record) -> Step | None:
    entry = record.accounts[path]
    content = content_at(root / path)
    if content is None or sha256(content) == entry.original:
        return None
    if entry.original and not _is_kept(root, path, entry):
        return None  # an earlier run had not come to the tools
    before = kept(root, path).read_bytes() if entry.original else b""
    if path in ACCOUNT_FILES:
        ours = _only_accounts_differ(before, content)
    else:
        # The tool's backup of the file as it was, or its lock; known even if the run ended with the tool.
        main = record.accounts.get(path.removesuffix("-"), entry).original
        if sha256(content) not in (*entry.ours, main or sha256(b"")):
            return None  # another tool's backup by now
        ours = True
    if not ours:
        return Step(path, Action.LEFT, "others have changed it since; the accounts v2h* stay")
    return Step(path, Action.RESTORE if entry.original else Action.REMOVE)


def _is_kept(root: Path, path: str, entry: FileRecord) -> bool:
    before = content_at(kept(root, path))
    return before is not None and sha256(before) == entry.original


def _only_accounts_differ(before: bytes, after: bytes) -> bool:
    """Whether nothing but this program's accounts, and v2h's membership in other groups, came with it."""
    old, new = ({line.split(b":")[0]: line for line in text.splitlines()} for text in (before, after))
    names = {name.encode() for name in ACCOUNTS}
    for name in (old.keys() | new.keys()) - names:
        if name not in old and name == b"dialout" and new[name].split(b":")[-1] in (b"", b"v2h"):
            continue  # the group was made for the membership
        if name not in old or name not in new or _without_v2h(new[name]) != _without_v2h(old[name]):
            return False
    return True


def _without_v2h(line: bytes) -> list[bytes]:
    *fields, members = line.split(b":")
    return [*fields, *(one for one in members.split(b",") if one not in (b"", b"v2h"))]


def _given_paths(root: Path, given: tuple[str, ...]) -> list[str]:
    found = []
    for path in given:
        if (root / path).is_dir():
            found.append(path)
            for folder, folders, files in os.walk(root / path):
                folders.sort()
                names = (*folders, *sorted(files))
                found += [str((Path(folder) / name).relative_to(root)) for name in names]
    return found


def _owners(root: Path, given: tuple[str, ...]) -> dict[str, OwnerRecord]:
    """Whose the plain files and folders are."""
    found = ((path, os.lstat(root / path)) for path in _given_paths(root, given))
    return {path: _owner(status) for path, status in found if _plain(status)}


def _owner(status: os.stat_result) -> OwnerRecord:
    return OwnerRecord(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def _plain(status: os.stat_result) -> bool:
    """A folder, or a file that has no other name: the one of that name may be anybody's."""
    return stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)


def _opened_itself(root: Path, path: str) -> int | None:
    """What stands there now, no link on the way: the user v2h, who may rename in these folders, cannot put another in its
    place from here on. ``None``: nothing does. Raises OSError."""
    here = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in Path(path).parent.parts:
            within = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            here, before = within, here
            os.close(before)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(Path(path).name, flags, dir_fd=here)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return None
        raise
    finally:
        os.close(here)
