"""The controller's heartbeat is a sign of life only while its clock goes on."""

from __future__ import annotations

import pytest

from v2h_console.twin.faces import lc_frames
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import ControllerHeartbeat
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import LinkState

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


def beat(link: LogicControllerLink, sent_ms: int, read_ms: int, shows_ms: int | None) -> Reading | None:
    word = lc_frames.heartbeat(77, 5, 1, 0) | 0xFFFF << 32
    if shows_ms is not None:
        word = lc_frames.heartbeat(77, 5, 1, shows_ms)
    frame = lc_frames.frame(lc_frames.HB_LC, word, (sent_ms // 20) & 0xFF)
    return link.receive(lc_frames.HB_LC, frame, read_ms * MS)


def good(reading: Reading | None) -> bool:
    return reading is not None and reading.quality is Quality.GOOD


@pytest.mark.parametrize("away_s", [1, 5, 20, 32, 33, 34, 40, 50, 60, 65, 66, 100, 3_600])
def test_after_our_own_standstill_the_second_beat_of_now_is_a_sign_of_life(away_s: int) -> None:
    link = LogicControllerLink("C", "t")
    back_ms = 1_000 + 1_000 * away_s
    for at_ms in range(0, 1_000, 20):
        assert good(beat(link, at_ms, at_ms, at_ms))
    for at_ms in range(1_000, 1_160, 20):
        assert good(beat(link, at_ms, back_ms, at_ms)), "the bus has kept the oldest of them"
    answers = [beat(link, at_ms, at_ms, at_ms) for at_ms in range(back_ms + 20, back_ms + 400, 20)]
    assert all(good(answer) for answer in answers[1:])
    assert link.health((back_ms + 400) * MS).state is LinkState.OK


@pytest.mark.parametrize("away_s", [5, 34, 40, 60, 66, 3_600])
def test_once_it_is_told_of_a_halt_that_our_clock_has_missed_it_believes_the_next_beat(away_s: int) -> None:
    link = LogicControllerLink("C", "t")
    for at_ms in range(0, 1_000, 20):
        assert good(beat(link, at_ms, at_ms, at_ms))
    away_ms = 1_000 * away_s + 1_340
    for at_ms in range(1_000, 1_200, 20):
        beat(link, away_ms + at_ms, at_ms, away_ms + at_ms)
    link.halted(away_ms * MS)
    for at_ms in range(1_200, 1_500, 20):
        assert good(beat(link, away_ms + at_ms, at_ms, away_ms + at_ms))
    assert link.health(1_500 * MS).state is LinkState.OK


def test_a_clock_that_was_not_known_for_long_counts_again_as_soon_as_it_is_known() -> None:
    link = LogicControllerLink("C", "t")
    for at_ms in range(0, 42_000, 20):
        known = not 1_000 <= at_ms < 41_000
        assert good(beat(link, at_ms, at_ms, at_ms if known else None)) is known


@pytest.mark.parametrize("kept", [2, 5, 100])
def test_beats_of_long_ago_said_in_turn_are_no_sign_of_life_when_their_time_comes_round(kept: int) -> None:
    link = LogicControllerLink("C", "t")
    for at_ms in range(0, 20 * kept, 20):
        assert good(beat(link, at_ms, at_ms, 1_000 + at_ms))
    again = [beat(link, at_ms, at_ms, 1_000 + at_ms % (20 * kept)) for at_ms in range(20 * kept, 140_000, 20)]
    assert not any(good(answer) for answer in again)
