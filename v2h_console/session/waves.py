"""A window of waveforms as a console gets it: both sides of the MID, evenly sampled."""

from __future__ import annotations

import msgspec

#: A capture takes 3.3 s on the bus, and up to four times that when samples must be asked for again.
WAVES_S = 15.0


class Waves(msgspec.Struct, frozen=True):
    """Volts of each leg, ``rate_hz`` samples a second; ``None`` where the sensor gave nothing."""

    rate_hz: float
    grid_l1_v: tuple[float | None, ...]
    grid_l2_v: tuple[float | None, ...]
    house_l1_v: tuple[float | None, ...]
    house_l2_v: tuple[float | None, ...]


class NoWaves(Exception):
    """There is no window. ``str()`` is one line."""
