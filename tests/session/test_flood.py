"""A console gives orders faster than any person: the audit and the core see a person's pace, and an opening is heard."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.owners import until
from v2h_console.runtime import session_server
from v2h_console.runtime.audit import AuditWriter, Who
from v2h_console.runtime.desk import Desk, Seat
from v2h_console.runtime.folds import FOLDED_NS, LINES_AT_ONCE
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.pace import AT_ONCE, ORDERS_A_SECOND, Openings, Pace
from v2h_console.runtime.session_server import SessionServer, _Client
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.remote import RemoteSession
from v2h_console.session.snapshot import Snapshot
from v2h_console.session.wire import Ask, frame

WATCHER = Who("watcher (process 9)", "watch", 1501)


class Owner:
    """Keeps the orders that reach it, and the answers that the audit hears of."""

    def __init__(self, root: Path) -> None:
        self.orders: list[Order] = []
        self.answers: list[Receipt] = []
        self.lock = OwnerLock(root)
        desk = Desk(Snapshot, self.take)
        desk.on_answer = lambda seat, order, receipt: self.answers.append(receipt)
        self.server = SessionServer(
            self.lock.folder, desk, has_trainer=False, identify=lambda line: Seat("tech", "helm")
        )
        self.server.start()

    def take(self, order: Order) -> Receipt:
        self.orders.append(order)
        return Receipt(order.nonce, accepted=True)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path)
    yield made
    made.server.stop()
    made.server.join(5.0)
    made.lock.release()


def test_a_key_that_is_stuck_opens_and_is_heard_at_a_persons_pace(owner: Owner, tmp_path: Path) -> None:
    session = RemoteSession(tmp_path)
    answers = [session.ask(Order(f"o{nth}", "operator.open_mid")) for nth in range(100)]
    assert all(answer.result(5.0).accepted for answer in answers), "every one is answered"
    assert len(owner.orders) <= AT_ONCE + 5
    assert owner.orders[-1].nonce == "o99", "the last press counts: somebody may have closed in between"
    session.close()


def test_an_opening_that_comes_again_behind_a_fresh_one_takes_nothing_from_it(
    owner: Owner, tmp_path: Path
) -> None:
    session = RemoteSession(tmp_path)
    for nth in range(int(AT_ONCE)):
        assert session.ask(Order(f"o{nth}", "operator.open_mid")).result(5.0).accepted
    # The pace is used up: what comes now is folded, and due together.
    older, fresh = (Order(nonce, "operator.open_mid") for nonce in ("older", "fresh"))
    answers = [session.ask(order) for order in (older, fresh, Order("o0", "operator.open_mid"))]
    receipts = [answer.result(5.0) for answer in answers]
    assert [receipt.accepted for receipt in receipts] == [True, True, False]
    assert receipts[2].reason == "this order was given already"
    assert [receipt.nonce for receipt in receipts] == ["older", "fresh", "o0"]
    assert "fresh" in [order.nonce for order in owner.orders]
    session.close()


def test_a_flood_of_other_orders_is_refused_and_an_opening_goes_through_it(
    owner: Owner, tmp_path: Path
) -> None:
    session = RemoteSession(tmp_path)
    floods = [session.ask(Order(f"f{nth}", "operator.acknowledge")) for nth in range(150)]
    opened = session.ask(Order("o", "operator.open_mid"))
    assert opened.result(5.0).accepted
    refused = [answer.result(5.0) for answer in floods if not answer.result(5.0).accepted]
    assert len(refused) > 100
    assert {receipt.reason for receipt in refused} == {"too many orders in a second: press again"}
    assert len(owner.answers) == 151, "the audit hears of all of them, and folds what is equal"
    session.close()


def test_the_pace_is_a_persons() -> None:
    pace = Pace(0.0)
    assert sum(pace.may(0.0) for _ in range(100)) == AT_ONCE
    assert sum(pace.may(nth / 1000) for nth in range(2000)) == pytest.approx(2 * ORDERS_A_SECOND, abs=1)


def test_folded_openings_are_due_together_and_the_youngest_speaks() -> None:
    openings = Openings(0.0)
    for nth in range(500):
        openings.came(Ask(Order(str(nth), "operator.open_mid"), nth))
        if nth < AT_ONCE:
            assert len(openings.due(0.0)) == 1
    assert openings
    assert openings.due(0.0) == ()
    due = openings.due(1 / ORDERS_A_SECOND)
    assert due[-1].order.nonce == "499"
    assert not openings


def test_the_next_opening_is_due_when_it_says_so() -> None:
    openings, given_s = Openings(0.0), list[float]()
    now_s = 0.0
    for nth in range(60):
        openings.came(Ask(Order(str(nth), "operator.open_mid"), nth))
        now_s += openings.due_in_s(now_s)
        assert openings.due(now_s) or openings.due(now_s + 1e-9)
        given_s.append(now_s)
    assert given_s[: int(AT_ONCE)] == [0.0] * int(AT_ONCE), "the first ones wait for nothing"
    assert given_s[-1] == pytest.approx((60 - AT_ONCE) / ORDERS_A_SECOND, abs=1e-6)


class _Clock:
    """The door's, moved by what it waits for; each wait is one turn. Every ``KEY_S`` a key is pressed again."""

    KEY_S = 1 / 30

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


def test_a_key_that_is_held_down_builds_no_more_pictures_than_eyes_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core has a new picture at each step; the line is in the test's hand, and so is the time."""
    clock, built, given_s = _Clock(), list[float](), list[float]()
    monkeypatch.setattr(session_server, "time", clock)

    def picture() -> Snapshot:
        built.append(clock.now_s)
        return Snapshot(sequence=len(built))

    def take(order: Order) -> Receipt:
        given_s.append(clock.now_s)
        return Receipt(order.nonce, accepted=True)

    desk = Desk(picture, take, now_ns=lambda: 0)
    server = SessionServer(tmp_path, desk, has_trainer=False, identify=lambda line: Seat("tech", "helm"))
    console, line = socket.socketpair()
    line.setblocking(False)
    client = _Client(line)
    client.seat = Seat("tech", "helm")
    server._clients.add(client)
    server._select.register(line, selectors.EVENT_READ, client)
    pressed, turns = 0, 0

    def wait(patience_s: float) -> list[tuple[selectors.SelectorKey, int]]:
        nonlocal pressed, turns
        turns += 1
        key_s = pressed * clock.KEY_S
        if key_s <= clock.now_s + patience_s:
            clock.now_s = max(clock.now_s, key_s)
            console.sendall(frame(Ask(Order(f"o{pressed}", "operator.open_mid"), 0)))
            pressed += 1
        else:
            clock.now_s += patience_s + 1e-6
        if clock.now_s > 10.0:
            server.stop()
        found = server._select.__class__.select(server._select, 0)
        console.settimeout(0.0)
        with suppress(BlockingIOError):
            while console.recv(1 << 20):
                pass
        return found

    monkeypatch.setattr(server._select, "select", wait)
    server.run()
    console.close()
    assert pressed > 290
    assert len(built) <= 10.0 / 0.25 + 3
    assert len(given_s) == pytest.approx(AT_ONCE + 10.0 * ORDERS_A_SECOND, abs=3)
    assert turns < pressed + len(given_s) + len(built) + 5, "it wakes for what comes and for what is due"
    worst_s = max(later - earlier for earlier, later in pairwise(given_s))
    assert worst_s <= 1 / ORDERS_A_SECOND + clock.KEY_S + 1e-3, "none waits longer than the pace"


def test_equal_refusals_are_one_line_and_a_count(tmp_path: Path) -> None:
    now_ns = [0]
    writer = AuditWriter(tmp_path, monotonic_ns=lambda: now_ns[0])
    for nth in range(1000):
        order = Order(f"n{nth}", "operator.close_mid", confirmed=True)
        writer.ordered(
            WATCHER, order, Receipt(order.nonce, accepted=False, reason="this console only watches")
        )
    taken = Order("t", "operator.open_mid")
    writer.ordered(WATCHER, taken, Receipt("t", accepted=True))
    writer.start()
    until(lambda: len(lines(tmp_path)) == 2)
    now_ns[0] = FOLDED_NS
    writer.ordered(WATCHER, taken, Receipt("t", accepted=True))
    until(lambda: len(lines(tmp_path)) == 4)
    writer.stop()
    writer.join(5.0)
    said = [(line["what"], line["said"].get("times")) for line in lines(tmp_path)]
    assert sorted(said, key=str) == [
        ("order", None),
        ("order", None),
        ("order", None),
        ("order.repeated", 999),
    ]


def test_who_makes_up_ever_new_orders_fills_no_disk_and_the_end_tells_the_count(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path, monotonic_ns=lambda: 0)
    for nth in range(400):
        refused = Receipt(str(nth), accepted=False, reason=f"no such order: x{nth}")
        writer.ordered(WATCHER, Order(str(nth), f"x{nth}"), refused)
    writer.start()
    writer.stop()
    writer.join(5.0)
    kept = lines(tmp_path)
    assert len(kept) == LINES_AT_ONCE + 1
    assert (kept[-1]["what"], kept[-1]["said"]["times"]) == ("order.repeated", 400 - LINES_AT_ONCE)
    assert kept[-1]["said"]["uids"] == "1501"


def lines(folder: Path) -> list[dict[str, Any]]:
    """The audit's own, without the chain's."""
    found = [
        json.loads(line) for file in sorted(folder.glob("audit-*")) for line in file.read_bytes().splitlines()
    ]
    return [line for line in found if str(line["what"]).startswith("order")]
