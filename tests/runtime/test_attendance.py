"""People come, look away and come back: what each has not seen is kept for each, bounded, over the owner's end too."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.runtime import attendance as words
from v2h_console.runtime.attendance import Attendance, Ledger
from v2h_console.runtime.attendance_file import LedgerWriter, read_ledger, write_ledger
from v2h_console.runtime.desk import Seat
from v2h_console.session.absence import Absence
from v2h_console.session.snapshot import EventView
from v2h_console.tui.panes.away import away_for

NS = 1_000_000_000


class Days:
    """An attendance on clocks that are moved by hand; both begin at 1000 s."""

    def __init__(self, before: Ledger | None = None, at_s: float = 1000.0) -> None:
        self.at_s = at_s
        self.urgent: list[bool] = []
        self.book = Attendance(
            before,
            changed=self.urgent.append,
            now_ns=lambda: int(self.at_s * NS),
            wall=lambda: self.at_s,
        )

    def passes(self, seconds: float) -> None:
        self.at_s += seconds

    def happens(self, code: str, severity: str = "info", text: str = "Something.") -> None:
        self.book.took(EventView(1, self.at_s, code, severity, text))


def seat(person: str, number: int = 1) -> Seat:
    return Seat(f"{person} (process {number})", "helm", person, True)


def missed(absence: Absence | None) -> list[str]:
    assert absence is not None
    return [event.code for event in absence.events] if absence.happened else []


def test_a_lost_line_and_what_came_after_it() -> None:
    days = Days()
    tech = seat("tech")
    assert days.book.arrive(tech) is None, "nothing is known of an earlier screen"
    days.happens("SEEN")
    days.passes(10)
    days.book.here(tech, "4")
    days.passes(5)
    days.book.leave(tech, "lost")
    assert days.urgent[-1] is True
    days.passes(60)
    days.happens("GRID_LOST", "warning", "Grid lost.")
    days.happens("TRANSFER_DONE")
    days.passes(88)
    back = days.book.arrive(seat("tech", 2))
    assert missed(back) == ["GRID_LOST", "TRANSFER_DONE"]
    assert back is not None
    assert (back.since_wall_s, back.away_s, back.how, back.place) == (1015.0, 148.0, "lost", "4")
    assert back.key_wall_s == 1010.0
    assert {name: count for name, count in back.tally.items() if count} == {"outage": 1, "transfer": 1}


def test_nothing_happened_and_a_blink_are_nothing_to_tell() -> None:
    days = Days()
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.leave(tech, "left")
    days.passes(3600)
    again = days.book.arrive(tech)
    assert again is not None
    assert not again.happened
    days.book.leave(tech, "lost")
    days.happens("GRID_LOST", "warning")
    days.passes(0.9)
    assert missed(days.book.arrive(tech)) == []


def test_a_line_that_breaks_again_before_a_key_still_knows_its_place() -> None:
    days = Days()
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.here(tech, "4")
    for _ in range(3):
        days.book.leave(tech, "lost")
        days.passes(5)
        back = days.book.arrive(tech)
        assert back is not None
        assert back.place == "4"
    days.book.leave(tech, "left")
    days.passes(5)
    days.book.arrive(tech)
    days.book.leave(tech, "left")
    back = days.book.arrive(tech)
    assert back is not None
    assert back.place == "", "whoever left begins anew"


def test_each_person_has_missed_something_else() -> None:
    days = Days()
    anna, tech = seat("anna"), seat("tech")
    days.book.arrive(anna)
    days.book.arrive(tech)
    days.book.leave(anna, "left")
    days.passes(5)
    days.happens("FIRST")
    days.book.leave(tech, "lost")
    days.passes(5)
    days.happens("SECOND")
    assert missed(days.book.arrive(anna)) == ["FIRST", "SECOND"]
    assert missed(days.book.arrive(tech)) == ["SECOND"]


def test_a_page_that_nobody_read_comes_again() -> None:
    days = Days()
    first, second, third = seat("tech", 1), seat("tech", 2), seat("tech", 3)
    days.book.arrive(first)
    days.book.here(first, "6")
    days.book.leave(first, "lost")
    days.passes(10)
    days.happens("GRID_LOST", "warning")
    assert missed(days.book.arrive(second)) == ["GRID_LOST"]
    days.passes(10)
    days.book.leave(second, "lost")
    days.passes(10)
    again = days.book.arrive(third)
    assert missed(again) == ["GRID_LOST"]
    assert again is not None
    assert again.place == "6"
    days.book.here(third, "1")
    days.book.leave(third, "left")
    days.passes(10)
    assert missed(days.book.arrive(seat("tech", 4))) == []


def test_a_screen_that_hangs_on_a_dead_line_does_not_count_as_looked_at() -> None:
    days = Days()
    days.book.arrive(seat("tech", 1))
    days.passes(30)
    days.happens("GRID_LOST", "warning")
    assert days.book.arrive(seat("tech", 2)) is None, "the other screen is looked at"
    days.passes(150)
    days.happens("GRID_TIED")
    third = days.book.arrive(seat("tech", 3))
    assert missed(third) == ["GRID_TIED"]
    assert third is not None
    assert third.how == "idle"


def test_a_screen_is_deserted_a_minute_after_its_last_key() -> None:
    days = Days()
    tech = seat("tech")
    assert not days.book.deserted(tech)
    days.book.arrive(tech)
    days.passes(59)
    assert not days.book.deserted(tech)
    days.passes(1)
    assert days.book.deserted(tech)
    days.book.here(tech, "1")
    assert not days.book.deserted(tech)
    days.passes(60)
    days.book.leave(tech, "lost")
    assert not days.book.deserted(tech)


def test_a_clock_that_is_behind_after_a_power_failure_hides_nothing_that_was_missed() -> None:
    days = Days(at_s=1_800_000_000.0)
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.leave(tech, "lost")
    days.passes(3600)
    days.happens("MID_NOT_PROVEN_OPEN", "lockout")
    after = Days(days.book.ledger(), at_s=1_799_990_000.0)
    after.happens("OWNER_STARTED")
    back = after.book.arrive(seat("tech", 2))
    assert missed(back) == ["MID_NOT_PROVEN_OPEN", "OWNER_STARTED"]
    assert back is not None
    assert back.away_s < 0.0
    assert away_for(back.away_s) == "for how long is not known"


def test_marks_and_numbers_outlive_the_owner() -> None:
    days = Days()
    tech, anna = seat("tech"), seat("anna")
    days.book.arrive(tech)
    days.book.arrive(anna)
    days.book.leave(tech, "lost")
    days.passes(5)
    days.happens("GRID_LOST", "warning")
    days.passes(1)
    days.book.here(anna, "1")
    kept = days.book.ledger()
    assert not kept.ended

    after = Days(kept, at_s=2000.0)
    after.happens("OWNER_STARTED")
    tech_back, anna_back = after.book.arrive(tech), after.book.arrive(anna)
    assert missed(tech_back) == ["GRID_LOST", "OWNER_STARTED"]
    assert missed(anna_back) == ["OWNER_STARTED"]
    assert tech_back is not None
    assert anna_back is not None
    assert (tech_back.how, anna_back.how) == ("lost", "ended")
    assert tech_back.tally["restart"] == 1
    assert tech_back.away_s == 1000.0, "over two owners only the wall clock spans it"


def test_whoever_starts_the_owner_hears_of_the_owner_before_it_alone() -> None:
    days = Days()
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.leave(tech, "left")
    days.happens("OWNER_ENDED")
    days.book.end()
    nothing = Days(days.book.ledger(), at_s=2000.0)
    nothing.happens("OWNER_STARTED")
    started = nothing.book.arrive(tech, started=True)
    assert started is not None
    assert not started.happened
    days.passes(100)
    days.happens("GRID_LOST", "warning")
    something = Days(days.book.ledger(), at_s=2000.0)
    something.happens("OWNER_STARTED")
    back = something.book.arrive(tech, started=True)
    assert missed(back) == ["OWNER_ENDED", "GRID_LOST"]
    assert back is not None
    assert back.tally["restart"] == 0


def test_it_stays_bounded_and_says_how_much_it_no_longer_holds() -> None:
    days = Days()
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.leave(tech, "lost")
    for number in range(5 * words.EVENTS_KEPT):
        days.happens(f"CODE_{number}", "alarm" if number == 5 * words.EVENTS_KEPT - 100 else "info")
    for number in range(3 * words.PEOPLE_KEPT):
        other = seat(f"person{number}")
        days.book.arrive(other)
        days.book.leave(other, "left")
    days.passes(10)
    kept = days.book.ledger()
    assert len(kept.events) == words.EVENTS_ON_DISK
    assert len(kept.marks) == words.PEOPLE_KEPT
    assert days.book.arrive(tech) is None, "whoever was here longest ago is forgotten"
    last = days.book.arrive(seat(f"person{3 * words.PEOPLE_KEPT - 1}"))
    assert last is not None
    days.book.leave(seat("nobody"), "lost")


def test_the_most_telling_are_told_and_the_rest_is_counted() -> None:
    days = Days()
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.leave(tech, "lost")
    days.happens("MID_DID_NOT_OPEN", "lockout")
    for number in range(2 * words.EVENTS_KEPT):
        days.happens(f"LOAD_RETURNED_{number}")
        if number == words.EVENTS_KEPT + 50:
            days.happens("GRID_LOST", "warning")
    days.passes(10)
    back = days.book.arrive(tech)
    assert back is not None
    assert len(back.events) == words.EVENTS_TOLD
    assert back.events[0].code == "GRID_LOST"
    assert back.more == 2 * words.EVENTS_KEPT + 2 - words.EVENTS_TOLD
    assert (back.tally["lockout"], back.tally["outage"]) == (1, 1), "counted although no longer held"


def test_a_lockout_that_is_told_twice_counts_once() -> None:
    days = Days()
    tech = seat("tech")
    days.book.arrive(tech)
    days.book.leave(tech, "lost")
    days.passes(5)
    days.happens("FORMING_LOCKED_OUT", "lockout")
    days.passes(0.02)
    days.happens("FORMING_LOCKED_OUT", "lockout")
    days.passes(30)
    days.happens("FORMING_LOCKED_OUT", "lockout")
    back = days.book.arrive(tech)
    assert back is not None
    assert back.tally["lockout"] == 2


@given(st.lists(st.sampled_from(["event", "go", "come", "key", "wait"]), max_size=80))
def test_whatever_happens_between_two_looks_is_told_or_counted(moves: list[str]) -> None:
    days = Days()
    tech = seat("tech")
    present, unseen, since_seen = False, False, 0
    known = False
    for move in moves:
        if move == "event":
            days.happens("X")
            if present and not unseen:
                since_seen = 0
            else:
                since_seen += 1
        elif move == "wait":
            days.passes(2)
        elif move == "key" and present:
            days.book.here(tech, "1")
            unseen, since_seen = False, 0
        elif move == "go" and present:
            days.book.leave(tech, "lost")
            present = False
        elif move == "come" and not present:
            days.passes(2)
            back = days.book.arrive(tech)
            assert (back is not None) == known
            if back is not None:
                assert len(back.events) + back.more == since_seen
                assert back.happened == (since_seen > 0)
            present, known = True, True
            unseen = back is not None and back.happened
            since_seen = since_seen if unseen else 0


def test_the_file_gives_back_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "attendance.json"
    assert read_ledger(path) is None
    days = Days()
    days.book.arrive(seat("tech"))
    days.happens("GRID_LOST", "warning", 'Grid "lost".\n')
    write_ledger(path, days.book.ledger())
    assert read_ledger(path) == days.book.ledger()
    whole = path.read_bytes()
    for spoiled in (
        b"",
        whole[:-5],
        b"[]",
        b'{"count": "x"}',
        b"\xff\xfe",
        whole.replace(b'"marks"', b'"marks" :'),
    ):
        path.write_bytes(spoiled)
        assert read_ledger(path) is None or spoiled.startswith(b'{"count":')
    path.write_bytes(b" " * (1 << 21))
    assert read_ledger(path) is None


def until(holds: object, limit_s: float = 5.0) -> None:
    ends_s = time.monotonic() + limit_s
    assert callable(holds)
    while not holds():
        assert time.monotonic() < ends_s, "it never came"
        time.sleep(0.005)


def test_somebody_who_goes_is_written_at_once_and_keys_wait(tmp_path: Path) -> None:
    path = tmp_path / "attendance.json"
    days = Days()
    writer = LedgerWriter(path, days.book.ledger, period_s=60.0)
    writer.start()
    days.book.arrive(seat("tech"))
    writer.changed(False)
    time.sleep(0.1)
    assert not path.exists()
    writer.changed(True)
    until(path.exists)
    writer.stop()
    writer.join(5.0)
    assert not writer.is_alive()


@pytest.mark.parametrize("kind", ["folder missing", "in the way"])
def test_a_disk_that_fails_is_said_and_does_not_end_the_writer(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state" / "attendance.json"
    if kind == "in the way":
        path.mkdir(parents=True)
    told: list[str] = []
    writer = LedgerWriter(path, Ledger, period_s=0.01, failed=told.append)
    writer.start()
    for _ in range(3):
        writer.changed(True)
        until(lambda: writer.failure)
        time.sleep(0.02)
    assert len(told) == 1
    assert str(path) in told[0]
    if kind == "in the way":
        path.rmdir()
    else:
        path.parent.mkdir()
    writer.changed(True)
    until(path.exists)
    until(lambda: not writer.failure)
    writer.stop()
    writer.join(5.0)
    assert read_ledger(path) == Ledger()


def test_what_the_owner_before_wrote_last_comes_before_what_this_one_has_heard() -> None:
    old = Days()
    gone, looks_on = seat("gone"), seat("tech")
    for person in (gone, looks_on):
        old.book.arrive(person)
    old.happens("FIRST")
    old.passes(2)
    read_early = old.book.ledger()
    old.book.here(looks_on, "3")
    old.happens("GRID_LOST", "warning", "Grid lost.")
    old.book.leave(gone, "left")
    old.happens("OWNER_ENDED")
    old.book.end()

    new = Days(read_early, old.at_s + 5)
    back = seat("new")
    assert new.book.arrive(back) is None
    new.happens("HERE", "warning", "Grid lost.")
    new.passes(5)
    new.book.leave(back, "left")
    assert not new.book.before_ended
    new.book.follow(old.book.ledger())
    assert new.book.before_ended
    assert [event.code for event in new.book.ledger().events] == ["FIRST", "GRID_LOST", "OWNER_ENDED", "HERE"]
    assert [event.sequence for event in new.book.ledger().events] == [1, 2, 3, 4]
    new.passes(60)
    new.happens("LATER")
    assert missed(new.book.arrive(seat("gone", 2))) == ["OWNER_ENDED", "HERE", "LATER"]
    assert missed(new.book.arrive(seat("new", 2))) == ["LATER"]
    assert new.book.ledger().count == 5


def test_a_ledger_that_nobody_wrote_on_changes_nothing() -> None:
    old = Days()
    old.book.arrive(seat("tech"))
    old.happens("GRID_LOST", "warning", "Grid lost.")
    new = Days(old.book.ledger(), 1020.0)
    before = new.book.ledger()
    for again in (old.book.ledger(), None):
        new.book.follow(again)
        assert new.book.ledger() == before
