"""A street that comes alive beside a lit house: a source of its own, or the house itself by another way than the MID.

A bypass switch that somebody closes, or a wire between the two sides, carries the house's voltage to where a line worker
holds the street for dead. No pole conducts then, both contacts say open, and to the grid's sense the street is perfect: the
house's own volts and hertz. What tells the two apart is that the house can be turned: its frequency is raised a little, and
a street that has a source of its own stays behind, while one that is fed by the house turns with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.senses import GRID_FAST_LIMIT_MS, MID_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.since import since

#: From here on a leg of the street is alive, and the controller measures the angle between the sides.
ALIVE_PU = 0.5
#: Two sides of one wire, as the angle is measured.
SAME_DEG = 2.0
SAME_MHZ = 50.0
#: By how much the house is turned: a street that slips by no more than the above leaves that angle within 0.25 s.
TURNED_HZ = 0.1
#: Longer than the angle's filter takes after a street that comes alive; longer than any other street stays in the angle.
APART_NS = 100 * NS_PER_MS
FED_NS = 600 * NS_PER_MS

UNTOLD = "the street has come alive, and is not told from the house yet"


@dataclass(frozen=True, slots=True)
class StreetTrial:
    """``alive``: whether the street was at the last look. ``since_ns``: since when it is alive and on trial, ``None`` = it
    is not on trial; ``same_since_ns`` and ``apart_since_ns``: since when the angle has said the one or the other, both
    ``None`` = no angle is known. ``turned``: the house is turned until the end of the trial, since they seemed the same."""

    alive: bool = True
    since_ns: int | None = None
    same_since_ns: int | None = None
    apart_since_ns: int | None = None
    turned: bool = False

    @property
    def turn_hz(self) -> float:
        """By how much the house is to be turned now. A street that slips away by itself is not run after."""
        measured = self.same_since_ns is not None or self.apart_since_ns is not None
        return TURNED_HZ if self.turned and measured else 0.0


#: A street that nobody asks about, or that has shown a source of its own.
FREE = StreetTrial()
DEAD = StreetTrial(alive=False)


def update(trial: StreetTrial, senses: Senses, *, raising: bool, lit: bool, now_ns: int) -> StreetTrial:
    """One look. ``raising``: the house's voltage rises, where the street beside it is judged by its volts; ``lit``: the
    house stands on a voltage of ours alone. A street of which nothing is known is on trial when it is seen again."""
    if not (raising or lit):
        return FREE
    grid = fresh(senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    if grid is None or not any(pu is not None and pu >= ALIVE_PU for pu in (grid.l1_pu, grid.l2_pu)):
        return DEAD
    since_ns = trial.since_ns if trial.alive else now_ns
    if raising or since_ns is None:
        return FREE
    same = _same(senses, now_ns)
    following = StreetTrial(
        since_ns=since_ns,
        same_since_ns=since(trial.same_since_ns, same is True, now_ns),
        apart_since_ns=since(trial.apart_since_ns, same is False, now_ns),
        turned=trial.turned or same is True,
    )
    apart_ns = following.apart_since_ns
    return FREE if apart_ns is not None and now_ns - apart_ns >= APART_NS else following


def _same(senses: Senses, now_ns: int) -> bool | None:
    """Whether the angle is that of two sides of one wire; ``None`` = no angle is known."""
    sync = fresh(senses.sync, now_ns, MID_LIMIT_MS)
    if sync is None or sync.phase_deg is None or sync.slip_mhz is None:
        return None
    return abs(sync.phase_deg) <= SAME_DEG and abs(sync.slip_mhz) <= SAME_MHZ


def fed_by_the_house(trial: StreetTrial, now_ns: int) -> bool:
    """The street has turned with the house for longer than any other street could."""
    return trial.same_since_ns is not None and now_ns - trial.same_since_ns >= FED_NS


def deadlines_ns(trial: StreetTrial) -> tuple[int, ...]:
    """When time alone changes something."""
    clocks = ((trial.same_since_ns, FED_NS), (trial.apart_since_ns, APART_NS))
    return tuple(since_ns + for_ns for since_ns, for_ns in clocks if since_ns is not None)
