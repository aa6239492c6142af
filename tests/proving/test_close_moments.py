"""What happens in the thirty milliseconds in which the MID's relay travels, and just after."""

from __future__ import annotations

import pytest

from v2h_console.proving.course import Course, JudgedSite
from v2h_console.proving.plans import Ambush
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000
OUTAGE = (Step(5.0, "grid.loss"), Step(8.0, "grid.return"))
EMPTY_HOUSE = (Step(4.0, "ev.unplug"), *OUTAGE)


def played(
    steps: tuple[Step, ...], mode: str, after_s: float, *lines: Step, seconds: float = 45.0, seed: int = 0
) -> Course:
    """An outage; ``after_s`` a mode was entered, these lines begin."""
    start = Start(enter_service_s=15.0, loads_on=("fridge", "lights"))
    ambush = Ambush("here", mode, 4.0, after_s, lines)
    course = JudgedSite(Scenario("close", seconds, start, steps), seed).play((ambush,))
    assert course.violations == []
    return course


def truths(course: Course, name: str) -> list[float]:
    """When this happened, in seconds."""
    return [truth.at_ns / S for truth in course.run.truths if truth.truth == name]


def ended(course: Course) -> str:
    """Where the core stands in the end, and what it is locked out of."""
    islanding = course.site.state.islanding
    return " ".join(filter(None, (islanding.mode.value, islanding.lk_form, islanding.lk_close)))


@pytest.mark.parametrize("after_s", [0.002, 0.008])
def test_a_generator_that_lights_the_dead_house_meanwhile_stops_the_close(after_s: float) -> None:
    course = played(EMPTY_HOUSE, "closing_dead", after_s, Step(0.0, "generator.on"), seconds=30.0)
    assert truths(course, "coil.on")
    assert not truths(course, "mid.closed")
    assert "HOUSE_LIVE_AT_CLOSE" in {event.code for event in course.run.events}


def test_a_second_battery_that_holds_the_house_is_not_formed_against() -> None:
    steps = (Step(2.0, "generator.on"), Step(5.0, "grid.loss"))
    course = JudgedSite(Scenario("fed", 12.0, Start(enter_service_s=15.0), steps), 0).play()
    assert course.violations == []
    assert not [at_s for at_s in truths(course, "form.on") if at_s > 2.0]
    assert "HOUSE_BUS_FED" in {event.code for event in course.run.events}


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.02, 0.03])
def test_a_second_master_heard_in_the_close_leaves_our_gate_off(after_s: float) -> None:
    fault = Step(0.0, "fault.inject", {"fault": "control.second_master"})
    course = played(OUTAGE, "closing_sync", after_s, fault)
    assert not course.site.world.inverter.gate_on
    assert "somebody else commands" in ended(course)


@pytest.mark.parametrize("mode", ["closing_sync", "closing_dead"])
@pytest.mark.parametrize("what", ["operator.open_mid", "grid.loss", "owner.restart"])
@pytest.mark.parametrize("after_s", [0.005, 0.012, 0.016, 0.0255])
def test_a_bidden_contact_that_meets_after_all_locks_nobody_out(mode: str, what: str, after_s: float) -> None:
    back = Step(4.0, "operator.close_mid" if what == "operator.open_mid" else "grid.return")
    steps = OUTAGE if mode == "closing_sync" else EMPTY_HOUSE
    course = played(steps, mode, after_s, Step(0.0, what), back, seconds=75.0, seed=2)
    assert ended(course) == "tied"


@pytest.mark.parametrize("after_s", [0.0002, 0.002])
def test_an_inverter_that_trips_as_it_hands_over_costs_the_house_nothing(after_s: float) -> None:
    trips = Step(0.0, "fault.inject", {"fault": "inverter.trips"})
    course = played(OUTAGE, "handback", after_s, trips)
    (closed_s,) = truths(course, "mid.closed")
    assert not [at_s for at_s in truths(course, "house.dark") if at_s > closed_s]
    assert ended(course) == "tied"


def test_a_roof_that_is_held_back_leaves_before_the_house_is_brought_in_phase() -> None:
    surplus = Step(75.0, "fault.inject", {"fault": "pv.surplus", "kw": 4.5, "pct": 98.5})
    steps = (Step(5.0, "grid.loss"), surplus, Step(85.0, "grid.return"))
    start = Start(enter_service_s=15.0, pv_kw=0.5)
    course = JudgedSite(Scenario("roof", 130.0, start, steps), 0).play()
    assert course.violations == []
    (left_s,) = [at_s for at_s in truths(course, "solar.disconnected") if at_s > 80.0]
    begins_s = next(at_ns / S for at_ns, mode in course.run.modes if mode.value == "syncing")
    assert left_s < begins_s
    assert ended(course) == "tied"
    closes_s = truths(course, "coil.on")[0]
    assert not [at_s for at_s in truths(course, "solar.surplus") if left_s <= at_s < closes_s]


def test_a_car_at_its_stop_is_not_emptied_further_by_the_inverter_beside_the_grid() -> None:
    start = Start(enter_service_s=15.0, soc_pct=20.3)
    course = JudgedSite(Scenario("spared", 3_600.0, start, ()), 0).play()
    assert course.violations == []
    assert not course.site.world.inverter.gate_on
    assert course.site.world.car.soc_pct > 20.29


def test_an_inverter_that_fell_silent_does_not_keep_a_dark_house_off_the_grid() -> None:
    steps = (
        Step(5.0, "grid.loss"),
        Step(12.0, "fault.inject", {"fault": "parallel.primary_lost"}),
        Step(30.0, "ev.unplug"),
        Step(40.0, "grid.return"),
    )
    start = Start(enter_service_s=15.0, inverters=2)
    course = JudgedSite(Scenario("silent", 75.0, start, steps), 0).play()
    assert course.violations == []
    assert ended(course) == "tied"


def test_a_restart_while_the_second_inverter_forms_is_no_rival() -> None:
    steps = (
        Step(5.0, "grid.loss"),
        Step(12.0, "fault.inject", {"fault": "parallel.primary_lost"}),
        Step(20.0, "owner.restart"),
        Step(30.0, "grid.return"),
    )
    course = JudgedSite(Scenario("again", 75.0, Start(enter_service_s=15.0, inverters=2), steps), 0).play()
    assert course.violations == []
    assert ended(course) == "tied"
    lit_s = [at_s for at_s in truths(course, "house.restored") if at_s > 20.0]
    assert lit_s[0] < 21.0


def test_the_next_primary_s_car_is_judged_by_itself() -> None:
    """The first car is at its end, the second full: no leap of one car's charge."""
    steps = (Step(5.0, "grid.loss"), Step(12.0, "fault.inject", {"fault": "ev.soc_low", "pct": 20.5}))
    start = Start(enter_service_s=15.0, inverters=3)
    course = JudgedSite(Scenario("two cars", 40.0, start, steps), 0).play()
    assert course.violations == []
    assert ended(course) == "islanded"
    assert len([event for event in course.run.events if event.code == "PRIMARY_CHANGED"]) == 1


def test_what_ran_on_the_island_is_off_before_a_reset_lets_it_be_formed_again() -> None:
    steps = (
        Step(5.0, "grid.loss"),
        Step(140.0, "fault.inject", {"fault": "mid.uncommanded_close"}),
        Step(150.0, "fault.clear", {"fault": "mid.uncommanded_close"}),
        Step(160.0, "operator.reset_lockout"),
    )
    start = Start(enter_service_s=15.0, loads_on=("furnace_fan", "well_pump"))
    course = JudgedSite(Scenario("reset", 165.0, start, steps), 0).play()
    assert course.violations == []
    off_s = [at_s for at_s in truths(course, "circuit.switch_opened") if at_s >= 160.0]
    forms_s = [at_s for at_s in truths(course, "form.on") if at_s >= 160.0]
    assert off_s
    assert max(off_s) < forms_s[0]


@pytest.mark.parametrize(
    "moment", [Step(0.0, "grid.sag", {"pu": 0.79, "for_s": 5.0}), Step(0.0, "operator.open_mid")]
)
def test_what_comes_while_the_close_command_is_on_the_wire_is_nobodys_fault(moment: Step) -> None:
    """0.1 ms after the core has decided, 0.2 ms before the controller hears of it."""
    course = played(OUTAGE, "closing_sync", 0.000_1, moment)
    bidden_s = truths(course, "coil.on")[0]
    come_s = truths(course, "grid.sagged") + truths(course, "order.given")
    assert 0.0 < bidden_s - come_s[0] < 0.001
