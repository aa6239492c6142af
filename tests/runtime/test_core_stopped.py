"""The core ends by a defect, or stands still: from then on nobody is shown what it said last."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from tests.runtime.owners import QuietBus, made, until
from v2h_console.cli import inverter_tool
from v2h_console.cli.demo import summary
from v2h_console.outlets import document, metrics
from v2h_console.runtime.core_stopped import STUCK_NS
from v2h_console.session.snapshot import Snapshot, Value


def nothing_is_known(picture: Snapshot) -> None:
    assert (picture.mode, picture.house_dark, picture.locked_out) == ("unknown", None, True)
    assert (picture.mid.position, picture.mid.proof, picture.mid.last_known) == ("unknown", "none", "closed")
    assert picture.grid.condition == "unknown"
    assert picture.inverter.mode == "unknown"
    assert not picture.inverter.heartbeat_ok
    assert {load.state for load in picture.loads} == {"unknown"}
    assert {device.state for device in picture.devices} <= {"lost"}
    assert (picture.alarms[0].code, picture.alarms[0].severity) == ("CORE_STOPPED", "lockout")
    assert picture.alarms[0].what_to_do
    assert picture.sentence.startswith("The control core has stopped")
    assert "LIVE" in picture.sentence
    for side in (picture.grid.sides, picture.house):
        assert all(
            getattr(side, name).value is None
            for name in side.__struct_fields__
            if isinstance(getattr(side, name), Value)
        )
    told = document.document(picture)
    assert (told["mode"], told["mid"], told["grid"]["in_window"]) == ("unknown", "unknown", None)
    msgspec.json.encode(told)
    assert (picture.inverter.set_w, told["inverter"]["set_w"]) == (None, None)
    assert b"v2h_inverter_limit_watts" not in metrics.exposition(picture)
    readings = summary(picture)["readings"]
    assert isinstance(readings, dict)
    assert readings["inverter"]["set_w"] is None
    assert not any(inverter_tool.in_force(picture, wanted_w) for wanted_w in (0.0, 5_000.0))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_core_that_died_leaves_a_picture_on_which_nothing_is_known(tmp_path: Path) -> None:
    bus = QuietBus()
    owner = made(tmp_path, bus)
    told: list[str] = []
    owner.on_event = lambda event: told.append(event.code)
    assert owner.snapshot().mode == "tied", "it has not begun yet"
    bus.defect = RuntimeError("a defect in the core")
    owner.start_core()
    owner.lane.join(5.0)
    nothing_is_known(owner.snapshot())
    newest = owner.snapshot()
    nothing_is_known(newest)
    assert newest.lane == owner.snapshot().lane
    assert told.count("CORE_STOPPED") == 1
    owner.stop()


def test_a_core_that_stands_still_is_no_picture_either_and_is_believed_again_when_it_goes_on(
    tmp_path: Path,
) -> None:
    bus, ahead_ns = QuietBus(), 0
    owner = made(tmp_path, bus, lambda: time.monotonic_ns() + ahead_ns)
    owner.start_core()
    until(lambda: owner.lane.lateness.ticks > 0)
    assert "stopped" not in owner.snapshot().sentence
    bus.held.clear()
    until(lambda: owner.snapshot() is owner.snapshot())
    ahead_ns = STUCK_NS + 500_000_000
    nothing_is_known(owner.snapshot())
    ahead_ns = 0
    bus.held.set()
    steps = owner.lane.lateness.ticks
    until(lambda: owner.lane.lateness.ticks > steps)
    again = owner.snapshot()
    assert "stopped" not in again.sentence
    assert all(alarm.code != "CORE_STOPPED" for alarm in again.alarms)
    assert [event.code for event in again.events][-2:] == ["CORE_STOPPED", "CORE_GOES_ON"]
    owner.stop()


def test_an_orderly_end_is_no_defect(tmp_path: Path) -> None:
    owner = made(tmp_path, QuietBus())
    owner.start_core()
    owner.stop()
    assert "CORE_STOPPED" not in {event.code for event in owner.snapshot().events}
