"""The street's phase jumps while the MID closes: early enough it is taken back, too late nobody can."""

from __future__ import annotations

import pytest

from v2h_console.proving.course import Course, JudgedSite
from v2h_console.proving.plans import Ambush
from v2h_console.twin.scenario import Scenario, Start, Step


def _closes_with_a_jump(after_s: float) -> Course:
    """One outage; ``after_s`` the close was commanded the street's phase jumps by 90 degrees."""
    steps = (Step(5.0, "grid.loss", {}), Step(8.0, "grid.return", {}))
    scenario = Scenario("jump", 60.0, Start(enter_service_s=15.0), steps)
    jump = Step(0.0, "grid.phase_jump", {"deg": 90.0})
    return JudgedSite(scenario, 0).play((Ambush("grid.out_of_phase", "closing_sync", 0.0, after_s, (jump,)),))


def test_a_jump_while_the_relay_travels_is_taken_back_and_the_house_comes_back_later() -> None:
    course = _closes_with_a_jump(0.001)
    assert not course.violations
    codes = [event.code for event in course.run.events]
    assert "PHASE_JUMPED_AT_CLOSE" in codes
    assert codes.index("GRID_TIED") > codes.index("PHASE_JUMPED_AT_CLOSE")
    truths = [truth.truth for truth in course.run.truths]
    closed = [truth for truth in course.run.truths if truth.truth == "mid.closed"]
    assert all(abs(float(truth.detail.get("phase_deg", 0.0))) <= 20.0 for truth in closed)
    assert "grid.phase_jumped" in truths


@pytest.mark.parametrize("after_s", [0.02, 0.03])
def test_a_jump_in_the_last_milliseconds_is_nobody_s_fault(after_s: float) -> None:
    course = _closes_with_a_jump(after_s)
    assert not course.violations


@pytest.mark.parametrize("after_s", [0.0002, 0.005, 0.012, 0.02])
def test_a_sag_while_the_relay_travels_does_not_turn_the_house(after_s: float) -> None:
    """At a sag's edge the street's frequency reads hertz too little for a cycle: nobody may follow that."""
    steps = (Step(5.0, "grid.loss", {}), Step(8.0, "grid.return", {}))
    scenario = Scenario("sag", 60.0, Start(enter_service_s=15.0), steps)
    sag = Step(0.0, "grid.sag", {"pu": 0.92, "for_s": 0.5})
    course = JudgedSite(scenario, 0).play((Ambush("grid.sag_edge", "closing_sync", 0.0, after_s, (sag,)),))
    assert not course.violations
    assert [truth for truth in course.run.truths if truth.truth == "grid.sagged"]
    (closed,) = [truth for truth in course.run.truths if truth.truth == "mid.closed"]
    assert abs(float(closed.detail["phase_deg"])) < 6.0
