"""An order that is accepted is carried out: by this core, or by the one that gets its memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made, until
from v2h_console.core.observation import Observation
from v2h_console.core.state import State
from v2h_console.core.step import Step
from v2h_console.runtime import hand_over
from v2h_console.runtime.owner import Owner
from v2h_console.session.orders import Order, Receipt


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    """Its house is dark and stays so: the controller is silent."""
    made_owner = made(tmp_path, QuietBus())
    made_owner.start_core()
    until(lambda: not hand_over.refusal(made_owner.lane.published))
    yield made_owner
    made_owner.stop()


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
