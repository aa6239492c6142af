"""Whether the street side of an open MID is fed by the house (back-feed), or lives by itself.

What is fed through something rises with what feeds it, in a ratio that stays. A street that comes back by itself was
dead beside a house that already had voltage, or stands above it, or lives on when the house is dark again.
"""

from __future__ import annotations

from v2h_console.core import guards
from v2h_console.core.frozen import replace
from v2h_console.core.grid_monitor import DEAD_PU
from v2h_console.core.senses import GRID_FAST_LIMIT_MS, HOUSE_FAST_LIMIT_MS, fresh
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import FaultCause, IslandingState, Mode, State

BACKFEED = "the street side followed the house"
#: Both sides of one wire are measured within this.
FOLLOWS_PU = 0.02
#: From here the ratio of the two sides says something.
TELLING_PU = 0.3
#: A street that lives by itself has this much on a leg, soon after the fault (an owner may be held up meanwhile; one
#: that comes back later may have been fed before), and beside a dead house for so long. The house's own filter has taken
#: 20 ms by then to say that it is dead; a recloser's try is over after 100.
LIVES_PU = 0.5
LIVES_AT_ONCE_NS = 500 * NS_PER_MS
APART_NS = 40 * NS_PER_MS


def follows(state: State, now_ns: int) -> bool:
    """The street side, dead when forming began, rises with the house.

    It can be no higher than what feeds it, nor than the ratio that was seen before.
    """
    grid = fresh(state.senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    if grid is None or house is None or not state.islanding.grid_was_dead:
        return False
    legs = zip((grid.l1_pu, grid.l2_pu), (house.l1_pu, house.l2_pu), state.islanding.coupling, strict=True)
    return any(
        grid_pu is not None and house_pu is not None and DEAD_PU < grid_pu <= most * house_pu + FOLLOWS_PU
        for grid_pu, house_pu, most in legs
    )


def observe(state: State, islanding: IslandingState, now_ns: int) -> IslandingState:
    """Keep the most of the house's voltage that can be reaching each street leg, and since when the street lives on
    beside gates that were turned off."""
    grid = fresh(state.senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    if islanding.mode is Mode.FAULT_OPEN:
        lives = grid is not None and any(pu is not None and pu >= LIVES_PU for pu in (grid.l1_pu, grid.l2_pu))
        since_ns = islanding.street_lives_since_ns
        return replace(
            islanding, street_lives_since_ns=(now_ns if since_ns is None else since_ns) if lives else None
        )
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    # An older look at the street, beside a house that rises, would make the ratio too small.
    if islanding.mode is not Mode.FORMING or grid is None or house is None or grid.at_ns < house.at_ns:
        return islanding
    legs = zip((grid.l1_pu, grid.l2_pu), (house.l1_pu, house.l2_pu), islanding.coupling, strict=True)
    first, second = (_most(*leg) for leg in legs)
    return replace(islanding, coupling=(first, second))


def _most(grid_pu: float | None, house_pu: float | None, most: float) -> float:
    if grid_pu is None or house_pu is None or house_pu < TELLING_PU:
        return most
    return min(most, (grid_pu + FOLLOWS_PU) / house_pu)


def lives_apart(state: State, now_ns: int) -> bool:
    """What was taken for back-feed was the street itself: it lives on though the gates were turned off, and
    the house beside it is dead. No closed pole lets that be."""
    islanding = state.islanding
    lives_ns, dead_ns = islanding.street_lives_since_ns, islanding.dead_since_ns
    return (
        islanding.fault_cause is FaultCause.BACKFEED
        and state.proof.proven
        and lives_ns is not None
        and lives_ns - islanding.since_ns <= LIVES_AT_ONCE_NS
        and dead_ns is not None
        and now_ns - max(lives_ns, dead_ns) >= APART_NS
        and guards.bus_is_dead(state, now_ns)
    )
