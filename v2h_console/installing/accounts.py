"""The account files around systemd-sysusers: kept before it, put back when nothing else has changed in them since."""

from __future__ import annotations

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


def keep(root: Path, record: Record) -> None:
    """Before the tools run: what stands there, once. Raises OSError, InstallError."""
    if not record.accounts:
        for path in (*ACCOUNT_FILES, *ACCOUNT_LEAVINGS):
            content = content_at(root / path)
            record.accounts[path] = FileRecord([], "" if content is None else sha256(content))
        record.owners = {path: _owner(root / path) for path in _given_paths(root, GIVEN_FOLDERS)}
        save(root, record)
    elif CONFIGURATION not in record.owners:
        # Installed when the configuration was root's alone.
        record.owners.update((path, _owner(root / path)) for path in _given_paths(root, (CONFIGURATION,)))
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
        place = root / path
        if (
            not place.exists()
            or place.is_symlink()
            or place.parent.resolve() != root.resolve() / Path(path).parent
        ):
            continue
        if _owner(place) != before:
            os.chown(place, before.uid, before.gid, follow_symlinks=False)
            os.chmod(place, before.mode)


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


def _owner(path: Path) -> OwnerRecord:
    found = os.lstat(path)
    return OwnerRecord(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
