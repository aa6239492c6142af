"""What a person missed comes with the welcome, over the real socket; tools that ask for something are no screens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from v2h_console.runtime.attendance import Attendance
from v2h_console.runtime.desk import Desk, Seat
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session.absence import Absence
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.remote import RemoteSession
from v2h_console.session.snapshot import EventView, Snapshot

from .test_owner_door import until


class Owner:
    """A desk behind a real socket; each connection is the person in ``person``. Clocks are moved by hand."""

    def __init__(self, root: Path) -> None:
        self.root, self.at_s, self.person = root, 1000.0, "tech"
        self.attendance = Attendance(now_ns=lambda: int(self.at_s * 1e9), wall=lambda: self.at_s)
        self._lock = OwnerLock(root)
        self.desk = Desk(
            Snapshot,
            lambda order: Receipt(order.nonce, accepted=True),
            say=lambda code, severity, text: self.attendance.took(
                EventView(0, self.at_s, code, severity, text)
            ),
            attendance=self.attendance,
        )
        self.server = SessionServer(
            self._lock.folder,
            self.desk,
            has_trainer=False,
            identify=lambda line: Seat(f"{self.person} (process 1)", "installer", self.person),
        )
        self.server.start()

    def console(self, person: str = "tech", *, screen: bool = True) -> RemoteSession:
        self.person = person
        return RemoteSession(self.root, screen=screen)

    def nobody_looks(self) -> None:
        until(lambda: not self.attendance._present)

    def close(self) -> None:
        if not self.server.is_alive():
            return
        self.server.stop()
        self.server.join(5.0)
        self._lock.release()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path)
    yield made
    made.close()


def texts(absence: Absence | None) -> list[str]:
    assert absence is not None
    return [event.text for event in absence.events]


def test_an_order_of_another_while_the_line_was_lost(owner: Owner) -> None:
    first = owner.console()
    assert first.absence is None
    first.here("4")
    until(lambda: any(mark.place == "4" for mark in owner.attendance.ledger().marks.values()))
    first.close("lost")
    owner.nobody_looks()
    owner.at_s += 30
    tool = owner.console("anna", screen=False)
    assert tool.ask(Order("1", "operator.open_mid")).result(5.0).accepted
    tool.close()
    owner.at_s += 30
    second = owner.console()
    absence = second.absence
    assert texts(absence) == ["anna (process 1): open the MID."]
    assert absence is not None
    assert (absence.how, absence.place, absence.away_s, absence.happened) == ("lost", "4", 60.0, True)
    assert owner.console("anna").absence is None, "a tool is no screen that somebody looked at"


@pytest.mark.parametrize("how", ["left", "ended", "lost"])
def test_how_it_ended_is_known_at_the_other_end(owner: Owner, how: str) -> None:
    first = owner.console()
    first.close(how)
    owner.nobody_looks()
    owner.at_s += 5
    again = owner.console().absence
    assert again is not None
    assert (again.how, again.happened) == (how, False)


def test_any_other_word_of_a_console_is_a_lost_line(owner: Owner) -> None:
    owner.console().close("x" * 1000)
    owner.nobody_looks()
    owner.at_s += 5
    again = owner.console().absence
    assert again is not None
    assert again.how == "lost"


def test_an_owner_that_ends_takes_its_screens_along(owner: Owner) -> None:
    first = owner.console()
    until(lambda: first.watch().consoles == ("tech (process 1)",))
    owner.close()
    until(lambda: not first.alive)
    marks = owner.attendance.ledger().marks
    assert marks["tech"].how == "ended"
    assert not first.ask(Order("late", "operator.open_mid")).result(5.0).accepted


def test_the_helm_on_a_dead_line_is_its_own_persons_after_a_minute_and_nobody_elses(owner: Owner) -> None:
    dead = owner.console()
    assert dead.ask(Order("1", "helm.take")).result(5.0).accepted
    again = owner.console()
    refused = again.ask(Order("2", "helm.take")).result(5.0)
    assert not refused.accepted
    assert "that one is your own" in refused.reason
    owner.at_s += 61
    assert not owner.console("anna").ask(Order("3", "helm.take")).result(5.0).accepted
    assert not again.ask(Order("4", "helm.pass_on")).result(5.0).accepted
    owner.person = "tech"
    assert not owner.console(screen=False).ask(Order("5", "helm.take")).result(5.0).accepted, (
        "a tool is nobody"
    )
    assert again.ask(Order("6", "helm.take")).result(5.0).accepted
    until(lambda: again.watch().helm == "you" and dead.watch().helm == "other")
    assert not dead.ask(Order("7", "operator.close_mid", confirmed=True)).result(5.0).accepted
    assert "took the helm from tech (process 1): the same person" in owner.attendance.ledger().events[-1].text
