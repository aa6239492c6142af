"""What happens to the car while the house is on the grid, and what the next outage finds."""

from __future__ import annotations

import pytest

from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin.house import House, SupplyData
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000
START = Start(enter_service_s=15.0, loads_on=("fridge", "lights"))


def played(
    *steps: Step, seconds: float, start: Start = START, house: House | None = None, seed: int = 0
) -> Course:
    """Judged, and nothing found."""
    course = JudgedSite(Scenario("car", seconds, start, steps), seed, house=house).play()
    assert course.violations == []
    return course


def test_after_an_ordinary_unplugging_the_next_loss_is_met_as_ever() -> None:
    """The inverter trips on its empty DC side, and its fault ends with its gate off."""
    course = played(Step(20.0, "ev.unplug"), Step(40.0, "ev.plug"), Step(100.0, "grid.loss"), seconds=120.0)
    (transfer,) = course.run.transfers
    assert (transfer.total_ms or 1_000.0) < 100.0
    assert "INVERTER_FAULT" not in [alarm.code for alarm in course.site.state.alarms]


def test_a_car_that_allows_nothing_is_not_drawn_from_for_the_inverter_s_own_loss() -> None:
    """It would end its session after two seconds of 60 W."""
    course = played(
        Step(20.0, "ev.limit", {"kw": 0.0}), Step(30.0, "ev.limit", {"kw": 10.0}), Step(60.0, "grid.loss"), seconds=80.0
    )  # fmt: skip
    assert not [truth for truth in course.run.truths if truth.truth == "car.stopped"]
    assert course.run.modes[-1][1].value == "islanded"


@pytest.mark.parametrize(("depth_pu", "ms"), [(0.0, 17.0), (0.4, 30.0)])
def test_a_dip_opens_nothing_where_no_car_could_light_the_house(depth_pu: float, ms: float) -> None:
    dip = Step(30.0, "grid.sag", {"pu": depth_pu, "for_s": ms / 1000.0})
    assert not played(Step(10.0, "ev.unplug"), dip, seconds=60.0).run.modes[1:]
    assert played(dip, seconds=60.0).run.modes[1:], "with one it is left at once"


def test_a_car_that_comes_home_lights_a_house_whose_controller_lives_on_its_last_minute() -> None:
    house = House(supply=SupplyData(hold_up_min=3.0))
    course = played(
        Step(5.0, "grid.loss"), Step(20.0, "ev.unplug"), Step(120.0, "ev.plug"), seconds=240.0, house=house
    )  # fmt: skip
    assert course.run.modes[-1][1].value == "islanded"


def test_a_flapping_limit_blinks_ever_more_slowly() -> None:
    flaps = [Step(20.0 + 1.5 * nth, "ev.limit", {"kw": 10.0 * (nth % 2)}) for nth in range(160)]
    course = played(Step(5.0, "grid.loss"), *flaps, seconds=260.0)
    assert len([1 for event in course.run.events if event.code == "HOUSE_DARK"]) <= 9


@pytest.mark.parametrize("load", ["evse", "range", "hvac"])
def test_a_contactor_that_sticks_with_nothing_behind_it_keeps_no_house_dark(load: str) -> None:
    stuck = Step(5.0, "fault.inject", {"fault": "load.switch_stuck", "load": load})
    course = played(stuck, Step(15.0, "grid.loss"), seconds=40.0)
    assert course.run.modes[-1][1].value == "islanded"


def test_one_that_sticks_with_more_behind_it_than_the_car_gives_does() -> None:
    start = Start(enter_service_s=15.0, loads_on=("fridge", "range"))
    stuck = Step(5.0, "fault.inject", {"fault": "load.switch_stuck", "load": "range"})
    course = played(
        Step(4.0, "ev.limit", {"kw": 3.6}), stuck, Step(15.0, "grid.loss"), seconds=40.0, start=start
    )
    assert course.run.modes[-1][1].value == "dark"


def test_a_dc_side_that_stays_out_of_range_does_not_make_the_gate_flutter() -> None:
    out = Step(20.0, "fault.inject", {"fault": "dc_bus.out_of_range"})
    course = played(out, seconds=140.0)
    assert len([1 for truth in course.run.truths if truth.truth in ("gate.on", "gate.off")]) <= 4


@pytest.mark.parametrize(("loss_s", "lit"), [(20.0, False), (60.0, True)])
def test_a_report_that_leaps_up_lights_a_house_only_after_half_a_minute_at_rest_on_the_grid(
    loss_s: float, lit: bool
) -> None:
    """The car is at 19.5 % and says 33.5: what nobody can find out breaks no rule, what is doubted is not drawn from."""
    steps = (Step(5.0, "fault.inject", {"fault": "ev.soc_jumps", "pct": 14.0}), Step(loss_s, "grid.loss"))
    start = Start(soc_pct=19.5, enter_service_s=15.0, loads_on=("lights",))
    course = JudgedSite(Scenario("lies", loss_s + 15.0, start, steps), 0).play()
    assert course.violations == []
    assert any(truth.truth == "form.on" for truth in course.run.truths) is lit
