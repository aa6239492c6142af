"""A machine is installed on, again, and left as it was found; what a person changed is the person's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.installing.roots import FILES, actions, machine, no_tools, tree
from v2h_console.installing import layout, plan, record
from v2h_console.installing.carry_out import install, look, look_back, undo
from v2h_console.installing.plan import Action
from v2h_console.installing.record import InstallError
from v2h_console.runtime.config_keeper import ConfigKeeper, digest
from v2h_console.site import reader
from v2h_console.site.errors import ConfigError

UNIT = layout.UNIT
HAS_SYSUSERS = pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None or os.geteuid() != 0, reason="systemd-sysusers, run by root"
)


def test_without_yes_nothing_changes(tmp_path: Path) -> None:
    machine(tmp_path)
    before = tree(tmp_path)
    report = look(tmp_path, FILES)
    assert tree(tmp_path) == before
    assert actions(report)[UNIT] is Action.CHANGE
    assert actions(report)["etc/energy/limits.conf"] is Action.KEEP
    assert actions(report)["etc/sysusers.d/v2h.conf"] is Action.CREATE
    (changed,) = (step for step in report.steps if step.path == UNIT)
    assert "-ExecStart=/usr/local/bin/old\n" in changed.diff
    assert "+ExecStart=/opt/v2h/bin/v2h-manager --wait\n" in changed.diff


def test_what_was_said_is_what_is_done(tmp_path: Path) -> None:
    said = look(tmp_path, FILES)
    done = install(tmp_path, FILES, no_tools)
    assert done.steps == said.steps
    assert {path for path in tree(tmp_path) if path in actions(said)} == set(actions(said))
    for file in FILES:
        assert (tmp_path / file.path).read_bytes() == file.content


def test_twice_is_once(tmp_path: Path) -> None:
    machine(tmp_path)
    install(tmp_path, FILES)
    before = tree(tmp_path)
    again = install(tmp_path, FILES)
    assert set(actions(again).values()) == {Action.KEEP}
    assert tree(tmp_path) == before


@pytest.mark.parametrize("lived_in", [False, True])
def test_undo_leaves_the_tree_as_it_was(tmp_path: Path, lived_in: bool) -> None:
    if lived_in:
        machine(tmp_path)
    before = tree(tmp_path)
    installed = install(tmp_path, FILES)
    assert not installed.failed
    assert tree(tmp_path) != before
    said = look_back(tmp_path)
    done = undo(tmp_path)
    assert tree(tmp_path) == before
    assert done.whole
    assert done.steps == said.steps


@HAS_SYSUSERS
def test_the_accounts_are_made_and_taken_back(tmp_path: Path) -> None:
    machine(tmp_path)
    install(tmp_path, FILES)
    groups = {
        line.split(":")[0]: line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()
    }
    assert set(layout.ACCOUNTS) <= groups.keys()
    assert groups["dialout"][3] == "alice,v2h"
    uid = int(
        next(
            line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("v2h:")
        ).split(":")[2]
    )
    for path, mode in (("run/v2h", 0o755), ("var/lib/v2h", 0o750), ("var/log/v2h", 0o750)):
        found = (tmp_path / path).stat()
        assert (found.st_uid, found.st_mode & 0o7777) == (uid, mode)
    assert (tmp_path / "var/log/v2h/init.log").stat().st_uid == uid, (
        "what root left there is the service's now"
    )
    assert (tmp_path / layout.RECORD_FOLDER).stat().st_uid == 0


@contextmanager
def as_service(root: Path) -> Iterator[None]:
    """As the installed service's user."""
    found = (root / "var/lib/v2h").stat()
    os.setegid(found.st_gid)
    os.seteuid(found.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A lived-in machine that other users can see."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        machine(root)
        (root / "etc/energy").chmod(0o750)
        (root / "etc/energy/limits.conf").chmod(0o644)
        yield root


@HAS_SYSUSERS
@pytest.mark.parametrize("installed_before", [False, True])
def test_the_service_edits_the_configuration_and_undo_gives_the_folder_back(
    open_root: Path, installed_before: bool
) -> None:
    energy = open_root / "etc/energy"
    before = tree(open_root)
    if installed_before:
        # By a version that left the folder root's.
        install(open_root, FILES)
        os.chown(energy, 0, 0)
        energy.chmod(0o750)
        kept = record.load(open_root)
        assert kept is not None
        kept.owners = {path: who for path, who in kept.owners.items() if not path.startswith("etc/energy")}
        record.save(open_root, kept)
    (given,) = (step for step in look(open_root, FILES).steps if step.path == "etc/energy")
    assert (given.action, given.why) == (Action.CHANGE, plan.GIVEN)
    install(open_root, FILES)
    service = (open_root / "var/lib/v2h").stat()
    found = energy.stat()
    assert (found.st_uid, found.st_mode & 0o7777) == (service.st_uid, 0o755)
    assert "etc/energy" not in actions(look(open_root, FILES))
    comm = energy / "comm_stack.conf"
    comm.write_text(comm.read_text().replace("# host =", "host =", 1))
    keeper = ConfigKeeper(open_root)
    limits = energy / "limits.conf"
    with as_service(open_root):
        keeper.save("limits.conf", "max_discharge_power_kw = 6\n", digest(limits.read_bytes()))
        with pytest.raises(OSError, match="Permission denied"):
            (open_root / "etc/x").touch()
        with pytest.raises(OSError, match="Permission denied"):
            comm.write_text("past the owner's checks")
    assert (limits.stat().st_uid, limits.stat().st_mode & 0o7777) == (service.st_uid, 0o644)
    shutil.rmtree(open_root / "var/lib/v2h/config")
    comm.unlink()
    undo(open_root)
    after = tree(open_root)
    mode, uid, gid, _ = before["etc/energy/limits.conf"]
    assert after.pop("etc/energy/limits.conf") == (mode, uid, gid, b"max_discharge_power_kw = 6\n")
    before.pop("etc/energy/limits.conf")
    assert after == before


@HAS_SYSUSERS
def test_who_may_read_the_logs_may_not_write_the_configuration(open_root: Path) -> None:
    install(open_root, FILES)
    os.setegid((open_root / "var/lib/v2h").stat().st_gid)
    os.seteuid(1000)
    try:
        with pytest.raises(OSError, match="Permission denied"):
            (open_root / "etc/energy/x").touch()
    finally:
        os.seteuid(0)
        os.setegid(0)


@HAS_SYSUSERS
def test_a_user_who_came_since_is_not_lost(tmp_path: Path) -> None:
    machine(tmp_path)
    install(tmp_path, FILES)
    with (tmp_path / "etc/passwd").open("a") as file:
        file.write("bob:x:1001:1001::/home/bob:/bin/bash\n")
    done = undo(tmp_path)
    assert "bob" in (tmp_path / "etc/passwd").read_text()
    assert "v2h" in (tmp_path / "etc/group").read_text()
    assert actions(done)["etc/passwd"] is Action.LEFT
    assert not (tmp_path / layout.RECORD_FOLDER).exists()


@HAS_SYSUSERS
def test_a_user_who_came_and_went_is_no_obstacle(tmp_path: Path) -> None:
    machine(tmp_path)
    install(tmp_path, FILES)
    # What useradd and userdel leave: the file as before, their own backup of it.
    (tmp_path / "etc/passwd-").write_text(
        (tmp_path / "etc/passwd").read_text() + "bob:x:1001:1001::/:/bin/sh\n"
    )
    assert undo(tmp_path).whole
    assert "v2h" not in (tmp_path / "etc/passwd").read_text()
    assert "bob" in (tmp_path / "etc/passwd-").read_text()


@HAS_SYSUSERS
def test_the_user_stays_while_something_is_his(tmp_path: Path) -> None:
    install(tmp_path, FILES)
    latch = tmp_path / "var/lib/v2h/mid_latch.json"
    latch.write_text("{}")
    uid = (tmp_path / "var/lib/v2h").stat().st_uid
    os.chown(latch, uid, uid)
    done = undo(tmp_path)
    assert latch.exists()
    assert not done.whole
    assert any(step.path == "var/lib/v2h/" and "mid_latch.json" in step.why for step in done.steps)
    assert "v2h:" in (tmp_path / "etc/passwd").read_text()


def test_a_persons_configuration_is_never_written_over(tmp_path: Path) -> None:
    install(tmp_path, FILES, no_tools)
    path = tmp_path / "etc/energy/comm_stack.conf"
    path.write_text("mine")
    install(tmp_path, FILES, no_tools)
    assert path.read_text() == "mine"
    done = undo(tmp_path, no_tools)
    assert path.read_text() == "mine"
    assert actions(done)["etc/energy/comm_stack.conf"] is Action.LEFT
    assert [path for path in tree(tmp_path) if "v2h" in path] == []


def test_a_unit_changed_by_hand_is_left_and_its_original_kept(tmp_path: Path) -> None:
    machine(tmp_path)
    install(tmp_path, FILES, no_tools)
    unit = tmp_path / UNIT
    unit.write_text("# by hand\n")
    again = install(tmp_path, FILES, no_tools)
    assert actions(again)[UNIT] is Action.LEFT
    assert not again.whole
    done = undo(tmp_path, no_tools)
    (left,) = (step for step in done.steps if step.path == UNIT)
    assert left.action is Action.LEFT
    assert "/usr/local/bin/old" in Path(left.why.rpartition("before: ")[2]).read_text()
    assert unit.read_text() == "# by hand\n"
    unit.unlink()
    assert undo(tmp_path, no_tools).whole
    assert "/usr/local/bin/old" in unit.read_text()
    assert not (tmp_path / layout.RECORD_FOLDER).exists()


def test_a_newer_unit_replaces_our_own_older_one(tmp_path: Path) -> None:
    machine(tmp_path)
    before = tree(tmp_path)
    install(tmp_path, layout.wanted("/opt/older/v2h-manager"), no_tools)
    report = install(tmp_path, FILES, no_tools)
    assert actions(report)[UNIT] is Action.CHANGE
    assert "/opt/v2h/bin" in (tmp_path / UNIT).read_text()
    undo(tmp_path, no_tools)
    assert tree(tmp_path) == before


def test_a_masked_unit_stays_masked(tmp_path: Path) -> None:
    unit = tmp_path / UNIT
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    report = install(tmp_path, FILES, no_tools)
    assert unit.is_symlink()
    assert actions(report)[UNIT] is Action.LEFT


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "etc").mkdir(parents=True)
    outside.mkdir()
    (root / "etc/energy").symlink_to(outside)
    with pytest.raises(InstallError, match="leads out"):
        install(root, FILES, no_tools)
    assert not list(outside.iterdir())


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that whoever runs this cannot write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 0)
    yield folder
    if os.getresuid()[2] == 0:
        os.setresuid(0, 0, 0)
    folder.rmdir()


def test_a_read_only_target_is_one_line_and_unchanged(read_only: Path) -> None:
    with pytest.raises(InstallError, match="cannot be written; nothing was changed") as refused:
        install(read_only, FILES, no_tools)
    assert "\n" not in str(refused.value)
    assert not list(read_only.iterdir())


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(tmp_path)
    before = tree(tmp_path)
    written = record.write_whole

    def full(path: Path, content: bytes, mode: int) -> None:
        if path.name == "loads.conf":
            raise OSError(28, "No space left on device", str(path))
        written(path, content, mode)

    monkeypatch.setattr(record, "write_whole", full)
    with pytest.raises(InstallError, match=r"loads\.conf: No space left on device; nothing was changed"):
        install(tmp_path, FILES, no_tools)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "other", [lambda root: install(root, FILES, no_tools), lambda root: undo(root, no_tools)]
)
def test_of_two_at_once_the_second_is_refused_and_the_first_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Callable[[Path], object]
) -> None:
    machine(tmp_path)
    before, written, said = tree(tmp_path), record.write_whole, []

    def meanwhile(path: Path, content: bytes, mode: int) -> None:
        written(path, content, mode)
        monkeypatch.setattr(record, "write_whole", written)
        with pytest.raises(InstallError) as refused:
            other(tmp_path)
        said.append(str(refused.value))

    monkeypatch.setattr(record, "write_whole", meanwhile)
    assert install(tmp_path, FILES, no_tools).whole
    assert said == [
        f"{tmp_path}: another process installs or undoes here (`lslocks` names it); nothing was changed"
    ]
    assert {file.path: file.content for file in FILES if not file.persons} == {
        file.path: (tmp_path / file.path).read_bytes() for file in FILES if not file.persons
    }
    undo(tmp_path, no_tools)
    assert tree(tmp_path) == before


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    install(tmp_path, FILES, no_tools)
    (tmp_path / layout.RECORD_FOLDER / "record.json").write_text('{"files": 3}')
    with pytest.raises(InstallError, match="is damaged") as refused:
        undo(tmp_path, no_tools)
    assert "\n" not in str(refused.value)


def test_an_enabled_service_is_not_undone(tmp_path: Path) -> None:
    install(tmp_path, FILES, no_tools)
    enabled = tmp_path / layout.ENABLED
    enabled.parent.mkdir(parents=True)
    enabled.symlink_to("/etc/systemd/system/v2h-manager.service")
    with pytest.raises(InstallError, match="systemctl disable"):
        undo(tmp_path, no_tools)
    assert (tmp_path / UNIT).exists()


def test_the_configuration_says_what_is_still_to_be_filled_in(tmp_path: Path) -> None:
    install(tmp_path, FILES, no_tools)
    with pytest.raises(ConfigError, match="host"):
        reader.read_site(tmp_path)
    comm = tmp_path / "etc/energy/comm_stack.conf"
    for name in ("comm_stack.conf", "loads.conf", "limits.conf"):
        path = tmp_path / "etc/energy" / name
        lines = path.read_text().splitlines()
        marked = [
            line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in lines
        ]
        path.write_text("\n".join(marked) + "\n")
    site = reader.read_site(tmp_path)
    assert comm.read_text().count("\n#") < 10
    assert site.comm.load_centre is not None
    assert site.comm.mqtt is not None
    assert [circuit.id for circuit in site.settings.loads.circuits] == ["fridge"]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "v2h_console.cli.main", "install", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_says_does_and_undoes(tmp_path: Path) -> None:
    root = ("--root", str(tmp_path))
    said = command(*root)
    assert (said.returncode, said.stderr) == (0, "")
    assert "create   " + str(tmp_path / UNIT) in said.stdout
    assert not list(tmp_path.iterdir())
    done = json.loads(command(*root, "--json", "--yes").stdout)
    assert done["ok"]
    assert done["done"]
    assert {"path": UNIT, "action": "create", "why": None, "diff": None} in done["steps"]
    undone = command(*root, "--undo", "--yes")
    assert (undone.returncode, undone.stderr) == (0, "")
    assert not list(tmp_path.iterdir())
    nothing = command(*root, "--undo")
    assert (nothing.returncode, nothing.stdout) == (0, f"Nothing is installed below {tmp_path}.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--root", "/no/such/root"), "no such folder"),
        (("--root", "/etc/passwd"), "no such folder"),
        (("--manager", "v2h-manager", "--root", "/tmp"), "whole path"),
        (("--manager", "/home/me/v2h-manager"), "cannot see /home"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    if os.geteuid() == 0 or "--root" in arguments:
        assert said in done.stderr


def test_who_is_not_root_hears_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from v2h_console.cli import main

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main.main(["install"]) == 2
    assert capsys.readouterr().err == (
        "v2h-console: install: only root installs on /: use sudo, or --root with a folder of your own\n"
    )
