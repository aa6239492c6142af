"""The load centre's line: relays that do not follow, orders that come at a bad time, a line that babbles."""

from __future__ import annotations

import struct

import pytest

from tests.drivers_modbus.rig import Wire, exception, longest_gap_s
from v2h_console.twin.faces.modbus_server import UnitFace
from v2h_drivers.capabilities.requests import RelayRequest
from v2h_drivers.capabilities.slow_readings import CircuitReading, LinkHealth, LinkState, RelayStates
from v2h_drivers.modbus.load_centre import LoadCentre

BOARD, METER = 1, 11
READ, WRITE = 1, 5


class Board(UnitFace):
    """Eight relays, all open; those in ``stuck`` confirm what they do not do."""

    def __init__(self) -> None:
        self.coils = [False] * 8
        self.stuck: set[int] = set()

    def read_coils(self, address: int, count: int) -> list[bool]:
        """FC 1."""
        return self.coils[address : address + count]

    def write_coils(self, address: int, values: list[bool]) -> None:
        """FC 5."""
        if address not in self.stuck:
            self.coils[address] = values[0]


class Meter(UnitFace):
    """A circuit at rest."""

    def read_input(self, address: int, count: int) -> list[int]:
        """FC 4."""
        words = [0] * 0x50
        for at, number in ((0x00, 120.0), (0x46, 60.0)):
            words[at : at + 2] = struct.unpack(">HH", struct.pack(">f", number))
        return words[address : address + count]


class Line:
    """A board and two meters, polled for three seconds."""

    def __init__(self) -> None:
        self.board = Board()
        self.wire = Wire({BOARD: self.board, METER: Meter(), METER + 1: Meter()}, rtu=True)
        self.driver = LoadCentre(
            "Load centre",
            self.wire.connection,
            BOARD,
            {0: METER, 1: METER + 1},
            8,
            self.wire.emit,
            clock_ns=self.wire.now_ns,
        )
        self.wire.run(self.driver)
        self.wire.live(3.0)

    def order(self, relay: int, *, closed: bool) -> None:
        """Ask for a relay, counted from 1."""
        self.wire.loop.call_soon(self.driver.submit, RelayRequest(relay - 1, closed))

    def said(self) -> str:
        """What the link's health says while the board answers."""
        state, reason = self.wire.health("Load centre")
        assert state is LinkState.OK
        return reason

    def babble(self, *, seconds: float) -> None:
        """A byte every 60 ms, and nobody is understood."""
        self.wire.silent |= {BOARD, METER, METER + 1}
        for nth in range(int(seconds / 0.06)):
            self.wire.loop.call_later(0.06 * nth, self.wire.connection.received, b"\x55")


def test_a_relay_that_does_not_follow_is_said_until_it_does() -> None:
    line = Line()
    line.board.stuck.add(2)
    line.order(3, closed=True)
    line.wire.live(10.0)
    assert line.said() == "relay 3 does not follow"
    assert len(line.wire.writes()) == 2
    line.board.coils[2] = True
    line.wire.live(2.0)
    assert line.said() == ""


def test_a_relay_that_does_not_follow_is_said_beside_meters_that_are_silent() -> None:
    line = Line()
    line.board.stuck.add(2)
    line.wire.silent.add(METER)
    line.order(3, closed=True)
    line.wire.live(10.0)
    assert line.said() == "relay 3 does not follow; meter 11 did not answer in 0.4 s"


def test_another_request_for_it_begins_anew() -> None:
    line = Line()
    line.board.stuck.add(2)
    line.order(3, closed=True)
    line.wire.live(3.0)
    line.order(3, closed=False)
    line.wire.live(3.0)
    assert line.said() == ""


def test_a_board_that_refuses_a_relay_goes_on_being_read() -> None:
    line = Line()
    line.wire.meddle = lambda _unit, pdu: exception(pdu, 4) if pdu[0] == WRITE else None
    began_ns = line.wire.now_ns()
    line.order(3, closed=True)
    line.wire.live(10.0)
    assert line.said() == "relay 3 was not closed: exception 4: device failure"
    assert len(line.wire.writes()) == 1
    assert len(line.wire.since(began_ns, RelayStates)) >= 9


@pytest.mark.parametrize("silent", [0, 2, 8])
def test_a_round_of_meters_that_takes_long_leaves_link_and_relays_fresh(silent: int) -> None:
    meters = {circuit: METER + circuit for circuit in range(8)}
    wire = Wire({BOARD: Board(), **{unit: Meter() for unit in meters.values()}}, rtu=True)
    # As at 1200 baud.
    wire.way_s = 0.15
    wire.silent.update(list(meters.values())[:silent])
    wire.run(LoadCentre("Load centre", wire.connection, BOARD, meters, 8, wire.emit, clock_ns=wire.now_ns))
    wire.live(5.0)
    began_ns = wire.now_ns()
    wire.live(30.0)
    assert longest_gap_s(wire.since(began_ns, RelayStates)) < 2.5
    assert longest_gap_s(wire.since(began_ns, LinkHealth)) < 2.5


def test_an_order_that_comes_while_the_board_says_busy_to_a_poll_is_carried_out_with_the_next() -> None:
    line = Line()
    left = [1]

    def busy(_unit: int, pdu: bytes) -> bytes | None:
        if pdu[0] != READ or not left[0]:
            return None
        left[0] -= 1
        # While the answer is on its way.
        line.order(3, closed=True)
        return exception(pdu, 6)

    line.wire.meddle = busy
    line.wire.live(4.0)
    assert not left[0]
    assert line.board.coils[2]
    assert line.said() == ""


def test_an_order_for_a_board_that_is_busy_for_long_is_not_carried_out_late() -> None:
    line = Line()
    line.wire.meddle = lambda _unit, pdu: exception(pdu, 6) if pdu[0] == READ else None
    line.wire.live(0.9)
    line.driver._requests.append((RelayRequest(2, True), line.wire.now_ns() - 1_900_000_000))
    line.wire.live(4.0)
    line.wire.meddle = None
    line.wire.live(8.0)
    assert not line.wire.writes()
    assert line.said() == "relay 3 was not closed: the line was not free in time"


@pytest.mark.parametrize("after_s", [0.7, 1.7])
def test_an_order_given_while_the_line_is_dead_is_not_carried_out_when_it_comes_back(after_s: float) -> None:
    line = Line()
    line.wire.silent |= {BOARD, METER, METER + 1}
    line.wire.live(after_s)
    assert line.wire.health("Load centre")[0] is LinkState.LATE
    for relay in (3, 4, 5):
        line.order(relay, closed=True)
    line.wire.live(30.0)
    sent = len(line.wire.writes())
    line.wire.silent.clear()
    line.wire.live(10.0)
    assert len(line.wire.writes()) == sent
    assert not any(line.board.coils)
    assert line.said().startswith("relay 3 was not closed: did not answer in 0.4 s; relay 4 was not closed")


def test_an_order_that_no_turn_came_for_in_two_seconds_is_dropped_with_a_word() -> None:
    line = Line()

    # The line was taken by something else for longer than an order lives.
    line.driver._requests.append((RelayRequest(2, True), line.wire.now_ns() - 2_100_000_000))
    line.wire.live(2.0)
    assert not line.wire.writes()
    assert line.said() == "relay 3 was not closed: the line was not free in time"


def test_on_a_line_that_babbles_an_order_is_dropped_and_the_line_told_within_seconds() -> None:
    line = Line()
    line.babble(seconds=45.0)
    line.wire.live(1.0)
    line.order(3, closed=True)
    line.wire.live(6.0)
    assert line.wire.health("Load centre") == (LinkState.LOST, "the line is not quiet")
    line.wire.live(38.0)
    line.wire.silent.clear()
    quiet_ns = line.wire.now_ns()
    line.wire.live(8.0)
    assert line.wire.since(quiet_ns, CircuitReading)
    assert not line.wire.writes()
    assert not any(line.board.coils)
    assert line.said() == "relay 3 was not closed: the line is not quiet"


def test_it_is_busy_from_an_order_until_its_relay_has_been_read_back_or_given_up() -> None:
    line = Line()
    assert not line.driver.busy()
    line.driver.submit(RelayRequest(2, True))
    busy = []
    for _ in range(2_000):
        busy.append(line.driver.busy())
        line.wire.live(0.001)
    assert busy[0]
    assert line.board.coils[2]
    assert busy.index(False) == sum(busy), "once, without a gap"
    assert not line.driver.busy()
    line.babble(seconds=3.0)
    line.driver.submit(RelayRequest(2, False))
    line.wire.live(20.0)
    assert not line.driver.busy()
