"""Peak shaving in virtual time against the twin: what the inverter truly gives, and when it stops."""

from __future__ import annotations

import pytest

from v2h_console.core.observation import Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step as CoreStep
from v2h_console.core.step import step as core_step
from v2h_console.proving import scenario_files
from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_drivers.capabilities.requests import ControlRequest, InverterSetpoint

S = 1_000_000_000
EVENING = Start(
    local_hour=17.5, soc_pct=70.0, pv_kw=0.0, enter_service_s=15.0, loads_on=("fridge", "lights", "hvac")
)


def asked(course: Course) -> list[tuple[float, float]]:
    """(seconds, watts) of each power that reached the inverter."""
    return [
        (truth.at_ns / S, float(truth.detail["power_w"]))
        for truth in course.run.truths
        if truth.truth == "inverter.power_asked"
    ]


def test_the_house_draws_less_from_the_street_and_never_gives_to_it() -> None:
    judged = JudgedSite(Scenario("evening", 60.0, EVENING, ()), 1)
    drawn: list[tuple[float, float]] = []

    def look() -> None:
        world = judged.site.world
        load_w = sum(one.power_w for one in world.circuits) + 2 * 90.0
        drawn.append((world.now_ns / S, load_w - world.inverter.power_w))

    judged.also = look
    course = judged.play()
    assert course.violations == []
    before = [watts for at_s, watts in drawn if 5.0 < at_s < 29.0]
    after = [watts for at_s, watts in drawn if at_s > 35.0]
    assert min(after) > 100.0, "it exports"
    assert max(after) < 0.45 * min(before), "the car carries less than half of the house"
    assert course.site.state.tariff.confirmed


def test_with_a_load_on_the_way_out_the_power_follows_within_half_a_second() -> None:
    lines = (Step(45.0, "load.off", {"load": "hvac"}),)
    course = JudgedSite(Scenario("less", 60.0, EVENING, lines), 1).play()
    after = [(at_s, power_w) for at_s, power_w in asked(course) if at_s >= 45.0]
    assert after[0][0] < 45.5
    assert after[0][1] < 500.0


def test_the_step_that_opens_the_mid_asks_for_no_power_any_more() -> None:
    together: list[tuple[bool, float]] = []

    def watched(settings: Settings, state: State, observation: Observation, now_ns: int) -> CoreStep:
        result = core_step(settings, state, observation, now_ns)
        (control,) = [one for one in result.commands if isinstance(one, ControlRequest)]
        (setpoint,) = [one for one in result.commands if isinstance(one, InverterSetpoint)]
        together.append((control.open_mid, setpoint.power_w))
        return result

    lines = (Step(45.0, "grid.loss"),)
    course = JudgedSite(Scenario("loss", 50.0, EVENING, lines), 1, step_function=watched).play()
    assert course.violations == []
    assert max(power_w for _, power_w in together) > 2_000.0
    assert {power_w for opens, power_w in together if opens} == {0.0}
    (transfer,) = course.run.transfers
    assert transfer.total_ms is not None
    assert transfer.total_ms < 100.0


@pytest.mark.parametrize(
    ("fault", "within_s"),
    [
        ("ct.off", 0.6), ("clock.steps", 0.5), ("ev.silent", 1.6), ("inverter.trips", 0.1),
        ("modbus.timeout", 1.7), ("can.frames_lost", 0.2),
    ],
)  # fmt: skip
def test_a_fault_while_it_shaves_ends_the_discharge(fault: str, within_s: float) -> None:
    lines = (Step(45.0, "fault.inject", {"fault": fault}),)
    judged = JudgedSite(Scenario(fault, 75.0, EVENING, lines), 1)
    given: list[tuple[float, float]] = []

    def look() -> None:
        world = judged.site.world
        power_w = world.inverter.power_w if world.inverter.mode == "following" else 0.0
        given.append((world.now_ns / S, power_w))

    judged.also = look
    assert judged.play().violations == []
    assert min(watts for at_s, watts in given if 40.0 < at_s < 45.0) > 2_000.0
    late = [at_s for at_s, watts in given if at_s > 45.0 + within_s and abs(watts) > 1.0]
    assert late == [], f"still discharging {late[-1] - 45.0:.2f} s after {fault}"


def test_outside_the_window_and_without_trust_in_the_car_nothing_is_asked_for() -> None:
    for start in (Start(local_hour=16.0), Start(local_hour=21.5), Start(local_hour=18.0, soc_pct=49.0)):
        assert asked(JudgedSite(Scenario("idle", 60.0, start, ()), 1).play()) == []


def test_the_clock_leaps_twice_and_the_car_is_asked_twice_again() -> None:
    course = JudgedSite(scenario_files.find("stepping-clock"), 0).play()
    ups = [at_s for at_s, power_w in asked(course) if power_w == 2_000.0]
    zeros = [at_s for at_s, power_w in asked(course) if power_w == 0.0]
    assert len(zeros) == 1
    assert 60.0 < zeros[0] < 60.5
    assert len(ups) == 2
    assert ups[1] > 150.0, "the pause of a minute and the second leap"


@pytest.mark.parametrize("name", ["stepping-clock", "peak-shaving"])
def test_hops_change_neither_what_is_asked_nor_when(name: str) -> None:
    scenario = scenario_files.find(name)
    short = Scenario(name, 65.0, scenario.start, tuple(one for one in scenario.steps if one.s < 65.0))
    hopping, fixed = JudgedSite(short, 3).play(), JudgedSite(short, 3, fixed=True).play()
    assert hopping.run.steps < fixed.run.steps / 2
    assert asked(hopping)
    assert hopping.run.truths == fixed.run.truths
    assert hopping.run.events == fixed.run.events
