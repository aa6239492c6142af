"""check-sync through an owner: a street that is dead is not passed, and one that is the house itself is said to be."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.outlets.pictures import ISLANDED
from tests.signals.test_spectrum import RATE_HZ, WINDOW, wave
from v2h_console.cli import check_sync
from v2h_console.session import remote
from v2h_console.session.snapshot import MidView, Snapshot
from v2h_console.session.waves import Waves
from v2h_console.signals.spectrum import Samples

ALIVE = wave(60.0, {1: 120.0})
#: What a sensor gives of nothing.
DEAD = np.random.default_rng(5).normal(0.0, 0.3, WINDOW)


class RecordingOwner:
    """Gives a clean house and the street that it is told to give."""

    street: tuple[Samples, Samples] = (ALIVE, -ALIVE)
    position = "open"

    def __init__(self, root: Path, *, watch: bool = False) -> None:
        """Nothing to attach to."""

    def ask_waves(self) -> Future[Waves]:
        sides = (*self.street, ALIVE, -ALIVE)
        answer: Future[Waves] = Future()
        answer.set_result(Waves(RATE_HZ, *(tuple(samples.tolist()) for samples in sides)))
        return answer

    def watch(self) -> Snapshot:
        return msgspec.structs.replace(ISLANDED, mid=MidView(position=self.position))

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> type[RecordingOwner]:
    """An owner of this test alone."""
    mine = type("Mine", (RecordingOwner,), {})
    monkeypatch.setattr(remote, "RemoteSession", mine)
    return mine


@pytest.mark.parametrize(
    ("street", "status", "verdict"),
    [
        ((ALIVE, -ALIVE), 0, "PASS"),
        ((DEAD, DEAD), 1, "--"),
        ((ALIVE, DEAD), 1, "FAIL"),
        ((DEAD, -ALIVE), 1, "FAIL"),
    ],
)
def test_a_house_passes_only_beside_a_street_with_both_legs(
    owner: type[RecordingOwner],
    capsys: pytest.CaptureFixture[str],
    street: tuple[Samples, Samples],
    status: int,
    verdict: str,
) -> None:
    owner.street = street
    assert check_sync.main(["--source", "internal", "--target", "main_bus", "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["note"]) == (verdict, "")


def test_a_closed_mid_compares_the_house_with_itself_and_says_so(
    owner: type[RecordingOwner], capsys: pytest.CaptureFixture[str]
) -> None:
    owner.position = "closed"
    assert check_sync.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("MID closed: both sides are one")
    assert check_sync.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["note"].startswith("MID closed: both sides are one")
