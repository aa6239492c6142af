"""Frequency, RMS, phase and THD of windows whose truth is known, and against another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2h_console.signals.spectrum import NotAVoltage, Samples, analyse, frequency_hz

RATE_HZ = 7_680.0
WINDOW = 1_664


def wave(hertz: float, parts: dict[int, float], phase: float = 0.0, count: int = WINDOW) -> Samples:
    """RMS volts by order; every order with an angle of its own."""
    at_s = np.arange(count) / RATE_HZ
    total = np.zeros(count)
    for order, volts in parts.items():
        angle = 2.0 * math.pi * hertz * order * at_s + (phase if order == 1 else 0.7 * order)
        total += volts * math.sqrt(2.0) * np.cos(angle)
    return total


@settings(max_examples=60, deadline=None)
@given(
    hertz=st.floats(57.0, 63.0),
    phase=st.floats(-3.0, 3.0),
    h3=st.floats(0.0, 8.0),
    h5=st.floats(0.0, 8.0),
    h29=st.floats(0.0, 3.0),
)
def test_what_was_put_in_is_read(hertz: float, phase: float, h3: float, h5: float, h29: float) -> None:
    found = analyse(wave(hertz, {1: 120.0, 3: 1.2 * h3, 5: 1.2 * h5, 29: 1.2 * h29}, phase), RATE_HZ)
    assert found.frequency_hz == pytest.approx(hertz, abs=0.002)
    assert found.thd_pct == pytest.approx(math.hypot(h3, h5, h29), abs=0.05)
    assert found.order_pct(3) == pytest.approx(h3, abs=0.03)
    assert found.order_pct(29) == pytest.approx(h29, abs=0.03)
    assert found.fundamental_rms == pytest.approx(120.0, rel=1e-3)
    assert abs(math.remainder(found.phase_rad - phase, 2 * math.pi)) < 0.01


@pytest.mark.parametrize("order", [2, 7, 13, 25, 40])
def test_every_order_keeps_its_size_on_a_grid_that_is_off_frequency(order: int) -> None:
    found = analyse(wave(59.93, {1: 100.0, order: 1.0}), RATE_HZ)
    assert found.order_pct(order) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("hertz", [59.7, 60.0, 60.01, 60.25])
def test_the_highest_order_is_read_at_the_slowest_rate_that_carries_it(hertz: float) -> None:
    slow_hz = 6_000.0
    at_s = np.arange(1_300) / slow_hz
    samples = math.sqrt(2.0) * (
        100.0 * np.cos(2 * math.pi * hertz * at_s) + np.cos(2 * math.pi * 40 * hertz * at_s + 0.7)
    )
    found = analyse(samples, slow_hz)
    assert found.highest_order == 40
    assert found.order_pct(40) == pytest.approx(1.0, abs=0.014)


def test_an_interharmonic_belongs_to_the_nearer_order() -> None:
    at_s = np.arange(WINDOW) / RATE_HZ
    samples = wave(60.0, {1: 100.0}) + math.sqrt(2.0) * np.cos(2 * math.pi * 195.0 * at_s)
    found = analyse(samples, RATE_HZ)
    assert found.order_pct(3) == pytest.approx(1.0, abs=0.02)
    assert found.order_pct(4) == pytest.approx(0.0, abs=0.02)


def test_noise_moves_the_frequency_by_less_than_ten_millihertz() -> None:
    noise = np.random.default_rng(7).normal(0.0, 1.2, WINDOW)
    assert frequency_hz(wave(59.97, {1: 120.0, 5: 5.0}) + noise, RATE_HZ) == pytest.approx(59.97, abs=0.01)


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (np.zeros(WINDOW), "no 60 Hz fundamental"),
        (np.random.default_rng(3).normal(0, 1, WINDOW), "."),
        (wave(30.0, {1: 120.0}), "."),
        (wave(60.0, {1: 120.0}, count=300), "too short"),
        (np.where(np.arange(WINDOW) == 5, np.nan, wave(60.0, {1: 120.0})), "no numbers"),
        (np.full(WINDOW, 170.0), "."),
    ],
)
def test_what_is_no_voltage_is_refused_in_words(samples: Samples, why: str) -> None:
    with pytest.raises(NotAVoltage, match=why):
        analyse(samples, RATE_HZ)


def test_pqopen_agrees_on_thd_and_harmonics() -> None:
    powerquality = pytest.importorskip("pqopen.powerquality")
    samples = wave(60.0, {1: 120.0, 3: 4.0, 5: 3.0, 7: 2.0, 11: 1.0, 23: 0.5}, count=1_536 + 128)
    found = analyse(samples, RATE_HZ)
    spectrum = powerquality.resample_and_fft(samples[:1_536])
    theirs, _ = powerquality.calc_harmonics(spectrum, num_periods=12, num_harmonics=40)
    assert found.thd_pct == pytest.approx(powerquality.calc_thd(theirs), abs=0.02)
    # Its own resampling loses some of the highest orders.
    for order in range(2, 16):
        assert found.order_pct(order) == pytest.approx(100.0 * theirs[order] / theirs[1], abs=0.02)
