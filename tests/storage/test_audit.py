"""The audit: who did what, in a chain that shows where it was changed and that goes on after a loss of power."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.disks import (
    ERRORS,
    Cut,
    FakeDisk,
    fails_from,
    fails_once,
    power_goes_at,
    works_again,
)
from v2h_console.core.events import Event, Severity
from v2h_console.runtime.audit import BATCH, MOST_WAITING, OWNER, AuditWriter, Who
from v2h_console.session.orders import Order, Receipt
from v2h_console.storage import audit_chain, audit_file
from v2h_console.storage.audit_chain import Head
from v2h_console.storage.audit_file import AuditFile

FOLDER = Path("/audit")
FIRST = FOLDER / "audit-000000000001.jsonl"
OWN = {"at": "2026-07-14T14:02:53.500+00:00", "monotonic_ns": 9, "who": {"name": "owner"}}
TECH = Who("tech (process 7)", "installer", 1000)


def entry(nth: int) -> dict[str, Any]:
    """An entry that tells itself from the others."""
    return {**OWN, "what": "order", "said": {"nth": nth}}


def lines_of(disk: FakeDisk) -> list[dict[str, Any]]:
    """All that stands in the chain, oldest first."""
    names = sorted(name for name in disk.names(FOLDER) if name.endswith(".jsonl"))
    return [json.loads(line) for name in names for line in bytes(disk.files[FOLDER / name].data).splitlines()]


def kept(disk: FakeDisk) -> list[int]:
    """The orders in the chain, by their number."""
    return [line["said"]["nth"] for line in lines_of(disk) if line["what"] == "order"]


def chain(count: int, **bounds: int) -> FakeDisk:
    """A disk with so many orders, one write each."""
    disk = FakeDisk()
    file = AuditFile(FOLDER, disk=disk, **bounds)
    for nth in range(count):
        file.append([entry(nth)], OWN)
    file.close()
    return disk


def verified(rows: Sequence[bytes]) -> list[tuple[int, str]]:
    """The breaks of a file of these lines."""
    report = audit_chain.verify([(FIRST.name, b"".join(row + b"\n" for row in rows))])
    return [(one.line, one.what) for one in report.breaks]


@pytest.fixture(scope="module")
def rows() -> list[bytes]:
    """Nine lines of a good chain."""
    return bytes(chain(9).files[FIRST].data).splitlines()


def test_a_chain_that_nobody_touched_is_whole_over_all_its_files() -> None:
    disk = chain(60, most_bytes=3_000)
    report = audit_file.verify(FOLDER, disk=disk)
    assert report.breaks == ()
    assert report.lines == report.head.sequence == len(lines_of(disk))
    assert len(disk.names(FOLDER)) > 5
    assert kept(disk) == [*range(60)]
    carried = [line["said"]["from"] for line in lines_of(disk) if line["what"] == "audit.continued"]
    assert carried == sorted(name for name in disk.names(FOLDER))[:-1]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_changed_byte_is_found_in_its_line(rows: list[bytes], data: st.DataObject) -> None:
    nth = data.draw(st.integers(0, len(rows) - 1))
    row = bytearray(rows[nth])
    row[data.draw(st.integers(0, len(row) - 1))] ^= data.draw(st.integers(1, 127))
    changed = [*rows[:nth], bytes(row), *rows[nth + 1 :]]
    if b"\n" in row:
        assert verified(changed)[0][0] == nth + 1
    else:
        assert verified(changed) == [(nth + 1, f"altered (sequence {nth + 1} by its place)")]


@pytest.mark.parametrize("nth", range(8))
def test_a_line_that_was_removed_is_missed_in_its_place(rows: list[bytes], nth: int) -> None:
    breaks = audit_file.verify(
        FOLDER, disk=FakeDisk({FIRST: b"".join(row + b"\n" for row in [*rows[:nth], *rows[nth + 1 :]])})
    ).breaks
    assert len(breaks) == 1
    assert breaks[0].line == nth + 1
    assert (f"{nth + 1} removed" if nth else "what was before it is missing") in breaks[0].what


@pytest.mark.parametrize("nth", range(8))
def test_two_lines_that_changed_places_are_found_in_theirs(rows: list[bytes], nth: int) -> None:
    swapped = [*rows[:nth], rows[nth + 1], rows[nth], *rows[nth + 2 :]]
    (line, what), *rest = verified(swapped)
    assert line == (nth + 1 if nth else 2)
    assert "sequence" in what
    assert all(at <= nth + 3 for at, _ in rest)


@pytest.mark.parametrize("nth", range(8))
def test_a_line_with_a_hash_made_to_fit_is_named_by_the_next_one(rows: list[bytes], nth: int) -> None:
    told = json.loads(rows[nth])
    head = Head(told.pop("sequence") - 1, told.pop("previous"))
    del told["hash"]
    told["who"] = {"name": "somebody else"}
    forged, _ = audit_chain.write_line(head, told)
    assert verified([*rows[:nth], forged.rstrip(), *rows[nth + 1 :]])[0] == (nth + 1, audit_chain._FORGED)


@pytest.mark.parametrize(
    "sequence", ["Infinity", "1e999", "[" * 100_000, "null", "[1]"], ids=lambda text: text[:8]
)
def test_a_line_whose_number_is_none_is_altered_though_its_hash_fits(sequence: str) -> None:
    disk = chain(3)
    body = f'{{"sequence":{sequence},"previous":"{audit_chain.GENESIS}"'
    digest = hashlib.sha256(f"{body}}}".encode()).hexdigest()
    disk.files[FIRST].data += f'{body},"hash":"{digest}"}}\n'.encode()
    (found,) = audit_file.verify(FOLDER, disk=disk).breaks
    assert str(found) == f"{FIRST.name}, line 4: altered (sequence 4 by its place)"
    AuditFile(FOLDER, disk=disk).append([entry(3)], OWN)
    assert kept(disk) == [0, 1, 2, 3], "the chain goes on behind the last line that holds"


def test_a_file_that_was_taken_away_is_missed() -> None:
    disk = chain(60, most_bytes=3_000)
    names = sorted(disk.names(FOLDER))
    del disk.files[FOLDER / names[2]]
    (found,) = audit_file.verify(FOLDER, disk=disk).breaks
    assert (found.file, found.line) == (names[3], 1)
    assert "removed" in found.what


def test_the_oldest_files_go_and_the_chain_still_holds() -> None:
    disk = chain(600, most_bytes=1_000, kept=audit_file.KEPT)
    assert len(disk.names(FOLDER)) == audit_file.KEPT + 1
    report = audit_file.verify(FOLDER, disk=disk)
    assert report.breaks == ()
    assert report.first > 1


@settings(max_examples=300, deadline=None)
@given(number=st.integers(0, 60), data=st.data())
def test_after_a_loss_of_power_anywhere_the_chain_goes_on_and_nothing_that_was_promised_is_gone(
    number: int, data: st.DataObject
) -> None:
    disk = FakeDisk()
    file = AuditFile(FOLDER, disk=disk, most_bytes=700)
    promised = 0
    power_goes_at(disk, number)
    with suppress(Cut):
        for nth in range(4):
            file.append([entry(nth)], OWN)
            promised = nth + 1
    for start in range(2):
        disk = disk.power_cut(lambda most: data.draw(st.integers(0, most)))
        torn = audit_file.verify(FOLDER, disk=disk).torn_bytes
        following = AuditFile(FOLDER, disk=disk, most_bytes=700)
        power_goes_at(disk, data.draw(st.integers(0, 30)) if not start else 10_000)
        with suppress(Cut):
            following.append([entry(100 + start)], OWN)
        works_again(disk)
    report = audit_file.verify(FOLDER, disk=disk)
    assert report.breaks == ()
    assert report.torn_bytes == 0
    found = kept(disk)
    assert found[:promised] == [*range(promised)]
    assert found[-1] == 101
    named = [
        name for line in lines_of(disk) if line["what"] == "audit.torn" for name in line["said"]["kept_as"]
    ]
    assert sorted(named) == sorted(name for name in disk.names(FOLDER) if name.startswith("torn-"))
    assert named or not torn


def test_a_torn_last_line_is_kept_aside_byte_for_byte() -> None:
    disk = chain(3)
    whole = bytes(disk.files[FIRST].data)
    torn = whole.splitlines()[-1][:57]
    disk = FakeDisk({FIRST: whole + torn})
    assert audit_file.verify(FOLDER, disk=disk).torn_bytes == len(torn)
    AuditFile(FOLDER, disk=disk).append([entry(3)], OWN)
    assert bytes(disk.files[FOLDER / "torn-000000000004-1.part"].data) == torn
    assert [line["what"] for line in lines_of(disk)] == [*["order"] * 3, "audit.torn", "order"]
    assert audit_file.verify(FOLDER, disk=disk).breaks == ()


CALLS = 80


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("number", range(CALLS))
def test_a_call_that_fails_once_anywhere_costs_nothing(number: int, error: int) -> None:
    disk = chain(2)
    disk.files[FIRST].data += b"torn"
    said: list[str] = []
    writer = AuditWriter(FOLDER, disk=disk, failed=said.append)
    writer._file = AuditFile(FOLDER, disk=disk, most_bytes=900)
    fails_once(disk, number, error)
    for nth in range(4):
        writer.submit(TECH, "order", {"nth": nth})
        if not writer.write():
            assert writer.failure
            assert writer.write(), "the disk is back"
    works_again(disk)
    assert writer.failure == ""
    assert len(said) in (0, 2)
    assert kept(disk) == [0, 1, 0, 1, 2, 3]
    assert audit_file.verify(FOLDER, disk=disk).breaks == ()


def test_so_many_calls_and_no_more_were_tried() -> None:
    disk = chain(2)
    disk.files[FIRST].data += b"torn"
    disk.calls.clear()
    file = AuditFile(FOLDER, disk=disk, most_bytes=900)
    for nth in range(4):
        file.append([entry(nth)], OWN)
    assert 60 < len(disk.calls) <= CALLS


@pytest.mark.parametrize("error", ERRORS)
def test_while_the_disk_fails_lines_wait_and_what_does_not_fit_is_counted(error: int) -> None:
    disk = FakeDisk()
    said: list[str] = []
    writer = AuditWriter(FOLDER, disk=disk, failed=said.append)
    fails_from(disk, 0, error)
    for nth in range(MOST_WAITING + 30):
        writer.submit(TECH, "order", {"nth": nth})
        if nth % 100 == 0:
            assert not writer.write()
    assert len(said) == 1, "said once, not with every try"
    works_again(disk)
    for _ in range(MOST_WAITING // BATCH + 1):
        assert writer.write()
    assert said[1:] == [""]
    assert kept(disk) == [*range(MOST_WAITING)]
    assert [line["said"] for line in lines_of(disk) if line["what"] == "audit.lost"] == [{"lines": 30}]
    assert audit_file.verify(FOLDER, disk=disk).breaks == ()


def test_an_order_stands_there_with_its_author_and_its_answer() -> None:
    disk = FakeDisk()
    writer = AuditWriter(FOLDER, disk=disk, wall_s=lambda: 1_784_037_773.5, monotonic_ns=lambda: 42)
    order = Order("n", "operator.set_discharge_limit", {"kw": float("nan"), "x": "\x1b[2J" + "y" * 5_000})
    writer.ordered(TECH, order, Receipt("n", accepted=True, reason="from the next step on"))
    assert writer.write()
    (line,) = lines_of(disk)
    assert line["sequence"] == 1
    assert (line["at"], line["monotonic_ns"]) == ("2026-07-14T14:02:53.500+00:00", 42)
    assert line["who"] == {"name": "tech (process 7)", "uid": 1000, "role": "installer"}
    said = line["said"]
    assert (said["do"], said["accepted"], said["reason"]) == (
        "operator.set_discharge_limit",
        True,
        "from the next step on",
    )
    assert said["params"]["kw"] == "nan"
    assert len(said["params"]["x"]) < 300
    assert b"\x1b" not in bytes(disk.files[FIRST].data)


def test_lockouts_and_their_end_are_there_and_other_events_are_not() -> None:
    disk = FakeDisk()
    writer = AuditWriter(FOLDER, disk=disk)
    writer.saw([Event(1, "LATCH_KEPT", Severity.WARNING, "From before the start: closing is locked out.")])
    writer.saw(
        [
            Event(2, "CLOSING_LOCKED_OUT", Severity.LOCKOUT, "A pole is welded."),
            Event(2, "GRID_LOST", Severity.INFO, "x"),
        ]
    )
    writer.saw(
        [
            Event(3, "GRID_LOST_CLEARED", Severity.INFO, "x"),
            Event(3, "CLOSING_LOCKED_OUT_CLEARED", Severity.INFO, "Over."),
        ]
    )
    assert writer.write()
    found = [(line["what"], line["said"]["code"]) for line in lines_of(disk)]
    assert found == [
        ("lockout.kept", "LATCH_KEPT"),
        ("lockout", "CLOSING_LOCKED_OUT"),
        ("lockout.over", "CLOSING_LOCKED_OUT"),
    ]


def test_a_wall_clock_that_shows_no_date_stops_nothing() -> None:
    disk = FakeDisk()
    writer = AuditWriter(FOLDER, disk=disk, wall_s=lambda: 1e18)
    writer.submit(OWNER, "start", {})
    assert writer.write()
    assert lines_of(disk)[0]["at"] == "unknown"


def test_the_thread_writes_what_waits_before_it_ends(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path / "audit")
    writer.start()
    for nth in range(2 * BATCH + 3):
        writer.submit(OWNER, "order", {"nth": nth})
    writer.stop()
    writer.join(10.0)
    report = audit_file.verify(tmp_path / "audit")
    assert (report.lines, report.breaks) == (2 * BATCH + 3, ())
    assert (tmp_path / "audit" / FIRST.name).stat().st_mode & 0o777 == 0o640


def test_an_audit_that_somebody_saves_anew_without_its_last_line_end_goes_on_whole(tmp_path: Path) -> None:
    file = AuditFile(tmp_path)
    file.append([entry(0), entry(1)], OWN)
    path = next(tmp_path.glob("audit-*"))
    saved = tmp_path / "saved"
    saved.write_bytes(path.read_bytes().removesuffix(b"\n"))
    saved.replace(path)
    file.append([entry(2)], OWN)
    report = audit_file.verify(tmp_path)
    assert (report.lines, report.breaks) == (3, ())
