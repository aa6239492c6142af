"""A street that comes alive beside a lit house: fed by the house past the MID, or by a source of its own."""

from __future__ import annotations

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
from v2h_drivers.capabilities import GridFast, InverterSetpoint, Sync


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
    assert asked_hz(house) == pytest.approx(60.1)
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
    assert asked_hz(house) == pytest.approx(60.1)
    house.run_ms(150)
    assert asked_hz(house) == 60.0
    assert house.state.street == FREE
    house.until(Mode.TIED)
    assert "GRID_SIDE_FOLLOWS" not in house.codes()


def test_a_street_whose_angle_nobody_knows_is_not_closed_onto_however_good_its_volts_are() -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.silent = frozenset((Sync,))
    house.run_ms(3_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    assert asked_hz(house) == 60.0, "nobody turns a house for an angle that is not measured"
    assert guards.closing_refusal(house.settings, house.state, house.now_ns) == street_trial.UNTOLD
    house.plant.silent = frozenset()
    house.until(Mode.TIED)


def test_an_angle_that_flutters_acquits_nobody() -> None:
    """The filter of an angle takes a few cycles after a street comes alive, and a contact bounces."""
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.bypassed = True
    for _ in range(10):
        house.plant.twist[Sync] = lambda reading: changed(reading, phase_deg=40.0)
        house.run_ms(80)
        del house.plant.twist[Sync]
        house.run_ms(80)
        assert house.state.street.since_ns is not None
    house.until(Mode.FAULT_OPEN, within_ms=700)


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
