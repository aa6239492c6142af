"""What stood there before is kept while the record names it, and no other copy is ever taken for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.installing.roots import FILES, machine, no_tools
from tests.installing.test_interrupted import sysusers
from v2h_console.installing import carry_out, layout, record
from v2h_console.installing.carry_out import install, undo
from v2h_console.installing.plan import Action

UNIT, TMPFILES = layout.UNIT, "etc/tmpfiles.d/v2h.conf"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with systemd's tools and files of a person's, which was installed on and undone; one file was left."""
    monkeypatch.setattr(shutil, "which", lambda command, **_: f"/usr/bin/{command}")
    machine(tmp_path)
    (tmp_path / "etc/shadow").write_text("root:*:1::::::\n")
    for path in (UNIT, TMPFILES):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("# a person's, the first\n")
    install(tmp_path, FILES, sysusers(tmp_path))
    (tmp_path / TMPFILES).write_text("# changed by hand\n")
    done = undo(tmp_path, no_tools)
    assert {step.path for step in done.steps if step.action is Action.LEFT} == {TMPFILES}
    return tmp_path


def originals(root: Path) -> set[str]:
    """What is kept."""
    return {path.name for path in (root / layout.RECORD_FOLDER / record.ORIGINALS).iterdir()}


def test_what_the_record_names_no_more_is_not_kept(root: Path) -> None:
    assert originals(root) == {record.kept(root, TMPFILES).name}, "no stale copy of the passwords"


def test_a_second_installation_keeps_what_stands_there_then(root: Path) -> None:
    (root / UNIT).write_text("# a person's, the second: a week of work\n")
    passwd = (root / "etc/passwd").read_text() + "anna:x:1001:1001::/home/anna:/bin/bash\n"
    (root / "etc/passwd").write_text(passwd)
    install(root, FILES, sysusers(root))
    assert "v2h:" in (root / "etc/passwd").read_text()
    undo(root, no_tools)
    assert (root / UNIT).read_text() == "# a person's, the second: a week of work\n"
    assert (root / "etc/passwd").read_text() == passwd


def _stale(root: Path, path: str) -> None:
    """As an earlier version left it."""
    record.kept(root, path).write_text("# somebody's, long ago\n")


def test_a_stale_copy_of_an_earlier_version_is_no_original(root: Path) -> None:
    for path in (UNIT, "etc/passwd", "etc/shadow"):
        _stale(root, path)
    before = (root / "etc/passwd").read_text()
    install(root, FILES, sysusers(root))
    undo(root, no_tools)
    assert (root / UNIT).read_text() == "# a person's, the first\n"
    assert (root / "etc/passwd").read_text() == before


def test_a_copy_that_is_not_what_was_there_is_put_back_nowhere(root: Path) -> None:
    install(root, FILES, sysusers(root))
    ours = (root / UNIT).read_bytes()
    for path in (UNIT, "etc/passwd"):
        _stale(root, path)
    report = carry_out.undo(root, no_tools)
    assert any(step.path == UNIT and "is not kept any more" in step.why for step in report.steps)
    assert (root / UNIT).read_bytes() == ours
    assert "root:x:0" in (root / "etc/passwd").read_text()
