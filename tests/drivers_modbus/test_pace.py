"""Between two polls: the period's rest, unless somebody asks for something."""

from __future__ import annotations

import asyncio

from v2h_console.proving.virtual_loop import VirtualLoop
from v2h_drivers.modbus.pace import LEAST_S, Pace

S = 1_000_000_000


def rested(pace: Pace, seconds: float, hurry_at_s: float | None = None) -> float:
    """How long a rest lasts, in a time that is given; ``hurry_at_s`` after its beginning somebody asks."""
    loop = VirtualLoop(5 * S)  # type: ignore[abstract]  # only what machines use
    ended_s: list[float] = []

    async def story() -> None:
        await pace.rest(seconds)
        ended_s.append(loop.time() - 5.0)

    loop.create_task(story())
    if hurry_at_s is not None:
        loop.call_later(hurry_at_s, pace.hurry)
    loop.run_until(100 * S)
    return round(ended_s[0], 6)


def test_nobody_asks_and_the_period_is_kept() -> None:
    pace = Pace()
    assert rested(pace, 0.5) == 0.5
    assert rested(pace, 0.25) == 0.25


def test_what_is_asked_for_in_the_rest_ends_it_at_once() -> None:
    assert rested(Pace(), 0.5, hurry_at_s=0.123) == 0.123


def test_what_was_asked_for_while_the_poll_ran_waits_only_for_the_line() -> None:
    pace = Pace()
    pace.hurry()
    assert rested(pace, 0.5) == LEAST_S
    assert rested(pace, 0.5) == 0.5, "once"


def test_a_poll_that_took_longer_than_its_period_leaves_the_line_to_others_for_a_moment() -> None:
    assert rested(Pace(), -0.2) == LEAST_S


def test_an_end_in_the_rest_leaves_nothing_behind() -> None:
    async def story() -> None:
        pace = Pace()
        resting = asyncio.create_task(pace.rest(60.0))
        await asyncio.sleep(0)
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)
        pace.hurry()

    asyncio.run(story())
