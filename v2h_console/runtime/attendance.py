"""Who looks on and who did last: what each person has not seen yet. Bounded, in memory; ``attendance_file`` keeps it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from v2h_console.session.absence import KINDS, Absence, kind, most_telling
from v2h_console.session.snapshot import EventView

#: Events that a page can tell of; on disk the newest of them.
EVENTS_KEPT = 500
EVENTS_ON_DISK = 100
#: Told to one screen: more than any page has room for.
EVENTS_TOLD = 60
#: More people than a site has; the one who was here longest ago is forgotten.
PEOPLE_KEPT = 32
#: Away for less than this is a blink.
BLINK_NS = 1_000_000_000
#: A screen that is still attached counts as looked at for so long after its last key: a line that died without a word
#: keeps its screen for many minutes.
WATCHED_NS = 60_000_000_000
#: A lockout is told by what found it and by the alarm that then stands: within this time the same code counts once.
COUNTED_ONCE_S = 1.0
_PLACE_CELLS = 96
_CODES_KEPT = 512


class Mark(msgspec.Struct, frozen=True):
    """What a person has seen: events up to number ``count``. ``at_ns`` is this process's; a mark from before it has -1."""

    wall_s: float
    count: int
    tally: dict[str, int]
    how: str = "lost"
    place: str = ""
    key_wall_s: float = 0.0
    at_ns: int = -1


class Ledger(msgspec.Struct, frozen=True):
    """All of it, as it is kept on disk. ``ended``: the owner that wrote it ended orderly."""

    count: int = 0
    tally: dict[str, int] = {}
    events: tuple[EventView, ...] = ()
    marks: dict[str, Mark] = {}
    ended: bool = True


class Sitter(Protocol):
    """A seat, as far as it matters here."""

    @property
    def name(self) -> str:
        """The console."""

    @property
    def person(self) -> str:
        """The user, "" where only the console is known."""


class Attendance:
    """May be called from any thread; calls nobody but ``changed``, which must only queue."""

    def __init__(
        self,
        before: Ledger | None = None,
        *,
        changed: Callable[[bool], None] | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``before``: from the owner before this one. ``changed(True)``: somebody came or went, write at once."""
        kept = Ledger() if before is None else before
        self.on_change, self._now_ns, self._wall = changed, now_ns, wall
        self._lock = threading.Lock()
        self._events: deque[EventView] = deque(kept.events, maxlen=EVENTS_KEPT)
        self._count = self._count_at_start = kept.count
        self._tally = {name: kept.tally.get(name, 0) for name in KINDS}
        self._tally_at_start = dict(self._tally)
        self._marks = {person: msgspec.structs.replace(mark, at_ns=-1) for person, mark in kept.marks.items()}
        self._present: dict[Sitter, Mark] = {}
        self._unseen: set[Sitter] = set()
        #: When each screen came, or its last key was pressed.
        self._signs: dict[Sitter, int] = {}
        self._counted: dict[str, float] = {}
        self._ended = False
        #: Whether the owner before ended orderly, as far as its ledger says.
        self.before_ended = kept.ended

    def follow(self, before: Ledger | None) -> None:
        """``before`` again, now that its owner has written the last of it: that comes before everything heard here."""
        if before is None:
            return
        with self._lock:
            self.before_ended = before.ended
            more = before.count - self._count_at_start
            if more < 0:
                return
            grown = {name: before.tally.get(name, 0) - self._tally_at_start[name] for name in KINDS}

            def after(mark: Mark) -> Mark:
                tally = {name: mark.tally.get(name, 0) + grown[name] for name in KINDS}
                return msgspec.structs.replace(mark, count=mark.count + more, tally=tally)

            own = [event for event in self._events if event.sequence > self._count_at_start]
            moved = (msgspec.structs.replace(event, sequence=event.sequence + more) for event in own)
            self._events = deque((*before.events, *moved), maxlen=EVENTS_KEPT)
            self._count, self._count_at_start = self._count + more, before.count
            self._tally = {name: self._tally[name] + grown[name] for name in KINDS}
            self._tally_at_start = {name: self._tally_at_start[name] + grown[name] for name in KINDS}
            # A mark that was made here is younger than any of that owner's; one that was only read here is older.
            self._present = {
                seat: after(mark) if mark.at_ns >= 0 else mark for seat, mark in self._present.items()
            }
            here = {person: after(mark) for person, mark in self._marks.items() if mark.at_ns >= 0}
            there = {person: msgspec.structs.replace(mark, at_ns=-1) for person, mark in before.marks.items()}
            self._marks = {**there, **here}
            while len(self._marks) > PEOPLE_KEPT:
                self._marks.pop(next(iter(self._marks)))

    def took(self, event: EventView) -> None:
        """Something happened; numbered anew, because the owner's own numbers begin again with each owner."""
        with self._lock:
            self._count += 1
            self._events.append(msgspec.structs.replace(event, sequence=self._count))
            counts_as = kind(event)
            if counts_as and abs(event.wall_s - self._counted.get(event.code, -1e9)) > COUNTED_ONCE_S:
                self._tally[counts_as] += 1
                if len(self._counted) >= _CODES_KEPT:
                    self._counted.clear()
                self._counted[event.code] = event.wall_s
        self._changed(False)

    def arrive(self, seat: Sitter, *, started: bool = False) -> Absence | None:
        """Somebody sits down: what was missed, ``None`` where nothing is known of an earlier screen or it is looked at.

        ``started``: the owner starts with this screen, so that what this owner did so far is no news.
        """
        person = _person(seat)
        with self._lock:
            now_ns = self._now_ns()
            self._signs[seat] = now_ns
            others = [mark for other, mark in self._present.items() if _person(other) == person]
            newest = max(others, key=lambda mark: mark.at_ns, default=None)
            left = self._marks.get(person)
            idle = newest is not None and (left is None or left.at_ns < newest.at_ns)
            before = newest if idle else left
            absence = None
            if before is not None and not (idle and now_ns - before.at_ns < WATCHED_NS):
                absence = self._absence(before, "idle" if idle else before.how, now_ns, started)
            if before is not None and absence is not None and absence.happened:
                # Not seen before a key says so: the line may go again before anybody has read the page.
                self._unseen.add(seat)
                self._present[seat] = before
            else:
                # A line that breaks again at once still leads back to where the one before it stood.
                place = before.place if before is not None and before.how == "lost" else ""
                self._present[seat] = self._mark(now_ns, "lost", place, 0.0)
        self._changed(True)
        return absence

    def here(self, seat: Sitter, place: str) -> None:
        """The person has pressed a key and stands at ``place``."""
        with self._lock:
            if seat not in self._present:
                return
            self._unseen.discard(seat)
            self._signs[seat] = self._now_ns()
            self._present[seat] = self._mark(self._now_ns(), "lost", place[:_PLACE_CELLS], self._wall())
        self._changed(False)

    def leave(self, seat: Sitter, how: str) -> None:
        """The screen has gone: lost, failed, left or ended."""
        with self._lock:
            self._signs.pop(seat, None)
            mark = self._present.pop(seat, None)
            if mark is None:
                return
            if seat in self._unseen:
                self._unseen.discard(seat)
            else:
                # What could not be drawn is not led back to.
                place = "" if how == "failed" else mark.place
                mark = self._mark(self._now_ns(), how, place, mark.key_wall_s)
            self._remember(_person(seat), mark)
        self._changed(True)

    def deserted(self, seat: Sitter) -> bool:
        """Whether a screen is still attached and nobody has pressed a key there for a minute."""
        with self._lock:
            sign_ns = self._signs.get(seat)
            return sign_ns is not None and self._now_ns() - sign_ns >= WATCHED_NS

    def end(self) -> None:
        """The owner ends orderly."""
        with self._lock:
            self._ended = True
        self._changed(True)

    def ledger(self) -> Ledger:
        """As it is to be kept: who is here is somebody who will have been here last."""
        with self._lock:
            marks = dict(self._marks)
            for seat, mark in self._present.items():
                marks[_person(seat)] = msgspec.structs.replace(mark, how="ended")
            return Ledger(
                self._count, dict(self._tally), tuple(self._events)[-EVENTS_ON_DISK:], marks, self._ended
            )

    def _changed(self, urgent: bool) -> None:
        if self.on_change is not None:
            self.on_change(urgent)

    def _mark(self, now_ns: int, how: str, place: str, key_wall_s: float) -> Mark:
        return Mark(self._wall(), self._count, dict(self._tally), how, place, key_wall_s, now_ns)

    def _remember(self, person: str, mark: Mark) -> None:
        known = self._marks.pop(person, None)
        if known is not None and known.count > mark.count:
            # A screen on which nobody looked at what was missed ends after one on which somebody did.
            mark = known
        self._marks[person] = mark
        while len(self._marks) > PEOPLE_KEPT:
            self._marks.pop(next(iter(self._marks)))

    def _absence(self, before: Mark, how: str, now_ns: int, started: bool) -> Absence:
        until = self._count_at_start if started else self._count
        tally = self._tally_at_start if started else self._tally
        if before.at_ns >= 0:
            away_s = (now_ns - before.at_ns) / 1e9
        else:
            # Over two owners, and perhaps a boot: only the wall clock spans them. One that went back spans nothing.
            spans_s = self._wall() - before.wall_s
            away_s = spans_s if spans_s >= 0.0 else -1.0
        missed = [event for event in self._events if before.count < event.sequence <= until]
        told = most_telling(missed, EVENTS_TOLD)
        # That the owner then ended is told beside other things; alone it is what this person did or will see.
        news = until - before.count - sum(event.code == "OWNER_ENDED" for event in missed)
        killed = started and not self.before_ended
        return Absence(
            since_wall_s=before.wall_s,
            away_s=away_s,
            how=how,
            place=before.place,
            key_wall_s=before.key_wall_s,
            happened=(news > 0 or killed) and not 0.0 <= away_s * 1e9 < BLINK_NS,
            tally={name: tally[name] - before.tally.get(name, 0) for name in KINDS},
            events=tuple(told),
            more=max(0, until - before.count - len(told)),
            owner="killed" if killed else "started" if started else "",
        )


def _person(seat: Sitter) -> str:
    return seat.person or seat.name
