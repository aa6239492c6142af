"""A trainer is told what the simulated house cannot do; it hears of no order that the twin would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made
from v2h_console.runtime import training
from v2h_console.session.orders import TRAINER_PREFIXES, Order
from v2h_console.twin.vocabulary import WORLD_VERBS

Params = dict[str, float | str | bool]


def asked(folder: Path, do: str, params: Params) -> tuple[str, list[str]]:
    """The owner's refusal, and what the twin heard."""
    heard: list[str] = []
    owner = made(folder, QuietBus(), trainer=lambda name, _params: heard.append(name))
    receipt = owner.order(Order("1", do, params))
    assert receipt.accepted is (receipt.reason == "")
    return receipt.reason, heard


@pytest.mark.parametrize(
    ("do", "params", "said"),
    [
        (
            "fault.inject",
            {"fault": "modbus.write_ignored", "how": "effect"},
            "fault.inject: modbus.write_ignored is a fault of the site, not of the house alone",
        ),
        ("fault.inject", {"fault": "mid.melted"}, "fault.inject: fault must be one of mid.welded, "),
        ("fault.inject", {}, "fault.inject: fault is missing: "),
        ("grid.lost", {}, "unknown do 'grid.lost': allowed are grid.loss, "),
        ("grid.sag", {"pu": 7.0}, "grid.sag: pu must be 0 to 1.5 pu, not 7.0"),
        ("grid.loss", {"leg": 1, "do": "ev.unplug"}, "grid.loss: unknown parameter 'do': allowed are leg, "),
        ("load.on", {"load": "moon"}, "load must be one of fridge, "),
        ("load.on", {"load": "\x1b[31m" * 1_000}, "load must be one of fridge, "),
    ],
)
def test_what_the_twin_would_refuse_is_refused_in_its_words(
    tmp_path: Path, do: str, params: Params, said: str
) -> None:
    reason, heard = asked(tmp_path, do, params)
    assert reason.startswith(said)
    assert reason.isprintable()
    assert len(reason) <= training.MOST_WORDS
    assert heard == []


@pytest.mark.parametrize(
    ("do", "params"),
    [
        ("grid.loss", {"leg": 1}),
        ("fault.inject", {"fault": "mid.slow", "latency_ms": 140}),
        ("fault.clear", {"fault": "mid.slow"}),
        ("load.off", {"load": "fridge"}),
        ("ev.limit", {"kw": 3}),
    ],
)
def test_what_the_twin_does_reaches_it(tmp_path: Path, do: str, params: Params) -> None:
    assert asked(tmp_path, do, params) == ("", [do])


def test_whatever_the_twin_can_do_a_trainer_can_ask_for() -> None:
    assert [verb for verb in WORLD_VERBS if not verb.startswith(TRAINER_PREFIXES)] == []
