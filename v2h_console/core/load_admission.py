"""The one judgement of whether a circuit may start: per leg and neutral, for every window.

The island's returns, the cold pick-up before forming and the what-if all ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from v2h_console.core.load_limits import HORIZON_NAMES, PATHS, Limits, PathsVa, running_va, start_multiple
from v2h_console.core.settings import Circuit

NOTHING: PathsVa = (0.0, 0.0, 0.0)


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


def base(measured: PathsVa | None, on: Sequence[Circuit]) -> PathsVa:
    """The larger of what is measured and what the table says of the circuits believed on."""
    table = table_sum(on)
    if measured is None:
        return table
    return max(measured[0], table[0]), max(measured[1], table[1]), max(measured[2], table[2])


def refusal(
    candidate: Circuit, base_va: PathsVa, on: Iterable[Circuit], bounds: Limits, share: float = 1.0
) -> str:
    """Why ``candidate`` may not start on top of ``base_va``; "" when it may.

    One self-cycling load of those ``on`` may start again in the same instant: its inrush is kept free. ``share`` of
    the limits: below 1 is headroom asked of a circuit that has been shed before.
    """
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
            total_va = base_va[path] + added_va + again_va
            if total_va > limit_va * share:
                return (
                    f"{total_va:.0f} VA on {PATHS[path]} ({HORIZON_NAMES[horizon]}), "
                    f"allowed {limit_va * share:.0f} VA"
                )
    return ""


def cold_pickup(circuits: Sequence[Circuit], bounds: Limits) -> list[int]:
    """Indices that must be off before forming: all that stays connected starts at once, must-run first.

    Taken in by tier, then by place in the table, each on top of the starts of those before it.
    """
    inrush = [[0.0, 0.0, 0.0] for _ in bounds.planned_va]
    dropped = []
    for index in sorted(range(len(circuits)), key=lambda one: (circuits[one].tier, one)):
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
        if not fits:
            dropped.append(index)
            continue
        for befores, vas in zip(inrush, added, strict=True):
            for path, va in enumerate(vas):
                befores[path] += va
    return sorted(dropped)
