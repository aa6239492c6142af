"""A disk that is full while the house is on the car: told within a tick, nothing closes, and it closes once there is room."""

from __future__ import annotations

import pytest

from v2h_console.proving.course import JudgedSite
from v2h_console.runtime.urgency import QUIET_TICK_NS
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000


def mode(judged: JudgedSite) -> str:
    """The islanding machine's."""
    return judged.site.state.islanding.mode.value


def islanded(seed: int) -> JudgedSite:
    """A house on the car whose grid may be closed to 15 s after its return."""
    judged = JudgedSite(Scenario("full disk", 300.0, Start(enter_service_s=15.0), ()), seed)
    judged.site.advance(5 * S)
    judged.do("grid.loss", {})
    judged.site.advance(10 * S)
    assert mode(judged) == "islanded"
    return judged


@pytest.mark.parametrize("seed", range(5))
def test_it_is_told_within_a_tick_and_the_close_waits_for_room(seed: int) -> None:
    judged = islanded(seed)
    site = judged.site
    judged.do("fault.inject", {"fault": "storage.full"})
    site.advance(10 * S + QUIET_TICK_NS)
    assert any(alarm.code == "STORAGE_FAILED" for alarm in site.state.alarms)
    judged.do("grid.return", {})
    site.advance(60 * S)
    assert mode(judged) in ("islanded", "syncing")
    assert not any(truth.truth == "coil.on" and truth.at_ns > 10 * S for truth in site.run.truths)
    judged.do("fault.clear", {"fault": "storage.full"})
    site.advance(100 * S)
    assert mode(judged) == "tied"
    assert not any(alarm.code == "STORAGE_FAILED" for alarm in site.state.alarms)


def test_an_owner_that_starts_on_a_full_disk_tells_it_too() -> None:
    judged = islanded(1)
    site = judged.site
    judged.do("fault.inject", {"fault": "storage.full"})
    judged.do("owner.restart", {})
    site.advance(15 * S)
    assert any(alarm.code == "STORAGE_FAILED" for alarm in site.state.alarms)


def test_what_a_person_opened_stays_open_though_the_disk_is_full_and_the_owner_starts_again() -> None:
    steps = (
        Step(5.0, "fault.inject", {"fault": "storage.full"}),
        Step(6.0, "operator.open_mid"),
        Step(30.0, "owner.restart"),
        Step(40.0, "fault.clear", {"fault": "storage.full"}),
        Step(50.0, "owner.restart"),
    )
    course = JudgedSite(Scenario("full", 120.0, Start(enter_service_s=15.0), steps), 0).play()
    assert course.violations == []
    assert course.site.state.islanding.operator_hold
    assert not [
        truth for truth in course.run.truths if truth.truth == "coil.on" and truth.at_ns > 6_000_000_000
    ]
