"""The controller's heartbeat is a sign of life only while its clock goes on."""

from __future__ import annotations

import pytest

from v2h_console.twin.faces import lc_frames
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities import ControllerHeartbeat, LinkState, Quality, Reading

MS = 1_000_000


def test_a_heartbeat_whose_clock_stands_still_behind_a_live_counter() -> None:
    link = LogicControllerLink("C", "t")
    last: Reading | None = None
    for nth in range(6):
        frame = lc_frames.frame(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 500), nth)
        last = link.receive(lc_frames.HB_LC, frame, nth * 20 * MS)
    assert isinstance(last, ControllerHeartbeat)
    assert last.quality is Quality.BAD
    assert link.health(101 * MS).state is LinkState.LOST


def test_a_heartbeat_whose_clock_is_not_known_is_no_sign_of_life() -> None:
    link = LogicControllerLink("C", "t")
    not_available = lc_frames.heartbeat(77, 5, 1, 0) | 0xFFFF << 32
    for nth in range(6):
        reading = link.receive(
            lc_frames.HB_LC, lc_frames.frame(lc_frames.HB_LC, not_available, nth), nth * MS
        )
        assert reading is None or reading.quality is Quality.BAD
    assert link.health(7 * MS).state is LinkState.LOST
    assert not link.knows_controller


def test_a_heartbeat_whose_clock_goes_to_and_fro_is_no_sign_of_life() -> None:
    link = LogicControllerLink("C", "t")
    good = 0
    for nth in range(50):
        frame = lc_frames.frame(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 1_000 + 20 * (nth % 2)), nth)
        reading = link.receive(lc_frames.HB_LC, frame, nth * 20 * MS)
        good += reading is not None and reading.quality is Quality.GOOD
    assert good == 2
    assert link.health(50 * 20 * MS).state is LinkState.LOST


@pytest.mark.parametrize("silent_s", [0.02, 20.0, 40.0, 100.0, 3_600.0])
def test_a_heartbeats_clock_goes_on_over_its_wrap_and_over_any_silence(silent_s: float) -> None:
    link = LogicControllerLink("C", "t")
    for counter, at_ms in enumerate((65_500, 65_520, 65_540, 65_560, 65_560 + round(1e3 * silent_s))):
        frame = lc_frames.frame(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, at_ms), counter)
        reading = link.receive(lc_frames.HB_LC, frame, at_ms * MS)
        assert isinstance(reading, ControllerHeartbeat)
        assert reading.quality is Quality.GOOD


@pytest.mark.parametrize("period_s", [0.02, 40.0])
def test_a_clock_that_stands_still_stays_no_sign_of_life_however_long(period_s: float) -> None:
    link = LogicControllerLink("C", "t")
    for nth in range(2_500):
        frame = lc_frames.frame(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 500), nth & 0xFF)
        reading = link.receive(lc_frames.HB_LC, frame, round(nth * period_s * 1e9))
        assert nth == 0 or reading is None or reading.quality is Quality.BAD
