"""Passing quickly over quiet time must change neither what happens nor when."""

from __future__ import annotations

from itertools import pairwise

import pytest

from v2h_console.proving.course import JudgedSite
from v2h_console.proving.memory import Memory
from v2h_console.proving.virtual import MS, S, VirtualSite
from v2h_console.site import demo_site
from v2h_console.twin.faces import lc_frames
from v2h_console.twin.house import House
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.requests import ShedRequest

COURSES = {
    "an outage": (Step(3.0, "grid.loss"), Step(9.0, "load.on", {"load": "hvac"})),
    "a restart between two hops": (Step(4.137, "owner.restart"),),
    "a second master that nobody ends": (
        Step(3.0, "grid.loss"),
        Step(5.0, "fault.inject", {"fault": "control.second_master"}),
        Step(9.0, "grid.return"),
    ),
    "a blind sensor that comes back": (
        Step(2.0, "fault.inject", {"fault": "grid_sense.off"}),
        Step(7.5, "fault.clear", {"fault": "grid_sense.off"}),
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_hops_change_neither_what_happens_nor_when(name: str) -> None:
    scenario = Scenario(name, 12.0, Start(enter_service_s=15.0), COURSES[name])
    hopping, fixed = JudgedSite(scenario, 3).play(), JudgedSite(scenario, 3, fixed=True).play()
    assert hopping.run.steps < fixed.run.steps / 2, "nothing was passed over: the comparison proves nothing"
    assert [t for t in hopping.run.truths if t.truth == "coil.off"], "the MID never opened"
    assert hopping.run.truths == fixed.run.truths
    assert hopping.run.events == fixed.run.events


def test_inverters_that_come_in_phase_join_when_they_would_without_hops() -> None:
    scenario = Scenario(
        "three inverters", 20.0, Start(enter_service_s=15.0, inverters=3), (Step(4.0, "grid.loss"),)
    )
    hopping, fixed = JudgedSite(scenario, 3).play(), JudgedSite(scenario, 3, fixed=True).play()
    assert hopping.run.steps < fixed.run.steps, "nothing was passed over: the comparison proves nothing"
    assert [event for event in hopping.run.events if event.code == "INVERTER_JOINED"]
    assert hopping.run.truths == fixed.run.truths
    assert hopping.run.events == fixed.run.events


def test_a_hot_house_gets_its_power_back_when_it_would_without_hops() -> None:
    scenario = Scenario(
        "a hot day", 60.0, Start(enter_service_s=15.0, ambient_c=48.5), (Step(40.0, "grid.loss"),)
    )
    hopping, fixed = JudgedSite(scenario, 3).play(), JudgedSite(scenario, 3, fixed=True).play()
    assert hopping.run.steps < fixed.run.steps / 2, "nothing was passed over: the comparison proves nothing"
    limits_w = [float(t.detail["power_w"]) for t in fixed.run.truths if t.truth == "inverter.limit"]
    assert [b for a, b in pairwise(limits_w) if b > a], "no limit ever rose"
    assert hopping.run.truths == fixed.run.truths
    assert hopping.run.events == fixed.run.events


def test_a_sensor_that_drifts_onto_a_threshold_crosses_it_when_it_would_without_hops() -> None:
    """120 V read 5 % too high are the reconnection limit: which frame passes it first is noise."""
    drift = Step(2.0737074972507368, "fault.inject", {"fault": "grid_sense.drift", "pct": 5.0})
    loads = ("fridge", "furnace_fan", "evse", "lights")
    start = Start(
        enter_service_s=15.0,
        soc_pct=33.226466617245656,
        ambient_c=21.930251307215045,
        pv_kw=0.0,
        loads_on=loads,
    )
    scenario = Scenario("drift", 6.0, start, (drift,))
    hopping, fixed = JudgedSite(scenario, 9200012).play(), JudgedSite(scenario, 9200012, fixed=True).play()
    assert hopping.run.steps < fixed.run.steps, "nothing was passed over: the comparison proves nothing"
    assert [event for event in fixed.run.events if event.code == "GRID_SENSE_VOLTAGE_HIGH"]
    assert hopping.run.events == fixed.run.events


def test_a_look_ahead_that_comes_to_nothing_leaves_no_mark_on_the_link() -> None:
    site = VirtualSite(demo_site.settings(15.0), House(), booting=False)
    site.advance(2 * S)
    link = site.owner.link
    before = {name: repr(value) for name, value in vars(link).items()}
    memory = Memory(link)
    for at_ns, arbitration_id, data in site.controller.newest_before(site.world.now_ns + 1):
        link.receive(arbitration_id, data, at_ns)
    body = bytes(6) + b"\x01"
    link.receive(lc_frames.SUPPLY, body + b"\x00", site.world.now_ns)
    link.request(ShedRequest(0xFF), site.world.now_ns)
    link.frames_due(site.world.now_ns + 100 * MS)
    assert {name: repr(value) for name, value in vars(link).items()} != before
    memory.restore()
    assert {name: repr(value) for name, value in vars(link).items()} == before


def test_a_look_ahead_that_comes_to_nothing_leaves_no_mark_on_the_owner() -> None:
    site = VirtualSite(demo_site.settings(15.0), House(), booting=False)
    site.advance(2 * S)
    owner = site.owner

    def known() -> dict[str, str]:
        return {name: repr(value) for name, value in vars(owner).items() if name != "link"}

    before, memory = known(), Memory(owner)
    for at_ns, arbitration_id, data in site.controller.newest_before(3 * S):
        owner.hear(arbitration_id, data, at_ns)
    owner.polled.extend(site.poll(3 * S))
    owner.follow(owner.step(owner.observe(3 * S, everything=True), 3 * S), 3 * S)
    owner.stall(4 * S)
    assert known() != before
    memory.restore()
    assert known() == before


def test_every_kind_of_state_is_remembered() -> None:
    link = LogicControllerLink("Controller", "virtual")
    for value in vars(link).values():
        for inner in value.values() if isinstance(value, dict) else [value]:
            assert not hasattr(inner, "__dict__") or callable(inner), f"{inner!r} is deeper than a record"


def test_passed_over_time_cannot_hide_an_event() -> None:
    site = VirtualSite(demo_site.settings(15.0), House(), booting=False)
    site.advance(2 * S)
    with pytest.raises(ValueError, match="must be lived through"):
        site.world.look_at(site.world.next_event_ns() + 1)
