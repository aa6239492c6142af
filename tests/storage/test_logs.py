"""The owner's log: whole lines, bounded, and a disk that fails costs lines and says how many."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.storage.disks import ERRORS, FakeDisk, fails_from, fails_once, works_again
from v2h_console.runtime import logs
from v2h_console.runtime.logs import RETRY_NS, EventLog
from v2h_console.session.snapshot import EventView

ROOT = Path("/house")
INIT, ERROR = ROOT / logs.FOLDER / "init.log", ROOT / logs.FOLDER / "error.log"


class Clock:
    """A monotonic clock that stands until it is moved."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def event(sequence: int, severity: str = "info", text: str = "Grid lost.") -> EventView:
    """An event as a screen has it."""
    return EventView(sequence, 1_784_037_773.0, f"CODE_{sequence}", severity, text)


def codes(disk: FakeDisk, path: Path) -> list[str]:
    """The third word of each line; every line must be whole."""
    data = bytes(disk.files[path].data).decode()
    assert not data or data.endswith("\n")
    return [line.split()[2] for line in data.splitlines()]


def test_what_needs_somebody_stands_in_both_files() -> None:
    disk = FakeDisk()
    log = EventLog(ROOT, disk=disk)
    log.take([event(1), event(2, "alarm", "\x1b[2Jbad\nline")])
    log.take([event(3, "lockout")])
    assert codes(disk, INIT) == ["CODE_1", "CODE_2", "CODE_3"]
    assert codes(disk, ERROR) == ["CODE_2", "CODE_3"]
    assert b"\x1b" not in bytes(disk.files[INIT].data)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("number", range(24))
def test_a_call_that_fails_anywhere_tears_no_line_and_is_told_once_it_is_over(
    number: int, error: int
) -> None:
    disk, clock, said = FakeDisk(), Clock(), list[str]()
    fails_once(disk, number, error)
    log = EventLog(ROOT, disk=disk, failed=said.append, monotonic_ns=clock)
    for nth in range(1, 4):
        log.take([event(nth, "alarm")])
    clock.now_ns += RETRY_NS
    log.take([])
    works_again(disk)
    assert said in ([], [errno.errorcode[error], ""])
    assert log.failure == ""
    for path in (INIT, ERROR):
        found = codes(disk, path)
        lost = 3 - sum(code.startswith("CODE_") for code in found)
        notice = [
            line
            for line in bytes(disk.files[path].data).decode().splitlines()
            if "could not be written" in line
        ]
        assert len(notice) == bool(said)
        assert not lost or f" {lost} lines" in notice[0] or f" {lost + 1} lines" in notice[0]


@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_is_full_for_long_costs_lines_and_no_time(error: int) -> None:
    disk, clock, said = FakeDisk(), Clock(), list[str]()
    log = EventLog(ROOT, disk=disk, failed=said.append, monotonic_ns=clock)
    log.take([event(1)])
    fails_from(disk, 0, error)
    before = len(disk.calls)
    for nth in range(2, 1_002):
        log.take([event(nth)])
    assert len(disk.calls) - before < 10, "tried once a second, not with every line"
    assert said == [errno.errorcode[error]]
    works_again(disk)
    clock.now_ns += RETRY_NS
    log.take([event(1_002)])
    assert codes(disk, INIT)[0] == "CODE_1"
    assert codes(disk, INIT)[-1] == "CODE_1002"
    assert b"1000 lines could not be written" in bytes(disk.files[INIT].data)
    assert said[1:] == [""]


@pytest.mark.parametrize("error", ERRORS)
def test_it_starts_on_a_disk_that_fails_and_begins_once_it_does_not(error: int) -> None:
    disk, clock = FakeDisk(), Clock()
    fails_from(disk, 0, error)
    log = EventLog(ROOT, disk=disk, monotonic_ns=clock)
    assert log.failure == errno.errorcode[error]
    log.say("v2h-manager 7 owns /house")
    works_again(disk)
    clock.now_ns += RETRY_NS
    log.take([event(1)])
    assert codes(disk, INIT)[-1] == "CODE_1"


def test_it_never_grows_beyond_its_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 400)
    log = EventLog(tmp_path)
    for nth in range(1, 60):
        log.take([event(nth)])
    log.close()
    folder = tmp_path / logs.FOLDER
    files = sorted(path.name for path in folder.iterdir() if path.name.startswith("init"))
    assert files == ["init.log", *(f"init.log.{number}" for number in range(1, logs.KEPT + 1))]
    assert all(path.stat().st_size <= 400 for path in folder.iterdir())
    assert "CODE_59" in (folder / "init.log").read_text()
    newest_of_before = (folder / "init.log.1").read_text().splitlines()[-1].split()[2]
    first_of_now = (folder / "init.log").read_text().splitlines()[0].split()[2]
    assert int(first_of_now[5:]) == int(newest_of_before[5:]) + 1
