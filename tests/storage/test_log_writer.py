"""The log's thread: whoever says something goes on at once, whatever the disk does."""

from __future__ import annotations

import errno
import logging
import threading
from pathlib import Path

from tests.storage.disks import FakeDisk, fails_from
from v2h_console.runtime import log_writer, logs
from v2h_console.runtime.log_writer import LogWriter
from v2h_console.session.snapshot import EventView
from v2h_console.storage.disk import unheard

ROOT = Path("/house")
INIT, ERROR = ROOT / logs.FOLDER / "init.log", ROOT / logs.FOLDER / "error.log"


class StuckDisk(FakeDisk):
    """A disk whose writes wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.waits = threading.Event()

    def write(self, descriptor: int, data: bytes) -> int:
        """As the real one, late."""
        self.waits.set()
        assert self.go_on.wait(20)
        return super().write(descriptor, data)


def event(sequence: int, severity: str = "info") -> EventView:
    """An event as a screen has it."""
    return EventView(sequence, 1_784_037_773.0, f"CODE_{sequence}", severity, "Grid lost.")


def lines(disk: FakeDisk, path: Path) -> list[str]:
    """What stands in the file."""
    return bytes(disk.files[path].data).decode().splitlines()


def test_what_was_said_before_the_end_is_written() -> None:
    disk = FakeDisk()
    log = LogWriter(ROOT, unheard, disk=disk)
    log.took(event(1))
    log.say("ended after a defect", logging.CRITICAL)
    log.start()
    log.stop()
    log.join(20)
    said = [line.split(maxsplit=2)[2] for line in lines(disk, INIT)]
    assert said == ["CODE_1 Grid lost.", "ended after a defect"]
    assert len(lines(disk, ERROR)) == 1


def test_a_disk_that_answers_nothing_holds_up_nobody_and_what_it_cost_is_told() -> None:
    disk = StuckDisk()
    log = LogWriter(ROOT, unheard, disk=disk)
    log.start()
    log.took(event(0))
    assert disk.waits.wait(20)
    for nth in range(1, log_writer.MOST_WAITING + 8):
        log.took(event(nth))
    disk.go_on.set()
    log.stop()
    log.join(20)
    assert not log.is_alive()
    found = lines(disk, INIT)
    assert any("7 lines could not be written: the disk took too long" in line for line in found)
    assert sum("CODE_" in line for line in found) == log_writer.MOST_WAITING + 1


def test_a_disk_that_hangs_at_the_first_call_holds_up_no_start() -> None:
    class HungDisk(FakeDisk):
        def make_folder(self, folder: Path) -> None:
            asked.append(threading.current_thread())
            assert goes_on.wait(20)
            super().make_folder(folder)

    asked, goes_on, disk = list[threading.Thread](), threading.Event(), HungDisk()

    def start() -> None:
        log = LogWriter(ROOT, unheard, disk=disk)
        log.start()
        log.took(event(1))
        log.stop()
        started.append(log)

    started: list[LogWriter] = []
    serves = threading.Thread(target=start)
    serves.start()
    serves.join(5.0)
    hung = serves.is_alive()
    goes_on.set()
    serves.join(5.0)
    started[0].join(5.0)
    assert not hung
    assert asked == [started[0]]
    assert "CODE_1" in lines(disk, INIT)[0]


def test_a_folder_that_cannot_be_made_is_told_at_once() -> None:
    disk, said = FakeDisk(), list[str]()
    fails_from(disk, 0, errno.EROFS)
    log = LogWriter(ROOT, said.append, disk=disk)
    log.start()
    log.stop()
    log.join(20)
    assert set(said) == {"EROFS"}
