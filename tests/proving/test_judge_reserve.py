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
