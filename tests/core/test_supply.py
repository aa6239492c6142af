"""The controller's own supply: warned of, stopped in order before it dies, and what ends the stop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.edges import takes
from tests.core.houses import House, changed
from tests.core.moments import bad, closing_dead, closing_sync, handback, opened_and_dark
from v2h_console.core.commands import PersistLatch
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import Supply


def supply_of(house: House, volts: float | None, minutes: float | None = 45.0) -> None:
    """What SUPPLY says from now on."""
    house.plant.twist[Supply] = lambda reading: changed(reading, supply_v=volts, hold_up_min=minutes)


def alarms(house: House) -> set[str]:
    return {alarm.code for alarm in house.state.alarms}


@takes(Mode.TIED, "supply", Mode.OPENING)
def test_a_failing_supply_opens_the_mid_in_order_within_a_second() -> None:
    house = House.tied()
    supply_of(house, 20.5)
    assert house.until(Mode.DARK, within_ms=1_000) <= 400
    assert opened_and_dark(house)
    assert house.state.latch.lock_is_durable
    assert "SUPPLY_STOP" in house.codes()
    house.run_ms(2_000)
    house.must_be(Mode.DARK)
    assert "AUX_SUPPLY_STOP" in alarms(house)


@takes(Mode.CLOSING_SYNC, "supply", Mode.OPENING)
def test_a_supply_that_fails_while_the_contacts_travel() -> None:
    house = closing_sync()
    house.plant.will_not_close = True
    supply_failed(house)
    house.tick()
    assert opened_and_dark(house)


@takes(Mode.HANDBACK, "supply", Mode.OPENING)
def test_a_supply_that_fails_in_the_hand_back() -> None:
    house = handback()
    supply_failed(house)
    house.tick(after_ms=2)
    assert opened_and_dark(house)


@takes(Mode.CLOSING_DEAD, "supply", Mode.OPENING)
def test_a_supply_that_fails_while_closing_onto_a_dead_bus() -> None:
    house = closing_dead()
    supply_failed(house)
    house.tick(after_ms=2)
    assert opened_and_dark(house)


def supply_failed(house: House) -> None:
    """The supply has been failing for as long as a stop needs: the next step stops."""
    from dataclasses import replace

    supply_of(house, 20.5)
    long_ago_ns = house.now_ns - 300_000_000
    failing = replace(house.state.supply, failing_since_ns=long_ago_ns)
    house.state = replace(house.state, supply=failing)


def test_one_sag_of_two_frames_stops_nothing() -> None:
    house = House.islanded()
    supply_of(house, 20.5)
    house.run_ms(200)
    supply_of(house, 24.0)
    house.run_ms(1_000)
    house.must_be(Mode.ISLANDED)
    assert not alarms(house) & {"AUX_SUPPLY_LOW", "AUX_SUPPLY_STOP"}


def test_a_short_buffer_on_mains_is_only_said_and_on_battery_stops() -> None:
    house = House.islanded()
    supply_of(house, 24.0, 1.0)
    house.run_ms(11_000, tick_ms=20)
    house.must_be(Mode.ISLANDED)
    assert "AUX_SUPPLY_LOW" in alarms(house)
    supply_of(house, 23.2, 1.0)
    house.until(Mode.DARK, within_ms=400)
    assert opened_and_dark(house)


def test_the_stop_ends_by_itself_ten_seconds_after_the_supply_is_back() -> None:
    house = House.islanded()
    supply_of(house, 20.0)
    house.until(Mode.DARK, within_ms=400)
    house.run_ms(3_000, tick_ms=20)
    supply_of(house, 24.0)
    took_ms = house.until(Mode.ISLANDED, within_ms=12_000, tick_ms=20)
    assert 9_900 <= took_ms <= 10_300
    assert house.state.islanding.form_tries == 0, "no failed start: nothing to lock out"


@pytest.mark.parametrize("volts", [None, float("nan"), float("inf")])
def test_an_unknown_supply_is_said_and_never_ends_a_stop(volts: float | None) -> None:
    house = House.islanded()
    supply_of(house, volts)
    house.run_ms(2_000, tick_ms=20)
    assert "AUX_SUPPLY_LOW" in alarms(house)
    house.must_be(Mode.ISLANDED)
    supply_of(house, 20.0)
    house.until(Mode.DARK, within_ms=400)
    supply_of(house, volts)
    house.run_ms(15_000, tick_ms=50)
    house.must_be(Mode.DARK)


def test_a_silent_or_broken_supply_frame_is_said() -> None:
    house = House.islanded()
    house.plant.twist[Supply] = bad
    house.run_ms(2_000, tick_ms=20)
    assert "AUX_SUPPLY_LOW" in alarms(house)


def test_a_controller_that_never_says_how_its_supply_is() -> None:
    house = House.booting()
    house.plant.silent = frozenset({Supply})
    house.run_ms(4_000, tick_ms=20)
    assert "AUX_SUPPLY_UNKNOWN" in alarms(house)


def test_the_latch_needs_no_new_record_for_the_stop() -> None:
    """The lock is on disk before the MID ever closes: an orderly stop asks nothing of a dying machine."""
    house = House.tied()
    supply_of(house, 20.5)
    house.until(Mode.DARK, within_ms=1_000)
    assert house.last is not None
    assert not [command for command in house.last.commands if isinstance(command, PersistLatch)]
    assert house.state.latch.durable_locked


def test_a_buffer_that_ran_down_in_the_dark_keeps_no_car_from_lighting_the_house() -> None:
    """What the house charges is charged again by lighting it; a charger that is broken shows within ten seconds."""
    house = House.islanded()
    house.plant.inverter_fault = True
    house.until(Mode.DARK)
    house.run_ms(3_000, tick_ms=50)
    supply_of(house, 23.0, 1.0)
    house.run_ms(60_000, tick_ms=50)
    assert "AUX_SUPPLY_STOP" not in alarms(house)
    assert "AUX_SUPPLY_LOW" in alarms(house)
    house.plant.inverter_fault = False
    house.until(Mode.ISLANDED, within_ms=5_000, tick_ms=20)
    house.run_ms(9_000, tick_ms=20)
    house.must_be(Mode.ISLANDED)
    house.until(Mode.DARK, within_ms=2_500, tick_ms=20)
    assert "AUX_SUPPLY_STOP" in alarms(house)
    house.run_ms(20_000, tick_ms=50)
    house.must_be(Mode.DARK)


def test_a_house_that_goes_dark_again_before_its_buffer_is_charged_lights_as_often_as_it_can() -> None:
    house = House.islanded()
    supply_of(house, 23.0, 1.0)
    for _ in range(4):
        house.plant.inverter_fault = True
        house.until(Mode.DARK, within_ms=500)
        house.run_ms(300)
        assert "AUX_SUPPLY_STOP" not in alarms(house)
        house.plant.inverter_fault = False
        house.state = replace(house.state, islanding=replace(house.state.islanding, form_tries=0))
        house.until(Mode.ISLANDED, within_ms=11_000, tick_ms=20)
        house.run_ms(2_000, tick_ms=20)
        house.must_be(Mode.ISLANDED)


def test_a_supply_between_the_two_thresholds_is_told_by_its_volts() -> None:
    house = House.tied()
    supply_of(house, 22.4)
    house.run_ms(300)
    supply_of(house, 22.7)
    house.run_ms(300)
    assert "22.7 V" in house.state.supply.reason
