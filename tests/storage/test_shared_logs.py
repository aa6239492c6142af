"""A log that others write to, move or remove while an owner keeps it: nobody's line is lost, and the next one is found."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.storage.disks import FakeDisk, Inode
from v2h_console.runtime import logs
from v2h_console.runtime.logs import EventLog
from v2h_console.storage.line_file import LineFile


def lines(path: Path) -> list[str]:
    """What each line says, without its time and level."""
    return [line.split(" ", 2)[2] for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the logs are."""
    return tmp_path / logs.FOLDER


def test_two_owners_at_a_hand_over_take_nothing_from_each_other(tmp_path: Path, folder: Path) -> None:
    old = EventLog(tmp_path)
    old.say("old owns")
    new = EventLog(tmp_path)
    old.say("the MID was slow")
    new.say("new took over")
    old.say("ended: another owner goes on")
    new.say("new goes on")
    said = ["old owns", "the MID was slow", "new took over", "ended: another owner goes on", "new goes on"]
    assert lines(folder / "init.log") == said


def test_one_that_rotates_takes_the_other_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 170)
    old, new = EventLog(tmp_path), EventLog(tmp_path)
    for nth in range(4):
        old.say(f"old {nth} {'-' * 30}")
        new.say(f"new {nth} {'-' * 30}")
    whole = [line for number in (3, 2, 1) for line in lines(folder / f"init.log.{number}")]
    whole += lines(folder / "init.log")
    assert [line[:5] for line in whole] == [f"{who} {nth}" for nth in range(4) for who in ("old", "new")]


@pytest.mark.parametrize("moved", [False, True])
def test_a_log_that_was_taken_away_is_begun_anew_and_older_ones_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, moved: bool
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    log = EventLog(tmp_path)
    for number in range(1, logs.KEPT + 1):
        (folder / f"init.log.{number}").write_text(f"old {number}\n")
    log.say("x" * 150)
    if moved:
        (folder / "init.log").rename(folder / "for_the_support")
    else:
        (folder / "init.log").unlink()
    log.say("y" * 150)
    assert lines(folder / "init.log") == ["y" * 150]
    assert [(folder / f"init.log.{n}").read_text() for n in range(1, 6)] == [
        f"old {n}\n" for n in range(1, 6)
    ]
    assert log.failure == ""


def test_only_what_this_process_tore_is_cut_off() -> None:
    path = Path("/house/log")
    disk = FakeDisk({path: b"one\n"})
    file = LineFile(path, disk=disk)
    file.open()
    disk.files[path].data += b"another's\n"
    file.append(b"two\n", sync=False)
    torn = {"write", "cut"}
    disk.fail = lambda call, _: errno.EIO if call in torn else 0
    with pytest.raises(OSError, match="EIO"):
        file.append(b"three\n", sync=False)
    assert bytes(disk.files[path].data) == b"one\nanother's\ntwo\nthr"
    torn.clear()
    file.append(b"four\n", sync=False)
    assert bytes(disk.files[path].data) == b"one\nanother's\ntwo\nfour\n"


def test_a_file_that_became_shorter_is_not_filled_with_zeros() -> None:
    path = Path("/house/log")
    disk = FakeDisk({path: b"a long line\n"})
    file = LineFile(path, disk=disk)
    file.open()
    del disk.files[path].data[:]
    disk.fail = lambda call, _: errno.EIO if call == "write" else 0
    with pytest.raises(OSError, match="EIO"):
        file.append(b"two\n", sync=False)
    assert bytes(disk.files[path].data) == b""


def test_a_file_put_in_the_place_of_a_torn_one_keeps_all_that_is_in_it() -> None:
    path = Path("/house/log")
    disk = FakeDisk({path: b"one\n"})
    file = LineFile(path, disk=disk)
    disk.fail = lambda call, _: errno.EIO if call in ("write", "cut") else 0
    with pytest.raises(OSError, match="EIO"):
        file.append(b"two\n", sync=False)
    # Somebody saves another one under its name, while nothing of this process has it open.
    disk.files[path] = Inode(b"what an editor has saved\n")
    disk.fail = lambda call, _: 0
    file.append(b"three\n", sync=False)
    assert bytes(disk.files[path].data) == b"what an editor has saved\nthree\n"


@pytest.mark.parametrize("runs", [False, True])
def test_a_file_that_ends_within_a_line_gets_its_end_first(tmp_path: Path, runs: bool) -> None:
    path, saved = tmp_path / "log", tmp_path / "saved"
    file = LineFile(path)
    if runs:
        file.append(b"one\n", sync=False)
    saved.write_bytes(b"one, as an editor saved it")
    saved.replace(path)
    file.append(b"two\n", sync=True)
    file.append(b"three\n", sync=False)
    assert path.read_bytes() == b"one, as an editor saved it\ntwo\nthree\n"
    assert file.size == path.stat().st_size
