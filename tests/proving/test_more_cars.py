"""Several inverters, each with its own car: what one of them must not cost the house, in virtual time against the twin."""

from __future__ import annotations

import pytest

from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000
LOST = Step(5.0, "grid.loss")


def played(start: Start, *steps: Step, seconds: float, seed: int = 0) -> Course:
    """Judged, and nothing found."""
    course = JudgedSite(Scenario("cars", seconds, start, steps), seed).play()
    assert course.violations == []
    return course


def modes(course: Course) -> list[str]:
    """The modes in their order."""
    return [mode.value for _, mode in course.run.modes]


def at_s(course: Course, code: str) -> list[float]:
    """When this was said."""
    return [event.at_ns / S for event in course.run.events if event.code == code]


@pytest.mark.parametrize("inverters", [2, 4])
def test_a_silent_primary_keeps_no_house_off_a_good_grid(inverters: int) -> None:
    """Its gate has long been told off, and the controller's own hand is on it; nobody else's car can form."""
    start = Start(
        enter_service_s=15.0, inverters=inverters, soc_pct=25.0, further_soc_pct=(20.0,) * (inverters - 1)
    )
    course = played(
        start, LOST, Step(12.0, "fault.inject", {"fault": "parallel.primary_lost"}), Step(20.0, "grid.return"), seconds=60.0
    )  # fmt: skip
    assert modes(course)[-2:] == ["closing_dead", "tied"]
    assert at_s(course, "INVERTER_SILENT")
    assert not course.site.state.islanding.lk_form


def test_a_house_of_one_inverter_goes_back_to_the_grid_without_it() -> None:
    start = Start(enter_service_s=15.0)
    course = played(
        start, LOST, Step(8.0, "fault.inject", {"fault": "inverter.trips"}), Step(9.0, "grid.return"), seconds=60.0
    )  # fmt: skip
    assert modes(course)[-1] == "tied"


def test_a_primary_that_will_not_form_makes_way_after_two_tries() -> None:
    start = Start(enter_service_s=15.0, inverters=2)
    wont = Step(4.0, "fault.inject", {"fault": "inverter.wont_form"})
    course = played(
        start, wont, LOST, Step(12.0, "fault.clear", {"fault": "inverter.wont_form"}), seconds=40.0
    )
    (changed_s,) = at_s(course, "PRIMARY_CHANGED")
    assert changed_s == pytest.approx(7.5, abs=0.5)
    assert course.site.state.parallel.primary == 1
    assert modes(course)[-1] == "islanded"


def test_each_further_car_is_as_full_as_it_is_said_to_be_and_keeps_its_own_reserve() -> None:
    start = Start(
        enter_service_s=15.0, inverters=3, soc_pct=80.0, further_soc_pct=(21.1, 60.0), loads_on=("fridge", "hvac", "range")
    )  # fmt: skip
    course = played(start, LOST, seconds=900.0)
    first, second, third = course.site.world.units.all
    assert second.car.soc_pct > 20.9
    assert not second.gate_on
    assert third.gate_on
    assert third.car.soc_pct < 60.0
    assert first.car.soc_pct < 80.0


def test_a_further_car_that_allows_little_holds_nobody_down() -> None:
    start = Start(enter_service_s=15.0, inverters=2, ambient_c=20.0, loads_on=("fridge", "hvac", "lights"))
    site = JudgedSite(Scenario("weak", 260.0, start, (LOST,)), 0)
    site.site.world.units.all[1].car.max_discharge_w = 500.0
    course = site.play()
    assert course.violations == []
    assert course.site.state.parallel.units_running == 1
    assert "hold the others down" in course.site.state.parallel.units[1].reason
    assert "hvac" in [circuit.id for circuit in course.site.world.circuits if circuit.energised]


def test_another_inverter_s_car_is_reason_enough_to_leave_the_grid_quickly() -> None:
    start = Start(enter_service_s=15.0, inverters=2, loads_on=("fridge", "lights"))
    course = played(start, Step(4.0, "ev.unplug"), Step(20.0, "grid.loss"), seconds=40.0)
    assert modes(course)[-1] == "islanded"
    (transfer,) = course.run.transfers
    assert (transfer.total_ms or 1_000.0) < 300.0
