"""The open latch on disk, with the lockouts that only a person ends: written whole with fsync by a thread of its own, read once at the start.

One short JSON line with a checksum. Missing, torn or corrupt reads as locked (I3).
"""

from __future__ import annotations

import json
import queue
import threading
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Kept, LatchReceipt
from v2h_console.storage import whole_file
from v2h_console.storage.disk import DISK, Disk, unheard


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """The line's fields beside its checksum. What an earlier version did not write has a default."""

    sequence: int
    locked: bool
    reason: str
    lk_form: str
    lk_close: str
    held_open: bool
    culprits: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    doubted_soc_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    operator_limit_w: Annotated[float, msgspec.Meta(ge=0)] | None = None
    drift: str = ""
    roof_off: bool = False
    doubted_cars: tuple[tuple[str, Annotated[int, msgspec.Meta(ge=0, le=100)]], ...] = ()
    close_tries: Annotated[int, msgspec.Meta(ge=0)] = 0
    goes_on: str = ""


#: A record that is there and cannot be read may have held an MID open for a line worker.
DAMAGED = LatchReceipt(
    0, locked=True, kept=Kept(lk_close="the latch's record on disk was damaged", held_open=True)
)
#: A record that could not be written is tried again this often, until it is or a newer one replaces it.
RETRY_S = 1.0


def read_latch(path: Path, disk: Disk = DISK) -> LatchReceipt:
    """What is on disk. Anything but a whole, valid record is "locked" with sequence 0: what a missing one kept nobody
    knows, what a damaged one kept neither, so that closing then waits for a person."""
    try:
        found = msgspec.json.decode(disk.read(path))
        crc = found.pop("crc")
        record = msgspec.convert(found, _Record)
        if crc != _crc(found):
            return DAMAGED
        kept = Kept(
            record.lk_form,
            record.lk_close,
            record.held_open,
            record.culprits,
            record.doubted,
            record.doubted_soc_pct,
            record.operator_limit_w,
            record.drift,
            record.roof_off,
            record.doubted_cars,
            record.close_tries,
            record.goes_on,
        )
        return LatchReceipt(record.sequence, record.locked, kept)
    except FileNotFoundError:
        return LatchReceipt(0, locked=True)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return DAMAGED


def find_latch(path: Path, aside: Path | None, disk: Disk = DISK) -> tuple[LatchReceipt, PersistLatch | None]:
    """What a start takes for the latch, and what it must write where only the copy ``aside`` has it.

    The copy is written when the disk takes nothing: below /run it outlives the process, though no loss of power. What
    it says counts when it is newer, as locked whatever it says: a clearing counts from the disk alone.
    """
    found = read_latch(path, disk)
    if aside is None:
        return found, None
    copy = read_latch(aside, disk)
    if copy.sequence <= found.sequence:
        return found, None
    # A record on disk that cannot be read may be newer still: what it locks stays locked.
    kept = replace(
        copy.kept,
        lk_close=copy.kept.lk_close or found.kept.lk_close,
        held_open=copy.kept.held_open or (found == DAMAGED),
    )
    return LatchReceipt(copy.sequence, True, kept), PersistLatch(copy.sequence, True, "kept aside", kept)


def write_latch(path: Path, record: PersistLatch, disk: Disk = DISK) -> None:
    """Replace the record durably. Raises OSError."""
    kept = record.kept
    body = msgspec.to_builtins(
        _Record(
            record.sequence,
            record.locked,
            record.reason,
            kept.lk_form,
            kept.lk_close,
            kept.held_open,
            kept.culprits,
            kept.doubted,
            kept.doubted_soc_pct,
            kept.operator_limit_w,
            kept.drift,
            kept.roof_off,
            kept.doubted_cars,
            kept.close_tries,
            kept.goes_on,
        )
    )
    whole_file.write(path, msgspec.json.encode({**body, "crc": _crc(body)}) + b"\n", disk=disk)


def _crc(body: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode("ascii"))


class LatchWriter(threading.Thread):
    """Writes what the core asks for and puts the receipt into the lane's inbox. A failed write gives no receipt:
    then nothing closes; ``failed`` hears why, and "" once a record has been written again."""

    def __init__(
        self,
        path: Path,
        receipts: deque[LatchReceipt],
        *,
        aside: Path | None = None,
        disk: Disk = DISK,
        failed: Callable[[str], None] = unheard,
    ) -> None:
        """``aside``: where a record goes that the disk does not take."""
        super().__init__(name="latch-writer", daemon=True)
        self._path = path
        self._aside, self._aside_sequence = aside, 0
        self._receipts = receipts
        self._disk = disk
        self._failed = failed
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
        unwritten: PersistLatch | None = None
        while True:
            try:
                record = self._queue.get(timeout=RETRY_S if unwritten else None)
            except queue.Empty:
                record = unwritten
            if record is None:
                return
            unwritten = None if self.write(record) else record

    def write(self, record: PersistLatch) -> bool:
        """Write one record and give its receipt; whether the disk took it."""
        try:
            write_latch(self._path, record, self._disk)
        except OSError as error:
            self._keep_aside(record)
            self._say(error.strerror or str(error))
            return False
        self._receipts.append(LatchReceipt(record.sequence, record.locked, record.kept))
        self._say("")
        return True

    def _keep_aside(self, record: PersistLatch) -> None:
        """What a person forbade must outlive this process, though the disk is full: once for each record."""
        if self._aside is None or self._aside_sequence == record.sequence:
            return
        with suppress(OSError):
            self._disk.make_folder(self._aside.parent)
            write_latch(self._aside, record, self._disk)
            self._aside_sequence = record.sequence

    def _say(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            self._failed(failure)
