"""The latch's file in virtual time: what was written, when it is down for good, and what a start finds of it."""

from __future__ import annotations

from dataclasses import replace

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Kept, LatchReceipt
from v2h_console.core.storage import LATCH
from v2h_console.proving import torn_latch
from v2h_console.twin.physics.streams import uniform
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import StorageState

#: fsync of one small file, least and most.
FSYNC_MS = (2.0, 12.0)
NS_PER_MS = 1_000_000


class VirtualDisk:
    """``failing``: nothing is written, no receipt comes, and the newest ``unwritten`` waits; ``torn``: how the newest
    record is cut off when the power goes, "" = whole."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._newest = PersistLatch(0, True, "start", Kept())
        self._older = PersistLatch(0, True, "start")
        #: From then on no cut of the power brings the older record back.
        self._durable_at_ns = 0
        self.unwritten: PersistLatch | None = None
        self.failing = False
        self.torn = ""

    def found(self, now_ns: int) -> LatchReceipt:
        """What a start reads: what the disk did not take was kept aside, as locked."""
        if self.unwritten is not None:
            self.unwritten = replace(self.unwritten, locked=True)
            return LatchReceipt(self.unwritten.sequence, True, self.unwritten.kept)
        if not self.torn or (self.torn == "older" and now_ns >= self._durable_at_ns):
            return self._receipt()
        return torn_latch.found(self._newest, self._older, self.torn, self._seed)

    def write(self, command: PersistLatch, now_ns: int) -> tuple[int, LatchReceipt] | None:
        """When the receipt comes, and what it says; ``None``: the disk takes nothing."""
        if self.failing:
            self.unwritten = command
            return None
        delay_ms = uniform(self._seed, "fsync", command.sequence, FSYNC_MS)
        self.unwritten = None
        self._older, self._newest = self._newest, command
        # One writer, as in the owner: a record waits for the one before.
        self._durable_at_ns = max(now_ns, self._durable_at_ns) + round(delay_ms * NS_PER_MS)
        return self._durable_at_ns, self._receipt()

    def state(self, at_ns: int) -> StorageState:
        """What the owner reads of it."""
        failure = "No space left on device" if self.failing else ""
        return StorageState(at_ns, Quality.GOOD, LATCH, failure)

    def _receipt(self) -> LatchReceipt:
        return LatchReceipt(self._newest.sequence, self._newest.locked, self._newest.kept)
