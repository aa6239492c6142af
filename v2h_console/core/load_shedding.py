"""Which circuits go when a leg carries too much: in one command the smallest set, from the lowest tier up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from v2h_console.core.load_limits import on_leg_va
from v2h_console.core.settings import Circuit

#: More combinations than this are not searched: the largest go first instead. The number shed is the same.
_MOST_COMBINATIONS = 2_000


def smallest_set(candidates: Sequence[tuple[int, Circuit]], leg: int, excess_va: float) -> tuple[int, ...]:
    """Indices to shed, sorted. ``candidates``: (index, circuit) that draw; ``excess_va`` on ``leg`` to be cleared.

    Fewest circuits of the lowest tier, then the least VA, then id. A tier that is not enough goes whole, and the next
    one clears the rest. Everything, when nothing is enough.
    """
    taken: list[int] = []
    left_va = excess_va
    drawing = [(index, circuit) for index, circuit in candidates if on_leg_va(circuit, leg) > 0.0]
    for tier in sorted({circuit.tier for _, circuit in drawing}, reverse=True):
        if left_va <= 0.0:
            break
        rung = sorted(
            (
                (on_leg_va(circuit, leg), circuit.id, index)
                for index, circuit in drawing
                if circuit.tier == tier
            ),
            key=lambda one: (-one[0], one[1]),
        )
        chosen = _clear(rung, left_va)
        taken += [index for _, _, index in chosen]
        left_va -= sum(va for va, _, _ in chosen)
    return tuple(sorted(taken))


def _clear(rung: Sequence[tuple[float, str, int]], excess_va: float) -> Sequence[tuple[float, str, int]]:
    total_va = 0.0
    for count, (va, _, _) in enumerate(rung, start=1):
        total_va += va
        if total_va < excess_va:
            continue
        if math.comb(len(rung), count) > _MOST_COMBINATIONS:
            return rung[:count]
        enough = (some for some in combinations(rung, count) if sum(one[0] for one in some) >= excess_va)
        return min(
            enough,
            key=lambda some: (sum(one[0] for one in some), sorted(one[1] for one in some)),
            default=rung[:count],
        )
    return rung
