"""The last ten minutes of both legs, kept in the screen: one bucket a second with its least and greatest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from v2h_console.session.snapshot import Snapshot

SPAN_S = 600
#: A young history is drawn over a shorter span, so that the first minutes are not a dot at the right edge.
SPANS_S = (60, 120, 300, SPAN_S)

#: What is kept, in the order of ``Bucket.lows``: house volts L1, L2, load amps L1, L2.
CHANNELS = ("L1 V", "L2 V", "L1 A", "L2 A")


@dataclass(slots=True)
class Bucket:
    """One second: least and greatest per channel, ``None`` where nothing was known."""

    second: int
    lows: list[float | None] = field(default_factory=lambda: [None] * len(CHANNELS))
    highs: list[float | None] = field(default_factory=lambda: [None] * len(CHANNELS))


class LegHistory:
    """Buckets of the last ``SPAN_S`` seconds; ``at_s`` is any steady clock."""

    def __init__(self) -> None:
        self._buckets: deque[Bucket] = deque(maxlen=SPAN_S)

    @property
    def newest_second(self) -> int:
        """The second of the newest bucket, 0 before the first."""
        return self._buckets[-1].second if self._buckets else 0

    def add(self, at_s: float, snapshot: Snapshot) -> None:
        """Take the legs' values of one snapshot."""
        second = int(at_s)
        if not self._buckets or self._buckets[-1].second != second:
            self._buckets.append(Bucket(second))
        bucket = self._buckets[-1]
        house, legs = snapshot.house, snapshot.legs
        values = (house.l1_v.value, house.l2_v.value, legs[0].current_a.value, legs[1].current_a.value)
        for channel, value in enumerate(values):
            if value is None:
                continue
            low, high = bucket.lows[channel], bucket.highs[channel]
            bucket.lows[channel] = value if low is None else min(low, value)
            bucket.highs[channel] = value if high is None else max(high, value)

    def span_s(self, count: int) -> int:
        """The shortest span that holds what is kept and gives each of ``count`` columns a bucket."""
        held_s = self._buckets[-1].second - self._buckets[0].second if self._buckets else 0
        return next((span for span in SPANS_S if span >= held_s + 1 and span >= count), SPAN_S)

    def columns(
        self, channel: int, count: int, now_s: float, span_s: float = SPAN_S
    ) -> list[tuple[float, float] | None]:
        """Least and greatest of ``channel`` in each of ``count`` columns over ``span_s``, oldest first.

        Columns end on whole multiples of their width, so that the picture moves by one column at a time and the
        columns behind the newest never change.
        """
        width_s = span_s / count
        newest = int(now_s / width_s)
        found: list[tuple[float, float] | None] = [None] * count
        for bucket in self._buckets:
            column = count - 1 - (newest - int(bucket.second / width_s))
            low, high = bucket.lows[channel], bucket.highs[channel]
            if not 0 <= column < count or low is None or high is None:
                continue
            held = found[column]
            found[column] = (low, high) if held is None else (min(held[0], low), max(held[1], high))
        return found
