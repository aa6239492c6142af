"""The manual bypass, closed at the wrong time, and a street that comes back in phase: in virtual time, judged."""

from __future__ import annotations

import pytest

from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000
START = Start(soc_pct=60.0, ambient_c=20.0, enter_service_s=15.0)


def played(*steps: Step, seconds: float, start: Start = START, seed: int = 0, fixed: bool = False) -> Course:
    """Judged; no invariant may break."""
    course = JudgedSite(Scenario("here", seconds, start, steps), seed, fixed=fixed).play()
    assert course.violations == []
    return course


def fed_s(course: Course) -> float:
    """For how long the house's inverter fed the dead street."""
    at_ns = {truth.truth: truth.at_ns for truth in course.run.truths}
    return (at_ns["grid.not_backfed"] - at_ns["grid.backfed"]) / S


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("inverters", [1, 2])
def test_a_light_dead_street_is_fed_for_less_than_a_second(seed: int, inverters: int) -> None:
    start = Start(soc_pct=60.0, ambient_c=20.0, enter_service_s=15.0, inverters=inverters)
    steps = Step(2.0, "grid.loss"), Step(10.0 + 0.0137 * seed, "bypass.close", {"street_ohm": 400.0})
    course = played(*steps, seconds=40.0, start=start, seed=seed)
    assert fed_s(course) < 0.75
    assert course.site.state.islanding.mode.value == "fault_open"
    assert "GRID_SIDE_FOLLOWS" in {event.code for event in course.run.events}


def test_a_whole_dead_neighbourhood_takes_the_house_down_and_keeps_it_there() -> None:
    course = played(Step(2.0, "grid.loss"), Step(10.0, "bypass.close"), seconds=30.0)
    assert course.site.state.islanding.mode.value == "fault_open"
    assert course.site.state.islanding.lk_form


def test_a_bypass_that_is_closed_before_the_outage_keeps_the_house_dark() -> None:
    steps = Step(2.0, "bypass.close", {"street_ohm": 400.0}), Step(5.0, "grid.loss")
    course = played(*steps, seconds=30.0)
    assert course.site.state.islanding.mode.value == "fault_open"


@pytest.mark.parametrize("seed", range(6))
def test_a_street_that_comes_back_in_phase_is_no_house_of_ours(seed: int) -> None:
    steps = Step(2.0, "grid.loss"), Step(10.0 + 0.0213 * seed, "grid.return", {"in_phase": True})
    course = played(*steps, seconds=40.0, seed=seed)
    assert course.site.state.islanding.mode.value == "tied"
    codes = [event.code for event in course.run.events]
    assert codes == ["GRID_LOST", "ISLANDED", "TRANSFER_DONE", "GRID_REQUALIFIED", "GRID_TIED"]


@pytest.mark.parametrize("in_phase", [True, False])
def test_the_trial_is_the_same_however_the_house_is_stepped(in_phase: bool) -> None:
    steps = (
        Step(2.0, "grid.loss"),
        Step(6.3, "grid.return", {"in_phase": in_phase}),
        Step(8.1, "grid.loss"),
        Step(9.7, "bypass.close", {"street_ohm": 400.0}),
    )
    hops, whole = (played(*steps, seconds=14.0, seed=3, fixed=fixed) for fixed in (False, True))
    assert hops.run.truths == whole.run.truths
    assert hops.run.events == whole.run.events
    assert hops.run.steps < whole.run.steps


@pytest.mark.parametrize("seed", range(6))
def test_a_bypass_that_was_closed_to_spare_the_delay_feeds_nobody_in_the_next_outage(seed: int) -> None:
    """The car is away as the grid comes back; somebody closes the bypass at once; the car comes home; the grid goes again.
    Motors hold street and house up together, and the start begins while both have a rest of voltage."""
    start = Start(soc_pct=60.0, ambient_c=20.0, enter_service_s=60.0)
    steps = (
        Step(2.0, "ev.unplug"),
        Step(4.0, "grid.loss"),
        Step(10.0, "grid.return"),
        Step(12.0, "bypass.close", {"street_ohm": 400.0}),
        Step(14.0, "ev.plug"),
        Step(60.0 + 0.0029 * seed, "grid.loss", {"backfeed": seed % 2 == 0}),
    )
    course = played(*steps, seconds=75.0, start=start, seed=seed)
    fed = [truth.at_ns for truth in course.run.truths if truth.truth in ("grid.backfed", "grid.not_backfed")]
    assert not fed or fed[-1] - fed[0] < 1.1 * S
    assert course.site.state.islanding.mode.value == "fault_open"
