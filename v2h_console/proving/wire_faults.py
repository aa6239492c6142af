"""What happens to Modbus bytes on their way back: one fault on one wire, each way of it named.

A reply is ``bytes`` as the twin's face gave them; what comes back is what arrives, and how much later. Everything is
drawn from the run's seed and the number of the message, so that a run is its seed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from v2h_console.twin.faces.modbus_server import crc16
from v2h_console.twin.physics.streams import uniform

MS = 1_000_000
#: Later than the drivers wait for an answer.
LATE_NS = 1_150 * MS
MBAP_BYTES = 7

#: Ways in which a reply can be rubbish, and in which an answer does not come in time.
GARBAGE = ("data", "checksum", "length", "transaction", "unit", "exception", "function", "noise")
TIMEOUT = ("silent", "late", "half")
#: How a write can be lost: the wire confirms it by itself, or the register takes it and the inverter does not.
IGNORED = ("register", "effect")


@dataclass(frozen=True, slots=True)
class WireFault:
    """``how`` is one of the words above; ``share``: of so many replies of a hundred."""

    how: str
    seed: int
    share_pct: float = 100.0

    def reply(self, data: bytes, message: int, *, rtu: bool) -> tuple[bytes, int]:
        """What arrives for ``data``, the ``message``-th reply, and its delay in ns."""
        if uniform(self.seed, "wire.share", message, (0.0, 100.0)) >= self.share_pct:
            return data, 0
        match self.how:
            case "silent":
                return b"", 0
            case "late":
                return data, LATE_NS
            case "half":
                return data[: len(data) // 2], 0
            case "noise":
                count = 1 + int(uniform(self.seed, "wire.count", message, (0.0, 40.0)))
                return bytes(self._byte(message, nth) for nth in range(count)), 0
        return (self._rtu if rtu else self._tcp)(data, message), 0

    def _byte(self, message: int, nth: int) -> int:
        return int(uniform(self.seed, f"wire.byte{nth}", message, (0.0, 255.999)))

    def _tcp(self, data: bytes, message: int) -> bytes:
        transaction, protocol, length, unit = struct.unpack(">HHHB", data[:MBAP_BYTES])
        pdu = data[MBAP_BYTES:]
        match self.how:
            case "transaction":
                transaction = (transaction + 1) & 0xFFFF
            case "unit":
                unit = (unit + 1) & 0xFF
            case "data" | "checksum":
                # TCP has a checksum of its own: what a broken gateway garbles is the header.
                protocol = 0x5A5A
            case "length":
                length = 2
            case _:
                pdu = _other_pdu(self.how, pdu)
                length = len(pdu) + 1
        return struct.pack(">HHHB", transaction, protocol, length, unit) + pdu

    def _rtu(self, data: bytes, message: int) -> bytes:
        unit, pdu = data[0], data[1:-2]
        match self.how:
            case "data":
                at = 1 + int(uniform(self.seed, "wire.at", message, (0.0, len(data) - 1.001)))
                return data[:at] + bytes((data[at] ^ 0x5A,)) + data[at + 1 :]
            case "checksum" | "transaction":
                return data[:-1] + bytes((data[-1] ^ 0xFF,))
            case "length":
                pdu = pdu[:-2]
            case "unit":
                unit = (unit + 1) & 0xFF
            case _:
                pdu = _other_pdu(self.how, pdu)
        body = bytes((unit,)) + pdu
        return body + struct.pack("<H", crc16(body))


def _other_pdu(how: str, pdu: bytes) -> bytes:
    if how == "exception":
        return bytes((pdu[0] | 0x80, 6))
    return bytes((pdu[0] ^ 0x07,)) + pdu[1:]


def confirmed_write(request: bytes, *, rtu: bool) -> bytes | None:
    """The echo that confirms the write in ``request`` without anybody having taken it; ``None``: it is no write."""
    if rtu:
        if len(request) < 8 or request[1] not in (5, 6, 15, 16):
            return None
        return request[:6] + struct.pack("<H", crc16(request[:6]))
    pdu = request[MBAP_BYTES:]
    if len(pdu) < 5 or pdu[0] not in (5, 6, 15, 16):
        return None
    return request[:4] + struct.pack(">HB", 6, request[6]) + pdu[:5]
