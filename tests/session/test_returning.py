"""A screen's owner goes and another comes; and what people do at the desk leaves an event with their name."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from v2h_console.runtime.desk import PASS_ON, SAID_ONCE_NS, STOP, TAKE, Desk, Seat
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session import returning
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.remote import RemoteSession
from v2h_console.session.returning import ReturningSession
from v2h_console.session.snapshot import Snapshot

from .test_owner_door import until


class House:
    """An owner that can go and come again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._server: SessionServer | None = None
        self.known = True
        self.comes("islanded")

    def comes(self, mode: str) -> None:
        """Another owner."""
        self._lock = OwnerLock(self.root)
        self._desk = Desk(lambda: Snapshot(sequence=1, mode=mode), lambda o: Receipt(o.nonce, accepted=True))
        self._server = SessionServer(
            self._lock.folder,
            self._desk,
            has_trainer=False,
            identify=self._identify,
        )
        self._server.start()

    def _identify(self, _line: socket.socket) -> Seat | None:
        return Seat("tech", "helm", "tech") if self.known else None

    def goes(self) -> None:
        """This one ends."""
        if self._server is not None:
            self._server.stop()
            self._server.join(5.0)
            self._server = None
            self._lock.release()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.goes()


@pytest.fixture
def screen(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReturningSession]:
    monkeypatch.setattr(returning, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(returning, "LONGEST_WAIT_S", 0.08)

    def attach() -> RemoteSession:
        return RemoteSession(house.root, screen=True)

    session = ReturningSession(attach(), attach)
    yield session
    session.close()


async def test_a_screen_finds_the_next_owner_and_starts_there_without_the_helm(
    house: House, screen: ReturningSession
) -> None:
    until(lambda: screen.watch().mode == "islanded")
    assert (await screen.order(Order("1", TAKE))).accepted
    until(lambda: screen.watch().helm == "you")
    first_run = screen.run
    house.goes()
    until(lambda: screen.gone is not None)
    refused = await screen.order(Order("2", "operator.open_mid"))
    assert not refused.accepted
    assert "opens the MID by itself" in refused.reason
    time.sleep(0.2)
    gone = screen.gone
    assert gone is not None
    assert time.time() - gone.since_wall_s > 0.15, "since the first owner went, however often it was tried"
    house.comes("tied")
    until(lambda: screen.gone is None and screen.watch().mode == "tied")
    assert screen.watch().helm == ""
    assert screen.run != first_run
    closing = await screen.order(Order("3", "operator.close_mid", confirmed=True))
    assert "this needs the helm" in closing.reason


def test_an_owner_that_refuses_says_why_and_is_tried_again(house: House, screen: ReturningSession) -> None:
    house.goes()
    house.known = False
    house.comes("tied")
    until(lambda: screen.gone is not None and "in none of the groups" in screen.gone.reason)
    house.known = True
    until(lambda: screen.gone is None and screen.watch().mode == "tied")


def test_a_screen_that_is_left_does_not_look_for_owners(house: House) -> None:
    tried: list[float] = []

    def attach() -> RemoteSession:
        tried.append(time.monotonic())
        return RemoteSession(house.root, screen=True)

    session = ReturningSession(RemoteSession(house.root, screen=True), attach)
    session.close()
    until(lambda: not any(thread.name == "returning" for thread in threading.enumerate()))
    assert tried == []


def test_the_waits_grow_to_the_longest() -> None:
    assert list(islice(returning.waits_s(), 6)) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


class Told:
    """A desk whose events are kept, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.orders: list[str] = []
        self.now_ns = 0
        self.desk = Desk(
            Snapshot,
            self._take,
            now_ns=lambda: self.now_ns,
            say=lambda code, severity, text: self.events.append((code, text)),
        )

    def _take(self, order: Order) -> Receipt:
        self.orders.append(order.do)
        return Receipt(order.nonce, accepted=True)


@pytest.fixture
def told() -> Told:
    return Told()


ANNA, TECH = Seat("anna (process 4)", "helm", "anna"), Seat("tech (process 5)", "installer", "tech")


def test_the_helm_goes_from_hand_to_hand_by_name(told: Told) -> None:
    desk = told.desk
    desk.order(ANNA, Order("1", TAKE))
    desk.order(ANNA, Order("2", TAKE))
    desk.order(TECH, Order("3", TAKE))
    desk.order(ANNA, Order("4", PASS_ON))
    desk.order(TECH, Order("5", TAKE))
    desk.leave(TECH)
    desk.leave(ANNA)
    assert told.events == [
        ("HELM_TAKEN", "anna (process 4) took the helm."),
        ("HELM_PASSED_ON", "anna (process 4) passed the helm on: it is free."),
        ("HELM_TAKEN", "tech (process 5) took the helm."),
        ("HELM_FREE", "The helm fell free: tech (process 5) went."),
    ]


def test_a_request_to_end_leaves_the_name_whether_taken_or_refused(told: Told) -> None:
    told.desk.on_stop = lambda: None
    assert not told.desk.order(ANNA, Order("1", STOP, confirmed=True)).accepted
    assert told.desk.order(TECH, Order("2", STOP, confirmed=True)).accepted
    assert told.events == [
        (
            "OWNER_STOP_REFUSED",
            "anna (process 4) asked the owner to end: only an installer ends the owner.",
        ),
        ("OWNER_STOP_ASKED", "tech (process 5) asked the owner to end."),
    ]


@pytest.mark.parametrize("do", [TAKE, PASS_ON, STOP, "operator.open_mid", "operator.acknowledge"])
def test_a_nonce_counts_once_whatever_it_asks(told: Told, do: str) -> None:
    told.desk.on_stop = lambda: None
    assert told.desk.order(TECH, Order("n", do, confirmed=True)).accepted
    before = list(told.events)
    told.now_ns += 2 * SAID_ONCE_NS
    again = told.desk.order(TECH, Order("n", do, confirmed=True), told.now_ns)
    assert not again.accepted
    assert again.reason == "this order was given already"
    assert told.desk.order(ANNA, Order("n", TAKE), told.now_ns).reason == "this order was given already"
    refused = [event for event in told.events if event not in before]
    assert [code for code, _ in refused] == (["OWNER_STOP_REFUSED"] if do == STOP else [])
    assert len(told.orders) <= 1


def test_orders_leave_the_name_and_a_held_key_is_one_event(told: Told) -> None:
    desk = told.desk
    for nonce in range(20):
        desk.order(ANNA, Order(str(nonce), "operator.open_mid"))
    desk.order(TECH, Order("h", TAKE))
    desk.order(TECH, Order("l", "operator.load_off", {"load": "hvac" + "x" * 4000}))
    desk.order(TECH, Order("k", "operator.set_discharge_limit", {"kw": 5.5}))
    desk.order(TECH, Order("g", "grid.loss", {"leg": 1}))
    desk.order(ANNA, Order("z", "operator.close_mid", confirmed=True))
    texts = [text for _, text in told.events]
    assert texts[0] == "anna (process 4): open the MID."
    assert texts[1] == "tech (process 5) took the helm."
    assert texts[2].startswith("tech (process 5): switch off hvacxx")
    assert len(texts[2]) < 100
    assert texts[3:] == [
        "tech (process 5): limit the discharge to 5.5 kW.",
        "tech (process 5), trainer: grid.loss.",
    ]


def test_who_looks_on_is_in_everybodys_picture(told: Told) -> None:
    desk = told.desk
    desk.arrive(ANNA)
    desk.arrive(TECH)
    desk.order(TECH, Order("1", TAKE))
    mine, theirs = desk.snapshot(TECH), desk.snapshot(ANNA)
    assert mine.consoles == theirs.consoles == ("anna (process 4)", "tech (process 5)")
    assert (mine.helm, theirs.helm, theirs.helm_name) == ("you", "other", "tech (process 5)")
    desk.leave(TECH)
    assert desk.snapshot(ANNA).consoles == ("anna (process 4)",)
    assert desk.snapshot(ANNA).helm_name == ""
