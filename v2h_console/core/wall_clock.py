"""Whether the wall clock may be believed: it runs evenly with the monotonic clock, or it stepped.

Only the tariff asks. What is compared is local time, so that a step of UTC, a change of daylight saving and a changed
zone all look alike: the hour on the wall leapt. After a leap the clock must run evenly for ``STEADY_NS`` again.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_S
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import WallClock

DAY_S = 86_400
STEADY_NS = 30 * NS_PER_S
#: Three readings of one a second.
SILENT_NS = 3 * NS_PER_S
#: A reading is whole seconds and may be late; NTP turns a clock by at most 500 ppm without a step.
TOLERANCE_S = 2.0
SLEW = 0.0005
#: The slew's allowance must not add up to a step: the comparison begins anew this often.
ANCHOR_NS = 3_600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class ClockState:
    """``anchor``: the reading that later ones are compared with; ``doubt``: why the clock is not believed, "" = it is.

    ``stepped_s``: by how much it last leapt; ``steps``: how often.
    """

    reading: WallClock | None = None
    anchor: WallClock | None = None
    steady_since_ns: int | None = None
    stepped_s: float = 0.0
    steps: int = 0
    doubt: str = "the wall clock has not been read"


def update(state: ClockState, reading: WallClock | None, now_ns: int) -> ClockState:
    """Judge the newest reading and its age. Returns the same object while nothing changes."""
    if reading is None:
        return state
    # Equal values in another object (a state that was handed over) are no news.
    if reading is not state.reading and reading != state.reading:
        state = _hear(state, reading)
    doubt = _doubt(state, reading, now_ns)
    return state if doubt == state.doubt else replace(state, doubt=doubt)


def _hear(state: ClockState, reading: WallClock) -> ClockState:
    if reading.quality is not Quality.GOOD or not reading.trusted or not 0 <= reading.second_of_day < DAY_S:
        # What it leapt by before is no news of the time that comes next.
        return replace(state, reading=reading, anchor=None, steady_since_ns=None, stepped_s=0.0)
    anchor = state.anchor
    if anchor is None:
        return replace(state, reading=reading, anchor=reading, steady_since_ns=reading.at_ns)
    passed_s = (reading.at_ns - anchor.at_ns) / NS_PER_S
    leapt_s = _local_s(reading) - _local_s(anchor) - passed_s
    if abs(leapt_s) > TOLERANCE_S + SLEW * abs(passed_s):
        return replace(
            state,
            reading=reading,
            anchor=reading,
            steady_since_ns=reading.at_ns,
            stepped_s=round(leapt_s),
            steps=state.steps + 1,
        )
    if reading.at_ns - anchor.at_ns >= ANCHOR_NS:
        anchor = reading
    return replace(state, reading=reading, anchor=anchor)


def _local_s(reading: WallClock) -> int:
    return reading.day * DAY_S + reading.second_of_day


def _doubt(state: ClockState, reading: WallClock, now_ns: int) -> str:
    if now_ns - reading.at_ns > SILENT_NS:
        return "the wall clock is not read any more"
    if state.anchor is None or state.steady_since_ns is None:
        return reading.doubt or "the wall clock gives no time of day"
    if now_ns - state.steady_since_ns < STEADY_NS:
        if not state.stepped_s:
            return "the wall clock is being watched"
        return f"the wall clock stepped by {state.stepped_s:+.0f} s"
    return ""


def deadlines_ns(state: ClockState) -> tuple[int, ...]:
    """When time alone makes the clock believed, or not any more."""
    if state.reading is None:
        return ()
    ends = [state.reading.at_ns + SILENT_NS + 1]
    if state.steady_since_ns is not None:
        ends.append(state.steady_since_ns + STEADY_NS)
    return tuple(ends)
