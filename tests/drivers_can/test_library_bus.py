"""An adapter that is pulled out: nothing spins, nothing waits longer than it was told to, and it comes back by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast

import can
import pytest

from v2h_drivers.can.bus import BusError, open_bus
from v2h_drivers.can.library_bus import REOPEN_MOST_S, LibraryBus

MS = 1_000_000
FRAME = can.Message(arbitration_id=0x100, data=b"12345678", is_extended_id=False)


class Adapter:
    """A bus of python-can's: says what it is given, and fails at once when it was pulled out."""

    def __init__(self, site: Desk) -> None:
        self._site = site
        self.pulled = False
        self.mute = False
        self.broken: Exception | None = None
        self.looks = 0
        self.let_go = False
        self.waiting: deque[can.Message | Exception] = deque()

    def recv(self, timeout: float) -> can.Message | None:
        self.looks += 1
        if self.pulled:
            raise can.CanOperationError("Could not read from serial device")
        if self.waiting:
            said = self.waiting.popleft()
            if isinstance(said, Exception):
                raise said
            return said
        self._site.pause(timeout)
        return None

    def send(self, message: can.Message, timeout: float) -> None:
        if self.pulled or self.mute:
            raise can.CanOperationError("Could not write to serial device")

    def fileno(self) -> int:
        return 7

    def shutdown(self) -> None:
        self.let_go = True
        if self.broken is not None:
            raise self.broken


class Desk:
    """A library bus on an adapter; its clock goes on only by waiting. What it does aside is done when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * MS
        self.plugged: Adapter | None = None
        self.tries_ns: list[int] = []
        self.aside: list[Callable[[], None]] = []
        self.first = Adapter(self)
        self.bus = LibraryBus(
            self._as_bus(self.first),
            "slcan /dev/ttyACM0",
            self._open,
            aside=self.aside.append,
            clock_ns=lambda: self.now_ns,
            pause=self.pause,
        )

    def _as_bus(self, adapter: Adapter) -> can.BusABC:
        return cast(can.BusABC, adapter)

    def _open(self) -> can.BusABC:
        self.tries_ns.append(self.now_ns)
        if self.plugged is None:
            raise can.CanInitializationError("no such port")
        return self._as_bus(self.plugged)

    def pause(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def listen(self, for_s: float, *, timeout_s: float = 0.01) -> list[tuple[int, bytes, int]]:
        """Read for so long, each look with this time-out; the helper does its work between two looks."""
        heard = []
        until_ns = self.now_ns + round(for_s * 1e9)
        while self.now_ns < until_ns:
            frame = self.bus.recv(timeout_s)
            if frame is not None:
                heard.append(frame)
                self.now_ns += MS
            while self.aside:
                self.aside.pop()()
        return heard


@pytest.fixture
def desk() -> Desk:
    """With its adapter in the port."""
    return Desk()


def test_a_look_at_a_pulled_adapter_lasts_as_long_as_it_was_told_to_and_is_one(desk: Desk) -> None:
    desk.first.pulled = True
    before_ns = desk.now_ns
    assert desk.bus.recv(0.005) is None
    assert desk.now_ns - before_ns == 5 * MS
    assert desk.first.looks == 1
    assert (desk.bus.failures, desk.bus.bad_datagrams) == (1, 0)


def test_the_time_that_a_look_took_before_it_failed_is_not_slept_again(desk: Desk) -> None:
    def late(timeout: float) -> can.Message | None:
        desk.pause(0.004)
        raise can.CanOperationError("gone meanwhile")

    desk.first.recv = late  # type: ignore[method-assign]
    before_ns = desk.now_ns
    assert desk.bus.recv(0.005) is None
    assert desk.now_ns - before_ns == 5 * MS


def test_a_pulled_adapter_is_opened_anew_ever_more_slowly_and_heard_once_it_is_back(desk: Desk) -> None:
    desk.first.pulled = True
    assert desk.listen(12.0) == []
    assert desk.first.let_go
    gaps_s = [(b - a) / 1e9 for a, b in zip(desk.tries_ns, desk.tries_ns[1:], strict=False)]
    assert gaps_s[0] == pytest.approx(0.2, abs=0.02)
    assert gaps_s[-1] == pytest.approx(REOPEN_MOST_S, abs=0.02)
    assert len(desk.tries_ns) < 12
    desk.plugged = Adapter(desk)
    desk.plugged.waiting.append(FRAME)
    heard = desk.listen(REOPEN_MOST_S + 0.1)
    assert [frame[:2] for frame in heard] == [(0x100, b"12345678")]


def test_while_it_is_gone_what_is_sent_is_refused_at_once_and_nothing_waits_for_the_opening(
    desk: Desk,
) -> None:
    desk.first.pulled = True
    for _ in range(40):
        before_ns = desk.now_ns
        assert desk.bus.recv(0.005) is None  # the helper is still at it: nobody does what is aside
        assert desk.now_ns - before_ns == 5 * MS
    assert len(desk.aside) == 1, "one try at a time"
    with pytest.raises(BusError, match="gone"):
        desk.bus.send(0x010, bytes(8))


def test_one_error_between_frames_is_no_pulled_adapter(desk: Desk) -> None:
    for _ in range(300):
        desk.first.waiting.extend((can.CanOperationError("bus error"), FRAME, FRAME, ValueError("t1g")))
    heard = desk.listen(1.0, timeout_s=0.001)
    assert len(heard) > 300
    assert desk.tries_ns == []
    assert desk.bus.bad_datagrams > 100


def test_a_bus_that_failed_once_and_is_silent_since_is_opened_anew(desk: Desk) -> None:
    # A network interface that is taken away tells it once; its socket then stays silent for ever.
    desk.first.waiting.append(can.CanOperationError("No such device"))
    desk.plugged = Adapter(desk)
    desk.plugged.waiting.append(FRAME)
    assert len(desk.listen(0.5)) == 1


def commands(desk: Desk, for_s: float) -> int:
    """A frame each 20 ms, as the controller is told; how many of them were not taken."""
    refused = 0
    for _ in range(round(for_s / 0.02)):
        desk.listen(0.02)
        try:
            desk.bus.send(0x010, bytes(8))
        except BusError:
            refused += 1
    return refused


def test_an_adapter_that_is_only_silent_and_takes_no_frame_is_opened_anew(desk: Desk) -> None:
    desk.first.mute = True
    assert commands(desk, 3.0) == 150
    assert desk.first.let_go
    assert 2 <= len(desk.tries_ns) <= 6
    desk.plugged = Adapter(desk)
    desk.plugged.waiting.append(FRAME)
    assert commands(desk, 3.0) < 150
    assert desk.bus.recv(0.005) is None
    assert not desk.plugged.let_go


def test_a_bus_that_takes_no_frame_while_it_is_heard_is_kept(desk: Desk) -> None:
    desk.first.mute = True
    for _ in range(50):
        desk.first.waiting.append(FRAME)
        assert commands(desk, 0.02) == 1
    assert desk.tries_ns == []


def test_a_silent_bus_that_refuses_one_frame_and_takes_the_next_is_kept(desk: Desk) -> None:
    for _ in range(50):
        desk.first.mute = True
        commands(desk, 0.06)
        desk.first.mute = False
        commands(desk, 0.02)
    assert desk.tries_ns == []


@pytest.mark.parametrize("kind", [AttributeError, TypeError, can.CanError])
def test_a_bus_that_cannot_even_be_ended_keeps_no_other_from_being_opened(
    desk: Desk, kind: type[Exception]
) -> None:
    desk.first.pulled, desk.first.broken = True, kind("it has no port any more")
    desk.plugged = Adapter(desk)
    desk.plugged.waiting.append(FRAME)
    assert len(desk.listen(0.5)) == 1
    assert desk.first.let_go


def test_what_comes_back_after_the_end_is_let_go_of(desk: Desk) -> None:
    desk.first.pulled = True
    desk.listen(0.1)
    desk.bus.recv(0.005)
    desk.plugged = Adapter(desk)
    desk.bus.shutdown()
    assert desk.aside
    desk.aside.pop()()
    assert desk.plugged.let_go


def test_any_interface_of_the_library_is_opened_so() -> None:
    bus = open_bus("virtual", "of this test")
    other = can.Bus(interface="virtual", channel="of this test")
    other.send(FRAME)
    heard = bus.recv(1.0)
    assert heard is not None
    assert heard[:2] == (0x100, b"12345678")
    bus.shutdown()
    other.shutdown()
