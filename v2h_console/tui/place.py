"""Where a person stands: the view, its filter and the chosen line, as the owner keeps it for the next login.

A line is known by what it says, not by where it stood: what happens meanwhile pushes it down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from v2h_console.tui.picture import Entry
from v2h_console.tui.views import VIEWS

_ALL, _FAULTS = "all", "faults"


@dataclass(frozen=True, slots=True)
class Mark:
    """One alarm or event. Another owner counts its events anew: its ``sequence`` then tells nothing."""

    code: str
    wall_s: float
    sequence: int

    @staticmethod
    def of(entry: Entry) -> Mark:
        """The mark of this line."""
        return Mark(entry.code, entry.wall_s, entry.sequence)

    def index(self, listed: Sequence[Entry]) -> int | None:
        """Where its line stands now; ``None`` = it is gone."""
        alike = None
        for index, entry in enumerate(listed):
            if (entry.code, entry.wall_s) == (self.code, self.wall_s):
                if entry.sequence == self.sequence:
                    return index
                alike = index if alike is None else alike
        return alike


@dataclass(frozen=True, slots=True)
class Place:
    """``text()`` and back; anything that is no place is the first view."""

    view: int = 1
    faults_only: bool = False
    mark: Mark | None = None

    def text(self) -> str:
        """One short line."""
        words = [str(self.view)]
        if self.faults_only or self.mark is not None:
            words.append(_FAULTS if self.faults_only else _ALL)
        if self.mark is not None:
            words += [str(self.mark.sequence), repr(self.mark.wall_s), self.mark.code]
        return " ".join(words)

    @staticmethod
    def read(text: str) -> Place:
        """The place that ``text`` names."""
        words = text.split(" ")
        try:
            view = int(words[0])
            mark = Mark(words[4], float(words[3]), int(words[2])) if len(words) == 5 else None
        except ValueError:
            return Place()
        if view not in VIEWS or (mark is not None and not math.isfinite(mark.wall_s)):
            return Place()
        return Place(view, words[1:2] == [_FAULTS], mark)
