"""What a frame's counter says: lost frames are nothing special, frames said again are none of now."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2h_console.twin.faces import lc_frames
from v2h_drivers.can.logic_controller import (
    FROZEN_REPEATS,
    HEARTBEAT_LATE_NS,
    LOST_MOST,
    LogicControllerLink,
)
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import ControllerHeartbeat, Sync
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import LinkState

MS = 1_000_000
PERIOD_NS = 10 * MS


class Ear:
    """A link that has heard SYNC up to counter 99; each frame comes a period after the one before."""

    def __init__(self, heard: int = 100) -> None:
        self.link = LogicControllerLink("C", "t")
        self.now_ns = 0
        for counter in range(heard):
            assert self.hear(counter) is not None

    def hear(self, counter: int, *, after_ns: int = PERIOD_NS) -> Reading | None:
        self.now_ns += after_ns
        frame = lc_frames.frame(lc_frames.SYNC, lc_frames.sync(1.0, 0.1, 0.5, 0), counter)
        return self.link.receive(lc_frames.SYNC, frame, self.now_ns)

    def heartbeat(self, nonce: int, counter: int, time_ms: int) -> Reading | None:
        frame = lc_frames.frame(lc_frames.HB_LC, lc_frames.heartbeat(nonce, 1, 1, time_ms), counter)
        return self.link.receive(lc_frames.HB_LC, frame, self.now_ns)


@pytest.fixture
def ear() -> Ear:
    """It has heard 0 to 99."""
    return Ear()


def test_a_frame_that_comes_after_a_later_one_is_dropped_and_the_next_is_heard(ear: Ear) -> None:
    assert ear.hear(97, after_ns=MS) is None
    assert ear.link.statistics.out_of_turn == ear.link.health(ear.now_ns).bad == 1
    assert isinstance(ear.hear(100), Sync)


def test_five_recorded_frames_said_in_turn_never_pass(ear: Ear) -> None:
    answers = [ear.hear(40 + nth % 5) for nth in range(1_000)]
    assert answers[: FROZEN_REPEATS - 1] == [None] * (FROZEN_REPEATS - 1)
    told = answers[FROZEN_REPEATS - 1 :]
    assert {answer.quality for answer in told if answer is not None} == {Quality.BAD}
    assert None not in told
    assert ear.link.health(ear.now_ns).state is LinkState.LOST


def test_frames_recorded_so_long_ago_that_they_seem_to_be_ahead_pass_once_at_most(ear: Ear) -> None:
    answers = [ear.hear(160 + nth % 5) for nth in range(1_000)]
    assert sum(answer is not None and answer.quality is Quality.GOOD for answer in answers) <= 4


@pytest.mark.parametrize("step", range(1, LOST_MOST + 1))
def test_a_few_lost_frames_are_not_waited_for(ear: Ear, step: int) -> None:
    assert isinstance(ear.hear(99 + step), Sync)
    assert ear.link.statistics.lost == step - 1


def test_a_leap_is_believed_when_a_second_frame_goes_on_from_it(ear: Ear) -> None:
    assert ear.hear(150) is None
    assert isinstance(ear.hear(151), Sync)


def test_a_leap_is_believed_at_once_after_a_silence_that_accounts_for_it(ear: Ear) -> None:
    assert isinstance(ear.hear(99 + 45, after_ns=45 * PERIOD_NS), Sync)
    # The counter went round once and more.
    assert isinstance(ear.hear(3, after_ns=300 * PERIOD_NS), Sync)


def test_a_controller_taken_for_a_replay_is_heard_again_within_half_a_round(ear: Ear) -> None:
    answers = [ear.hear((99 - 100 + nth) & 0xFF) for nth in range(130)]
    good = [answer is not None and answer.quality is Quality.GOOD for answer in answers]
    assert good.index(True) == 101
    assert all(good[101:])


@settings(max_examples=200, deadline=None)
@given(arrives=st.lists(st.booleans(), min_size=1, max_size=700), start=st.integers(0, 255), late=st.data())
def test_of_a_healthy_controllers_frames_every_one_that_arrives_is_heard(
    arrives: list[bool], start: int, late: st.DataObject
) -> None:
    ear, sent = Ear(heard=0), 0
    began_ns = ear.now_ns
    for nth, here in enumerate(arrives):
        if here:
            at_ns = began_ns + nth * PERIOD_NS + late.draw(st.integers(0, 9 * MS))
            assert isinstance(ear.hear((start + nth) & 0xFF, after_ns=at_ns - ear.now_ns), Sync)
            sent += 1
    assert ear.link.statistics.bad == 0
    assert ear.link.statistics.good == sent


#: What the bus keeps while nobody reads, and how long the reader takes for each of its frames.
KEPT = 17
READ_NS = 20_000


@pytest.mark.parametrize("away", range(KEPT + 1, 700, 7))
def test_after_our_own_standstill_the_oldest_frames_come_first_and_then_the_leap_is_believed(
    ear: Ear, away: int
) -> None:
    ear.hear(100, after_ns=away * PERIOD_NS)
    for nth in range(1, KEPT):
        assert isinstance(ear.hear(100 + nth, after_ns=READ_NS), Sync)
    answers = [ear.hear((99 + away + nth) & 0xFF) for nth in range(1, 20)]
    assert all(isinstance(answer, Sync) and answer.quality is Quality.GOOD for answer in answers[1:])


def test_a_controller_that_was_silent_and_counts_on_leaves_nothing_open_for_an_old_frame(ear: Ear) -> None:
    ear.hear(100, after_ns=300 * PERIOD_NS)
    for counter in range(101, 104):
        assert isinstance(ear.hear(counter), Sync)
    assert [ear.hear(counter) for counter in (40, 41)] == [None, None]
    assert isinstance(ear.hear(104), Sync)


@pytest.mark.parametrize("silent", [15, 240, 300, 600])
def test_five_frames_said_in_turn_after_a_silence_pass_once_at_most(ear: Ear, silent: int) -> None:
    ear.now_ns += silent * PERIOD_NS
    answers = [ear.hear(95 + nth % 5) for nth in range(1_000)]
    assert not any(answer is not None and answer.quality is Quality.GOOD for answer in answers[5:])


def test_the_first_frames_ever_leave_nothing_open_for_an_old_one() -> None:
    ear = Ear(heard=0)
    ear.now_ns = 3_600_000 * MS
    for counter in (100, 101):
        assert isinstance(ear.hear(counter, after_ns=READ_NS), Sync)
    assert [ear.hear(counter, after_ns=READ_NS) for counter in (40, 41)] == [None, None]


def test_a_controller_that_starts_anew_is_known_by_its_first_heartbeat(ear: Ear) -> None:
    for nth in range(200, 220):
        ear.heartbeat(7, nth, 20 * nth)
    ear.now_ns += HEARTBEAT_LATE_NS
    assert ear.hear(1, after_ns=0) is None, "nobody has said yet that it starts anew"
    again = ear.heartbeat(8, 1, 3)
    assert isinstance(again, ControllerHeartbeat)
    assert (again.quality, again.nonce) == (Quality.GOOD, 8)
    assert isinstance(ear.hear(2), Sync)
    assert ear.link.nonce_changes == 1


@pytest.mark.parametrize("counter", [33, 200, 221])
def test_a_recorded_heartbeat_of_an_earlier_start_opens_nothing_while_the_present_one_lives(
    ear: Ear, counter: int
) -> None:
    for nth in range(200, 220):
        ear.heartbeat(7, nth, 20 * nth)
        ear.now_ns += 20 * MS
    assert ear.heartbeat(5, counter, 900) is None
    assert ear.hear(40) is None, "recorded then, too"
    alive = ear.heartbeat(7, 220, 4_400)
    assert isinstance(alive, ControllerHeartbeat)
    assert (alive.quality, alive.nonce, ear.link.nonce_changes) == (Quality.GOOD, 7, 0)


def test_the_quickest_restart_is_believed_after_two_more_heartbeats(ear: Ear) -> None:
    for nth in range(200, 220):
        ear.now_ns += 20 * MS
        ear.heartbeat(7, nth, 20 * nth)
    answers = []
    for nth in range(4):
        ear.now_ns += 20 * MS
        answers.append(ear.heartbeat(8, 1 + nth, 3 + 20 * nth))
    assert answers[:2] == [None, None]
    assert all(isinstance(answer, ControllerHeartbeat) and answer.nonce == 8 for answer in answers[2:])
    assert isinstance(ear.hear(2), Sync)


def test_an_old_heartbeat_of_the_same_controller_is_no_sign_of_life(ear: Ear) -> None:
    for nth in range(20):
        ear.heartbeat(7, nth, 20 * nth)
        ear.now_ns += 20 * MS
    alive_ns = ear.now_ns
    for nth in range(30):
        ear.heartbeat(7, 3 + nth % 2, 20 * (3 + nth % 2))
        ear.now_ns += 20 * MS
        ear.link.receive(
            lc_frames.GRID_FAST,
            lc_frames.frame(lc_frames.GRID_FAST, lc_frames.grid_fast(1, 1, 0, 0), nth),
            ear.now_ns,
        )
    assert ear.now_ns - alive_ns > 500 * MS
    assert ear.link.health(ear.now_ns).state is not LinkState.OK
