"""Whoever may attach gives orders without end: the audit keeps what other people did, and their number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.storage.disks import FakeDisk
from v2h_console.runtime.audit import FOLDER, AuditWriter, Who
from v2h_console.runtime.folds import EACH_NS, FOLDED_NS, LINES_AT_ONCE, MOST_USERS
from v2h_console.session.orders import OPEN_MID, Order, Receipt

WATCHES = "this console only watches"
S = 1_000_000_000


def watcher(process: int, uid: int = 1501) -> Who:
    """One person, from another process each time."""
    return Who(f"watcher (process {process})", "watch", uid)


class Audit:
    """A writer on a disk in memory, whose time is the test's."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.disk = FakeDisk()
        self.writer = AuditWriter(FOLDER, disk=self.disk, monotonic_ns=lambda: self.now_ns)

    def order(self, who: Who, do: str, reason: str = "", **params: str) -> None:
        """One more; with a ``reason`` it was refused."""
        receipt = Receipt("n", accepted=not reason, reason=reason)
        self.writer.ordered(who, Order("n", do, dict(params)), receipt)

    def written(self) -> list[dict[str, Any]]:
        """All that stands there when the owner has ended."""
        self.writer.stop()
        self.writer.run()
        return [json.loads(row) for row in self.rows()]

    def rows(self) -> Iterator[bytes]:
        """As they are on the disk."""
        for name in sorted(self.disk.names(FOLDER)):
            yield from bytes(self.disk.files[FOLDER / name].data).splitlines()


@pytest.fixture
def audit() -> Audit:
    return Audit()


def test_a_person_who_is_refused_in_ever_new_processes_is_one_line_and_a_count(audit: Audit) -> None:
    for process in range(300):
        audit.order(watcher(process), "operator.close_mid", WATCHES)
    audit.order(watcher(7, uid=1502), "operator.close_mid", WATCHES)
    first, other, repeated = audit.written()
    assert (first["who"]["name"], other["who"]["uid"]) == ("watcher (process 0)", 1502)
    assert (repeated["what"], repeated["said"]["times"], repeated["who"]["uid"]) == (
        "order.repeated",
        299,
        1501,
    )


def test_an_hour_of_ever_new_refusals_is_a_line_and_a_count_a_minute_and_none_is_forgotten(
    audit: Audit,
) -> None:
    for second in range(3600):
        audit.now_ns = second * S
        for nth in range(3):
            audit.order(watcher(second), f"made.up_{second}_{nth}", f"no such order: {second}_{nth}")
        assert audit.writer.write()
    lines = audit.written()
    assert len(lines) <= LINES_AT_ONCE + 2 * 60
    assert sum(line["said"].get("times", 1) for line in lines) == 3 * 3600
    assert sum(map(len, audit.rows())) < 100_000


def test_what_others_do_stands_there_in_the_midst_of_a_flood(audit: Audit) -> None:
    for nth in range(2 * LINES_AT_ONCE):
        audit.order(watcher(nth), f"made.up_{nth}", "no such order")
    audit.order(Who("tech (process 7)", "installer", 1000), "operator.load_off", load="range")
    told = [line for line in audit.written() if line["what"] == "order" and line["said"]["accepted"]]
    assert [line["said"]["params"] for line in told] == [{"load": "range"}]


def test_there_is_room_for_another_refusal_once_a_minute(audit: Audit) -> None:
    for nth in range(LINES_AT_ONCE):
        audit.order(watcher(nth), f"made.up_{nth}", "no such order")
    audit.now_ns = EACH_NS - 1
    audit.order(watcher(1), "counted", "no such order")
    audit.now_ns = EACH_NS
    audit.order(watcher(1), "told", "no such order")
    told = [line["said"]["do"] for line in audit.written()]
    assert told[LINES_AT_ONCE:] == ["told", ""]


def test_the_count_of_all_the_others_names_no_more_users_than_it_has_room_for(audit: Audit) -> None:
    for nth in range(LINES_AT_ONCE + 30):
        audit.order(watcher(nth, uid=nth), f"made.up_{nth}", "no such order")
    last = audit.written()[-1]
    assert last["said"]["times"] == 30
    assert last["said"]["uids"].split() == [str(LINES_AT_ONCE + nth) for nth in range(MOST_USERS)]


@pytest.mark.parametrize("do", [OPEN_MID, "x" * 5_000, "😀" * 5_000], ids=["opening", "long", "wide"])
@pytest.mark.parametrize("stuffing", ["y", "😀", '"', "\x1b"])
def test_what_a_stranger_stuffs_into_an_order_is_a_bounded_word(audit: Audit, do: str, stuffing: str) -> None:
    params = {f"key{nth}": stuffing * 5_000 for nth in range(20)}
    audit.order(watcher(1), do, "" if do == OPEN_MID else "no such order", **params)
    assert audit.writer.write()
    (row,) = audit.rows()
    assert len(row) < 1_000
    assert json.loads(row)["said"]["about"].startswith("key0=")


def test_a_refusal_says_in_a_word_what_it_was_about(audit: Audit) -> None:
    audit.order(watcher(1), "operator.load_on", WATCHES, load="range")
    (line,) = audit.written()
    assert line["said"]["about"] == "load=range"


def test_an_opening_that_is_pressed_for_minutes_is_a_line_and_a_count_each_ten_seconds(audit: Audit) -> None:
    for tenth in range(1200):
        audit.now_ns = tenth * S // 10
        audit.order(watcher(tenth), OPEN_MID)
    lines = audit.written()
    assert len(lines) == 2 * 120 * S // FOLDED_NS
    assert sum(line["said"].get("times", 1) for line in lines) == 1200
    assert all(line["said"]["accepted"] for line in lines)


def test_an_opening_after_somebody_did_something_has_a_line_of_its_own(audit: Audit) -> None:
    audit.order(watcher(1), OPEN_MID)
    audit.order(watcher(1), OPEN_MID)
    audit.order(Who("tech (process 7)", "helm", 1000), "operator.close_mid")
    audit.order(watcher(1), OPEN_MID)
    told = [(line["what"], line["said"]["do"]) for line in audit.written()]
    assert told == [
        ("order", OPEN_MID),
        ("order.repeated", OPEN_MID),
        ("order", "operator.close_mid"),
        ("order", OPEN_MID),
    ]


def test_an_opening_by_somebody_else_has_a_line_of_its_own(audit: Audit) -> None:
    audit.order(watcher(1), OPEN_MID)
    audit.order(watcher(1, uid=1502), OPEN_MID)
    assert [line["who"]["uid"] for line in audit.written()] == [1501, 1502]
