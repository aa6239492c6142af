"""The islanding table from the dark house to the lit island: forming, back-feed, and how each can fail."""

from __future__ import annotations

import pytest

from tests.core.edges import takes
from tests.core.houses import SETTINGS, START_NS, House, Twist, changed, grid_fast
from tests.core.moments import opened_and_dark
from v2h_console.core.frozen import replace
from v2h_console.core.observation import OrderKind
from v2h_console.core.settings import NS_PER_MS, NS_PER_S
from v2h_console.core.state import FaultCause, Mode
from v2h_drivers.capabilities.fast_readings import GridFast, HouseFast, InverterFast


@takes(Mode.DARK, "form", Mode.FORMING)
def test_forming_is_enabled_in_the_step_that_proves_the_mid_open() -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING, tick_ms=1)
    assert house.control.form
    assert house.control.gate
    assert house.control.open_mid
    assert house.state.proof.proven_at_ns == house.now_ns


@takes(Mode.FORMING, "formed", Mode.ISLANDED)
@pytest.mark.parametrize(("leg_pu", "expected"), [(0.8999, Mode.FORMING), (0.9, Mode.ISLANDED)])
def test_the_house_is_back_with_both_legs_at_90_percent(leg_pu: float, expected: Mode) -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING, tick_ms=1)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=1.0, l2_pu=leg_pu)
    house.run_ms(20)
    house.must_be(expected)
    house.plant.twist.clear()
    house.until(Mode.ISLANDED) if expected is Mode.FORMING else None


def test_a_voltage_from_before_the_gate_was_on_is_no_house_of_ours() -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.97, l2_pu=0.97)
    house.run_ms(700)
    house.must_be(Mode.DARK)
    assert "ISLANDED" not in house.codes()
    assert "HOUSE_BUS_FED" in house.codes()


@takes(Mode.OPENING, "unheard", Mode.FAULT_OPEN)
def test_a_silent_bus_is_no_slow_mid_and_ends_with_the_silence() -> None:
    house = House.tied()
    everything = frozenset(type(reading) for reading in house.plant.readings(house.now_ns))
    house.plant.silent = everything
    house.until(Mode.FAULT_OPEN, within_ms=1_000)
    assert house.state.islanding.fault_cause is FaultCause.UNHEARD
    assert not house.state.islanding.lk_close
    assert "MID_DID_NOT_OPEN" not in house.codes()
    house.plant.silent = frozenset()
    house.run_ms(900)
    house.must_be(Mode.FAULT_OPEN)
    house.until(Mode.TIED, within_ms=10_000)


@takes(Mode.FORMING, "not_formed", Mode.DARK)
def test_an_inverter_that_does_not_form_is_tried_again_after_2_10_and_60_s_then_locked_out() -> None:
    house = House.tied()
    house.plant.will_not_form = True
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING)
    masks = []
    for wait_s in (2, 10, 60):
        formed_ns = house.state.islanding.since_ns
        house.until(Mode.DARK)
        assert 200 <= (house.now_ns - formed_ns) / NS_PER_MS <= 205
        assert opened_and_dark(house)
        masks.append(house.state.loads.mask)
        dark_ns = house.now_ns
        house.until(Mode.FORMING, within_ms=61_000, tick_ms=20)
        assert wait_s * NS_PER_S <= house.now_ns - dark_ns <= (wait_s + 0.05) * NS_PER_S
    house.until(Mode.DARK)
    assert house.state.islanding.lk_form
    house.run_ms(70_000, tick_ms=50)
    house.must_be(Mode.DARK)
    assert opened_and_dark(house)
    assert masks == [0b1100, 0b1110, 0b1111]


@takes(Mode.FORMING, "unbidden", Mode.FAULT_OPEN)
@pytest.mark.parametrize("contacts", [(False, True), (True, True), (False, False)])
def test_a_contact_that_moves_while_forming_is_a_fault_in_that_step(contacts: tuple[bool, bool]) -> None:
    house = House.tied()
    house.plant.will_not_form = True
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING)
    house.plant.stuck_contacts = contacts
    house.tick(after_ms=1)
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.fault_cause is FaultCause.UNBIDDEN
    assert opened_and_dark(house)


@takes(Mode.FORMING, "backfeed", Mode.FAULT_OPEN)
@pytest.mark.parametrize("street_pu", [0.06, 0.2, 0.4])
def test_a_street_side_that_follows_the_house_turns_the_gates_off_and_locks_forming_out(
    street_pu: float,
) -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING, tick_ms=1)
    house.plant.twist[GridFast] = lambda reading: grid_fast(
        reading.at_ns, street_pu, below_050_ms=60.0, below_088_ms=60.0
    )
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.4, l2_pu=0.4)
    house.tick(after_ms=1)
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.fault_cause is FaultCause.BACKFEED
    assert house.state.islanding.lk_form
    assert opened_and_dark(house)
    house.plant.twist.clear()
    house.run_ms(3_000, tick_ms=20)
    house.must_be(Mode.FAULT_OPEN)


@takes(Mode.FORMING, "source_lost", Mode.DARK)
@pytest.mark.parametrize("how", ["fault", "silent", "car"])
def test_a_start_whose_source_goes_away_is_given_up_at_once(how: str) -> None:
    house = House.tied()
    house.plant.will_not_form = True
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING)
    if how == "fault":
        house.plant.inverter_fault = True
    elif how == "car":
        house.plant.dc_v = 300.0
    else:
        house.plant.silent = frozenset({InverterFast})
        house.run_ms(60)
    house.tick()
    house.must_be(Mode.DARK)
    assert opened_and_dark(house)


def test_a_grid_that_returns_in_the_middle_of_forming_is_no_backfeed() -> None:
    """The street comes back at once and whole, above what the house has reached by then."""
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING, tick_ms=1)
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 1.0)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.4, l2_pu=0.4)
    house.tick(after_ms=1)
    house.must_be(Mode.FORMING)
    house.plant.twist.clear()
    house.until(Mode.ISLANDED)


def test_a_street_that_was_dead_beside_a_lit_house_and_rises_is_no_backfeed() -> None:
    """Its filter rises through every level below the house's; fed by the house it would have stood there before."""
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING, tick_ms=1)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.7, l2_pu=0.7)
    house.tick(after_ms=1)
    house.run_ms(6, tick_ms=1)
    house.must_be(Mode.FORMING)
    for street_pu in (0.1, 0.3, 0.6):
        house.plant.twist[GridFast] = _street_at(street_pu)
        house.tick(after_ms=2)
        house.must_be(Mode.FORMING)
    house.plant.twist.clear()
    house.until(Mode.ISLANDED)


def _street_at(pu: float) -> Twist:
    return lambda reading: grid_fast(reading.at_ns, pu)


def _taken_for_backfeed(lk_close: str = "") -> House:
    """A street that comes back in the very milliseconds of forming, the house no further than it is."""
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING, tick_ms=1)
    house.state = replace(house.state, islanding=replace(house.state.islanding, lk_close=lk_close))
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 0.2)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.25, l2_pu=0.25)
    house.tick(after_ms=1)
    house.must_be(Mode.FAULT_OPEN)
    del house.plant.twist[HouseFast]
    return house


@takes(Mode.FAULT_OPEN, "apart", Mode.DARK)
def test_a_street_that_lives_on_beside_the_dark_house_was_no_backfeed() -> None:
    house = _taken_for_backfeed()
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 1.0)
    house.until(Mode.ISLANDED)
    assert "STREET_APART" in house.codes()
    assert not house.state.islanding.lk_form
    assert not house.state.islanding.lk_close


def test_what_was_locked_before_stays_locked() -> None:
    house = _taken_for_backfeed("the MID took over 100 ms to open")
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 1.0)
    house.until(Mode.ISLANDED)
    assert house.state.islanding.lk_close == "the MID took over 100 ms to open"


@pytest.mark.parametrize("later_ms", [600, 2_000])
def test_a_street_that_died_with_the_house_keeps_its_lockout_when_the_grid_returns(later_ms: int) -> None:
    house = _taken_for_backfeed()
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 0.0, below_050_ms=100.0)
    house.run_ms(later_ms, tick_ms=5)
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 1.0)
    house.run_ms(3_000, tick_ms=5)
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.lk_form


@pytest.mark.parametrize("house_pu", [0.06, 1.0])
def test_a_street_that_lives_beside_a_house_with_voltage_proves_nothing(house_pu: float) -> None:
    house = _taken_for_backfeed()
    house.plant.twist[GridFast] = lambda reading: grid_fast(reading.at_ns, 1.0)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=house_pu, l2_pu=0.0)
    house.run_ms(3_000, tick_ms=5)
    house.must_be(Mode.FAULT_OPEN)


def test_a_grid_that_was_alive_when_forming_began_is_no_backfeed() -> None:
    """The street's own voltage is not the house's: a planned island beside a live street must come up."""
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.until(Mode.ISLANDED)
    assert "GRID_SIDE_FOLLOWS" not in house.codes()


def test_an_island_needs_the_open_latch_on_disk() -> None:
    house = House.booting(SETTINGS)
    house.receipts.clear()
    house.plant.grid_falls(START_NS)
    house.run_ms(1_000)
    house.must_be(Mode.DARK)
    assert opened_and_dark(house)
