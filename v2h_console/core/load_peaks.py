"""What the legs have carried lately: the peaks that admission plans on, and what the uncontrolled circuits may draw.

Kept in whole seconds, so that a step between two of them costs a comparison. Uncontrolled is what is measured beyond
the switched circuits' own meters; a motor's start is longer in the currents than a meter's poll, so each slot counts
with the least that it never fell below.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from v2h_console.core.load_limits import PathsVa
from v2h_console.core.settings import NS_PER_S

#: The 10 s window, in seconds kept.
WINDOW_S = 10
#: Uncontrolled loads are judged by this share of ten minutes, in slots of five seconds.
SLOT_S = 5
SLOTS = 120
PERCENTILE = 0.99

LegsVa = tuple[float, float]
_NOTHING: PathsVa = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Peaks:
    """``second``: the one that runs, with its ``most_va`` and ``least_va``; ``before``: the most of those before it.

    ``slots``: least uncontrolled VA per leg of each slot; ``uncontrolled_va``: their 99th percentile.
    """

    second: int = -1
    most_va: PathsVa = _NOTHING
    least_va: PathsVa = _NOTHING
    before: tuple[PathsVa, ...] = ()
    slot: int = -1
    slot_va: LegsVa | None = None
    slots: tuple[LegsVa, ...] = ()
    uncontrolled_va: LegsVa = (0.0, 0.0)

    def over(self, seconds: int) -> PathsVa:
        """The most that each path carried in the running second and so many before it."""
        kept = (self.most_va, *self.before[len(self.before) - min(seconds, len(self.before)) :])
        one, two, neutral = zip(*kept, strict=True)
        return max(one), max(two), max(neutral)


def update(peaks: Peaks, measured: PathsVa, controlled_va: Callable[[], LegsVa], now_ns: int) -> Peaks:
    """Take one measurement. Returns the same object while it lies within what the second has seen."""
    second = now_ns // NS_PER_S
    if second != peaks.second:
        return _roll(peaks, measured, controlled_va, second)
    most, least = peaks.most_va, peaks.least_va
    if all(low <= va <= high for low, va, high in zip(least, measured, most, strict=True)):
        return peaks
    return Peaks(
        second,
        (max(most[0], measured[0]), max(most[1], measured[1]), max(most[2], measured[2])),
        (min(least[0], measured[0]), min(least[1], measured[1]), min(least[2], measured[2])),
        peaks.before,
        peaks.slot,
        peaks.slot_va,
        peaks.slots,
        peaks.uncontrolled_va,
    )


def _roll(peaks: Peaks, measured: PathsVa, controlled_va: Callable[[], LegsVa], second: int) -> Peaks:
    if peaks.second < 0 or second - peaks.second > WINDOW_S:
        # Nothing seen for so long says nothing of now; the ten minutes stay.
        return Peaks(second, measured, measured, slots=peaks.slots, uncontrolled_va=peaks.uncontrolled_va)
    known = controlled_va()
    free = max(0.0, peaks.least_va[0] - known[0]), max(0.0, peaks.least_va[1] - known[1])
    slot, slot_va, slots, uncontrolled_va = peaks.slot, peaks.slot_va, peaks.slots, peaks.uncontrolled_va
    if slot_va is None or peaks.second // SLOT_S == slot:
        slot_va = free if slot_va is None else (min(slot_va[0], free[0]), min(slot_va[1], free[1]))
    else:
        slots = (*slots, (float(round(slot_va[0])), float(round(slot_va[1]))))[-SLOTS:]
        uncontrolled_va = _percentile([one for one, _ in slots]), _percentile([two for _, two in slots])
        slot_va = free
    before = (*peaks.before, peaks.most_va)[-WINDOW_S:]
    return Peaks(second, measured, measured, before, peaks.second // SLOT_S, slot_va, slots, uncontrolled_va)


def _percentile(values: list[float]) -> float:
    return sorted(values)[math.ceil(PERCENTILE * len(values)) - 1]
