"""The Modbus machine against everything that a device, a line or a stranger may answer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from v2h_drivers.modbus.machine import (
    READ_COILS,
    READ_HOLDING,
    READ_INPUT,
    RTU_DRAIN_NS,
    RTU_SILENCE_NS,
    WRITE_COIL,
    WRITE_REGISTERS,
    ClientMachine,
    Failure,
    FailureKind,
    Framing,
    Outcome,
    Reply,
    Request,
)

S = 1_000_000_000
MS = 1_000_000


def tcp(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A Modbus TCP frame."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def rtu(unit: int, pdu: bytes) -> bytes:
    """A Modbus RTU frame with its checksum."""
    body = bytes((unit,)) + pdu
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def registers(function: int, *values: int) -> bytes:
    """A read's answer."""
    return struct.pack(">BB", function, 2 * len(values)) + b"".join(struct.pack(">H", v) for v in values)


def asked(framing: Framing, request: Request) -> tuple[ClientMachine, int, int]:
    """A machine whose request has been sent; its ticket and TCP transaction."""
    machine = ClientMachine(framing)
    ticket = machine.submit(request)
    frame = machine.bytes_to_send(0)
    assert frame
    return machine, ticket, struct.unpack(">H", frame[:2])[0]


def outcome(machine: ClientMachine, ticket: int) -> Outcome:
    """The outcome of that request, which must be the next one."""
    got, result = machine.outcomes.popleft()
    assert got == ticket
    return result


def failed(machine: ClientMachine, ticket: int) -> Failure:
    """It must have failed."""
    result = outcome(machine, ticket)
    assert isinstance(result, Failure)
    return result


READ_TWO = Request(1, READ_HOLDING, 100, 2)


@pytest.mark.parametrize("framing", list(Framing))
@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=120), cut=st.integers(1, 250))
def test_a_good_answer_in_any_pieces(framing: Framing, values: list[int], cut: int) -> None:
    machine, ticket, transaction = asked(framing, Request(7, READ_INPUT, 3, len(values)))
    pdu = registers(READ_INPUT, *values)
    frame = tcp(transaction, 7, pdu) if framing is Framing.TCP else rtu(7, pdu)
    for at in range(0, len(frame), cut):
        machine.data_received(frame[at : at + cut], 3 * MS)
    result = outcome(machine, ticket)
    assert isinstance(result, Reply)
    assert list(result.values) == values
    assert result.round_trip_ns == 3 * MS


def test_coils_and_writes() -> None:
    machine, ticket, number = asked(Framing.TCP, Request(1, READ_COILS, 0, 8))
    machine.data_received(tcp(number, 1, bytes((1, 1, 0b101))), 1)
    assert outcome(machine, ticket) == Reply((1, 0, 1, 0, 0, 0, 0, 0), 1)
    machine, ticket, number = asked(Framing.TCP, Request(1, WRITE_COIL, 4, 1, (1,)))
    machine.data_received(tcp(number, 1, struct.pack(">BHH", 5, 4, 0xFF00)), 1)
    assert isinstance(outcome(machine, ticket), Reply)
    machine, ticket, number = asked(Framing.TCP, Request(1, WRITE_REGISTERS, 9, 2, (1, 2)))
    machine.data_received(tcp(number, 1, struct.pack(">BHH", 16, 9, 2)), 1)
    assert isinstance(outcome(machine, ticket), Reply)


def test_a_write_confirmed_for_another_address_is_refused() -> None:
    machine, ticket, number = asked(Framing.TCP, Request(1, WRITE_COIL, 4, 1, (1,)))
    machine.data_received(tcp(number, 1, struct.pack(">BHH", 5, 5, 0xFF00)), 1)
    assert "another write" in failed(machine, ticket).reason


def test_a_late_rtu_reply_never_answers_the_next_request() -> None:
    machine, first, _ = asked(Framing.RTU, Request(1, READ_HOLDING, 100, 1))
    machine.tick(1 * S)
    assert failed(machine, first).kind is FailureKind.TIMEOUT
    second = machine.submit(Request(1, READ_HOLDING, 200, 1))
    assert machine.bytes_to_send(1 * S + 1) == b"", "the line must be drained first"
    machine.data_received(rtu(1, registers(READ_HOLDING, 111)), 1 * S + 50 * MS)
    assert not machine.outcomes
    assert machine.bytes_to_send(1 * S + RTU_DRAIN_NS + 1) == b"", (
        "the late reply has started the silence anew"
    )
    now = 1 * S + 50 * MS + RTU_DRAIN_NS
    assert machine.bytes_to_send(now)
    machine.data_received(rtu(1, registers(READ_HOLDING, 222)), now + MS)
    assert outcome(machine, second) == Reply((222,), MS)


def test_a_late_tcp_reply_carries_another_transaction_and_is_passed_over() -> None:
    machine, ticket, number = asked(Framing.TCP, READ_TWO)
    machine.data_received(tcp(number - 1, 1, registers(READ_HOLDING, 9, 9)), 1)
    assert not machine.outcomes
    machine.data_received(tcp(number, 1, registers(READ_HOLDING, 1, 2)), 2)
    assert outcome(machine, ticket) == Reply((1, 2), 2)
    assert machine.ignored > 0


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize(
    ("pdu", "kind", "says"),
    [
        (registers(READ_INPUT, 1, 2), FailureKind.INVALID, "function 4 instead of 3"),
        (registers(READ_HOLDING, 1), FailureKind.INVALID, "registers instead of 2"),
        (registers(READ_HOLDING, 1, 2, 3), FailureKind.INVALID, "."),
        (bytes((READ_HOLDING, 3, 0, 1, 0)), FailureKind.INVALID, "."),
        (bytes((READ_HOLDING | 0x80, 2)), FailureKind.EXCEPTION, "illegal address"),
        (bytes((READ_HOLDING | 0x80, 11)), FailureKind.EXCEPTION, "no such unit"),
        (bytes((READ_INPUT | 0x80, 2)), FailureKind.INVALID, "."),
    ],
)
def test_no_value_of_a_wrong_answer_is_used(
    framing: Framing, pdu: bytes, kind: FailureKind, says: str
) -> None:
    machine, ticket, number = asked(framing, READ_TWO)
    machine.data_received(tcp(number, 1, pdu) if framing is Framing.TCP else rtu(1, pdu), 1)
    machine.tick(1 * S)
    failure = failed(machine, ticket)
    assert failure.kind in (kind, FailureKind.TIMEOUT)
    assert says == "." or says in failure.reason


@pytest.mark.parametrize("framing", list(Framing))
def test_another_units_answer_is_refused_and_named(framing: Framing) -> None:
    machine, ticket, number = asked(framing, READ_TWO)
    pdu = registers(READ_HOLDING, 1, 2)
    machine.data_received(tcp(number, 9, pdu) if framing is Framing.TCP else rtu(9, pdu), 1)
    assert "unit 9 answered instead of 1" in failed(machine, ticket).reason


def test_a_bad_checksum_is_refused_and_the_line_drained() -> None:
    machine, ticket, _ = asked(Framing.RTU, READ_TWO)
    frame = bytearray(rtu(1, registers(READ_HOLDING, 1, 2)))
    frame[4] ^= 0x40
    machine.data_received(bytes(frame), 1)
    assert "checksum" in failed(machine, ticket).reason
    machine.submit(READ_TWO)
    assert machine.bytes_to_send(2) == b""


def test_a_peer_that_closes_fails_what_waits_at_once() -> None:
    machine, ticket, _ = asked(Framing.TCP, READ_TWO)
    waiting = machine.submit(READ_TWO)
    machine.data_received(b"\x00\x01\x00", 1)
    machine.connection_lost("closed the connection")
    assert failed(machine, ticket).kind is FailureKind.CLOSED
    assert failed(machine, waiting).kind is FailureKind.CLOSED


def test_what_is_not_modbus_breaks_the_connection() -> None:
    machine, ticket, _ = asked(Framing.TCP, READ_TWO)
    machine.data_received(b"HTTP/1.1 400 Bad Request\r\n\r\n", 1)
    assert machine.broken
    assert "not Modbus" in failed(machine, ticket).reason


@settings(max_examples=300, deadline=None)
@given(framing=st.sampled_from(list(Framing)), chunks=st.lists(st.binary(max_size=60), max_size=8))
def test_garbage_never_raises_and_never_becomes_a_value(framing: Framing, chunks: list[bytes]) -> None:
    machine, ticket, _ = asked(framing, READ_TWO)
    for nth, chunk in enumerate(chunks):
        machine.data_received(chunk, nth)
    machine.tick(2 * S)
    results = dict(machine.outcomes)
    assert isinstance(results[ticket], Failure) or framing is Framing.TCP


def test_one_request_at_a_time() -> None:
    machine, first, number = asked(Framing.TCP, READ_TWO)
    machine.submit(Request(2, READ_HOLDING, 0, 1))
    assert machine.bytes_to_send(1) == b""
    machine.data_received(tcp(number, 1, registers(READ_HOLDING, 1, 2)), 2)
    assert isinstance(outcome(machine, first), Reply)
    assert machine.bytes_to_send(3)


def test_a_serial_request_leaves_the_silence_between_frames() -> None:
    machine, first, _ = asked(Framing.RTU, READ_TWO)
    machine.data_received(rtu(1, registers(READ_HOLDING, 1, 2)), 20 * MS)
    assert isinstance(outcome(machine, first), Reply)
    machine.submit(READ_TWO)
    assert machine.bytes_to_send(20 * MS) == b""
    assert machine.wake_at_ns() == 20 * MS + RTU_SILENCE_NS
    assert machine.bytes_to_send(20 * MS + RTU_SILENCE_NS - 1) == b""
    assert machine.bytes_to_send(20 * MS + RTU_SILENCE_NS)


def test_what_is_heard_between_two_requests_begins_the_silence_anew() -> None:
    machine = ClientMachine(Framing.RTU)
    machine.data_received(b"\x00", 5 * MS)
    machine.submit(READ_TWO)
    assert machine.bytes_to_send(6 * MS) == b""
    assert machine.bytes_to_send(5 * MS + RTU_SILENCE_NS)


def test_a_network_has_no_silence_to_keep() -> None:
    machine, first, number = asked(Framing.TCP, READ_TWO)
    machine.data_received(tcp(number, 1, registers(READ_HOLDING, 1, 2)), MS)
    assert isinstance(outcome(machine, first), Reply)
    machine.submit(READ_TWO)
    assert machine.bytes_to_send(MS)


def test_a_line_that_babbles_fails_what_waits_in_the_time_of_an_answer_and_nothing_of_it_is_sent_later() -> (
    None
):
    machine, first, _ = asked(Framing.RTU, READ_TWO)
    machine.tick(1 * S)
    assert failed(machine, first).kind is FailureKind.TIMEOUT
    order = machine.submit(Request(1, WRITE_COIL, 3, 1, (1,)))
    now = 1 * S
    while not machine.outcomes and now < 5 * S:
        now += 60 * MS
        machine.data_received(b"\x55", now)
        machine.tick(now)
        assert machine.bytes_to_send(now) == b""
    failure = failed(machine, order)
    assert (failure.kind, failure.reason) == (FailureKind.TIMEOUT, "the line is not quiet")
    assert now <= 2 * S + 120 * MS
    assert machine.bytes_to_send(now + 10 * S) == b"", "an order that failed is gone"
    assert machine.wake_at_ns() is None


def test_an_order_in_the_babble_is_woken_for_when_its_time_is_up() -> None:
    machine, first, _ = asked(Framing.RTU, READ_TWO)
    machine.tick(1 * S)
    assert failed(machine, first)
    machine.submit(READ_TWO)
    assert machine.bytes_to_send(1 * S) == b""
    machine.data_received(b"\x55", 2 * S - MS)
    assert machine.wake_at_ns() == 2 * S


def test_after_another_unit_s_late_reply_the_line_is_drained_so_that_ours_answers_nothing_else() -> None:
    machine, first, _ = asked(Framing.RTU, READ_TWO)
    machine.data_received(rtu(9, registers(READ_HOLDING, 7, 7)), 10 * MS)
    assert "unit 9 answered" in failed(machine, first).reason
    second = machine.submit(READ_TWO)
    assert machine.bytes_to_send(20 * MS) == b""
    machine.data_received(rtu(1, registers(READ_HOLDING, 1, 2)), 50 * MS)
    assert not machine.outcomes
    assert machine.bytes_to_send(50 * MS + RTU_DRAIN_NS)
    machine.data_received(rtu(1, registers(READ_HOLDING, 3, 4)), 200 * MS)
    result = outcome(machine, second)
    assert isinstance(result, Reply)
    assert result.values == (3, 4)
