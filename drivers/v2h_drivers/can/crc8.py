"""CRC-8 of the logic controller's frames: SAE J1850 (polynomial 0x1D, initial value 0xFF, final XOR 0xFF).

Computed over 9 bytes: the arbitration id's low byte, its high byte, then data bytes 0 to 6 (docs/can.md).
"""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x1D
_INITIAL: Final = 0xFF
_FINAL_XOR: Final = 0xFF


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value << 1) ^ (_POLYNOMIAL if value & 0x80 else 0)
    return value & 0xFF


_TABLE: Final = bytes(_entry(value) for value in range(256))


def crc8(data: bytes) -> int:
    """The CRC-8 SAE J1850 of ``data``, 0..255. Its check value for ``b"123456789"`` is 0x4B."""
    register = _INITIAL
    for byte in data:
        register = _TABLE[register ^ byte]
    return register ^ _FINAL_XOR


def id_register(arbitration_id: int) -> int:
    """The CRC's register after an 11-bit id: the same for every frame of that id, so worth keeping."""
    return _TABLE[_TABLE[_INITIAL ^ (arbitration_id & 0xFF)] ^ (arbitration_id >> 8 & 0xFF)]


def frame_crc(register: int, data: bytes) -> int:
    """The CRC of a frame, 0..255: ``register`` from :func:`id_register`, ``data`` at least bytes 0 to 6."""
    table = _TABLE
    for byte in data[:7]:
        register = table[register ^ byte]
    return register ^ _FINAL_XOR
