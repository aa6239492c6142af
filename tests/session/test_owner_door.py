"""Consoles come to an owner's door: two at once, strangers, skew, garbage, one that never reads."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.runtime.desk import PASS_ON, TAKE, Desk, Seat
from v2h_console.runtime.lock import Held, OwnerLock
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session import place, wire
from v2h_console.session.orders import ORDER_LIFE_NS, Order, Receipt
from v2h_console.session.remote import NoOwner, RemoteSession
from v2h_console.session.snapshot import Snapshot

Door = Callable[..., tuple[Path, list[Order]]]


def until(holds: Callable[[], bool]) -> None:
    """Wait for another thread, at most 5 s."""
    ends_at = time.monotonic() + 5.0
    while not holds():
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.005)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    servers: list[tuple[SessionServer, OwnerLock]] = []

    def open_door(
        root: Path = tmp_path, identify: Callable[[socket.socket], Seat | None] | None = None
    ) -> tuple[Path, list[Order]]:
        given_orders: list[Order] = []

        def take(order: Order) -> Receipt:
            given_orders.append(order)
            return Receipt(order.nonce, accepted=True)

        lock = OwnerLock(root)
        picture = Snapshot(sequence=7, mode="islanded")
        desk = Desk(lambda: picture, take)
        known = identify or (lambda line: Seat("tech", "helm"))
        server = SessionServer(lock.folder, desk, has_trainer=True, identify=known)
        server.start()
        servers.append((server, lock))
        return root, given_orders

    yield open_door
    for server, lock in servers:
        server.stop()
        server.join(5.0)
        lock.release()


def ask(session: RemoteSession, do: str, nonce: str, confirmed: bool = False) -> Receipt:
    return session.ask(Order(nonce, do, confirmed=confirmed)).result(5.0)


def test_two_consoles_see_the_same_and_one_has_the_helm(door: Door) -> None:
    root, orders = door()
    first, second = RemoteSession(root), RemoteSession(root)
    until(lambda: first.watch().sequence == second.watch().sequence == 7)
    assert ask(first, TAKE, "1").accepted
    until(lambda: first.watch().helm == "you" and second.watch().helm == "other")
    refused = ask(second, "operator.close_mid", "2", confirmed=True)
    assert not refused.accepted
    assert "tech has the helm" in refused.reason
    assert not ask(second, TAKE, "3").accepted
    assert ask(second, "operator.open_mid", "4").accepted, "opening needs no helm"
    assert ask(first, PASS_ON, "5").accepted
    assert ask(second, TAKE, "6").accepted
    assert ask(second, "operator.close_mid", "7", confirmed=True).accepted
    assert [order.do for order in orders] == ["operator.open_mid", "operator.close_mid"]
    second.close()
    until(lambda: first.watch().helm == "")
    first.close()


def test_who_only_watches_can_still_open(door: Door) -> None:
    root, _ = door()
    session = RemoteSession(root, watch=True)
    assert session.role == "watch"
    assert not ask(session, TAKE, "1").accepted
    assert ask(session, "operator.open_mid", "2").accepted
    session.close()


def test_a_stranger_hears_one_line(door: Door) -> None:
    root, _ = door(identify=lambda line: None)
    with pytest.raises(wire.WireError, match="in none of the groups"):
        RemoteSession(root)


def test_another_version_is_refused_on_hello(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    root, _ = door()
    line = place.connect(root)
    assert line is not None
    line.sendall(wire.frame(wire.Hello(wire.VERSION + 1)))
    (body,) = wire.Cutter(wire.MAX_TO_CONSOLE).feed(line.recv(4096))
    refused = wire.read_to_console(body)
    assert isinstance(refused, wire.Refused)
    assert "version" in refused.reason
    line.close()


def test_a_root_longer_than_a_socket_path(door: Door, tmp_path: Path) -> None:
    root = tmp_path / ("a" * 100) / ("b" * 100)
    door(root)
    RemoteSession(root).close()


def test_a_second_owner_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    first = OwnerLock(tmp_path)
    with pytest.raises(Held, match="an owner runs already"):
        OwnerLock(tmp_path)
    first.release()
    OwnerLock(tmp_path).release()


def test_nobody_home(tmp_path: Path) -> None:
    with pytest.raises(NoOwner):
        RemoteSession(tmp_path)


def test_garbage_disturbs_nobody(door: Door) -> None:
    root, orders = door()
    good = RemoteSession(root)
    chance = random.Random(4)
    hello = wire.frame(wire.Hello(wire.VERSION))
    order = wire.frame(wire.Ask(Order("n", "operator.close_mid", confirmed=True), 0))
    for round_ in range(300):
        line = place.connect(root)
        assert line is not None
        spoiled = bytearray((hello + order) * 2 if round_ % 2 else chance.randbytes(300))
        for _ in range(1 + round_ % 5):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        with suppress(OSError):  # refused already: that is what it should be
            line.sendall(spoiled)
            line.shutdown(socket.SHUT_WR)
        line.close()
    assert ask(good, TAKE, "still there").accepted
    assert not orders
    good.close()


def test_one_that_never_reads_holds_up_nobody(door: Door) -> None:
    root, _ = door()
    deaf = place.connect(root)
    assert deaf is not None
    deaf.sendall(wire.frame(wire.Hello(wire.VERSION)))
    deaf.setblocking(False)
    asked = wire.frame(wire.Ask(Order("n", "helm.none"), 0))
    with suppress(OSError):  # its own buffer is full, or it was dropped for what it left unread
        for _ in range(20_000):
            deaf.send(asked)
    other = RemoteSession(root)
    assert ask(other, "operator.open_mid", "1").accepted
    other.close()
    deaf.close()


def test_an_order_that_stuck_in_the_line_is_dropped() -> None:
    taken: list[Order] = []

    def take(order: Order) -> Receipt:
        taken.append(order)
        return Receipt(order.nonce, accepted=True)

    desk = Desk(Snapshot, take, now_ns=lambda: 10 * ORDER_LIFE_NS)
    late = desk.order(Seat("tech", "helm"), Order("1", "operator.open_mid"), 9 * ORDER_LIFE_NS - 1)
    assert not late.accepted
    assert not taken
    assert desk.order(Seat("tech", "helm"), Order("2", "operator.open_mid"), 9 * ORDER_LIFE_NS).accepted


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(1, 64))
def test_frames_come_out_as_they_went_in_however_they_are_cut(bodies: list[bytes], piece: int) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    cutter = wire.Cutter(wire.MAX_TO_OWNER)
    out = [body for at in range(0, len(stream), piece) for body in cutter.feed(stream[at : at + piece])]
    assert out == bodies


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_wire_error(body: bytes) -> None:
    with suppress(wire.WireError):
        assert isinstance(wire.read_to_owner(body), wire.Hello | wire.Ask)


def test_a_length_over_the_limit_is_refused_before_it_is_held() -> None:
    with pytest.raises(wire.WireError, match=f"at most {wire.MAX_TO_OWNER}"):
        wire.Cutter(wire.MAX_TO_OWNER).feed((wire.MAX_TO_OWNER + 1).to_bytes(4, "big"))
