"""Voltages from a COMTRADE recording (IEC 60255-24 / IEEE C37.111): a .cfg with its .dat beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from v2h_console.signals.spectrum import Samples

MAX_BYTES = 200_000_000
#: More than the longest analysis window, in seconds: what comes after it is not looked at.
LOOKED_AT_S = 0.25
VOLTS = {"v": 1.0, "kv": 1000.0, "mv": 0.001}


class RecordingError(ValueError):
    """The recording cannot be used. ``str()`` is one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The voltage channels by name, in volts, and their rate."""

    rate_hz: float
    channels: tuple[tuple[str, Samples], ...]


def read(path: Path) -> Recording:
    """The voltage channels of a recording. Raises RecordingError."""
    import comtrade

    data = path.with_suffix(".dat")
    if not data.exists():
        data = path.with_suffix(".DAT")
    for file in (path, data):
        if not file.is_file():
            raise RecordingError(f"{file}: no such file; a recording is a .cfg with its .dat beside it")
        if file.stat().st_size > MAX_BYTES:
            raise RecordingError(f"{file}: over {MAX_BYTES // 1_000_000} MB")
    recording = comtrade.Comtrade(use_numpy_arrays=True)
    try:
        recording.load(str(path), str(data))
    except Exception as error:  # noqa: BLE001  (the library raises whatever its parsing meets: this is no recording)
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise RecordingError(f"{path}: not a readable COMTRADE recording: {said}") from None
    rates = recording.cfg.sample_rates
    if not rates or not rates[0][0] or rates[0][0] <= 0:
        raise RecordingError(f"{path}: has no fixed sampling rate")
    rate_hz = float(rates[0][0])
    channels: list[tuple[str, Samples]] = []
    for channel, values in zip(recording.cfg.analog_channels, recording.analog, strict=True):
        scale = VOLTS.get(str(channel.uu).strip().lower())
        if scale is not None:
            taken = np.asarray(values, dtype=np.float64)[: int(LOOKED_AT_S * rate_hz)] * scale
            name = "".join(char for char in str(channel.name).strip() if char.isprintable())[:24]
            channels.append((name or f"channel {len(channels) + 1}", taken))
    if not channels:
        raise RecordingError(f"{path}: has no channel in V or kV")
    return Recording(rate_hz, tuple(channels))
