"""A small Modbus server of our own: the units behind it are the twin's, and so are its faults.

Sans-I/O machines for both framings (MBAP: Modbus Messaging on TCP/IP V1.0b; RTU: Modbus over Serial Line V1.02). A
library's server answers for absent units on RTU and gives exception 4 for an unknown one, so a unit-id conflict or
an absent unit could not be played with it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
GATEWAY_TARGET_FAILED = 0x0B
MAX_REGISTERS, MAX_WRITE_REGISTERS, MAX_COILS, MAX_WRITE_COILS = 125, 123, 2000, 1968
MAX_PDU = 253
#: 3.5 characters at 9600 baud: silence this long ends an RTU frame.
RTU_SILENCE_NS = 4_000_000


class ModbusError(Exception):
    """An exception reply with ``code``."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class UnitFace:
    """One unit id. What a unit does not override it does not have: illegal function. Addresses it lacks are
    ModbusError(ILLEGAL_ADDRESS)."""

    def read_holding(self, address: int, count: int) -> list[int]:
        """FC 3."""
        raise ModbusError(ILLEGAL_FUNCTION)

    def read_input(self, address: int, count: int) -> list[int]:
        """FC 4."""
        raise ModbusError(ILLEGAL_FUNCTION)

    def write_holding(self, address: int, values: list[int]) -> None:
        """FC 6 and 16: all of it or nothing."""
        raise ModbusError(ILLEGAL_FUNCTION)

    def read_coils(self, address: int, count: int) -> list[bool]:
        """FC 1."""
        raise ModbusError(ILLEGAL_FUNCTION)

    def write_coils(self, address: int, values: list[bool]) -> None:
        """FC 5 and 15."""
        raise ModbusError(ILLEGAL_FUNCTION)


@dataclass(slots=True)
class FaceFaults:
    """What the link does wrong on purpose. ``exception`` 0 = none; ``wrong_transaction`` adds one to the id."""

    silent: bool = False
    wrong_transaction: bool = False
    wrong_unit: bool = False
    exception: int = 0
    garbage: bool = False


def answer(unit: UnitFace, pdu: bytes) -> bytes:
    """One request PDU to its reply PDU."""
    function = pdu[0]
    try:
        return bytes((function,)) + _carry_out(unit, function, pdu[1:])
    except ModbusError as error:
        return bytes((function | 0x80, error.code))
    except struct.error:
        return bytes((function | 0x80, ILLEGAL_VALUE))


def _carry_out(unit: UnitFace, function: int, body: bytes) -> bytes:
    if function in (3, 4):
        address, count = struct.unpack(">HH", body)
        _check_count(count, MAX_REGISTERS)
        registers = unit.read_holding(address, count) if function == 3 else unit.read_input(address, count)
        return struct.pack(f">B{count}H", 2 * count, *registers)
    if function == 1:
        address, count = struct.unpack(">HH", body)
        _check_count(count, MAX_COILS)
        return _pack_bits(unit.read_coils(address, count))
    if function == 5:
        address, value = struct.unpack(">HH", body)
        if value not in (0x0000, 0xFF00):
            raise ModbusError(ILLEGAL_VALUE)
        unit.write_coils(address, [value == 0xFF00])
        return body
    if function == 6:
        address, value = struct.unpack(">HH", body)
        unit.write_holding(address, [value])
        return body
    if function in (15, 16):
        address, count, size = struct.unpack(">HHB", body[:5])
        data = body[5:]
        _check_count(count, MAX_WRITE_COILS if function == 15 else MAX_WRITE_REGISTERS)
        if size != len(data) or size != (2 * count if function == 16 else (count + 7) // 8):
            raise ModbusError(ILLEGAL_VALUE)
        if function == 16:
            unit.write_holding(address, list(struct.unpack(f">{count}H", data)))
        else:
            unit.write_coils(address, [bool(data[bit // 8] >> bit % 8 & 1) for bit in range(count)])
        return body[:4]
    raise ModbusError(ILLEGAL_FUNCTION)


def _check_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ModbusError(ILLEGAL_VALUE)


def _pack_bits(bits: list[bool]) -> bytes:
    packed = bytearray((len(bits) + 7) // 8)
    for index, bit in enumerate(bits):
        packed[index // 8] |= bit << index % 8
    return bytes((len(packed),)) + bytes(packed)


class MbapMachine:
    """One TCP connection: bytes in, bytes out. ``broken`` is set when the stream can't be understood any more."""

    def __init__(self, units: Mapping[int, UnitFace], faults: FaceFaults) -> None:
        self._units = units
        self._faults = faults
        self._buffer = bytearray()
        self.broken = False

    def receive(self, data: bytes) -> bytes:
        """All complete requests in order, answered in order."""
        self._buffer += data
        replies = bytearray()
        while len(self._buffer) >= 8 and not self.broken:
            transaction, protocol, length, unit_id = struct.unpack(">HHHB", self._buffer[:7])
            if protocol != 0 or not 2 <= length <= MAX_PDU + 1:
                self.broken = True
                break
            if len(self._buffer) < 6 + length:
                break
            pdu = bytes(self._buffer[7 : 6 + length])
            del self._buffer[: 6 + length]
            replies += self._reply(transaction, unit_id, pdu)
        return bytes(replies)

    def _reply(self, transaction: int, unit_id: int, pdu: bytes) -> bytes:
        faults = self._faults
        if faults.silent:
            return b""
        unit = self._units.get(unit_id)
        if unit is None:
            reply = bytes((pdu[0] | 0x80, GATEWAY_TARGET_FAILED))
        elif faults.exception:
            reply = bytes((pdu[0] | 0x80, faults.exception))
        else:
            reply = answer(unit, pdu)
        if faults.garbage:
            reply = bytes(byte ^ 0x5A for byte in reply)
        transaction = (transaction + faults.wrong_transaction) & 0xFFFF
        unit_id = (unit_id + faults.wrong_unit) & 0xFF
        return struct.pack(">HHHB", transaction, 0, len(reply) + 1, unit_id) + reply


#: Request length from its function code: fixed body lengths, or where the byte count stands.
_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8}
_COUNTED = (15, 16)


class RtuMachine:
    """One serial line with several units. Silence ends a frame; what does not check out is dropped and counted."""

    def __init__(self, units: Mapping[int, UnitFace], faults: FaceFaults) -> None:
        self._units = units
        self._faults = faults
        self._buffer = bytearray()
        self._last_ns = 0
        self._replied_ns = -RTU_SILENCE_NS
        self.bad_frames = 0

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Bytes as they came; returns replies. An absent unit is silent, and what follows a reply without the silence
        between frames belongs to that reply."""
        if now_ns - self._replied_ns < RTU_SILENCE_NS:
            self.bad_frames += 1
            return b""
        if self._buffer and now_ns - self._last_ns > 50 * RTU_SILENCE_NS:
            self.bad_frames += 1
            self._buffer.clear()
        self._last_ns = now_ns
        self._buffer += data
        replies = bytearray()
        while (length := self._frame_length()) is not None:
            if length == 0:
                self.bad_frames += 1
                del self._buffer[0]
                continue
            if len(self._buffer) < length:
                break
            frame = bytes(self._buffer[:length])
            if crc16(frame[:-2]) != struct.unpack("<H", frame[-2:])[0]:
                self.bad_frames += 1
                del self._buffer[0]
                continue
            del self._buffer[:length]
            replies += self._reply(frame[0], frame[1:-2])
        if replies:
            self._replied_ns = now_ns
        return bytes(replies)

    def _frame_length(self) -> int | None:
        """Bytes in the frame at the front; 0 = cannot be one; ``None`` = too little to tell."""
        if len(self._buffer) < 2:
            return None
        function = self._buffer[1]
        if function in _FIXED:
            return _FIXED[function]
        if function in _COUNTED:
            return None if len(self._buffer) < 7 else 9 + self._buffer[6]
        return 0

    def _reply(self, unit_id: int, pdu: bytes) -> bytes:
        unit = self._units.get(unit_id)
        if unit is None or self._faults.silent:
            return b""
        exception = self._faults.exception
        reply = bytes((pdu[0] | 0x80, exception)) if exception else answer(unit, pdu)
        body = bytes(((unit_id + self._faults.wrong_unit) & 0xFF,)) + reply
        crc = crc16(body) ^ (0xFFFF if self._faults.garbage else 0)
        return body + struct.pack("<H", crc)


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()
