"""Voltages from a COMTRADE recording (IEC 60255-24 / IEEE C37.111): a .cfg with its .dat beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from v2h_console import plain_file
from v2h_console.signals import comtrade_rows
from v2h_console.signals.spectrum import Samples

MAX_BYTES = 200_000_000
#: More than the longest analysis window, in seconds: what comes after it is not looked at.
LOOKED_AT_S = 0.25
MAX_HEADER_BYTES = 1_000_000
#: Beyond any recorder; a header can say anything, also that it is no number.
MOST_RATE_HZ = 10e6
VOLTS = {"v": 1.0, "kv": 1000.0, "mv": 0.001}


class RecordingError(ValueError):
    """The recording cannot be used. ``str()`` is one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The voltage channels by name, in volts of the primary side, and their rate: the first ``taken_s`` of the ``whole_s`` seconds that
    it is long. ``ratios``: by how much each channel was multiplied for that. ``stamped_hz``: the rate that the rows are stamped with where
    it is another, else ``None``."""

    rate_hz: float
    channels: tuple[tuple[str, Samples], ...]
    taken_s: float
    whole_s: float
    ratios: tuple[float, ...]
    stamped_hz: float | None


def read(path: Path) -> Recording:
    """The voltage channels of a recording. Raises RecordingError."""
    import comtrade

    data = path.with_suffix(".dat")
    if not data.exists():
        data = path.with_suffix(".DAT")
    text, held = _content(path, MAX_HEADER_BYTES).decode("utf-8", "replace"), _content(data, MAX_BYTES)
    try:
        cfg = comtrade.Cfg(ignore_warnings=True)
        cfg.read(text)
        if comtrade_rows.kind(cfg) == "ASCII":
            # Some recorders end a text as CP/M did, and go on with a line's end.
            held = held.rstrip(b"\x1a \t\r\n")
        rate_hz = _rate_hz(path, cfg.sample_rates)
        stamped_hz = comtrade_rows.stamped_hz(cfg, held, rate_hz, LOOKED_AT_S)
        recording = comtrade.Comtrade(use_numpy_arrays=True, ignore_warnings=True)
        recording.read(text, held)
    except RecordingError:
        raise
    except comtrade_rows.WrongRows as wrong:
        raise RecordingError(f"{data}: {wrong}") from None
    except Exception as error:  # noqa: BLE001  (the library raises whatever its parsing meets: this is no recording)
        said = _plain(" ".join(str(error).split())[:120]) or type(error).__name__
        raise RecordingError(f"{path}: not a readable COMTRADE recording: {said}") from None
    whole = len(recording.analog[0]) if recording.analog else 0
    taken = min(whole, int(LOOKED_AT_S * rate_hz))
    channels: list[tuple[str, Samples]] = []
    ratios: list[float] = []
    for channel, values in zip(recording.cfg.analog_channels, recording.analog, strict=True):
        scale = VOLTS.get(str(channel.uu).strip().lower())
        if scale is not None:
            name = _plain(str(channel.name).strip())[:24]
            ratios.append(_ratio(channel))
            volts = np.asarray(values, dtype=np.float64)[:taken] * scale * ratios[-1]
            channels.append((name or f"channel {len(channels) + 1}", volts))
    if not channels:
        raise RecordingError(f"{path}: has no channel in V or kV")
    return Recording(rate_hz, tuple(channels), taken / rate_hz, whole / rate_hz, tuple(ratios), stamped_hz)


def _ratio(channel: Any) -> float:
    """From what was recorded to the primary side (IEC 60255-24: primary and secondary factor, and which of the two the values are)."""
    primary, secondary = float(channel.primary), float(channel.secondary)
    told = all(math.isfinite(factor) and factor > 0.0 for factor in (primary, secondary))
    return primary / secondary if told and str(channel.pors).strip().upper() == "S" else 1.0


def _content(path: Path, most_bytes: int) -> bytes:
    try:
        return plain_file.read(path, most_bytes)
    except FileNotFoundError:
        said = "no such file; a recording is a .cfg with its .dat beside it"
        raise RecordingError(f"{path}: {said}") from None
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None


def _rate_hz(path: Path, rates: Sequence[Sequence[float]]) -> float:
    found = {float(rate) for rate, _ in rates}
    if len(found) > 1:
        raise RecordingError(f"{path}: has {len(rates)} sampling rates; record with one")
    rate_hz = found.pop() if found else 0.0
    if not 0.0 < rate_hz <= MOST_RATE_HZ:
        raise RecordingError(f"{path}: has no fixed sampling rate, but {rate_hz:g} Hz")
    return rate_hz


def _plain(text: str) -> str:
    """What a file says, as it may be put on a terminal."""
    return "".join(char for char in text if char.isprintable())
