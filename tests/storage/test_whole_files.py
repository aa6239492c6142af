"""Files that are replaced whole: the latch, incidents, configurations, whatever the disk does and whenever the power goes."""

from __future__ import annotations

import errno
import json
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.houses import SETTINGS
from tests.storage.disks import (
    ERRORS,
    Cut,
    FakeDisk,
    fails_from,
    fails_once,
    power_goes_at,
    works_again,
)
from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Kept, LatchReceipt
from v2h_console.runtime.latch_file import DAMAGED, LatchWriter, find_latch, read_latch, write_latch
from v2h_console.runtime.recorder import IncidentWriter
from v2h_console.storage import whole_file

PLACE = Path("/state/file")
OLD, NEW = b"the old one, whole", b"the new one, which is a little longer"
LOCKED = PersistLatch(
    4,
    True,
    "islanded",
    Kept(
        lk_close="a pole is welded",
        culprits=("dryer",),
        doubted=("oven", "well"),
        roof_off=True,
        doubted_cars=(("Inverter 2", 22),),
        close_tries=2,
    ),
)
CLEARED = PersistLatch(5, False, "grid requalified", Kept())


def there(disk: FakeDisk, path: Path = PLACE) -> bytes | None:
    """What a program reads there."""
    inode = disk.files.get(path)
    return None if inode is None else bytes(inode.data)


def calls_of(act: Callable[[FakeDisk], object], files: dict[Path, bytes]) -> list[str]:
    """The calls that this makes on a good disk."""
    disk = FakeDisk(files)
    act(disk)
    return disk.calls


WRITES = calls_of(lambda disk: whole_file.write(PLACE, NEW, disk=disk), {PLACE: OLD})


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("number", range(len(WRITES)))
def test_a_write_that_fails_at_any_call_leaves_the_old_file_or_the_new_one(number: int, error: int) -> None:
    disk = FakeDisk({PLACE: OLD})
    fails_once(disk, number, error)
    with pytest.raises(OSError):  # noqa: PT011  (any of the three)
        whole_file.write(PLACE, NEW, disk=disk)
    assert there(disk) == (NEW if WRITES[number] == "sync_folder" else OLD)
    assert [*disk.files] == [PLACE], "no temporary file stays"
    assert disk.still_open == 0


@given(number=st.integers(0, len(WRITES)), data=st.data())
def test_a_loss_of_power_at_any_call_leaves_the_old_file_or_the_new_one(
    number: int, data: st.DataObject
) -> None:
    disk = FakeDisk({PLACE: OLD})
    power_goes_at(disk, number)
    with suppress(Cut):
        whole_file.write(PLACE, NEW, disk=disk)
    found = disk.power_cut(lambda most: data.draw(st.integers(0, most)))
    assert there(found) in (OLD, NEW)
    if number == len(WRITES):
        assert there(found) == NEW, "returned is durable"


@given(number=st.integers(0, 40), data=st.data())
def test_the_latch_is_never_read_as_clear_before_its_clearing_was_asked_for(
    number: int, data: st.DataObject
) -> None:
    disk = FakeDisk()
    receipts: deque[LatchReceipt] = deque()
    writer = LatchWriter(PLACE, receipts, disk=disk)
    asked: list[PersistLatch] = []
    power_goes_at(disk, number)
    with suppress(Cut):
        for record in (LOCKED, CLEARED, PersistLatch(6, True, "tied", Kept())):
            asked.append(record)
            writer.write(record)
    found = read_latch(PLACE, disk.power_cut(lambda most: data.draw(st.integers(0, most))))
    assert found.locked or CLEARED in asked
    if receipts:
        assert found.sequence in (receipts[-1].sequence, asked[-1].sequence), "a receipt is a promise"
        assert found.kept in (receipts[-1].kept, asked[-1].kept)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("number", range(len(WRITES)))
def test_a_latch_that_cannot_be_written_gives_no_receipt_until_it_can(number: int, error: int) -> None:
    disk = FakeDisk()
    write_latch(PLACE, LOCKED, disk)
    receipts: deque[LatchReceipt] = deque()
    said: list[str] = []
    writer = LatchWriter(PLACE, receipts, disk=disk, failed=said.append)
    fails_once(disk, number, error)
    assert not writer.write(CLEARED)
    assert not receipts
    assert said == [writer.failure]
    assert writer.failure
    works_again(disk)
    assert writer.write(CLEARED)
    assert [receipt.sequence for receipt in receipts] == [5]
    assert said[1:] == [""]
    assert read_latch(PLACE, disk) == receipts[0]


@pytest.mark.parametrize("error", ERRORS)
def test_an_incident_waits_for_the_disk(error: int) -> None:
    disk = FakeDisk()
    said: list[str] = []
    writer = IncidentWriter(Path("/incidents"), SETTINGS, disk=disk, failed=said.append)
    path = Path("/incidents/20260714T140253.500Z-grid_lost.v2hincident")
    calls = calls_of(
        lambda good: IncidentWriter(Path("/incidents"), SETTINGS, disk=good).write(path, NEW), {}
    )
    fatal = [number for number, call in enumerate(calls) if call != "names"]
    for number in fatal:
        fails_from(disk, number, error)
        assert not writer.write(path, NEW)
        assert there(disk, path) in (None, NEW)
        works_again(disk)
        assert writer.write(path, NEW)
        assert there(disk, path) == NEW
    assert said == [errno.errorcode[error], ""] * len(fatal)


def test_old_incidents_that_cannot_be_removed_cost_nothing() -> None:
    folder = Path("/incidents")
    disk = FakeDisk({folder / f"2020{nth:04d}-old.v2hincident": b"" for nth in range(300)})
    disk.fail = lambda call, number: ERRORS[1] if call == "remove" else 0
    writer = IncidentWriter(folder, SETTINGS, disk=disk)
    assert writer.write(folder / "2026-new.v2hincident", NEW)
    assert writer.failure == ""


def test_a_record_of_the_version_before_loads_were_remembered_is_read() -> None:
    line = (
        b'{"sequence": 9, "locked": true, "reason": "islanded", "lk_form": "", "lk_close": "a pole is welded", '
        b'"held_open": true, "crc": %d}\n'
    )
    body = {
        "sequence": 9,
        "locked": True,
        "reason": "islanded",
        "lk_form": "",
        "lk_close": "a pole is welded",
        "held_open": True,
    }
    crc = zlib.crc32(json.dumps(body, sort_keys=True).encode())
    found = read_latch(PLACE, FakeDisk({PLACE: line % crc}))
    assert found == LatchReceipt(9, locked=True, kept=Kept(lk_close="a pole is welded", held_open=True))


@given(st.one_of(st.binary(max_size=300), st.sampled_from((b'{"a":"\xff"}', b"[" * 100_000, b"7", b"null"))))
def test_whatever_stands_in_the_record_a_start_reads_it_as_damaged(junk: bytes) -> None:
    assert read_latch(PLACE, FakeDisk({PLACE: junk})) == DAMAGED


def test_what_the_disk_does_not_take_is_kept_aside_as_locked_and_written_by_the_next_start(
    tmp_path: Path,
) -> None:
    path, aside = tmp_path / "var" / "latch", tmp_path / "run" / "latch"
    receipts: deque[LatchReceipt] = deque()
    writer = LatchWriter(path, receipts, aside=aside)
    held = PersistLatch(9, False, "tied", Kept(held_open=True))
    assert not writer.write(held), "there is no such folder"
    assert not receipts, "nothing is durable"
    found, again = find_latch(path, aside)
    assert found == LatchReceipt(9, True, Kept(held_open=True))
    assert again == PersistLatch(9, True, "kept aside", Kept(held_open=True))
    path.parent.mkdir()
    assert LatchWriter(path, receipts, aside=aside).write(again)
    assert find_latch(path, aside) == (receipts[0], None)


def test_a_damaged_record_locks_though_an_older_copy_was_kept_aside(tmp_path: Path) -> None:
    path, aside = tmp_path / "latch", tmp_path / "aside"
    write_latch(aside, PersistLatch(9, True, "tied", Kept()))
    path.write_bytes(b"{")
    found, _ = find_latch(path, aside)
    assert found.kept == Kept(lk_close=DAMAGED.kept.lk_close, held_open=True)
