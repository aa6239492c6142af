"""What undoing would do, in the order in which it is done. Reads only."""

from __future__ import annotations

import os
from pathlib import Path

from v2h_console.installing import accounts
from v2h_console.installing.layout import GIVEN_FOLDERS, RECORD_FOLDER, RUN_LEAVINGS
from v2h_console.installing.plan import Action, Step, content_at, unified
from v2h_console.installing.record import InstallError, Record, kept, sha256


def to_undo(root: Path, record: Record) -> list[Step]:
    """The files, the last one written first; the service's folders; the accounts, if nothing is theirs any more; the
    other folders."""
    steps = [_back(root, path, record) for path in reversed(record.files)]
    gone = {step.path for step in steps if step.action is Action.REMOVE}
    gone.update(path for path in RUN_LEAVINGS if str(Path(path).parent) in record.folders)
    inner_first = [
        path for path in reversed(record.folders) if not f"{RECORD_FOLDER}/".startswith(f"{path}/")
    ]
    steps += _folders(root, [path for path in inner_first if path in GIVEN_FOLDERS], gone)
    owned = accounts.still_owns(root, gone | record.owners.keys())
    back = accounts.to_undo(root, record)
    if back and owned:
        back = [Step(owned, Action.LEFT, "belongs to the user v2h, who stays")]
    elif any(step.action is Action.LEFT for step in back):
        back = [step for step in back if step.action is Action.LEFT]
    gone.update(step.path for step in back if step.action is Action.REMOVE)
    steps += back
    return steps + _folders(root, [path for path in inner_first if path not in GIVEN_FOLDERS], gone)


def _folders(root: Path, paths: list[str], gone: set[str]) -> list[Step]:
    steps = []
    for path in paths:
        if not (root / path).is_dir():
            continue
        others = [name for name in sorted(os.listdir(root / path)) if f"{path}/{name}" not in gone]
        if others:
            steps.append(Step(f"{path}/", Action.LEFT, f"holds {', '.join(others[:3])}"))
        else:
            gone.add(path)
            steps.append(Step(f"{path}/", Action.REMOVE))
    return steps


def _back(root: Path, path: str, record: Record) -> Step:
    entry = record.files[path]
    try:
        found = content_at(root / path)
    except InstallError as error:
        return Step(path, Action.LEFT, str(error))
    if found is None and not entry.original:
        return Step(path, Action.KEEP, "is not there any more")
    if found is not None and sha256(found) == entry.original:
        return Step(path, Action.KEEP, "is as it was before")
    if found is not None and sha256(found) not in entry.ours:
        why = "was changed by hand since it was installed"
        return Step(path, Action.LEFT, why + (f"; before: {kept(root, path)}" if entry.original else ""))
    if not entry.original:
        return Step(path, Action.REMOVE)
    before = content_at(kept(root, path))
    if before is None or sha256(before) != entry.original:
        return Step(path, Action.LEFT, "what stood there before is not kept any more")
    return Step(path, Action.RESTORE, diff=unified(path, found or b"", before))
