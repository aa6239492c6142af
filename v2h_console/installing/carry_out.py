"""Installs and undoes below a root. What is going to be done is recorded first; what cannot be done leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from v2h_console.installing import accounts, plan, record, tools, way_back
from v2h_console.installing.layout import (
    CONFIGURATION,
    ENABLED,
    FOLDER_MODES,
    RECORD_FOLDER,
    RUN_LEAVINGS,
    Wanted,
)
from v2h_console.installing.plan import Action, Step
from v2h_console.installing.record import FileRecord, InstallError, Record
from v2h_console.session import place


@dataclass(slots=True)
class Report:
    """What would be, or was, done. ``interrupted``: an earlier run had not come to its end."""

    steps: list[Step]
    tools: list[tools.Tool]
    interrupted: str = ""
    done: bool = False
    #: What a tool said that failed, by its command.
    failed: dict[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Nothing was left alone and nothing failed."""
        return not self.failed and all(step.action is not Action.LEFT for step in self.steps)


def look(root: Path, files: tuple[Wanted, ...]) -> Report:
    """What installing would do. Raises InstallError."""
    before = record.load(root)
    steps, wanted = plan.to_install(root, files, before), tools.to_install(root)
    there = (root / CONFIGURATION).is_dir()
    if there and not accounts.is_given(root, CONFIGURATION) and not any(tool.missing for tool in wanted[:2]):
        steps.insert(0, Step(CONFIGURATION, Action.CHANGE, plan.GIVEN))
    return Report(steps, wanted, _interrupted(before))


def install(root: Path, files: tuple[Wanted, ...], run: tools.Run = tools.run) -> Report:
    """Install. Raises InstallError; then a first time left nothing behind, and a later one is finished by the next."""
    with _alone(root):
        return _install(root, files, run)


def _install(root: Path, files: tuple[Wanted, ...], run: tools.Run) -> Report:
    before = record.load(root)
    report = look(root, files)
    fresh = before is None
    kept = before if before is not None else Record()
    try:
        record.sweep(root, [file.path for file in files])
        record.drop_originals(root, kept)
        _write(root, files, report.steps, kept)
        _run_tools(root, report, kept, run)
        kept.state = "installed"
        record.save(root, kept)
    except OSError as error:
        said = f"{error.filename or root}: {error.strerror or error}"
        if not fresh:
            raise InstallError(f"{said}; run it again to finish, or --undo") from None
        try:
            record.sweep(root, [file.path for file in files])
            _take_back(root, kept)
        except OSError:
            raise InstallError(f"{said}; `--undo --yes` takes back what was begun") from None
        raise InstallError(f"{said}; nothing was changed") from None
    report.done = True
    return report


def look_back(root: Path) -> Report:
    """What undoing would do. Raises InstallError."""
    before = record.load(root)
    if before is None:
        return Report([], [])
    _check_idle(root)
    return Report(way_back.to_undo(root, before), tools.to_undo(root), _interrupted(before))


def undo(root: Path, run: tools.Run = tools.run) -> Report:
    """Undo. Raises InstallError; run again, it goes on."""
    with _alone(root):
        return _undo(root, run)


def _undo(root: Path, run: tools.Run) -> Report:
    before = record.load(root)
    report = look_back(root)
    try:
        record.sweep(root, [] if before is None else list(before.files))
        if before is not None:
            report.steps = _take_back(root, before)
    except OSError as error:
        raise InstallError(
            f"{error.filename or root}: {error.strerror or error}; run it again to go on"
        ) from None
    report.failed = _run_all(report.tools, run)
    report.done = True
    return report


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Of two at once the one would take back what the other has just written. Raises InstallError."""
    try:
        held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise InstallError(f"{root}: no such folder") from None
    except OSError as error:
        raise InstallError(f"{root}: {error.strerror}; nothing was changed") from None
    try:
        # The root's own: before the first time there is no folder of this program's to lock, and a file would be left behind.
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            by = "another process installs or undoes here (`lslocks` names it)"
            why = by if isinstance(error, BlockingIOError) else error.strerror
            raise InstallError(f"{root}: {why}; nothing was changed") from None
        yield
    finally:
        os.close(held)


def _write(root: Path, files: tuple[Wanted, ...], steps: list[Step], kept: Record) -> None:
    actions = {step.path: step.action for step in steps}
    changing = [file for file in files if actions[file.path] in (Action.CREATE, Action.CHANGE)]
    for file in changing:
        found = plan.content_at(root / file.path)
        entry = kept.files.setdefault(
            file.path, FileRecord([], "" if found is None else record.sha256(found))
        )
        if (new := record.sha256(file.content)) not in entry.ours:
            entry.ours.append(new)
    wanted_paths = {file.path for file in files}
    folders = [
        path for path, action in actions.items() if path not in wanted_paths and action is Action.CREATE
    ]
    kept.folders += [path for path in folders if path not in kept.folders]
    kept.state = "installing"
    record.save(root, kept)
    originals = record.kept(root, "x").parent
    originals.mkdir(mode=0o700, exist_ok=True)
    for path in folders:
        if not (root / path).is_dir():
            record.make_folder(root / path, FOLDER_MODES.get(path, 0o755))
    for file in changing:
        original, before = record.kept(root, file.path), kept.files[file.path].original
        if before and before == _digest(root / file.path) and before != _digest(original):
            record.copy_whole(root / file.path, original)
        record.write_whole(root / file.path, file.content, 0o644)


def _digest(path: Path) -> str:
    content = plan.content_at(path)
    return "" if content is None else record.sha256(content)


def _run_tools(root: Path, report: Report, kept: Record, run: tools.Run) -> None:
    if any(not tool.missing for tool in report.tools):
        accounts.keep(root, kept)
    report.failed = _run_all(report.tools, run)
    accounts.took(root, kept)


def _run_all(wanted: list[tools.Tool], run: tools.Run) -> dict[tuple[str, ...], str]:
    said = {tool.command: run(tool.command) for tool in wanted if not tool.missing}
    return {command: why for command, why in said.items() if why is not None}


def _take_back(root: Path, before: Record) -> list[Step]:
    """Everything that can be; what was left alone and has an original stays on record. Raises OSError."""
    if not (root / RECORD_FOLDER).is_dir():
        return []
    before.state = "undoing"
    record.save(root, before)
    for path in RUN_LEAVINGS:
        if str(Path(path).parent) in before.folders:
            (root / path).unlink(missing_ok=True)
    steps = way_back.to_undo(root, before)
    accounts.give_back_owners(root, before)
    for step in steps:
        _put_back(root, step)
    left = {step.path for step in steps if step.action is Action.LEFT}
    before.files = {path: entry for path, entry in before.files.items() if path in left and entry.original}
    if before.files:
        before.state, before.accounts, before.owners = "installed", {}, {}
        record.save(root, before)
        record.drop_originals(root, before)
    else:
        record.forget(root, before)
    return steps


def _put_back(root: Path, step: Step) -> None:
    if step.action is Action.REMOVE and step.path.endswith("/"):
        os.rmdir(root / step.path)
    elif step.action is Action.REMOVE:
        os.unlink(root / step.path)
    elif step.action is Action.RESTORE:
        record.copy_whole(record.kept(root, step.path), root / step.path)


def _interrupted(before: Record | None) -> str:
    return "" if before is None or before.state == "installed" else before.state


def _check_idle(root: Path) -> None:
    """A service that runs would lose the ground that it stands on."""
    if os.path.lexists(root / ENABLED):
        raise InstallError(
            "v2h-manager starts with this machine: first `systemctl disable --now v2h-manager`"
        )
    try:
        line = place.connect(root)
    except PermissionError:
        return
    if line is not None:
        line.close()
        raise InstallError(
            f"an owner runs below {root}: first `systemctl stop v2h-manager`, or `v2h-console stop`"
        )
