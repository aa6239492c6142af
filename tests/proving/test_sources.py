"""Scenarios of the sources, in virtual time against the twin: judged, and ended as they must."""

from __future__ import annotations

from importlib import resources

import pytest

from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin import scenario as scenarios

S = 1_000_000_000


def played(name: str) -> Course:
    """The named scenario, judged."""
    text = (resources.files("v2h_console.proving") / "scenarios" / f"{name}.toml").read_text("utf-8")
    course = JudgedSite(scenarios.parse(text, name), seed=0).play()
    assert course.violations == []
    return course


def at_s(course: Course, code: str) -> list[float]:
    """When an event came."""
    return [event.at_ns / S for event in course.run.events if event.code == code]


def truths(course: Course, name: str) -> list[float]:
    """When a truth came."""
    return [truth.at_ns / S for truth in course.run.truths if truth.truth == name]


def test_two_cars_share_the_load() -> None:
    text = (
        'name = "two cars"\nduration_s = 60\n[start]\ninverters = 2\nloads_on = ["lights", "furnace_fan"]\n'
    )
    text += '[[at]]\ns = 20.0\ndo = "grid.loss"\n'
    course = JudgedSite(scenarios.parse(text, "here"), seed=3).play()
    assert course.violations == []
    world = course.site.world
    first, second = world.inverter.power_w, world.units.all[1].share_w
    assert first > 100.0
    assert second == pytest.approx(first, rel=0.01)
    assert course.site.state.parallel.units_running == 2


def test_after_the_primary_the_next_in_rank_lights_the_house_in_a_quarter_of_a_second() -> None:
    course = played("primary-lost")
    lost_s = truths(course, "unit.silent")[0]
    gates_s = [t for t in truths(course, "gate.off") if t > lost_s]
    assert gates_s[0] - lost_s < 0.085
    islanded_s = [t for t in at_s(course, "ISLANDED") if t > lost_s]
    assert 0.1 < islanded_s[0] - lost_s < 0.25, "dead for 100 ms first: no hot promotion"
    assert course.site.world.units.primary == 1


def test_a_secondary_out_of_phase_is_off_before_it_trips() -> None:
    course = played("secondary-out-of-phase")
    off_s = [t for t in truths(course, "unit.gate_off") if t >= 100.0]
    assert off_s[0] - 100.0 < 0.1
    assert not truths(course, "unit.tripped")


def test_a_culprit_waits_longer_each_time_and_after_the_third_for_a_person() -> None:
    course = played("culprit")
    shed_s = [t for t in at_s(course, "LOAD_SHED") if t > 200.0]
    back_s = [t for t in at_s(course, "LOAD_RETURNED") if t > shed_s[0]]
    locked_s, reset_s = at_s(course, "LOAD_LOCKED_OUT_HVAC"), at_s(course, "LOAD_RESET")
    assert len(shed_s) == 3
    (locked,) = locked_s
    assert 0.0 < locked - shed_s[2] < 0.15, "as soon as it shows what went with it"
    assert len(back_s) == 3, "twice by itself, once after the reset"
    assert back_s[1] < shed_s[2] < reset_s[0] < back_s[2]


def test_a_stuck_switch_costs_a_tenth_of_a_second_once() -> None:
    assert at_s(played("stuck-switch"), "ISLANDED")[0] < 20.2


def test_a_dying_supply_stops_in_order_within_a_second() -> None:
    course = played("dying-supply")
    off_s = [t for t in truths(course, "gate.off") if t >= 100.0]
    assert off_s[0] - 100.0 < 1.0
    opened = next(event for event in course.run.events if event.code == "HOUSE_DARK")
    assert "supply" in opened.text


def test_a_stubborn_roof_is_raised_at_and_then_told_to_leave_within_two_seconds() -> None:
    course = played("stubborn-roof")
    raised_s, left_s = at_s(course, "SOLAR_CURTAILED")[0], truths(course, "solar.disconnected")
    assert raised_s < 151.0
    assert [t for t in left_s if 150.0 < t < 152.0]


def test_an_obeying_roof_stays_and_the_car_is_not_overcharged() -> None:
    course = played("full-car-in-the-sun")
    assert not course.site.state.solar.kept_off
    assert course.site.world.car.soc_pct < 99.0
