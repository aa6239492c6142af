"""check-sync's judgement on two sides whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.signals.test_spectrum import RATE_HZ, WINDOW, wave
from v2h_console.signals.spectrum import NotAVoltage
from v2h_console.signals.sync_check import Row, Side, SyncLimits, Verdict, difference, quality

LIMITS = SyncLimits()


def side(hertz: float = 60.0, degrees: float = 0.0, volts: float = 120.0, h5: float = 1.0) -> Side:
    """A split-phase side."""
    turned = math.radians(degrees)
    return [
        ("L1", wave(hertz, {1: volts, 5: h5}, turned)),
        ("L2", wave(hertz, {1: volts, 5: h5}, turned + math.pi)),
    ]


def judged(source: Side, target: Side) -> dict[tuple[str, str], Row]:
    """All rows by what and leg."""
    rows, spectra = quality(source, RATE_HZ, LIMITS)
    return {(row.what, row.leg): row for row in rows + difference(spectra, target, RATE_HZ, LIMITS)}


def test_a_clean_house_in_phase_passes_everything() -> None:
    rows = judged(side(), side(degrees=-4.0))
    assert {row.verdict for row in rows.values()} == {Verdict.PASS}
    assert rows["angle", "L1"].measured == pytest.approx(4.0, abs=0.3)


def test_half_a_hertz_of_bias_is_refused() -> None:
    rows = judged(side(60.5), side(60.0))
    assert rows["slip", "L1"].verdict is Verdict.FAIL
    assert rows["frequency", "L1"].verdict is Verdict.FAIL


def test_thirty_degrees_of_bias_are_refused() -> None:
    rows = judged(side(degrees=30.0), side())
    assert rows["angle", "L2"].verdict is Verdict.FAIL
    assert rows["slip", "L2"].verdict is Verdict.PASS


def test_the_angle_that_counts_is_the_one_at_the_contact() -> None:
    # 18.5 degrees now, turning away by 0.25 Hz: 21 degrees when the contacts meet 31 ms later.
    rows = judged(side(60.25, degrees=18.5), side(60.0))
    assert rows["angle", "L1"].verdict is Verdict.PASS
    assert rows["at contact", "L1"].verdict is Verdict.FAIL


def test_legs_swapped_on_one_side_show_as_180_degrees() -> None:
    street = side()
    rows = judged(side(), [("L1", street[1][1]), ("L2", street[0][1])])
    measured = rows["angle", "L1"].measured
    assert measured is not None
    assert abs(measured) == pytest.approx(180.0, abs=0.5)
    assert rows["angle", "L1"].verdict is Verdict.FAIL


def test_thd_of_three_percent_fails_the_seeds_limit() -> None:
    rows = judged(side(h5=3.7), side())
    assert rows["THD", "L1"].verdict is Verdict.FAIL


def test_a_dead_target_is_said_and_compared_with_nothing() -> None:
    dead = [("L1", np.zeros(WINDOW)), ("L2", np.zeros(WINDOW))]
    rows = judged(side(), dead)
    assert rows["difference", "L1"].verdict is Verdict.NOT_COMPARED
    assert rows["frequency", "L1"].verdict is Verdict.PASS


def test_a_street_that_has_lost_one_leg_fails() -> None:
    street = side()
    rows = judged(side(), [street[0], ("L2", np.zeros(WINDOW))])
    assert rows["angle", "L1"].verdict is Verdict.PASS
    assert rows["difference", "L2"].verdict is Verdict.FAIL
    assert rows["difference", "L2"].note == "this leg of the target is dead, the other is alive"


@pytest.mark.parametrize(
    ("hertz", "volts", "why"),
    [
        (80.0, 120.0, "there is no 60 Hz fundamental in it"),
        (44.0, 120.0, "the fundamental is at 44.0 Hz"),
        (0.0, 90.0, "there is no 60 Hz fundamental in it"),
        (80.0, 6.1, "there is no 60 Hz fundamental in it"),
    ],
)
def test_a_live_bus_that_cannot_be_judged_is_no_dead_one(hertz: float, volts: float, why: str) -> None:
    rows = judged(side(), side(hertz, volts=volts, h5=0.0))
    row = rows["difference", "L1"]
    assert row.verdict is Verdict.FAIL
    assert row.note == f"the target cannot be judged: {why}"


def test_a_sensor_that_gives_no_numbers_is_no_dead_bus() -> None:
    lost = [("L1", np.full(WINDOW, np.nan)), ("L2", np.full(WINDOW, np.nan))]
    assert judged(side(), lost)["difference", "L2"].verdict is Verdict.FAIL


def test_a_dead_source_names_its_leg() -> None:
    with pytest.raises(NotAVoltage, match="L2"):
        quality([side()[0], ("L2", np.zeros(WINDOW))], RATE_HZ, LIMITS)


@pytest.mark.parametrize(("milliseconds", "said"), [(120, "120 ms"), (70, "70 ms"), (132, "132 ms")])
def test_too_short_for_a_drift_is_judged_for_the_rest_and_says_its_own_length(
    milliseconds: int, said: str
) -> None:
    short = [(leg, samples[: int(milliseconds * RATE_HZ / 1000)]) for leg, samples in side(60.2)]
    rows = {(row.what, row.leg): row for row in quality(short, RATE_HZ, LIMITS)[0]}
    assert rows["drift", "L1"].verdict is Verdict.NOT_COMPARED
    assert rows["drift", "L1"].note == f"{said} is too short for two frequencies: 134 ms are the least"
    assert rows["frequency", "L1"].verdict is Verdict.FAIL
    assert rows["THD", "L1"].verdict is Verdict.PASS


def test_134_ms_are_enough_for_a_drift() -> None:
    short = [(leg, samples[: math.ceil(0.134 * RATE_HZ)]) for leg, samples in side()]
    assert {row.verdict for row in quality(short, RATE_HZ, LIMITS)[0]} == {Verdict.PASS}


def test_what_is_too_short_for_anything_is_refused_with_its_own_length() -> None:
    with pytest.raises(NotAVoltage, match="60 ms is too short: 4 cycles are the least"):
        quality([(leg, samples[: int(0.06 * RATE_HZ)]) for leg, samples in side()], RATE_HZ, LIMITS)
