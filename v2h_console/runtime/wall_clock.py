"""The wall clock for the tariff: read beside the monotonic clock, zone rule applied, with whether it may be trusted.

The core knows neither UTC nor zones: what it sees is the local date and second, once a second.
"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import SlowRequest
from v2h_drivers.capabilities.slow_readings import WallClock

PERIOD_S = 1.0
#: Reading both clocks takes microseconds; a reading that a suspended process took apart says nothing.
APART_NS = 100_000_000
#: A clock before this has lost its battery: no program of ours is older.
OLDEST_NS = 1_735_689_600 * 1_000_000_000
#: adjtimex(2): the kernel's answer when nobody keeps the clock.
TIME_ERROR = 5


class WallClockSource:
    """A device of the slow lane that asks no wire. ``synchronised``: ``None`` = the site trusts its clock as it is set."""

    name = "Clock"

    def __init__(
        self,
        zone: str,
        emit: Callable[[Reading], None],
        *,
        synchronised: Callable[[], bool] | None,
        wall_ns: Callable[[], int] = time.time_ns,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._zone = ZoneInfo(zone)
        self._emit = emit
        self._synchronised = synchronised
        self._wall_ns = wall_ns
        self._clock_ns = clock_ns

    async def run(self) -> None:
        """One reading a second until cancelled."""
        while True:
            reading = self.read()
            if reading is not None:
                self._emit(reading)
            await asyncio.sleep(PERIOD_S)

    def submit(self, _request: SlowRequest) -> bool:
        """It takes none."""
        return False

    def busy(self) -> bool:
        """Never."""
        return False

    def ended(self, _words: str) -> None:
        """There is no link to say it of: that no reading comes is what tells."""

    def read(self) -> WallClock | None:
        """Now; ``None`` when the two clocks could not be read together."""
        before_ns = self._clock_ns()
        wall_ns = self._wall_ns()
        at_ns = self._clock_ns()
        if at_ns - before_ns > APART_NS:
            return None
        try:
            local = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).astimezone(self._zone)
        except (OverflowError, ValueError, OSError):
            return WallClock(at_ns, Quality.BAD, 1, 0, False, "the wall clock shows no date")
        doubt = ""
        if wall_ns < OLDEST_NS:
            doubt = f"the wall clock shows the year {local.year}"
        elif self._synchronised is not None and not self._synchronised():
            doubt = "the wall clock is not kept by NTP"
        second = local.hour * 3600 + local.minute * 60 + local.second
        return WallClock(at_ns, Quality.GOOD, local.toordinal(), second, not doubt, doubt)


def kernel_synchronised() -> bool:
    """Whether the kernel says that the clock is kept (by NTP or PTP); not when it cannot be asked."""
    # struct timex has at most 208 bytes; modes = 0 (its first word) only reads.
    buffer = ctypes.create_string_buffer(512)
    try:
        state: int = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return False
    return 0 <= state < TIME_ERROR
