"""The open latch on disk: written whole with fsync by a thread of its own, read once at the start.

One short JSON line with a checksum. Missing, torn or corrupt reads as locked (I3).
"""

from __future__ import annotations

import json
import os
import queue
import threading
import zlib
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import LatchReceipt


def read_latch(path: Path) -> LatchReceipt:
    """What is on disk. Anything but a whole, valid record is "locked" with sequence 0."""
    try:
        record = json.loads(path.read_text("ascii"))
        body = {
            "sequence": int(record["sequence"]),
            "locked": bool(record["locked"]),
            "reason": str(record["reason"]),
        }
        if record["crc"] != _crc(body):
            return LatchReceipt(0, locked=True)
        return LatchReceipt(int(record["sequence"]), locked=bool(record["locked"]))
    except (OSError, ValueError, KeyError, TypeError):
        return LatchReceipt(0, locked=True)


def write_latch(path: Path, record: PersistLatch) -> None:
    """Replace the record durably: temporary file, fsync, rename, fsync of the folder. Raises OSError."""
    body = {"sequence": record.sequence, "locked": record.locked, "reason": record.reason}
    text = json.dumps({**body, "crc": _crc(body)}) + "\n"
    temporary = path.with_suffix(".new")
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _crc(body: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode("ascii"))


class LatchWriter(threading.Thread):
    """Writes what the core asks for and puts the receipt into the lane's inbox. A failed write gives no receipt:
    then nothing closes; ``failure`` says why."""

    def __init__(self, path: Path, receipts: deque[LatchReceipt]) -> None:
        super().__init__(name="latch-writer", daemon=True)
        self._path = path
        self._receipts = receipts
        self._queue: queue.SimpleQueue[PersistLatch | None] = queue.SimpleQueue()
        self.failure = ""

    def submit(self, record: PersistLatch) -> None:
        """Queue one record; returns at once."""
        self._queue.put(record)

    def stop(self) -> None:
        """Write what is queued, then end."""
        self._queue.put(None)

    def run(self) -> None:
        """Until stopped."""
        while (record := self._queue.get()) is not None:
            try:
                write_latch(self._path, record)
            except OSError as error:
                self.failure = f"the latch cannot be written to {self._path}: {error.strerror or error}"
                continue
            self.failure = ""
            self._receipts.append(LatchReceipt(record.sequence, record.locked))
