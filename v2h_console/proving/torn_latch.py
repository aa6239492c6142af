"""What a start finds of the latch's file after a write that was cut off: real bytes, through the real reader."""

from __future__ import annotations

import tempfile
from pathlib import Path

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import LatchReceipt
from v2h_console.runtime.latch_file import read_latch, write_latch
from v2h_console.twin.physics.streams import uniform

#: "older": the last but one record is there, whole. The others leave none that can be read.
TORN = ("empty", "truncated", "half_json", "garbage", "flipped", "older")


def found(record: PersistLatch, older: PersistLatch, how: str, seed: int) -> LatchReceipt:
    """What the start reads where ``record`` was being written over ``older``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latch"
        write_latch(path, older if how == "older" else record)
        if how != "older":
            path.write_bytes(damaged(path.read_bytes(), how, uniform(seed, "torn", 0, (0.0, 1.0))))
        return read_latch(path)


def damaged(whole: bytes, how: str, where: float) -> bytes:
    """``whole`` as the power cut left it; ``where`` 0 to 1 along the record."""
    at = min(len(whole) - 2, 1 + int(where * (len(whole) - 2)))
    match how:
        case "empty":
            return b""
        case "truncated":
            return whole[:at]
        case "half_json":
            return whole[:at] + b'"}\n'
        case "flipped":
            return whole[:at] + bytes((whole[at] ^ 0x01,)) + whole[at + 1 :]
        case _:
            # A block that was allocated and never written, or written with something else.
            return whole[:at] + bytes(0xA5 ^ byte for byte in whole[at:])
