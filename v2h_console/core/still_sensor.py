"""A temperature that does not move at all: a working inverter's heatsink is never that quiet (fault class 11).

The last digit of a live sensor moves with its noise. Judged by whole windows of the clock, so that it does not matter
which of the messages within one were heard.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_S

#: With noise of a quarter of the last digit a healthy sensor stands still this long once in millions of years.
WINDOW_NS = 120 * NS_PER_S


@dataclass(frozen=True, slots=True)
class StillState:
    """``window``: the one that runs, by number, ``None`` while the inverter rests; ``moved``: whether anything has
    changed in it; ``stuck``: nothing did in the last whole one."""

    value_c: float | None = None
    window: int | None = None
    whole: bool = False
    moved: bool = False
    stuck: bool = False


def update(state: StillState, value_c: float, at_ns: int, *, working: bool) -> StillState:
    """Take one message. A rest proves nothing either way; only a value that moves clears the verdict."""
    moved = state.value_c is not None and value_c != state.value_c
    if not working:
        return StillState(value_c, stuck=state.stuck and not moved)
    window = at_ns // WINDOW_NS
    if window == state.window:
        if not moved:
            return state
        return replace(state, value_c=value_c, moved=True)
    # The first window after a rest is not a whole one.
    judged = state.whole and state.window == window - 1
    stuck = not state.moved if judged else state.stuck
    return StillState(value_c, window, whole=state.window is not None, moved=moved, stuck=stuck and not moved)
