"""Frames that are lost or stand still, through the real codec and link."""

from __future__ import annotations

import pytest

from v2h_console.proving.can_faults import ONE_ID
from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_console.twin.vocabulary import Params

S = 1_000_000_000


def _course(params: Params) -> Course:
    start = Start(enter_service_s=15.0, soc_pct=60.0, ambient_c=20.0)
    steps = (Step(3.0, "fault.inject", params),)
    return JudgedSite(Scenario("frames", 6.0, start, steps), 2).play()


def _opened_ms(course: Course) -> float | None:
    opened = [truth.at_ns for truth in course.run.truths if truth.truth == "coil.off"]
    return (opened[0] - 3 * S) / 1e6 if opened else None


@pytest.mark.parametrize("how", ["repeats", "values", "counter", "heartbeat"])
def test_a_controller_that_stands_still_is_not_believed(how: str) -> None:
    course = _course({"fault": "lc.frozen", "how": how})
    assert not course.violations
    opened_ms = _opened_ms(course)
    assert opened_ms is not None
    assert opened_ms <= 100.0


def test_frames_that_were_recorded_and_are_said_again_are_not_believed() -> None:
    course = _course({"fault": "can.frames_lost", "how": "replay"})
    assert not course.violations
    opened_ms = _opened_ms(course)
    assert opened_ms is not None
    # What was said first again came fresh the first time: five frames of each id, 10 ms of the street's voltage.
    assert opened_ms <= 10.0 + 85.0


@pytest.mark.parametrize("frame", ONE_ID)
def test_frames_of_one_id_that_stop_break_nothing(frame: str) -> None:
    course = _course({"fault": "can.frames_lost", "how": "one_id", "frame": frame})
    assert not course.violations
    if frame == "grid_fast":
        opened_ms = _opened_ms(course)
        assert opened_ms is not None
        assert opened_ms <= 85.0


@pytest.mark.parametrize("how", ["random", "bursts"])
def test_frames_lost_by_chance_are_counted_and_break_nothing(how: str) -> None:
    course = _course({"fault": "can.frames_lost", "how": how})
    assert not course.violations
    assert course.site.owner.link.statistics.lost > 50
