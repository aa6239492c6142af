"""A console presses for an opening and its line is gone before the owner has read it: it is heard all the same."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2h_console.runtime.desk import Desk, Seat
from v2h_console.runtime.pace import AT_ONCE
from v2h_console.runtime.session_server import SessionServer, _Client
from v2h_console.session import place, wire
from v2h_console.session.orders import OPEN_MID, ORDER_LIFE_NS, Order, Receipt
from v2h_console.session.snapshot import Snapshot

NOW_NS = 10 * ORDER_LIFE_NS


class Owner:
    """A door whose turns are the test's, with one console that a person has left; ``heard``: what came of it, in turn."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[str] = []
        self.reasons: list[str] = []
        desk = Desk(Snapshot, self._take, now_ns=lambda: NOW_NS)
        desk.on_answer = self._answered
        self.desk = desk
        self.server = SessionServer(
            folder, desk, has_trainer=False, identify=lambda line: Seat("tech", "helm", screen=True)
        )
        self.console, line = socket.socketpair()
        line.setblocking(False)
        self.client = _Client(line)
        self.client.seat = Seat("tech", "helm")
        self.server._clients.add(self.client)
        self.server._select.register(line, selectors.EVENT_READ, self.client)

    def _take(self, order: Order) -> Receipt:
        self.heard.append(order.nonce)
        return Receipt(order.nonce, accepted=True)

    def _answered(self, seat: Seat, order: Order, receipt: Receipt) -> None:
        if order.do == "helm.fell_free":
            self.heard.append("left")
        if not receipt.accepted:
            self.reasons.append(receipt.reason)

    def takes_the_helm(self) -> None:
        """So that its leaving is seen."""
        assert self.client.seat is not None
        assert self.desk.order(self.client.seat, Order("t", "helm.take"), NOW_NS).accepted

    def sent_and_gone(self, *messages: wire.ToOwner) -> None:
        """The console's process ends with what it said last on the way."""
        self.console.sendall(b"".join(wire.frame(message) for message in messages))
        self.console.close()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path)
    yield made
    made.console.close()
    made.server.stop()
    made.server.run()


def asks(nonce: str, do: str = OPEN_MID, given_ns: int = NOW_NS) -> wire.Ask:
    """A press."""
    return wire.Ask(Order(nonce, do, confirmed=True), given_ns)


def test_an_opening_that_waits_in_the_line_when_a_picture_finds_it_dead_is_given_before_the_seat_is_empty(
    owner: Owner,
) -> None:
    owner.takes_the_helm()
    owner.sent_and_gone(asks("o"))
    owner.server._show(owner.client)
    assert owner.heard == ["o", "left"]


def test_an_opening_behind_an_order_whose_answer_finds_nobody_is_given(owner: Owner) -> None:
    owner.sent_and_gone(asks("a", "operator.acknowledge"), asks("o"), wire.Bye("left"))
    owner.server._hear(owner.client)
    assert owner.heard == ["a", "o"]
    assert owner.client.bye == "left"


def test_whoever_says_hello_and_opens_and_is_gone_has_opened(owner: Owner) -> None:
    owner.client.seat = None
    owner.sent_and_gone(wire.Hello(wire.VERSION), asks("o"))
    owner.server._hear(owner.client)
    assert owner.heard == ["o"]


def test_a_press_that_waits_for_its_turn_is_given_when_its_console_goes(owner: Owner) -> None:
    presses = [asks(f"o{nth}") for nth in range(int(AT_ONCE) + 3)]
    owner.console.sendall(b"".join(wire.frame(press) for press in presses))
    owner.server._hear(owner.client)
    owner.console.close()
    owner.server._hear(owner.client)
    assert owner.heard[-1] == presses[-1].order.nonce


def test_of_all_that_a_dead_console_asked_for_only_the_opening_is_given(owner: Owner) -> None:
    owner.takes_the_helm()
    owner.sent_and_gone(asks("c", "operator.close_mid"), asks("o"), asks("r", "operator.reset_lockout"))
    owner.server._show(owner.client)
    assert owner.heard == ["o", "left"]


def test_last_words_that_are_too_old_or_were_said_before_open_nothing_and_are_told(owner: Owner) -> None:
    assert owner.client.seat is not None
    assert owner.desk.order(owner.client.seat, Order("o", OPEN_MID), NOW_NS).accepted
    owner.sent_and_gone(asks("late", given_ns=NOW_NS - ORDER_LIFE_NS - 1), asks("o"))
    owner.server._show(owner.client)
    assert owner.heard == ["o"]
    assert owner.reasons == [
        "this order was given already",
        "this order came too late and was dropped; give it again",
    ]


def test_an_owner_that_is_late_with_its_end_leaves_the_next_ones_door_where_it_is(tmp_path: Path) -> None:
    late = Owner(tmp_path)
    following = Owner(tmp_path)
    late.server.stop()
    late.server.run()
    with socket.socket(socket.AF_UNIX) as knocking:
        place.at_socket(tmp_path, knocking.connect)
    following.server.stop()
    following.server.run()
    assert not (tmp_path / place.SOCKET).exists()
    for one in (late, following):
        one.console.close()
