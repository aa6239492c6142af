"""What the lane collects by hand, and what it stops looking at."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from v2h_console.runtime.garbage import (
    ALIVE_MOST,
    FULL_WHEN_QUIET_NS,
    PASSES_ABOVE,
    GarbagePlan,
    take_over,
)


@pytest.fixture
def by_hand() -> Iterator[None]:
    """Nothing collects by itself, and what the tests themselves hold is out of sight."""
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def passes(plan: GarbagePlan, count: int, from_ns: int) -> int:
    """So many full passes in a quiet house; the time after them."""
    for nth in range(count):
        plan.run_if_due(from_ns + (nth + 1) * FULL_WHEN_QUIET_NS, quiet=True)
    return from_ns + count * FULL_WHEN_QUIET_NS


@pytest.mark.usefixtures("by_hand")
def test_what_is_there_to_stay_is_looked_at_for_a_minute_only() -> None:
    plan = GarbagePlan()
    plan.run_if_due(1, quiet=True)
    frozen = gc.get_freeze_count()
    kept: list[list[object]] = [[] for _ in range(ALIVE_MOST + 1_000)]
    now_ns = passes(plan, PASSES_ABOVE - 1, 1)
    assert gc.get_freeze_count() <= frozen
    passes(plan, 1, now_ns)
    assert gc.get_freeze_count() >= frozen + len(kept)


@pytest.mark.usefixtures("by_hand")
def test_a_little_is_never_frozen_so_that_its_cycles_are_found_when_it_goes() -> None:
    plan = GarbagePlan()
    plan.run_if_due(1, quiet=True)
    frozen = gc.get_freeze_count()
    dialog: list[object] = []
    dialog.append(dialog)
    now_ns = passes(plan, 3 * PASSES_ABOVE, 1)
    assert gc.get_freeze_count() <= frozen
    alive = len(gc.get_objects(2))
    del dialog
    passes(plan, 1, now_ns)
    assert len(gc.get_objects(2)) < alive


@pytest.mark.usefixtures("by_hand")
def test_nothing_is_collected_in_a_transfer_before_it_is_overdue() -> None:
    plan = GarbagePlan()
    plan.run_if_due(1, quiet=True)
    plan.run_if_due(1 + 5 * FULL_WHEN_QUIET_NS, quiet=False)
    assert plan.full_at_ns == 1
    plan.run_if_due(1 + 6 * FULL_WHEN_QUIET_NS, quiet=False)
    assert plan.full_at_ns == 1 + 6 * FULL_WHEN_QUIET_NS


@pytest.mark.usefixtures("by_hand")
def test_taking_over_beside_a_lane_that_runs_goes_through_nothing() -> None:
    gc.enable()
    kept: list[list[object]] = [[] for _ in range(ALIVE_MOST)]
    before, passed = gc.get_freeze_count(), list[str]()
    gc.callbacks.append(watch := lambda phase, info: passed.append(phase))
    try:
        take_over()
    finally:
        gc.callbacks.remove(watch)
    assert not passed
    assert not gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
