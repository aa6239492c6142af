"""A word is typed for what stood when the question was asked: it releases nothing that came after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made, until
from v2h_console.core.alarms_state import Alarm
from v2h_console.core.events import Event, Severity
from v2h_console.core.observation import Observation
from v2h_console.core.step import Step
from v2h_console.runtime import hand_over
from v2h_console.runtime.owner import SHOWN_NS, Owner
from v2h_console.session.orders import Order

LOOK_AGAIN = "something has changed since you were asked: look again"


class Clock:
    """Monotonic nanoseconds for the owner, moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 10**15

    def __call__(self) -> int:
        return self.now_ns

    def pass_by(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def owner(tmp_path: Path, clock: Clock) -> Iterator[Owner]:
    """It runs, beside a controller that is silent; started ten seconds ago."""
    running = made(tmp_path, QuietBus(), clock)
    running.start_core()
    until(lambda: not hand_over.refusal(running.lane.published))
    clock.pass_by(10.0)
    yield running
    running.stop()


def close(owner: Owner, nonce: str, seen_ns: int, do: str = "operator.close_mid") -> str:
    return owner.order(Order(nonce, do, confirmed=True, seen_ns=seen_ns)).reason


def test_an_mid_that_somebody_opened_meanwhile_stays_open(owner: Owner, clock: Clock) -> None:
    asked_ns = clock.now_ns
    clock.pass_by(2.0)
    assert owner.order(Order("bob", "operator.open_mid")).accepted
    clock.pass_by(0.2)
    assert close(owner, "anna", asked_ns) == LOOK_AGAIN
    assert close(owner, "anna again", clock.now_ns) == ""


@pytest.mark.parametrize("do", ["operator.close_mid", "operator.reset_lockout"])
def test_a_lockout_that_came_while_the_word_was_typed_stays(owner: Owner, clock: Clock, do: str) -> None:
    asked_ns = clock.now_ns
    assert close(owner, "before", asked_ns, do) == ""
    clock.pass_by(3.0)
    state = owner.lane.published
    second = Event(clock.now_ns, "SECOND_MASTER", Severity.LOCKOUT, "Somebody else commands.")
    owner._recorded(state, Observation(1), clock.now_ns, Step(state, (), (second,), 0, 0))
    clock.pass_by(1.0)
    assert close(owner, "typed", asked_ns, do) == LOOK_AGAIN
    assert close(owner, "looked again", clock.now_ns, do) == ""


def test_an_alarm_that_stands_since_counts_though_its_event_was_another_owners(
    owner: Owner, clock: Clock
) -> None:
    owner.lane.stop()
    owner.lane.join(5.0)
    since_ns = clock.now_ns - 1_000_000_000
    alarm = Alarm("FORMING_LOCKED_OUT", Severity.LOCKOUT, "Forming is locked out.", since_ns)
    owner.lane.published = replace(owner.lane.published, alarms=(alarm,))
    assert close(owner, "a", since_ns - 1) == LOOK_AGAIN
    assert close(owner, "b", since_ns + SHOWN_NS) != LOOK_AGAIN


def test_a_question_of_before_the_owners_start_is_asked_anew_and_a_script_asks_none(
    owner: Owner, clock: Clock
) -> None:
    assert close(owner, "a", clock.now_ns - 11_000_000_000) == LOOK_AGAIN
    assert close(owner, "b", 0) == ""
