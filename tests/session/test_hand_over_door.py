"""A take-over waits for a quiet step of the core; nobody else waits behind it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2h_console.runtime.desk import HAND_OVER, INSTALLER, Desk, Seat
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.remote import RemoteSession
from v2h_console.session.snapshot import Snapshot


class Core:
    """One that is asked for, and says so when it is told to."""

    def __init__(self) -> None:
        self.asked, self.go, self.ends = threading.Event(), threading.Event(), threading.Event()
        self.why = ""

    def give(self, shape: str) -> str:
        self.asked.set()
        assert self.go.wait(10.0)
        return self.why


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def root(tmp_path: Path, core: Core) -> Iterator[Path]:
    """An owner that may be asked for its core."""
    lock = OwnerLock(tmp_path)
    desk = Desk(Snapshot, lambda order: Receipt(order.nonce, accepted=True))
    desk.on_hand_over, desk.on_stop = core.give, core.ends.set
    seat = Seat("tech", INSTALLER, "tech", uid=os.geteuid())
    server = SessionServer(lock.folder, desk, has_trainer=False, identify=lambda line: seat)
    server.start()
    yield tmp_path
    core.go.set()
    server.stop()
    server.join(5.0)
    lock.release()


def test_opening_does_not_wait_behind_a_take_over(root: Path, core: Core) -> None:
    taker, person = RemoteSession(root), RemoteSession(root)
    core.why = "the MID is on its way"
    answer = taker.ask(Order("h", HAND_OVER, {"shape": "s"}, confirmed=True))
    assert core.asked.wait(5.0)
    assert person.ask(Order("o", "operator.open_mid")).result(5.0).accepted
    assert not answer.done()
    core.go.set()
    refused = answer.result(5.0)
    assert (refused.accepted, refused.reason) == (False, core.why)
    assert not core.ends.is_set()


def test_the_owner_ends_once_its_core_is_given_though_the_taker_has_hung_up(root: Path, core: Core) -> None:
    taker = RemoteSession(root)
    taker.ask(Order("h", HAND_OVER, {"shape": "s"}, confirmed=True))
    assert core.asked.wait(5.0)
    taker.close()
    core.go.set()
    assert core.ends.wait(5.0)
