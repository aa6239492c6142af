"""The reserve as the judge holds the house to it, whatever the car says of its charge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from v2h_console.proving.course import JudgedSite
from v2h_console.proving.judge.judging import Judge
from v2h_console.twin.scenario import Scenario
from v2h_console.twin.scene import Scene, scene
from v2h_console.twin.truth import Truth

S = 1_000_000_000


def house() -> Scene:
    """On the grid, a car at 19 %, nothing drawn."""
    still = scene(JudgedSite(Scenario("still", 1.0), 0).site.world)
    return replace(still, soc_pct=19.0, mode="standby", dc_current_a=0.0, power_w=0.0)


@pytest.mark.parametrize(
    ("pct", "rested_s", "found"), [(14.0, 40, False), (14.0, 20, True), (-14.0, 40, True), (None, 40, True)]
)
def test_only_a_car_that_has_long_said_too_much_at_rest_on_the_grid_is_nobodys_to_find_out(
    pct: float | None, rested_s: int, found: bool
) -> None:
    judge, at_rest = Judge(15.0, settled=True), house()
    if pct is not None:
        judge.saw(
            Truth(S, "fault.injected", {"fault": "ev.soc_jumps", "pct": pct}), replace(at_rest, at_ns=S)
        )
    for second in range(2, rested_s):
        judge.look(replace(at_rest, at_ns=second * S))
    for second in range(rested_s, rested_s + 5):
        judge.look(replace(at_rest, at_ns=second * S, mode="following", dc_current_a=5.0, gate_on=True))
    assert [one.invariant for one in judge.violations] == (["I7"] if found else [])


@pytest.mark.parametrize(
    ("before_pct", "rested_s", "owed"),
    [(20.5, 0, False), (20.5, 20, False), (20.5, 40, True), (60.0, 0, True)],
)
def test_a_house_left_dark_beside_a_car_that_was_filled_in_a_moment_is_owed_no_light(
    before_pct: float, rested_s: int, owed: bool
) -> None:
    """What a car says more than it was charged with is believed after it has rested on the grid, and not before."""
    judge = Judge(15.0, settled=True)
    tied = replace(house(), soc_pct=before_pct)
    judge.look(replace(tied, at_ns=S))
    filled = replace(tied, soc_pct=99.8)
    judge.saw(Truth(2 * S, "fault.injected", {"fault": "pv.surplus"}), replace(filled, at_ns=2 * S))
    judge.saw(Truth(3 * S, "fault.cleared", {"fault": "pv.surplus"}), replace(filled, at_ns=3 * S))
    for second in range(4, 4 + rested_s):
        judge.look(replace(filled, at_ns=second * S))
    dark = replace(
        filled, poles=(False, False), grid_pu=(0.0, 0.0), grid_lost=(True, True), house_pu=(0.0, 0.0)
    )
    for second in range(50, 130):
        judge.look(replace(dark, at_ns=second * S))
    assert (judge.unlit_for(129 * S) > 75 * S) is owed


@pytest.mark.parametrize(("pct", "found"), [(21.0, False), (-21.0, True), (None, True)])
def test_a_pack_that_empties_in_a_moment_behind_a_car_that_says_more_is_nobodys_to_find_out(
    pct: float | None, found: bool
) -> None:
    judge = Judge(15.0, settled=True)
    before = replace(house(), soc_pct=48.0)
    judge.look(replace(before, at_ns=S))
    if pct is not None:
        lie = Truth(2 * S, "fault.injected", {"fault": "ev.soc_jumps", "pct": pct})
        judge.saw(lie, replace(before, at_ns=2 * S))
    emptied = replace(before, soc_pct=19.3, mode="following", dc_current_a=5.0, gate_on=True)
    for second in range(3, 8):
        judge.look(replace(emptied, at_ns=second * S))
    assert [one.invariant for one in judge.violations] == (["I7"] if found else [])
