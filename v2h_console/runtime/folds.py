"""What is said again and again, told once and then by its count; of ever new things no more than a disk has room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

#: The same thing within this time is one line and a count.
FOLDED_NS = 10_000_000_000
#: Refusals that have a line of their own: so many at once, more than a person meets; then one in each ``EACH_NS``.
LINES_AT_ONCE = 60
EACH_NS = 60_000_000_000
#: Users whose numbers stand beside a count of all the others.
MOST_USERS = 8


@dataclass(frozen=True, slots=True)
class Said:
    """Who was answered what. Without the process: whoever comes again from another one is the same person."""

    uid: int | None
    role: str
    do: str
    reason: str = ""
    #: As the first one was called.
    name: str = field(default="", compare=False)


@dataclass(slots=True)
class _Count:
    """How often more until then."""

    until_ns: int
    times: int = 0


class Folds:
    """One thread at a time, which has heard ``due`` before it asks ``again``."""

    def __init__(self) -> None:
        self._counts: dict[Said, _Count] = {}

    def again(self, said: Said) -> bool:
        """Whether a line of it stands already; it is counted then."""
        one = self._counts.get(said)
        if one is not None:
            one.times += 1
        return one is not None

    def begin(self, said: Said, now_ns: int) -> None:
        """Its line is written now."""
        self._counts[said] = _Count(now_ns + FOLDED_NS)

    def due(self, now_ns: int, ending: bool) -> Iterator[tuple[Said, int]]:
        """What came again, and how often, whose time is over; the next one of it has a line of its own."""
        for said, one in tuple(self._counts.items()):
            if ending or now_ns >= one.until_ns:
                del self._counts[said]
                if one.times:
                    yield said, one.times


class Lines:
    """How many more lines there is room for: ``LINES_AT_ONCE``, then one in each ``EACH_NS``."""

    def __init__(self, now_ns: int) -> None:
        self._left, self._at_ns = LINES_AT_ONCE, now_ns

    def may(self, now_ns: int) -> bool:
        """Whether there is room for one more; it counts then."""
        more = (now_ns - self._at_ns) // EACH_NS
        self._left, self._at_ns = min(LINES_AT_ONCE, self._left + more), self._at_ns + more * EACH_NS
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Others:
    """All for which there was no room: one count for everybody, told once in each ``EACH_NS``."""

    def __init__(self) -> None:
        self._count: _Count | None = None
        self._users: set[int] = set()

    def add(self, uid: int | None, now_ns: int) -> None:
        """One more."""
        if self._count is None:
            self._count = _Count(now_ns + EACH_NS)
        self._count.times += 1
        if uid is not None and len(self._users) < MOST_USERS:
            self._users.add(uid)

    def due(self, now_ns: int, ending: bool) -> tuple[int, list[int]]:
        """How many, and of which users (the first ones), once it is time; (0, []) until then."""
        if self._count is None or not (ending or now_ns >= self._count.until_ns):
            return 0, []
        told = self._count.times, sorted(self._users)
        self._count, self._users = None, set()
        return told
