"""A street that comes alive beside a lit house: a source of its own, or the house itself by another way than the MID.

A bypass switch that somebody closes, or a wire between the two sides, carries the house's voltage to where a line worker
holds the street for dead. No pole conducts then, both contacts say open, and to the grid's sense the street is perfect: the
house's own volts and hertz. What tells the two apart is that the house can be turned: its frequency is raised a little, and
a street that has a source of its own stays behind, while one that is fed by the house turns with it. The angle between the
two says nothing: a wire may cross the legs, and what feeds through a transformer stands at an angle of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.senses import CYCLE_LIMIT_MS, GRID_FAST_LIMIT_MS, MID_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.since import since

#: From here on a leg of the street is alive, and the controller measures the slip between the sides.
ALIVE_PU = 0.5
#: Two sides of one wire, as their slip is measured.
SAME_MHZ = 50.0
#: By how much the house is turned: what slipped by no more than the above then slips by twice that.
TURNED_HZ = 0.15
#: Longer than the slip's filter takes after a street that comes alive; longer than the inverter takes to turn.
APART_NS = 100 * NS_PER_MS
FED_NS = 600 * NS_PER_MS
#: A street that flutters, or whose slip nobody measures, is not lit for longer than this to find out.
UNTOLD_NS = 2_000 * NS_PER_MS
#: One that comes and goes is still the same for so long.
GONE_NS = 1_000 * NS_PER_MS

UNTOLD = "the street has come alive, and is not told from the house yet"


@dataclass(frozen=True, slots=True)
class StreetTrial:
    """``alive``: whether the street was at the last look. ``since_ns``: since when it is on trial, ``None`` = it is not;
    ``same_since_ns`` and ``apart_since_ns``: since when the slip has said the one or the other, both ``None`` = it is not
    known. ``turned``: the house is turned until the end of the trial, since they seemed the same. ``gone_ns``: since when
    a street on trial is dead again."""

    alive: bool = True
    since_ns: int | None = None
    same_since_ns: int | None = None
    apart_since_ns: int | None = None
    turned: bool = False
    gone_ns: int | None = None

    @property
    def turn_hz(self) -> float:
        """By how much the house is to be turned now. A street that slips away by itself is not run after."""
        measured = self.same_since_ns is not None or self.apart_since_ns is not None
        return TURNED_HZ if self.turned and measured else 0.0


#: A street that nobody asks about, or that has shown a source of its own.
FREE = StreetTrial()
DEAD = StreetTrial(alive=False)


def update(trial: StreetTrial, senses: Senses, *, raising: bool, lit: bool, now_ns: int) -> StreetTrial:
    """One look. ``raising``: the house's voltage rises, nobody can turn it yet; ``lit``: it stands on a voltage of ours
    alone. A street that is alive while the house is neither needs no trial; one of which nothing is known is on trial when
    it is seen again."""
    grid = fresh(senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    alive = grid is not None and any(pu is not None and pu >= ALIVE_PU for pu in (grid.l1_pu, grid.l2_pu))
    if not (raising or lit):
        return FREE if alive else DEAD
    if not alive:
        return _gone(trial, now_ns)
    if trial.alive and trial.since_ns is None:
        return FREE
    since_ns = now_ns if trial.since_ns is None else trial.since_ns
    if raising:
        return StreetTrial(since_ns=since_ns)
    slip_mhz = _slip_mhz(senses, now_ns)
    same = None if slip_mhz is None else abs(slip_mhz) <= SAME_MHZ
    apart_ns = since(trial.apart_since_ns, same is False, now_ns)
    if apart_ns is not None and now_ns - apart_ns >= APART_NS:
        return FREE
    return StreetTrial(
        since_ns=since_ns,
        same_since_ns=since(trial.same_since_ns, same is True, now_ns),
        apart_since_ns=apart_ns,
        turned=trial.turned or same is True,
    )


def _gone(trial: StreetTrial, now_ns: int) -> StreetTrial:
    """An arc that goes out and lights again does not begin the trial anew."""
    if trial.since_ns is None:
        return DEAD
    gone_ns = now_ns if trial.gone_ns is None else trial.gone_ns
    if now_ns - gone_ns >= GONE_NS:
        return DEAD
    return StreetTrial(alive=False, since_ns=trial.since_ns, turned=trial.turned, gone_ns=gone_ns)


def _slip_mhz(senses: Senses, now_ns: int) -> float | None:
    """House against street; where no angle is measured (a leg of the street is dead), by what each side counts."""
    sync = fresh(senses.sync, now_ns, MID_LIMIT_MS)
    if sync is not None and sync.phase_deg is not None and sync.slip_mhz is not None:
        return sync.slip_mhz
    house = fresh(senses.house_cycle, now_ns, CYCLE_LIMIT_MS)
    street = fresh(senses.grid_cycle, now_ns, CYCLE_LIMIT_MS)
    if house is None or street is None or house.frequency_hz is None or street.frequency_hz is None:
        return None
    return 1_000.0 * (house.frequency_hz - street.frequency_hz)


def fed_by_the_house(trial: StreetTrial, now_ns: int) -> bool:
    """The street has turned with the house for longer than any other could, or does not show what it is."""
    if not trial.alive or trial.since_ns is None:
        return False
    same_ns = trial.same_since_ns
    return (same_ns is not None and now_ns - same_ns >= FED_NS) or now_ns - trial.since_ns >= UNTOLD_NS


def deadlines_ns(trial: StreetTrial) -> tuple[int, ...]:
    """When time alone changes something."""
    clocks = (
        (trial.same_since_ns, FED_NS),
        (trial.apart_since_ns, APART_NS),
        (trial.since_ns, UNTOLD_NS),
        (trial.gone_ns, GONE_NS),
    )
    return tuple(since_ns + for_ns for since_ns, for_ns in clocks if since_ns is not None)
