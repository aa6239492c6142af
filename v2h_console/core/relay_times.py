"""How long the MID takes, at every operation: from the core's command to contacts that say so (S21).

A relay wears: contacts pit, a spring tires. Its times are learned for the predicted closing angle, and their trend is
told before the day on which an outage takes too long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_MS, MidSettings

#: Operations that are remembered; enough for a trend, few enough for a frozen state.
REMEMBERED = 16
#: Fewer operations than these show no trend, only scatter.
TREND_FROM = 8
#: A trend is told when it would reach the alarm within so many more openings.
TREND_AHEAD = 50
#: A closing that took less or more than this is no closing of a sound relay, and teaches nothing.
CLOSING_MS = (5.0, 60.0)


def median(values: Iterable[float]) -> float:
    """The middle value, the upper one of two; of at least one."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


@dataclass(frozen=True, slots=True)
class RelayTimes:
    """Openings since the start: how many, the last and the worst; the newest of both kinds, oldest first.

    ``told_ns``: when a closed MID was told to open, until it is seen open.
    """

    count: int = 0
    last_ms: float | None = None
    worst_ms: float | None = None
    opening_ms: tuple[float, ...] = ()
    closing_ms: tuple[float, ...] = ()
    told_ns: int | None = None


def told_to_open(times: RelayTimes, now_ns: int) -> RelayTimes:
    """The coil is let go, with the contacts closed."""
    return replace(times, told_ns=now_ns)


def opened(times: RelayTimes, at_ns: int | None) -> RelayTimes:
    """The contacts are open since ``at_ns``, as the controller timed it."""
    if times.told_ns is None or at_ns is None or at_ns < times.told_ns:
        return replace(times, told_ns=None)
    took_ms = (at_ns - times.told_ns) / NS_PER_MS
    return replace(
        times,
        count=times.count + 1,
        last_ms=took_ms,
        worst_ms=max(took_ms, times.worst_ms or 0.0),
        opening_ms=(*times.opening_ms, took_ms)[-REMEMBERED:],
        told_ns=None,
    )


def closed(times: RelayTimes, told_ns: int, at_ns: int | None) -> RelayTimes:
    """The contacts are closed since ``at_ns`` after a command at ``told_ns``."""
    if at_ns is None:
        return times
    took_ms = (at_ns - told_ns) / NS_PER_MS
    if not CLOSING_MS[0] <= took_ms <= CLOSING_MS[1]:
        return times
    return replace(times, closing_ms=(*times.closing_ms, took_ms)[-REMEMBERED:])


def closing_time_ms(settings: MidSettings, times: RelayTimes) -> float:
    """Command to contact, for the predicted angle: learned from three closings on, the label's until then."""
    return median(times.closing_ms[-5:]) if len(times.closing_ms) >= 3 else settings.closing_time_ms


def slope_ms(times: RelayTimes) -> float | None:
    """Milliseconds that each opening takes longer than the one before, by the median of all pairs (Theil and Sen):
    one slow opening makes no trend. ``None``: too few to say."""
    values = times.opening_ms
    if len(values) < TREND_FROM:
        return None
    return median(
        (values[later] - values[earlier]) / (later - earlier)
        for earlier in range(len(values))
        for later in range(earlier + 1, len(values))
    )


def wears(settings: MidSettings, times: RelayTimes) -> bool:
    """Whether the trend reaches the alarm soon; an opening that is over it already has its own alarm."""
    slope = slope_ms(times)
    return (
        slope is not None
        and slope > 0.0
        and median(times.opening_ms) + slope * TREND_AHEAD > settings.alarm_open_ms
        # A trend within the scatter of a sound relay is none.
        and slope * len(times.opening_ms) > 2.0
    )
