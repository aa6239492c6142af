"""The owner does not read for a while: what it could not be told is refused, and the next order is heard."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2h_console.session import place, wire
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.remote import RemoteSession


class DeafOwner:
    """Says welcome, then reads only when told to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        place.at_socket(folder, self._door.bind)
        self._door.listen()
        self.line: socket.socket | None = None
        self._cutter = wire.Cutter(wire.MAX_TO_OWNER)
        self._thread = threading.Thread(target=self._welcome)
        self._thread.start()

    def _welcome(self) -> None:
        self.line, _ = self._door.accept()
        self.line.recv(1 << 16)
        self.line.sendall(wire.frame(wire.Welcome("installer", has_trainer=False, name="tech")))

    def welcomed(self) -> socket.socket:
        self._thread.join(5.0)
        assert self.line is not None
        return self.line

    def read(self) -> list[wire.ToOwner]:
        """All that waits."""
        line = self.welcomed()
        line.setblocking(False)
        heard: list[wire.ToOwner] = []
        try:
            while data := line.recv(1 << 16):
                heard += [wire.read_to_owner(body) for body in self._cutter.feed(data)]
        except BlockingIOError:
            return heard
        return heard

    def answer(self, nonce: str) -> None:
        self.welcomed().sendall(wire.frame(wire.Answer(Receipt(nonce, accepted=True))))

    def close(self) -> None:
        self._door.close()
        if self.line is not None:
            self.line.close()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[DeafOwner]:
    made = DeafOwner(tmp_path / place.FOLDER)
    yield made
    made.close()


def filled(session: RemoteSession) -> Receipt:
    """Orders until one does not go in any more; its receipt."""
    for nth in range(100_000):
        answer = session.ask(Order(f"n{nth}", "operator.acknowledge"))
        if answer.done():
            return answer.result()
    pytest.fail("the line never filled")


def test_an_order_that_the_line_has_no_room_for_is_refused_and_the_next_one_is_heard(
    owner: DeafOwner, tmp_path: Path
) -> None:
    session = RemoteSession(tmp_path)
    owner.welcomed()
    refused = filled(session)
    assert (refused.accepted, refused.reason) == (False, "the owner does not read: press again")
    session.here("1")
    assert session.alive
    assert session.gone is None
    owner.read()
    answer = session.ask(Order("again", "operator.open_mid"))
    assert [heard.order.nonce for heard in owner.read() if isinstance(heard, wire.Ask)] == ["again"]
    owner.answer("again")
    assert answer.result(5.0).accepted
    session.close()


def test_a_message_that_went_in_part_ends_the_line_so_that_another_is_sought(
    owner: DeafOwner, tmp_path: Path
) -> None:
    session = RemoteSession(tmp_path)
    owner.welcomed()

    class Torn:
        """A line that takes half of what it is given."""

        def __init__(self, line: socket.socket) -> None:
            self.line = line

        def send(self, data: bytes, flags: int) -> int:
            return self.line.send(data[: len(data) // 2], flags)

        def __getattr__(self, name: str) -> object:
            return getattr(self.line, name)

    session._line = Torn(session._line)  # type: ignore[assignment]  # a line as far as it is used here
    session.here("2")
    assert session.ended.wait(5.0), "a returning session goes on from here"
    assert session.gone is not None
    assert not session.ask(Order("n", "operator.open_mid")).result(5.0).accepted
