"""A street that comes alive beside a lit house: fed by the house past the MID, or by a source of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.edges import takes
from tests.core.houses import START_NS, House, changed, grid_fast, sync
from v2h_console.core import guards, street_trial
from v2h_console.core.observation import OrderKind
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import FaultCause, Mode
from v2h_console.core.street_trial import FREE, StreetTrial
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import GridFast, SideCycle, Sync
from v2h_drivers.capabilities.requests import InverterSetpoint


def asked_hz(house: House) -> float:
    """The frequency that the last step asked for."""
    assert house.last is not None
    return next(one.frequency_hz for one in house.last.commands if isinstance(one, InverterSetpoint))


@takes(Mode.ISLANDED, "fed_past", Mode.FAULT_OPEN)
def test_a_bypass_that_somebody_closes_turns_the_gates_off_within_a_second_and_stays_locked() -> None:
    house = House.islanded()
    house.plant.bypassed = True
    house.plant.grid_returns()
    house.tick()
    assert asked_hz(house) == pytest.approx(60.15)
    took_ms = house.until(Mode.FAULT_OPEN, within_ms=1_000)
    assert took_ms == 600
    assert not house.control.gate
    assert not house.control.form
    assert house.state.islanding.fault_cause is FaultCause.BACKFEED
    assert house.state.islanding.lk_form
    assert house.state.islanding.lk_close
    house.plant.grid_falls(house.now_ns)
    house.run_ms(3_000, tick_ms=20)
    house.must_be(Mode.FAULT_OPEN)
    house.plant.bypassed = False
    house.tick(OrderKind.RESET_LOCKOUT)
    house.until(Mode.ISLANDED)


def test_a_street_in_phase_that_stays_behind_when_the_house_is_turned_is_closed_onto() -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.tick()
    assert asked_hz(house) == pytest.approx(60.15)
    house.run_ms(150)
    assert asked_hz(house) == 60.0
    assert house.state.street == FREE
    house.until(Mode.TIED)
    assert "GRID_SIDE_FOLLOWS" not in house.codes()


def test_a_street_that_slips_by_more_is_free_without_turning_the_house() -> None:
    house = House.islanded()
    house.plant.slip_mhz = -80.0
    house.plant.grid_returns()
    house.run_ms(150)
    assert house.state.street == FREE
    assert asked_hz(house) == 60.0


@pytest.mark.parametrize("phase_deg", [180.0, -6.0, 90.0])
def test_a_street_that_is_fed_at_an_angle_is_fed_all_the_same(phase_deg: float) -> None:
    """Crossed legs, a transformer on the way, two senses that do not agree on what in phase is."""
    house = House.islanded()
    house.plant.bypassed, house.plant.phase_deg = True, phase_deg
    house.plant.grid_returns()
    house.until(Mode.FAULT_OPEN, within_ms=700)


def test_one_leg_that_is_fed_has_no_angle_and_is_told_by_what_both_sides_count() -> None:
    house = House.islanded()
    house.plant.bypassed = True
    house.plant.grid_pu = (1.0, 0.0)
    house.until(Mode.FAULT_OPEN, within_ms=700)
    assert house.state.islanding.fault_cause is FaultCause.BACKFEED


def test_one_leg_that_comes_back_from_the_street_costs_no_light() -> None:
    house = House.islanded()
    house.plant.grid_pu = (1.0, 0.0)
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    assert "GRID_SIDE_FOLLOWS" not in house.codes()
    assert house.state.street == FREE


def _blind(reading: Reading) -> Reading:
    return changed(reading, frequency_hz=None)


def test_a_street_that_shows_nothing_is_not_lit_for_more_than_two_seconds_and_is_free_beside_the_dark_house() -> (
    None
):
    house = House.islanded()
    house.plant.silent = frozenset((Sync,))
    house.plant.twist[SideCycle] = _blind
    house.plant.grid_returns()
    house.run_ms(1_900)
    house.must_be(Mode.ISLANDED)
    assert asked_hz(house) == 60.0, "nobody turns a house for a slip that is not measured"
    assert guards.closing_refusal(house.settings, house.state, house.now_ns)
    house.until(Mode.FAULT_OPEN, within_ms=200)
    house.until(Mode.ISLANDED)
    assert "STREET_APART" in house.codes()
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)


def test_a_street_that_flutters_is_not_lit_for_more_than_two_seconds() -> None:
    """The filter of the slip takes a few cycles after a street comes alive, an arc goes out and lights again."""
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.bypassed = True
    lit_ms = 0.0
    while "GRID_SIDE_FOLLOWS" not in house.codes():
        house.plant.twist[Sync] = lambda reading: changed(reading, slip_mhz=400.0)
        house.run_ms(80)
        house.plant.twist[Sync] = lambda reading: changed(reading, phase_deg=None, slip_mhz=None)
        house.plant.grid_pu = (0.1, 0.1)
        house.run_ms(80)
        del house.plant.twist[Sync]
        house.plant.grid_pu = (1.0, 1.0)
        lit_ms += 160.0
        assert lit_ms < 2_400.0


def test_a_street_that_rose_with_the_house_is_asked_once_the_house_stands() -> None:
    """With a rest of voltage between dead and a tenth, nobody could see whether it followed."""
    house = House.tied()
    house.plant.residual_pu, house.plant.bypassed = 0.07, True
    house.plant.grid_falls(house.now_ns, pu=0.07)
    house.until(Mode.FORMING, tick_ms=1)
    assert not house.state.islanding.grid_was_dead
    house.plant.grid_returns()
    house.until(Mode.ISLANDED)
    assert house.state.street.since_ns is not None
    house.until(Mode.FAULT_OPEN, within_ms=700)


def test_what_was_locked_before_the_street_was_asked_stays_locked() -> None:
    house = House.islanded()
    locked = replace(house.state.islanding, lk_form="the inverter did not stop when told")
    house.state = replace(house.state, islanding=locked)
    house.plant.silent = frozenset((Sync,))
    house.plant.twist[SideCycle] = _blind
    house.plant.grid_returns()
    house.until(Mode.FAULT_OPEN)
    house.run_ms(1_000)
    assert house.state.islanding.lk_form == "the inverter did not stop when told"


@pytest.mark.parametrize("blind_ms", [300, 2_000])
def test_a_street_that_is_seen_again_is_asked_again(blind_ms: int) -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.run_ms(300)
    assert house.state.street == FREE
    house.plant.silent = frozenset((GridFast,))
    house.run_ms(blind_ms)
    house.plant.silent = frozenset()
    house.tick()
    assert house.state.street.since_ns == house.now_ns


def test_a_street_that_was_alive_beside_the_dark_house_is_not_asked() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.until(Mode.ISLANDED)
    house.run_ms(1_000)
    assert asked_hz(house) == 60.0
    assert house.state.street == FREE


@given(
    phase_deg=st.floats(-180.0, 180.0),
    slip_hz=st.floats(-3.0, 3.0),
    noise=st.lists(st.floats(-0.5, 0.5), min_size=5, max_size=5),
    lag=st.integers(1, 10),
)
@example(phase_deg=0.0, slip_hz=0.0, noise=[0.0] * 5, lag=10)
@example(phase_deg=-2.0, slip_hz=-0.05, noise=[0.0] * 5, lag=10)
@example(phase_deg=1.9, slip_hz=-0.1, noise=[0.0] * 5, lag=4)
@example(phase_deg=1.9, slip_hz=-0.15, noise=[0.5, -0.5, 0.5, -0.5, 0.0], lag=4)
def test_no_street_with_a_source_of_its_own_is_ever_taken_for_the_house(
    phase_deg: float, slip_hz: float, noise: list[float], lag: int
) -> None:
    """``slip_hz``: the house at its nominal frequency against the street. The inverter obeys after ``lag`` tens of
    milliseconds; angle and slip are measured to half a degree and ten millihertz."""
    trial, now_ns = street_trial.DEAD, START_NS
    asked = [0.0] * lag
    angle = phase_deg
    for nth in range(200):
        now_ns += 10 * NS_PER_MS
        slip = slip_hz + asked[-lag]
        angle = (angle + 360.0 * slip * 0.01 + 180.0) % 360.0 - 180.0
        error = noise[nth % 5]
        seen = sync(now_ns, angle + error, slip_mhz=1_000.0 * slip - 20.0 * error)
        trial = _look(trial, seen, now_ns)
        asked.append(trial.turn_hz)
        assert not street_trial.fed_by_the_house(trial, now_ns)
        if trial == FREE:
            return
    # One that slips by just what the house is turned by comes and goes; none does for so long.
    raise AssertionError(f"still on trial after 2 s: {trial}")


def _look(trial: StreetTrial, seen: Sync, now_ns: int) -> StreetTrial:
    senses = Senses(grid_fast=grid_fast(now_ns), sync=seen)
    return street_trial.update(trial, senses, raising=False, lit=True, now_ns=now_ns)
