"""An order that is accepted is carried out: by this core, or by the one that gets its memory."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made, until
from tests.runtime.test_relays import hears
from v2h_console.core.observation import Observation
from v2h_console.core.state import State
from v2h_console.core.step import Step
from v2h_console.runtime import hand_over
from v2h_console.runtime.owner import Owner
from v2h_console.runtime.relays import Relays
from v2h_console.session.orders import Order, Receipt
from v2h_drivers.capabilities.requests import RelayRequest, SlowRequest
from v2h_drivers.capabilities.slow_readings import LinkState


class Switch:
    """A relay board whose line is slow: what it takes is done once the test says so."""

    name = "Load centre"

    def __init__(self) -> None:
        self.asked: deque[SlowRequest] = deque()

    async def run(self) -> None:
        await asyncio.Event().wait()

    def submit(self, request: SlowRequest) -> bool:
        if isinstance(request, RelayRequest):
            self.asked.append(request)
        return True

    def busy(self) -> bool:
        return bool(self.asked)

    def ended(self, words: str) -> None:
        """It does not."""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    """Its house is dark and stays so: the controller is silent."""
    made_owner = made(tmp_path, QuietBus(), relays=Relays(Switch.name, 4), slow=[Switch()])
    made_owner.start_polling()
    made_owner.start_core()
    until(lambda: not hand_over.refusal(made_owner.lane.published))
    yield made_owner
    made_owner.stop()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OverflowError("out of range"), "out of range"),
    ],
)
def test_a_memory_that_cannot_be_written_down_stays_with_this_owner(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str
) -> None:
    def refuse(folder: Path, handed: hand_over.HandOver) -> None:
        raise failure

    monkeypatch.setattr(hand_over, "write", refuse)
    why = owner.hand_over(tmp_path, hand_over.shape(owner._settings))
    assert why == f"it cannot be written: {said}"
    assert owner.lane.is_alive()
    assert owner.lane.failure is None
    monkeypatch.undo()
    assert owner.hand_over(tmp_path, hand_over.shape(owner._settings)) == ""


def test_an_order_that_comes_after_the_last_look_goes_with_the_core(owner: Owner, tmp_path: Path) -> None:
    answers: list[Receipt] = []
    recorded = owner.lane._recorded
    assert recorded is not None

    def press_in_between(before: State, observation: Observation, now_ns: int, result: Step) -> None:
        recorded(before, observation, now_ns, result)
        if owner.lane._yielding is not None and not answers:
            person = threading.Thread(
                target=lambda: answers.append(owner.order(Order("o", "operator.open_mid")))
            )
            person.start()
            person.join()

    owner.lane._recorded = press_in_between
    assert owner.hand_over(tmp_path, hand_over.shape(owner._settings)) == ""
    handed = hand_over.read(tmp_path, owner._settings)
    assert [receipt.accepted for receipt in answers] == [True]
    assert handed.state.islanding.operator_hold
    assert not owner._inbox.orders


def test_an_order_that_comes_once_the_core_is_given_away_is_refused_in_words(
    owner: Owner, tmp_path: Path
) -> None:
    answers: list[Receipt] = []
    write = hand_over.write

    def press_meanwhile(folder: Path, handed: hand_over.HandOver) -> None:
        write(folder, handed)
        person = threading.Thread(target=lambda: answers.append(owner.order(Order("o", "operator.open_mid"))))
        person.start()
        # It waits at the gate until it is known who has the core.
        person.join(0.05)
        assert not answers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hand_over, "write", press_meanwhile)
        assert owner.hand_over(tmp_path, hand_over.shape(owner._settings)) == ""
    until(lambda: bool(answers))
    assert not answers[0].accepted
    assert "another owner has the house" in answers[0].reason
    assert not owner._inbox.orders


@pytest.mark.parametrize("done", [True, False])
def test_a_circuit_that_is_being_switched_is_switched_before_the_house_changes_hands(
    owner: Owner, tmp_path: Path, done: bool
) -> None:
    assert owner._slow.ready.wait(5.0)
    switch = owner._slow._devices[0]
    assert isinstance(switch, Switch)
    hears(owner, LinkState.OK)
    circuit = owner._settings.loads.circuits[0].id
    assert owner.order(Order("o", "operator.load_off", {"load": circuit})).accepted
    answers: list[str] = []
    asks = threading.Thread(
        target=lambda: answers.append(owner.hand_over(tmp_path, hand_over.shape(owner._settings)))
    )
    asks.start()
    until(lambda: bool(switch.asked))
    steps = owner.lane.lateness.ticks
    until(lambda: owner.lane.lateness.ticks > steps + 3)
    assert not owner.lane.handed_over
    if done:
        switch.asked.clear()
    asks.join(5.0)
    assert answers == ["" if done else "a circuit is being switched"]
    assert owner.lane.handed_over is done
    switch.asked.clear()
