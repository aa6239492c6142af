"""Frequency, RMS, phase and harmonics of a sampled window (IEC 61000-4-7, IEC 61000-4-30).

Arrays are one-dimensional, float64, evenly sampled. A window of 12 cycles at 60 Hz (200 ms) gives bins of 5 Hz; it is
first resampled to a whole number of its own cycles, so that a grid at 59.9 Hz does not smear one bin into the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

NOMINAL_HZ = 60.0
#: IEC 61000-4-7: 12 cycles at 60 Hz.
WINDOW_CYCLES = 12
#: With fewer no frequency is told from the noise.
LEAST_CYCLES = 4
#: Harmonic orders that count (IEC 61000-4-7, 3.3).
HIGHEST_ORDER = 40
#: What a fundamental may be; outside it the window is not a 60 Hz voltage.
LOWEST_HZ, HIGHEST_HZ = 45.0, 75.0
#: Samples a cycle after resampling: well above twice the highest group.
_PER_CYCLE = 128
#: Up to this share of the sampling rate an order keeps its size through the resampling (measured: within 1.2 %).
USABLE_SHARE = 0.4
#: A bus is never at 60 Hz to the last digit: the rate that carries an order at 60 Hz carries it this much above, too (measured: within 1.4 %).
OFF_NOMINAL = 0.005
_TAPS = 16
_KAISER = 6.0


class NotAVoltage(ValueError):
    """The window cannot be judged. ``str()`` says why in one line."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """One window. ``rms`` in the samples' unit; ``phase_rad`` of the fundamental (a cosine) at the first sample;
    ``harmonics_pct`` from order 2 on, as groups in percent of the fundamental's; ``thd_pct`` their root sum."""

    frequency_hz: float
    rms: float
    phase_rad: float
    fundamental_rms: float
    harmonics_pct: tuple[float, ...]
    thd_pct: float

    @property
    def highest_order(self) -> int:
        """Up to which order harmonics were seen at all: a slow sampling carries fewer than the standard counts."""
        return len(self.harmonics_pct) + 1

    def order_pct(self, order: int) -> float:
        """The group of harmonic ``order`` (2 to ``highest_order``)."""
        return self.harmonics_pct[order - 2]


def frequency_hz(samples: Samples, rate_hz: float) -> float:
    """The fundamental's frequency: the slope of its phase over the window, from two halves of a Hann-weighted DFT.

    Unlike zero crossings it does not see harmonics and notches. Raises NotAVoltage where there is no fundamental.
    """
    if not np.all(np.isfinite(samples)):
        raise NotAVoltage("the window holds values that are no numbers")
    guess = _strongest_hz(samples, rate_hz)
    for _ in range(3):
        guess = _refined(samples, rate_hz, guess)
        if not LOWEST_HZ <= guess <= HIGHEST_HZ:
            raise NotAVoltage(f"the fundamental is at {guess:.1f} Hz")
    return guess


def _strongest_hz(samples: Samples, rate_hz: float) -> float:
    count = len(samples)
    if count < LEAST_CYCLES * rate_hz / NOMINAL_HZ:
        raise NotAVoltage(
            f"{1000 * count / rate_hz:.0f} ms is too short: {LEAST_CYCLES} cycles are the least"
        )
    magnitudes = np.abs(np.fft.rfft(samples * np.hanning(count)))
    low, high = (round(edge * count / rate_hz) for edge in (LOWEST_HZ, HIGHEST_HZ))
    band = magnitudes[low : high + 1]
    # Nothing but noise has its strongest line anywhere.
    if band.size == 0 or float(band.max()) < 0.5 * float(magnitudes[1:].max()) or float(band.max()) < 1e-9:
        raise NotAVoltage("there is no 60 Hz fundamental in it")
    return float((low + int(np.argmax(band))) * rate_hz / count)


def _refined(samples: Samples, rate_hz: float, guess_hz: float) -> float:
    half = len(samples) // 2
    weights = np.hanning(half)
    turns = -2j * math.pi * guess_hz / rate_hz * np.arange(len(samples))
    rotated = samples * np.exp(turns)
    first, second = (complex(np.sum(part * weights)) for part in (rotated[:half], rotated[half : 2 * half]))
    drift = np.angle(second * np.conj(first))
    return guess_hz + float(drift) * rate_hz / (2.0 * math.pi * half)


def analyse(samples: Samples, rate_hz: float) -> Spectrum:
    """12 whole cycles of the window (or as many as it has, at least ``LEAST_CYCLES``). Raises NotAVoltage."""
    hertz = frequency_hz(samples, rate_hz)
    cycles = min(WINDOW_CYCLES, int((len(samples) - _TAPS - 1) * hertz / rate_hz))
    if cycles < LEAST_CYCLES:
        raise NotAVoltage(f"there are fewer than {LEAST_CYCLES} whole cycles")
    whole = _whole_cycles(samples, rate_hz, hertz, cycles)
    count = len(whole)
    lines = np.fft.rfft(whole) / count
    amplitudes = np.abs(lines) * math.sqrt(2.0)
    amplitudes[0] /= math.sqrt(2.0)
    usable = int(USABLE_SHARE * (1.0 + OFF_NOMINAL) * rate_hz / hertz)
    groups = _groups(amplitudes, cycles, min(HIGHEST_ORDER, max(1, usable)))
    fundamental = groups[0]
    if fundamental <= 0.0:
        raise NotAVoltage("there is no 60 Hz fundamental in it")
    harmonics = tuple(100.0 * group / fundamental for group in groups[1:])
    return Spectrum(
        frequency_hz=hertz,
        rms=float(np.sqrt(np.mean(np.square(whole)))),
        # The first resampled point lies half the taps after the first sample.
        phase_rad=float(np.angle(lines[cycles])) - 2.0 * math.pi * hertz / rate_hz * (_TAPS // 2),
        fundamental_rms=float(amplitudes[cycles]),
        harmonics_pct=harmonics,
        thd_pct=math.sqrt(sum(value * value for value in harmonics)),
    )


def _whole_cycles(samples: Samples, rate_hz: float, hertz: float, cycles: int) -> Samples:
    """``cycles`` cycles at 128 samples a cycle, from the earliest sample that has neighbours enough.

    Band-limited: a Kaiser-windowed sinc over 16 neighbours. A cubic would lose a quarter of order 40 half way between
    two samples; this keeps every order within 0.1 % (measured in the tests).
    """
    span = cycles * rate_hz / hertz
    at = _TAPS // 2 + np.arange(cycles * _PER_CYCLE) * (span / (cycles * _PER_CYCLE))
    base = np.floor(at).astype(np.int64)
    offsets = np.arange(1 - _TAPS // 2, _TAPS // 2 + 1)
    distance = at[:, None] - (base[:, None] + offsets[None, :])
    weights = np.sinc(distance) * np.i0(
        _KAISER * np.sqrt(np.clip(1.0 - np.square(distance / (_TAPS / 2)), 0.0, None))
    )
    weights /= weights.sum(axis=1, keepdims=True)
    result: Samples = np.sum(samples[base[:, None] + offsets[None, :]] * weights, axis=1)
    return result


def _groups(amplitudes: Samples, cycles: int, highest: int) -> list[float]:
    """IEC 61000-4-7 harmonic groups, orders 1 to ``highest``: the lines between two orders belong to the nearer one, the
    line half way to both by half of its square."""
    groups = []
    half = cycles // 2
    squares = np.square(amplitudes)
    for order in range(1, highest + 1):
        middle = order * cycles
        if middle + half >= len(squares):
            break
        inner = float(np.sum(squares[middle - half + 1 : middle + half]))
        edges = 0.5 * float(squares[middle - half] + squares[middle + half])
        if cycles % 2:
            inner, edges = float(np.sum(squares[middle - half : middle + half + 1])), 0.0
        groups.append(math.sqrt(inner + edges))
    return groups


def wrapped_deg(radians: float) -> float:
    """An angle as degrees from -180 (exclusive) to 180."""
    degrees = math.degrees(math.remainder(radians, 2.0 * math.pi))
    return 180.0 if degrees == -180.0 else degrees
