"""Between two polls: the period's rest, unless somebody asks for something."""

from __future__ import annotations

import asyncio

from v2h_console.proving.virtual_loop import VirtualLoop
from v2h_drivers.modbus.pace import LAST_RETRY_S, LEAST_S, RETRY_S, Pace

S = 1_000_000_000


class Line:
    """A device's pace, in a time that is given."""

    def __init__(self, period_s: float) -> None:
        self._loop = VirtualLoop(5 * S)  # type: ignore[abstract]  # only what machines use
        self.pace = Pace(period_s, lambda: self._loop.now_ns)

    def rested(
        self,
        *,
        poll_s: float = 0.0,
        hurry_at_s: float | None = None,
        answered: bool = True,
        lost: bool = False,
        soon: bool = False,
    ) -> float:
        """How long it rests after a poll of ``poll_s``; ``hurry_at_s`` after its beginning somebody asks."""
        ended_s: list[float] = []
        self.pace.begin()
        self._loop.run_until(self._loop.now_ns + int(poll_s * S))
        began_s = self._loop.time()

        async def story() -> None:
            await self.pace.rest(answered=answered, lost=lost, soon=soon)
            ended_s.append(self._loop.time() - began_s)

        self._loop.create_task(story())
        if hurry_at_s is not None:
            self._loop.call_later(hurry_at_s, self.pace.hurry)
        self._loop.run_until(self._loop.now_ns + 100 * S)
        return round(ended_s[0], 6)


def test_nobody_asks_and_the_period_is_kept() -> None:
    line = Line(0.5)
    assert line.rested() == 0.5
    assert line.rested(poll_s=0.25) == 0.25


def failing(period_s: float) -> Line:
    """One that has failed once already."""
    line = Line(period_s)
    line.rested(answered=False)
    return line


def test_one_that_did_not_answer_is_asked_again_at_once_and_then_after_half_a_second() -> None:
    line = Line(10.0)
    assert [line.rested(answered=False) for _ in range(3)] == [LEAST_S, RETRY_S, RETRY_S]
    line.rested()
    assert line.rested(answered=False) == LEAST_S


def test_a_time_out_does_not_use_up_the_pause_after_it() -> None:
    assert failing(10.0).rested(poll_s=1.0, answered=False) == RETRY_S


def test_one_that_is_lost_is_asked_more_and_more_seldom_until_it_answers() -> None:
    line = Line(1.0)
    pauses = [line.rested(answered=False, lost=True) for _ in range(6)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, LAST_RETRY_S, LAST_RETRY_S]
    line.rested()
    assert [line.rested(answered=False) for _ in range(2)] == [LEAST_S, RETRY_S]


def test_a_question_out_of_turn_leaves_the_pauses_of_one_that_is_lost_as_they_are() -> None:
    line = Line(1.0)
    pauses = [line.rested(answered=False, lost=True, soon=nth == 2) for nth in range(5)]
    assert pauses == [0.5, 1.0, RETRY_S, 2.0, 4.0]


def test_one_that_was_lost_and_is_busy_now_is_asked_every_half_second() -> None:
    line = Line(1.0)
    for _ in range(5):
        line.rested(answered=False, lost=True)
    assert line.rested(answered=False) == RETRY_S
    assert line.rested(answered=False, lost=True) == RETRY_S


def test_one_that_does_not_answer_is_asked_no_sooner_for_what_is_asked_for() -> None:
    line = failing(1.0)
    assert line.rested(answered=False, hurry_at_s=0.1) == RETRY_S


def test_what_is_asked_for_in_the_rest_ends_it_at_once() -> None:
    assert Line(0.5).rested(hurry_at_s=0.123) == 0.123


def test_what_was_asked_for_while_the_poll_ran_waits_only_for_the_line() -> None:
    line = Line(0.5)
    line.pace.hurry()
    assert line.rested() == LEAST_S
    assert line.rested() == 0.5, "once"


def test_a_poll_that_took_longer_than_its_period_leaves_the_line_to_others_for_a_moment() -> None:
    assert Line(0.5).rested(poll_s=0.7) == LEAST_S


def test_an_end_in_the_rest_leaves_nothing_behind() -> None:
    async def story() -> None:
        pace = Pace(60.0, lambda: 0)
        resting = asyncio.create_task(pace.rest(answered=True))
        await asyncio.sleep(0)
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)
        pace.hurry()

    asyncio.run(story())
