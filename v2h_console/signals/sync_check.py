"""Whether one side's voltage is good enough, and near enough to the other's, to be joined: rows of measured and limit.

Pure: windows in, rows out. Limits are the site's; their defaults say where they come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from v2h_console.signals.spectrum import (
    HIGHEST_ORDER,
    LEAST_CYCLES,
    NOMINAL_HZ,
    USABLE_SHARE,
    NotAVoltage,
    Samples,
    Spectrum,
    analyse,
    frequency_hz,
    wrapped_deg,
)

NOMINAL_V = 120.0
#: Under this share of the nominal voltage a side is dead.
DEAD_PU = 0.05
#: A split phase.
LEGS_APART_DEG = 180.0


class Verdict(str, Enum):
    """A row's verdict. ``NOT_COMPARED``: there was nothing to compare with, or not all of it."""

    PASS = "PASS"
    FAIL = "FAIL"
    NOT_COMPARED = "--"


@dataclass(frozen=True, slots=True)
class SyncLimits:
    """``rms_pct``: of the nominal voltage. ``thd_pct``: site setting (stricter than IEEE 1547). Differences: IEEE 1547-2018 for 0-500 kVA, to be confirmed
    with the utility. ``close_ms``: coil to contact, for the predicted angle."""

    nominal_hz: float = 60.0
    frequency_hz: float = 0.05
    drift_hz: float = 0.05
    rms_pct: float = 2.0
    thd_pct: float = 3.0
    legs_deg: float = 2.0
    difference_hz: float = 0.3
    difference_v_pct: float = 10.0
    difference_deg: float = 20.0
    close_ms: float = 31.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. ``measured`` ``None`` = nothing to measure; ``nominal``: what ``limit`` lies around."""

    what: str
    leg: str
    measured: float | None
    limit: float
    unit: str
    verdict: Verdict
    note: str = ""
    nominal: float | None = None


#: One side: a leg's name and its samples in volts.
Side = list[tuple[str, Samples]]


def quality(
    side: Side, rate_hz: float, limits: SyncLimits, stamped_hz: float | None = None
) -> tuple[list[Row], list[Spectrum]]:
    """The source's own voltage: RMS, frequency, drift, THD, the legs' angle. ``stamped_hz``: another rate that a recording's stamps
    tell of. Raises NotAVoltage naming the leg."""
    rows: list[Row] = []
    spectra: list[Spectrum] = []
    for leg, samples in side:
        if (volts := _rms(samples)) < DEAD_PU * NOMINAL_V:
            raise NotAVoltage(f"{leg}: is dead: {volts:.2f} V")
        try:
            found = analyse(samples, rate_hz)
            drift = _drift(leg, samples, rate_hz, limits)
        except NotAVoltage as error:
            raise NotAVoltage(f"{leg}: {error}") from None
        spectra.append(found)
        within_v = limits.rms_pct / 100.0 * NOMINAL_V
        rms = _row("RMS", leg, found.rms, within_v, "V", abs(found.rms - NOMINAL_V) <= within_v)
        rows += [
            replace(rms, nominal=NOMINAL_V),
            _frequency(leg, found, rate_hz, limits, stamped_hz),
            drift,
            _thd(leg, found, rate_hz, limits),
        ]
    if len(spectra) == 2:
        apart = abs(wrapped_deg(spectra[1].phase_rad - spectra[0].phase_rad))
        holds = abs(apart - LEGS_APART_DEG) <= limits.legs_deg
        legs = _row("legs apart", "L1-L2", apart, limits.legs_deg, "deg", holds)
        rows.append(replace(legs, nominal=LEGS_APART_DEG))
    else:
        note = "one voltage alone: the legs cannot be compared"
        rows.append(
            Row("legs apart", "L1-L2", None, limits.legs_deg, "deg", Verdict.FAIL, note, LEGS_APART_DEG)
        )
    return rows, spectra


def difference(source: list[Spectrum], target: Side, rate_hz: float, limits: SyncLimits) -> list[Row]:
    """How far the source is from the target, leg by leg, and where it will be when the contacts meet."""
    rows: list[Row] = []
    dead = [leg for leg, samples in target if _rms(samples) < DEAD_PU * NOMINAL_V]
    for (leg, samples), own in zip(target, source, strict=True):
        if leg in dead and len(dead) == len(target):
            rows.append(Row("difference", leg, None, 0.0, "", Verdict.NOT_COMPARED, "the target is dead"))
            continue
        if leg in dead:
            # A street that has lost one leg is no street to be joined to.
            note = "this leg of the target is dead, the other is alive"
            rows.append(Row("difference", leg, None, 0.0, "", Verdict.FAIL, note))
            continue
        try:
            other = analyse(samples, rate_hz)
        except NotAVoltage as error:
            # It is alive, and whatever it is, nothing is to be joined to it.
            note = f"the target cannot be judged: {error}"
            rows.append(Row("difference", leg, None, 0.0, "", Verdict.FAIL, note))
            continue
        slip = own.frequency_hz - other.frequency_hz
        volts_pct = 100.0 * (own.rms - other.rms) / NOMINAL_V
        angle = wrapped_deg(own.phase_rad - other.phase_rad)
        at_contact = _wrap(angle + 360.0 * slip * limits.close_ms / 1000.0)
        rows += [
            _row("slip", leg, slip, limits.difference_hz, "Hz", abs(slip) <= limits.difference_hz),
            _row(
                "voltage",
                leg,
                volts_pct,
                limits.difference_v_pct,
                "%",
                abs(volts_pct) <= limits.difference_v_pct,
            ),
            _row("angle", leg, angle, limits.difference_deg, "deg", abs(angle) <= limits.difference_deg),
            _row(
                "at contact",
                leg,
                at_contact,
                limits.difference_deg,
                "deg",
                abs(at_contact) <= limits.difference_deg,
            ),
        ]
    return rows


def _frequency(
    leg: str, found: Spectrum, rate_hz: float, limits: SyncLimits, stamped_hz: float | None
) -> Row:
    """Which of two rates is right nobody knows here: what holds at one of them alone is neither good nor bad."""

    def holds(hertz: float) -> bool:
        return abs(hertz - limits.nominal_hz) <= limits.frequency_hz

    hertz = found.frequency_hz
    row = _row("frequency", leg, hertz, limits.frequency_hz, "Hz", holds(hertz))
    row = replace(row, nominal=limits.nominal_hz)
    if stamped_hz is None:
        return row
    other_hz = hertz * stamped_hz / rate_hz
    note = f"{hertz:.3f} Hz at the header's {rate_hz:g} samples a second, {other_hz:.3f} Hz at its stamps' {stamped_hz:.1f}"
    bad = not holds(hertz) and not holds(other_hz)
    return replace(row, verdict=Verdict.FAIL if bad else Verdict.NOT_COMPARED, note=note)


def _drift(leg: str, samples: Samples, rate_hz: float, limits: SyncLimits) -> Row:
    """From the first half to the second, each with a frequency of its own. Raises NotAVoltage."""
    half = len(samples) // 2
    if half < LEAST_CYCLES * rate_hz / NOMINAL_HZ:
        least_ms = math.ceil(2 * 1000 * LEAST_CYCLES / NOMINAL_HZ)
        note = f"{1000 * len(samples) / rate_hz:.0f} ms is too short for two frequencies: {least_ms} ms are the least"
        return Row("drift", leg, None, limits.drift_hz, "Hz", Verdict.NOT_COMPARED, note)
    drift = abs(frequency_hz(samples[half:], rate_hz) - frequency_hz(samples[:half], rate_hz))
    return _row("drift", leg, drift, limits.drift_hz, "Hz", drift <= limits.drift_hz)


def _thd(leg: str, found: Spectrum, rate_hz: float, limits: SyncLimits) -> Row:
    """What the sampling does not carry is no proof that it is not there, and none that it is."""
    row = _row("THD", leg, found.thd_pct, limits.thd_pct, "%", found.thd_pct < limits.thd_pct)
    if found.highest_order >= HIGHEST_ORDER:
        return row
    least_hz = HIGHEST_ORDER * NOMINAL_HZ / USABLE_SHARE
    note = f"sampled at {rate_hz:g} Hz: no harmonic above order {found.highest_order} is in it; {least_hz:g} Hz is the least"
    return replace(
        row, verdict=row.verdict if row.verdict is Verdict.FAIL else Verdict.NOT_COMPARED, note=note
    )


def _rms(samples: Samples) -> float:
    """As sampled; not a number where a sample is none."""
    return float(np.sqrt(np.mean(np.square(samples))))


def _wrap(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def _row(what: str, leg: str, measured: float, limit: float, unit: str, holds: bool) -> Row:
    return Row(what, leg, measured, limit, unit, Verdict.PASS if holds else Verdict.FAIL)
