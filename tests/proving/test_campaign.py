"""The campaign: its classes, its replays, its shrinking."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from v2h_console.core.observation import Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step as CoreStep
from v2h_console.core.step import step as core_step
from v2h_console.proving import campaign, shrink
from v2h_console.proving.campaign import run_plan
from v2h_console.proving.course import JudgedSite
from v2h_console.proving.expected import EXPECTED, MASKING, NAMED_BY
from v2h_console.proving.fault_table import BY_NAME, COMMAND_MS, FAULT_CLASSES
from v2h_console.proving.plans import MAKERS, Ambush, Mishap, Plan, plan
from v2h_console.twin import scenario as scenarios
from v2h_console.twin import vocabulary
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_drivers.capabilities.slow_readings import CarStatus


def test_the_table_has_all_63_classes_once() -> None:
    assert [one.number for one in FAULT_CLASSES] == list(range(1, 64))
    assert len(BY_NAME) == 63


def test_every_class_is_injected_and_answered_or_shown_elsewhere() -> None:
    assert set(MAKERS) == set(EXPECTED)
    assert set(MAKERS) <= set(BY_NAME), "a fault that the table does not know"
    assert {one.name for one in FAULT_CLASSES if one.elsewhere}.isdisjoint(MAKERS)
    shown = set(MAKERS) | {one.name for one in FAULT_CLASSES if one.elsewhere}
    assert set(BY_NAME) == shown


def test_what_is_said_about_faults_is_about_faults_of_the_table() -> None:
    assert set(BY_NAME) >= MASKING
    assert set(NAMED_BY) <= set(BY_NAME)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bound_is_the_table_s_and_the_way_of_one_command(name: str) -> None:
    required_ms, within_ms = BY_NAME[name].within_ms, EXPECTED[name].within_ms
    if within_ms == 0.0:
        return  # what must never happen at all has no time
    assert required_ms is not None, f"the table gives {name} no time, its reaction has one"
    assert required_ms <= within_ms <= required_ms + COMMAND_MS


@pytest.mark.parametrize("name", MAKERS)
def test_every_maker_draws_lines_that_the_house_takes(name: str) -> None:
    for seed in range(40):
        planned = plan(seed, [name])
        for line in (*planned.scenario.steps, *(line for one in planned.ambushes for line in one.lines)):
            assert vocabulary.check(line.do, line.params) == line.params
        assert [one.name for one in planned.mishaps] + [one.fault for one in planned.ambushes] == [name]


def test_a_plan_is_its_seed() -> None:
    faults = list(MAKERS)
    assert plan(11, faults) == plan(11, faults)
    assert plan(11, faults) != plan(12, faults)


_SHORT = Scenario(
    "short",
    6.0,
    Start(enter_service_s=15.0),
    (Step(2.0, "grid.loss"), Step(4.0, "load.on", {"load": "hvac"})),
)

_TRACE = """
from v2h_console.proving.course import JudgedSite
from v2h_console.proving.plans import plan
from v2h_console.twin.scenario import Scenario, Start, Step
steps = (Step(2.0, "grid.loss"), Step(4.0, "load.on", {"load": "hvac"}))
print(JudgedSite(Scenario("short", 6.0, Start(enter_service_s=15.0), steps), 5).play().trace)
print(plan(5, ["ct.off", "grid.flaps", "lc.frozen"]))
"""


def test_the_same_seed_leaves_the_same_trace_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", _TRACE],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "4711")
    }
    assert len(told) == 1
    assert JudgedSite(_SHORT, 5).play().trace in told.pop()
    assert JudgedSite(_SHORT, 6).play().trace != JudgedSite(_SHORT, 5).play().trace


def test_a_fault_that_waits_for_a_moment_meets_it() -> None:
    lines = (Step(0.0, "fault.inject", {"fault": "ev.silent"}),)
    planned = Plan(3, _SHORT, (), (Ambush("ev.silent", "islanded", 0.0, 0.5, lines),))
    outcome, course = run_plan(planned)
    islanded_ns = next(at_ns for at_ns, mode in course.run.modes if mode.value == "islanded")
    injected = next(t for t in course.run.truths if t.truth == "fault.injected")
    assert injected.at_ns == islanded_ns + 500_000_000
    assert [answer.mode for answer in outcome.answers] == ["islanded"]


def _believes_in_a_full_car(
    settings: Settings, state: State, observation: Observation, now_ns: int
) -> CoreStep:
    """A core that takes every car for a full one."""
    readings = tuple(
        replace(reading, soc_pct=80.0) if isinstance(reading, CarStatus) else reading
        for reading in observation.readings
    )
    return core_step(settings, state, replace(observation, readings=readings), now_ns)


def test_a_failure_is_shrunk_to_what_brings_it_about() -> None:
    lines = (
        Step(1.0, "pv.power", {"kw": 0.1}),
        Step(2.0, "grid.loss"),
        Step(3.0, "load.on", {"load": "lights"}),
        Step(5.0, "load.off", {"load": "lights"}),
    )
    start = Start(soc_pct=20.5, ambient_c=20.0, enter_service_s=15.0)
    planned = Plan(1, Scenario("too much", 30.0, start, lines), ())
    outcome, _ = run_plan(planned, step_function=_believes_in_a_full_car)
    assert {violation.invariant for violation in outcome.violations} == {"I7"}
    small = campaign.shrink(planned, _believes_in_a_full_car)
    assert [line.do for line in small.scenario.steps] == ["grid.loss"]
    assert small.scenario.start == Start(soc_pct=20.5, enter_service_s=15.0)
    assert small.scenario.duration_s < 30.0
    assert run_plan(small, step_function=_believes_in_a_full_car)[0].violations
    again = scenarios.parse(shrink.toml(small), "shrunk.toml")
    assert again == small.scenario
    assert "grid.loss" in "\n".join(shrink.lines(small))


def test_a_run_that_breaks_nothing_is_not_shrunk() -> None:
    planned = Plan(1, _SHORT, (Mishap("grid.flaps", 1.0),))
    assert campaign.shrink(planned) is planned


def test_the_report_counts_what_it_was_given() -> None:
    report = campaign.run(1, 2, ["grid.flaps"], 1)
    document = json.loads(json.dumps(report.document()))
    assert document["runs"] == 2
    assert document["rechecked"] == {"runs": 0, "identical": 0, "different": []}
    assert document["faults"]["grid.flaps"]["reacted_in_time"] == document["faults"]["grid.flaps"]["injected"]
    assert report.replay(7) == "v2h-console campaign --first 7 --seeds 1 --faults grid.flaps --json"


def test_a_house_that_waits_for_ever_beside_a_full_car_is_a_finding() -> None:
    """The street is gone for two minutes, nothing is wrong, and the core puts its next start off again and again."""

    def putting_off(settings: Settings, state: State, observation: Observation, now_ns: int) -> CoreStep:
        result = core_step(settings, state, observation, now_ns)
        islanding = replace(result.state.islanding, form_not_before_ns=now_ns + 60_000_000_000)
        return replace(result, state=replace(result.state, islanding=islanding))

    outage = Scenario("outage", 125.0, Start(soc_pct=80.0, loads_on=()), (Step(5.0, "grid.loss"),))
    assert not run_plan(Plan(1, outage, ()))[0].violations
    found = run_plan(Plan(1, outage, ()), step_function=putting_off)[0].violations
    assert [one.invariant for one in found] == ["left dark"]
    assert "next try to form in 60 s" in found[0].detail


def test_a_house_that_may_not_be_formed_owes_no_quick_opening() -> None:
    """Forming is locked out until somebody comes: for a dip it leaves the grid as the trip elements say, not sooner."""

    def locked(settings: Settings, state: State, observation: Observation, now_ns: int) -> CoreStep:
        result = core_step(settings, state, observation, now_ns)
        islanding = replace(result.state.islanding, lk_form="4 starts failed")
        return replace(result, state=replace(result.state, islanding=islanding))

    dip = Ambush("grid.brownout", "tied", 0.0, 5.0, (Step(0.0, "grid.sag", {"pu": 0.7, "for_s": 1.0}),))
    planned = Plan(3, Scenario("dip", 12.0, Start(soc_pct=80.0, loads_on=())), (), (dip,))
    (answer,) = run_plan(planned)[0].answers
    assert answer.judged
    assert answer.in_time
    (answer,) = run_plan(planned, step_function=locked)[0].answers
    assert not answer.judged


def _on_ctrl_c(_: int) -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_ctrl_c_is_the_campaign_s_own_not_its_workers() -> None:
    before = signal.getsignal(signal.SIGINT)
    with campaign._Workers(2) as workers:
        assert all(workers.over(_on_ctrl_c, range(8)))
    assert signal.getsignal(signal.SIGINT) is before
