"""One Modbus connection's transactions as a sans-I/O machine: bytes and the time in, bytes and outcomes out.

pymodbus's framers and PDUs encode and decode; every check is ours, because its client was seen to take a late RTU
reply for the next request's, to accept a wrong function code and a short reply, to let a bad byte count raise into
the event loop, and to wait out the whole time-out when the peer closes. One request is outstanding at a time: some
servers answer only the first of several in one segment.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from dataclasses import dataclass
from enum import Enum

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

# What it would log about a bad frame is counted and said in words here.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

READ_COILS, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_REGISTERS = 1, 3, 4, 5, 16
MBAP_HEADER = 7
MAX_ADU = 260
#: After an RTU time-out the line must stay silent for this long, or the late reply would answer the next request.
RTU_DRAIN_NS = 100_000_000
#: Silence that ends a frame, 3.5 characters at 9600 baud; a request that follows a reply sooner is taken for its end.
RTU_SILENCE_NS = 4_011_000

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "no such unit behind the gateway",
}


class Framing(str, Enum):
    """How PDUs travel."""

    TCP = "tcp"
    RTU = "rtu"


class FailureKind(str, Enum):
    """What went wrong with one request."""

    TIMEOUT = "timeout"
    EXCEPTION = "exception"
    INVALID = "invalid"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Request:
    """``count`` registers or coils from ``address``; ``values`` for writes (a coil: 0 or 1)."""

    unit: int
    function: int
    address: int
    count: int = 1
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: register words, or coils as 0 and 1; empty for writes."""

    values: tuple[int, ...]
    round_trip_ns: int


@dataclass(frozen=True, slots=True)
class Failure:
    """No usable answer; ``reason`` is a plain clause for the screen, ``code`` an exception reply's."""

    kind: FailureKind
    reason: str
    code: int | None = None


Outcome = Reply | Failure


class ClientMachine:
    """Submit requests, move bytes, collect outcomes. Nothing that comes from the wire raises."""

    def __init__(
        self, framing: Framing, timeout_ns: int = 1_000_000_000, silence_ns: int = RTU_SILENCE_NS
    ) -> None:
        """``silence_ns``: what an RTU line must be silent for before the next request."""
        self._framing = framing
        self._timeout_ns = timeout_ns
        self._silence_ns = silence_ns
        self._decoder = DecodePDU(False)
        self._tcp = FramerSocket(self._decoder)
        self._rtu = FramerRTU(self._decoder)
        self._waiting: deque[tuple[int, Request]] = deque()
        self._current: tuple[int, Request] | None = None
        self._sent_ns = 0
        self._drain_until_ns: int | None = None
        self._heard_ns: int | None = None
        #: Since when what waits is held up by a line that is not quiet.
        self._held_ns: int | None = None
        self._buffer = bytearray()
        self._tickets = 0
        self._transaction = 0
        self.outcomes: deque[tuple[int, Outcome]] = deque()
        self.ignored = 0
        #: The stream cannot be followed any more: the port must close the connection.
        self.broken = False

    def submit(self, request: Request) -> int:
        """Queue a request; its outcome carries the returned ticket."""
        self._tickets += 1
        self._waiting.append((self._tickets, request))
        return self._tickets

    def bytes_to_send(self, now_ns: int) -> bytes:
        """The next request, when none is outstanding and the line is quiet; else nothing."""
        if self._current is not None or not self._waiting or self.broken:
            return b""
        quiet_ns = self._quiet_at_ns()
        if quiet_ns is not None and now_ns < quiet_ns:
            self._held_ns = now_ns if self._held_ns is None else self._held_ns
            return b""
        self._drain_until_ns = self._held_ns = None
        self._current = self._waiting.popleft()
        self._sent_ns = now_ns
        self._buffer.clear()
        self._transaction = self._transaction % 0xFFFF + 1
        pdu = _build(self._current[1], self._transaction)
        return (self._tcp if self._framing is Framing.TCP else self._rtu).buildFrame(pdu)

    def wake_at_ns(self) -> int | None:
        """When ``tick`` has something to do; ``None`` = nothing is timed."""
        if self._current is not None:
            return self._sent_ns + self._timeout_ns
        quiet_ns = self._quiet_at_ns()
        if not self._waiting or quiet_ns is None or self._held_ns is None:
            return None
        return min(quiet_ns, self._held_ns + self._timeout_ns)

    def _quiet_at_ns(self) -> int | None:
        """When a request may be sent, if nothing more is heard; ``None`` = at any time."""
        if self._framing is Framing.TCP:
            return None
        silent_ns = None if self._heard_ns is None else self._heard_ns + self._silence_ns
        if silent_ns is None or self._drain_until_ns is None:
            return silent_ns or self._drain_until_ns
        return max(silent_ns, self._drain_until_ns)

    def tick(self, now_ns: int) -> None:
        """Let time pass."""
        quiet_ns = self._quiet_at_ns()
        if (
            self._held_ns is not None
            and quiet_ns is not None
            and now_ns < quiet_ns
            and now_ns - self._held_ns >= self._timeout_ns
        ):
            # Each byte begins the wait anew: a line that babbles would hold a request for as long as it likes.
            self._held_ns = None
            self._fail_waiting(Failure(FailureKind.TIMEOUT, "the line is not quiet"))
        if self._current is not None and now_ns - self._sent_ns >= self._timeout_ns:
            if self._framing is Framing.RTU:
                self._drain_until_ns = now_ns + RTU_DRAIN_NS
            self._finish(Failure(FailureKind.TIMEOUT, f"did not answer in {self._timeout_ns / 1e9:.1f} s"))

    def connection_lost(self, reason: str) -> None:
        """The port is gone: everything that waits fails at once rather than after its time-out."""
        if self._current is not None:
            self._finish(Failure(FailureKind.CLOSED, reason))
        self._fail_waiting(Failure(FailureKind.CLOSED, reason))
        self._buffer.clear()
        self._drain_until_ns = self._heard_ns = self._held_ns = None
        self.broken = False

    def _fail_waiting(self, failure: Failure) -> None:
        while self._waiting:
            ticket, _ = self._waiting.popleft()
            self.outcomes.append((ticket, failure))

    def data_received(self, data: bytes, now_ns: int) -> None:
        """Bytes as they came, in any pieces."""
        self._heard_ns = now_ns
        if self._current is None:
            self.ignored += len(data)
            if self._drain_until_ns is not None:
                self._drain_until_ns = now_ns + RTU_DRAIN_NS
            if self._framing is Framing.TCP:
                self._skip_late_tcp(data)
            return
        self._buffer += data
        if self._framing is Framing.TCP:
            self._read_tcp(now_ns)
        else:
            self._read_rtu(now_ns)

    # ------------------------------------------------------------ framing

    def _skip_late_tcp(self, data: bytes) -> None:
        """A late TCP reply carries its own transaction id and is harmless; half of one would shift the stream."""
        self._buffer += data
        while (length := self._tcp_length()) is not None and len(self._buffer) >= length and not self.broken:
            del self._buffer[:length]
        if self._buffer:
            self.broken = True

    def _tcp_length(self) -> int | None:
        """Length of the ADU at the front; ``None`` = too little to tell. Sets ``broken`` on nonsense."""
        if len(self._buffer) < MBAP_HEADER:
            return None
        _, protocol, length = struct.unpack(">HHH", self._buffer[:6])
        if protocol != 0 or not 3 <= length <= MAX_ADU - 6:
            self.broken = True
            return None
        return 6 + int(length)

    def _read_tcp(self, now_ns: int) -> None:
        while self._current is not None and not self.broken:
            length = self._tcp_length()
            if self.broken:
                self._finish(Failure(FailureKind.INVALID, "sent what is not Modbus TCP"))
                return
            if length is None or len(self._buffer) < length:
                return
            adu = bytes(self._buffer[:length])
            del self._buffer[:length]
            transaction = struct.unpack(">H", adu[:2])[0]
            if transaction != self._transaction:
                self.ignored += length  # a late reply to a request that has been given up, or a stranger's
                continue
            self._take(adu[6], adu[MBAP_HEADER:], now_ns)

    def _read_rtu(self, now_ns: int) -> None:
        assert self._current is not None
        request = self._current[1]
        if len(self._buffer) < 2:
            return
        unit, function = self._buffer[0], self._buffer[1]
        if function & 0x80:
            length = 5
        elif function == request.function:
            length = _reply_length(request)
        else:
            self._invalid_rtu(f"answered with function {function} instead of {request.function}", now_ns)
            return
        if len(self._buffer) > 2 and function in (READ_COILS, READ_HOLDING, READ_INPUT):
            length = 5 + self._buffer[2]
        if len(self._buffer) < length:
            return
        frame, rest = bytes(self._buffer[:length]), len(self._buffer) - length
        if FramerRTU.compute_CRC(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
            self._invalid_rtu("answered with a bad checksum", now_ns)
        elif rest:
            self._invalid_rtu("sent more than its answer", now_ns)
        else:
            self._take(unit, frame[1:-2], now_ns)

    def _invalid_rtu(self, reason: str, now_ns: int) -> None:
        self._drain_until_ns = now_ns + RTU_DRAIN_NS
        self._finish(Failure(FailureKind.INVALID, reason))

    # ------------------------------------------------------------ replies

    def _take(self, unit: int, pdu: bytes, now_ns: int) -> None:
        assert self._current is not None
        outcome = _judge(self._decoder, self._current[1], unit, pdu, now_ns - self._sent_ns)
        invalid = isinstance(outcome, Failure) and outcome.kind is FailureKind.INVALID
        if invalid and self._framing is Framing.RTU:
            # A late reply of another unit, most likely: our own unit's is still to come, and would answer the next request.
            self._drain_until_ns = now_ns + RTU_DRAIN_NS
        self._finish(outcome)

    def _finish(self, outcome: Outcome) -> None:
        assert self._current is not None
        self.outcomes.append((self._current[0], outcome))
        self._current = None
        if self._framing is Framing.RTU:
            self._buffer.clear()


def _build(request: Request, transaction: int) -> ModbusPDU:
    unit, at, count = request.unit, request.address, request.count
    match request.function:
        case 1:
            return ReadCoilsRequest(unit, transaction, at, count)
        case 3:
            return ReadHoldingRegistersRequest(unit, transaction, at, count)
        case 4:
            return ReadInputRegistersRequest(unit, transaction, at, count)
        case 5:
            return WriteSingleCoilRequest(unit, transaction, at, bits=[bool(request.values[0])])
        case 16:
            return WriteMultipleRegistersRequest(unit, transaction, at, registers=list(request.values))
        case _:
            raise ValueError(f"function {request.function} is not used by any driver")


def _reply_length(request: Request) -> int:
    """Bytes of the good RTU reply."""
    if request.function in (READ_HOLDING, READ_INPUT):
        return 5 + 2 * request.count
    if request.function == READ_COILS:
        return 5 + (request.count + 7) // 8
    return 8


def _judge(decoder: DecodePDU, request: Request, unit: int, pdu: bytes, round_trip_ns: int) -> Outcome:
    """Everything that a reply must be before a single value of it is used."""
    if unit != request.unit:
        return Failure(FailureKind.INVALID, f"unit {unit} answered instead of {request.unit}")
    decoded = decoder.decode(pdu) if len(pdu) >= 2 else None
    if decoded is None:
        return Failure(FailureKind.INVALID, "answered with a frame that cannot be read")
    if isinstance(decoded, ExceptionResponse):
        if pdu[0] & 0x7F != request.function:
            return Failure(FailureKind.INVALID, "refused another function than was asked")
        words = EXCEPTIONS.get(pdu[1], "unknown exception")
        return Failure(FailureKind.EXCEPTION, f"exception {pdu[1]}: {words}", pdu[1])
    if decoded.function_code != request.function:
        asked = f"function {decoded.function_code} instead of {request.function}"
        return Failure(FailureKind.INVALID, f"answered with {asked}")
    if request.function in (READ_HOLDING, READ_INPUT):
        if pdu[1] != 2 * request.count or len(pdu) != 2 + 2 * request.count:
            given = (len(pdu) - 2) // 2
            return Failure(FailureKind.INVALID, f"gave {given} registers instead of {request.count}")
        return Reply(tuple(decoded.registers), round_trip_ns)
    if request.function == READ_COILS:
        size = (request.count + 7) // 8
        if pdu[1] != size or len(pdu) != 2 + size:
            return Failure(FailureKind.INVALID, f"gave {len(pdu) - 2} bytes of coils instead of {size}")
        return Reply(tuple(int(bit) for bit in decoded.bits[: request.count]), round_trip_ns)
    address, echo = struct.unpack(">HH", pdu[1:5]) if len(pdu) == 5 else (-1, -1)
    expected = request.count if request.function == WRITE_REGISTERS else (0xFF00 if request.values[0] else 0)
    if address != request.address or echo != expected:
        return Failure(FailureKind.INVALID, "confirmed another write than was asked")
    return Reply((), round_trip_ns)
