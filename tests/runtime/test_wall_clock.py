"""The wall clock as the core sees it: local, beside the monotonic clock, and trusted or not."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from v2h_console.runtime.wall_clock import WallClockSource
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import WallClock


def reading(instant: datetime, zone: str, *, synchronised: bool | None = None) -> WallClock:
    """What is read at this instant."""
    source = WallClockSource(
        zone,
        lambda _reading: None,
        synchronised=None if synchronised is None else lambda: synchronised,
        wall_ns=lambda: int(instant.timestamp()) * 1_000_000_000,
        clock_ns=lambda: 77,
    )
    found = source.read()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("zone", "instant", "day", "hour"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), (2026, 3, 29), 1),
        ("Europe/Berlin", datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC), (2026, 3, 29), 3),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, 0, tzinfo=UTC), (2026, 10, 25), 2),
        ("America/New_York", datetime(2026, 3, 8, 7, 0, 0, tzinfo=UTC), (2026, 3, 8), 3),
        ("America/New_York", datetime(2026, 11, 1, 6, 0, 0, tzinfo=UTC), (2026, 11, 1), 1),
        ("America/New_York", datetime(2026, 1, 1, 3, 0, 0, tzinfo=UTC), (2025, 12, 31), 22),
    ],
)
def test_it_is_the_local_date_and_hour(
    zone: str, instant: datetime, day: tuple[int, int, int], hour: int
) -> None:
    found = reading(instant, zone)
    assert found.day == date(*day).toordinal()
    assert found.second_of_day // 3600 == hour
    assert found.weekday == date(*day).weekday()
    assert found.trusted
    assert found.at_ns == 77


def test_it_is_trusted_when_somebody_keeps_it_or_the_site_says_so() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert reading(now, "Europe/Berlin", synchronised=True).trusted
    not_kept = reading(now, "Europe/Berlin", synchronised=False)
    assert not not_kept.trusted
    assert not_kept.doubt == "the wall clock is not kept by NTP"
    lost = reading(datetime(1970, 1, 3, tzinfo=UTC), "Europe/Berlin", synchronised=True)
    assert not lost.trusted
    assert "1970" in lost.doubt


def test_two_clocks_read_apart_say_nothing_and_one_beyond_all_dates_is_bad() -> None:
    times = iter((0, 2_000_000_000, 0, 0))
    read: list[Reading] = []
    source = WallClockSource(
        "Europe/Berlin",
        read.append,
        synchronised=None,
        wall_ns=lambda: 10**30,
        clock_ns=lambda: next(times),
    )
    assert source.read() is None
    found = source.read()
    assert found is not None
    assert found.quality is Quality.BAD
    assert not found.trusted
