"""Whether the inverter stopped following the grid by itself: its own anti-islanding sees what voltages cannot.

A load that balances the discharge holds the voltage up when the grid has gone; only the inverter, which pushes against
it, notices. Its stop while we let it run is the first sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import INVERTER_LIMIT_MS, Senses, fresh
from v2h_drivers.capabilities.fast_readings import InverterMode


@dataclass(frozen=True, slots=True)
class FollowerState:
    """``gave_up_ns``: when it was last seen to stop following with its gate on."""

    following: bool = False
    gave_up_ns: int | None = None


def update(state: FollowerState, senses: Senses, *, tied: bool, now_ns: int) -> FollowerState:
    """``tied``: the MID is closed and nobody has told the inverter to stop."""
    if not tied:
        return replace(state, following=False)
    inverter = fresh(senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    if inverter is None:
        return state
    following = inverter.mode is InverterMode.FOLLOWING
    gave_up_ns = inverter.at_ns if state.following and not following else state.gave_up_ns
    return replace(state, following=following, gave_up_ns=gave_up_ns)
