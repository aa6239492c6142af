"""What the house gets: volts and hertz that appliances bear, told or ended, and a closed MID that feeds nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import House
from v2h_console.core import guards
from v2h_console.core.lockouts import RIVALS
from v2h_console.core.observation import OrderKind
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import Mode
from v2h_drivers.capabilities import HouseFast, InverterFast, InverterMode, Quality, Reading, Side, SideCycle


def codes(house: House) -> set[str]:
    """Of the alarms that stand."""
    return {alarm.code for alarm in house.state.alarms}


def live(house: House, ms: float, **changes: object) -> None:
    """So long; of what the plant says, readings of a kind with ``changes`` in them."""
    for _ in range(round(ms / 10.0)):
        house.now_ns += 10 * NS_PER_MS
        house.observe(tuple(changed(one, changes) for one in house.plant.readings(house.now_ns)))


def changed(reading: Reading, changes: dict[str, object]) -> Reading:
    """This reading, if it is of the kind that is changed."""
    if isinstance(reading, HouseFast) and "legs" in changes:
        one, two = changes["legs"]  # type: ignore[misc]  # a pair or it would not be asked for
        shift = changes.get("shift")
        return replace(reading, l1_pu=one, l2_pu=two, neutral_shift_pu=shift)  # type: ignore[arg-type]  # as above
    if isinstance(reading, HouseFast) and changes.get("blind"):
        return replace(reading, quality=Quality.BAD)
    if isinstance(reading, SideCycle) and reading.side is Side.HOUSE and "hertz" in changes:
        return replace(reading, frequency_hz=changes["hertz"])  # type: ignore[arg-type]  # as above
    if isinstance(reading, InverterFast) and "mode" in changes:
        return replace(reading, mode=changes["mode"], gate_on=True)  # type: ignore[arg-type]  # as above
    if isinstance(reading, InverterFast) and "amps" in changes:
        return replace(reading, current_a=changes["amps"], gate_on=False)  # type: ignore[arg-type]  # as above
    return reading


@pytest.mark.parametrize("pu", [0.6, 0.85, 1.12])
def test_a_voltage_that_appliances_do_not_bear_for_good_is_told_and_the_house_stays_lit(pu: float) -> None:
    house = House.islanded()
    live(house, 1_800, legs=(pu, pu), shift=0.0)
    assert "HOUSE_VOLTAGE_POOR" not in codes(house)
    live(house, 500, legs=(pu, pu), shift=0.0)
    assert "HOUSE_VOLTAGE_POOR" in codes(house)
    assert house.mode is Mode.ISLANDED
    live(house, 100)
    assert "HOUSE_VOLTAGE_POOR" not in codes(house)


def test_a_voltage_that_burns_appliances_ends_the_island_after_half_a_second() -> None:
    house = House.islanded()
    live(house, 450, legs=(1.3, 1.3), shift=0.0)
    assert house.mode is Mode.ISLANDED
    live(house, 100, legs=(1.3, 1.3), shift=0.0)
    assert not house.control.gate


@pytest.mark.parametrize("hertz", [52.0, 63.0])
def test_a_frequency_that_nobody_asked_for_is_told(hertz: float) -> None:
    house = House.islanded()
    live(house, 2_100, hertz=hertz)
    assert "HOUSE_FREQUENCY_POOR" in codes(house)
    live(house, 2_100, hertz=61.0)
    assert "HOUSE_FREQUENCY_POOR" not in codes(house)


def test_a_lit_house_whose_voltage_nobody_knows_is_told() -> None:
    house = House.islanded()
    live(house, 700, blind=True)
    assert "HOUSE_SENSE_SILENT" in codes(house)


def test_a_neutral_that_wanders_off_is_seen_by_the_legs_where_its_own_word_is_missing() -> None:
    house = House.islanded()
    live(house, 200, legs=(1.0, 1.0), shift=None)
    assert house.mode is Mode.ISLANDED
    live(house, 200, legs=(1.3, 0.7), shift=None)
    assert guards.neutral_lost(house.state, house.now_ns)
    assert not house.control.gate


@pytest.mark.parametrize("legs", [(0.0, 0.0), (1.0, 0.0)])
def test_a_closed_mid_that_feeds_nothing_is_told(legs: tuple[float, float]) -> None:
    house = House.tied()
    live(house, 1_200, legs=legs, shift=0.0)
    assert "HOUSE_NOT_FED" in codes(house)
    assert house.mode is Mode.TIED


def test_an_inverter_that_makes_a_frequency_beside_the_grid_has_its_gate_taken_until_a_person_resets() -> (
    None
):
    house = House.tied()
    live(house, 150, mode=InverterMode.FORMING)
    assert house.control.gate
    live(house, 150, mode=InverterMode.FORMING)
    assert not house.control.gate
    assert house.state.islanding.lk_form == RIVALS
    live(house, 500)
    assert not house.control.gate
    house.tick(OrderKind.RESET_LOCKOUT)
    assert house.control.gate


def test_an_inverter_that_says_its_gate_is_off_and_gives_all_the_same_is_told() -> None:
    house = House.tied()
    house.plant.soc_pct = 20.5
    live(house, 1_200, amps=0.2)
    assert not house.control.gate
    live(house, 1_900, amps=20.0)
    assert "INVERTER_STILL_GIVES" not in codes(house)
    live(house, 200, amps=20.0)
    assert "INVERTER_STILL_GIVES" in codes(house)
    live(house, 100, amps=0.2)
    assert "INVERTER_STILL_GIVES" not in codes(house)


def test_a_record_that_does_not_reach_the_disk_is_told() -> None:
    house = House.tied()
    house.disk_ok = False
    house.tick(OrderKind.OPEN_MID)
    house.run_ms(3_000, tick_ms=20)
    assert "LATCH_WAITS" not in codes(house)
    house.run_ms(3_000, tick_ms=20)
    assert "LATCH_WAITS" in codes(house)
    house.disk_ok = True
    house.run_ms(2_000, tick_ms=20)
