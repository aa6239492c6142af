"""The one judgement of whether a circuit may start: per leg and neutral, for every window.

The island's returns, the cold pick-up before forming and the what-if all ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from v2h_console.core.load_limits import HORIZON_NAMES, PATHS, Limits, PathsVa, running_va, start_multiple
from v2h_console.core.load_peaks import WINDOW_S, Peaks
from v2h_console.core.settings import Circuit

NOTHING: PathsVa = (0.0, 0.0, 0.0)
NO_PEAKS = Peaks()
#: What is there already, per window.
BaseVa = tuple[PathsVa, PathsVa, PathsVa]


def table_sum(circuits: Iterable[Circuit]) -> PathsVa:
    """Running VA of these. The neutral carries the worse leg's alone: the other's loads may rest."""
    one = two = single_1 = single_2 = 0.0
    for circuit in circuits:
        leg_1, leg_2, neutral = running_va(circuit)
        one += leg_1
        two += leg_2
        if neutral:
            single_1 += leg_1
            single_2 += leg_2
    return one, two, max(single_1, single_2)


def base(measured: PathsVa | None, on: Sequence[Circuit], peaks: Peaks = NO_PEAKS) -> BaseVa:
    """Per window the larger of its measured peak and the table's sum of those believed on, uncontrolled ones added.

    The 100 ms window takes the peak of the last second and a part, which is no less.
    """
    one, two, neutral = table_sum(on)
    free_1, free_2 = peaks.uncontrolled_va
    table = one + free_1, two + free_2, neutral + max(free_1, free_2)
    if measured is None:
        return table, table, table
    now = _larger(measured, table)
    return _larger(now, peaks.over(1)), _larger(now, peaks.over(WINDOW_S)), now


def _larger(one: PathsVa, two: PathsVa) -> PathsVa:
    return max(one[0], two[0]), max(one[1], two[1]), max(one[2], two[2])


def refusal(
    candidate: Circuit, base_va: BaseVa, on: Iterable[Circuit], bounds: Limits, share: float = 1.0
) -> str:
    """Why ``candidate`` may not start on top of ``base_va``; "" when it may.

    One self-cycling load of those ``on`` may start again in the same instant: its inrush is kept free. ``share`` of
    the limits: below 1 is headroom asked of a circuit that has been shed before.
    """
    ceiling_va = candidate.island_ceiling_va
    if ceiling_va is not None and candidate.running_va > ceiling_va:
        return f"it draws {candidate.running_va:.0f} VA, while islanded {ceiling_va:.0f} VA are allowed"
    running = running_va(candidate)
    cycling = [(running_va(one), one) for one in on if one.inrush_multiple > 1.0 and one.inrush_s > 0.0]
    for horizon, row in enumerate(bounds.planned_va):
        multiple = start_multiple(candidate, horizon)
        for path, limit_va in enumerate(row):
            added_va = running[path] * multiple
            if added_va <= 0.0:
                continue
            again_va = max(
                (va[path] * (start_multiple(one, horizon) - 1.0) for va, one in cycling), default=0.0
            )
            total_va = base_va[horizon][path] + added_va + again_va
            if total_va > limit_va * share:
                return (
                    f"{total_va:.0f} VA on {PATHS[path]} ({HORIZON_NAMES[horizon]}), "
                    f"allowed {limit_va * share:.0f} VA"
                )
    return ""


def cold_pickup(circuits: Sequence[Circuit], bounds: Limits, fixed: Sequence[int] = ()) -> list[int]:
    """Indices that must be off before forming: all that stays connected starts at once, must-run first.

    Taken in by tier, then by place in the table, each on top of the starts of those before it. ``fixed``: indices of
    those that cannot be switched off, and so come first.
    """
    inrush = [[0.0, 0.0, 0.0] for _ in bounds.planned_va]
    dropped = []
    for index in sorted(range(len(circuits)), key=lambda one: (one not in fixed, circuits[one].tier, one)):
        running = running_va(circuits[index])
        added = [
            [va * start_multiple(circuits[index], horizon) for va in running]
            for horizon in range(len(bounds.planned_va))
        ]
        fits = all(
            va <= 0.0 or before + va <= limit
            for befores, vas, row in zip(inrush, added, bounds.planned_va, strict=True)
            for before, va, limit in zip(befores, vas, row, strict=True)
        )
        if not fits and index not in fixed:
            dropped.append(index)
            continue
        for befores, vas in zip(inrush, added, strict=True):
            for path, va in enumerate(vas):
                befores[path] += va
    return sorted(dropped)
