"""The ladder of failed starts, what climbs it and what does not, and what ends each."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.core.houses import House, changed
from tests.core.moments import opened_and_dark
from v2h_console.core import black_start, guards
from v2h_console.core.observation import OrderKind
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import HouseFast
from v2h_drivers.capabilities.slow_readings import CarStatus


def test_an_inverter_that_makes_no_voltage_is_tried_after_2_10_and_60_s_and_then_locked_out() -> None:
    house = House.islanded()
    house.plant.will_not_form = True
    house.plant.gate = False
    house.until(Mode.DARK, within_ms=500)
    starts_ns: list[int] = []
    for _ in range(3):
        house.until(Mode.FORMING, within_ms=70_000, tick_ms=20)
        starts_ns.append(house.now_ns)
        assert house.until(Mode.DARK, within_ms=400) <= 210, "200 ms without voltage: gate off"
        assert opened_and_dark(house)
    waits_s = [(later - earlier) / 1e9 for earlier, later in itertools.pairwise(starts_ns)]
    assert waits_s == pytest.approx([10.2, 60.2], abs=0.2)
    house.run_ms(65_000, tick_ms=50)
    assert house.state.islanding.lk_form
    assert "reset with R" in house.state.islanding.lk_form
    assert "reset with R" in guards.forming_refusal(house.settings, house.state, house.now_ns)


def test_a_person_ends_the_lockout_and_the_ladder_begins_anew() -> None:
    house = House.islanded()
    house.plant.inverter_fault = True
    house.until(Mode.DARK)
    house.state = replace(
        house.state, islanding=replace(house.state.islanding, lk_form="4 starts failed", form_tries=4)
    )
    house.plant.inverter_fault = False
    house.run_ms(5_000, tick_ms=20)
    house.must_be(Mode.DARK)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.until(Mode.ISLANDED, within_ms=500)
    assert house.state.islanding.form_tries == 0


def test_four_faults_of_the_inverter_in_a_row_need_a_person() -> None:
    house = House.islanded()
    for _ in range(4):
        house.plant.inverter_fault = True
        house.until(Mode.DARK, within_ms=500)
        house.plant.inverter_fault = False
        if not house.state.islanding.lk_form:
            house.until(Mode.ISLANDED, within_ms=62_000, tick_ms=20)
    assert house.state.islanding.lk_form


def test_a_car_that_comes_and_goes_climbs_nothing_and_lights_the_house_when_it_is_back() -> None:
    house = House.islanded()
    waits_s = []
    for _ in range(7):
        house.plant.silent = frozenset({CarStatus})
        house.until(Mode.DARK, within_ms=1_500)
        dark_ns = house.now_ns
        house.plant.silent = frozenset()
        house.until(Mode.ISLANDED, within_ms=61_000, tick_ms=20)
        waits_s.append((house.now_ns - dark_ns) / 1e9)
    assert waits_s == pytest.approx([2.2, 4.2, 8.2, 16.2, 32.2, 60.2, 60.2], abs=0.3), (
        "it blinks ever more slowly"
    )
    assert not house.state.islanding.lk_form
    assert house.state.islanding.form_tries == 0
    house.run_ms(61_000, tick_ms=50)
    house.plant.silent = frozenset({CarStatus})
    house.until(Mode.DARK, within_ms=1_500)
    house.plant.silent = frozenset()
    house.until(Mode.ISLANDED, within_ms=2_500)


def test_an_emptied_car_starts_the_house_again_only_a_clear_percent_above_its_reserve() -> None:
    house = House.islanded()
    house.plant.soc_pct = 20.9
    house.until(Mode.DARK, within_ms=700)
    house.plant.soc_pct = 21.1
    house.run_ms(5_000, tick_ms=20)
    house.must_be(Mode.DARK)
    assert "a start needs 22 %" in guards.forming_refusal(house.settings, house.state, house.now_ns)
    house.plant.soc_pct = 22.0
    house.until(Mode.ISLANDED, within_ms=500)
    assert not house.state.islanding.emptied


def test_a_dark_house_with_an_emptied_car_goes_back_to_the_grid_by_itself() -> None:
    house = House.islanded()
    house.plant.soc_pct = 20.5
    house.until(Mode.DARK)
    house.run_ms(1_000, tick_ms=10)
    house.plant.grid_returns()
    house.until(Mode.TIED, within_ms=3_000)
    assert not house.state.islanding.emptied


def test_an_unknown_charge_after_an_emptied_car_starts_nothing() -> None:
    house = House.islanded()
    house.plant.soc_pct = 20.5
    house.until(Mode.DARK)
    state = replace(house.state, car=replace(house.state.car, known_soc_pct=None))
    assert "unknown" in black_start.energy_refusal(house.settings, state)


def test_a_neutral_former_that_drops_out_turns_the_gates_off_at_once() -> None:
    house = House.islanded()
    house.run_ms(150)
    house.plant.interlock = False
    assert house.until(Mode.DARK, within_ms=20) <= 5
    assert opened_and_dark(house)
    house.run_ms(3_000, tick_ms=20)
    house.must_be(Mode.DARK)
    assert "interlock" in guards.forming_refusal(house.settings, house.state, house.now_ns)


@pytest.mark.parametrize("seen_by", ["its contact", "a leg that runs away"])
def test_a_neutral_former_that_drops_out_while_the_house_is_formed_turns_the_gates_off_at_once(
    seen_by: str,
) -> None:
    """The lighter leg would stand above what any appliance bears for the 200 ms that a start may take."""
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.5, l2_pu=0.5)
    house.until(Mode.FORMING, tick_ms=1)
    house.run_ms(20)
    house.must_be(Mode.FORMING)
    if seen_by == "its contact":
        house.plant.interlock = False
    else:
        house.plant.twist[HouseFast] = lambda reading: changed(
            reading, l1_pu=1.3, l2_pu=0.6, neutral_shift_pu=0.35
        )
    assert house.until(Mode.DARK, within_ms=20) <= 5
    assert opened_and_dark(house)


def test_legs_that_rise_one_after_the_other_are_no_lost_neutral() -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.plant.twist[HouseFast] = lambda reading: changed(
        reading, l1_pu=0.8, l2_pu=0.3, neutral_shift_pu=0.25
    )
    house.until(Mode.FORMING, tick_ms=1)
    house.run_ms(50)
    house.must_be(Mode.FORMING)


def test_an_island_that_stood_for_minutes_has_stood_though_it_was_about_to_close() -> None:
    house = House.tied()
    house.plant.will_not_form = True
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FORMING)
    house.until(Mode.DARK)
    house.plant.will_not_form = False
    house.until(Mode.ISLANDED)
    assert house.state.islanding.form_tries == 1
    house.run_ms(300_000, tick_ms=50)
    house.plant.phase_deg = 90.0
    house.plant.grid_returns()
    house.until(Mode.SYNCING, within_ms=8_000)
    house.run_ms(1_000)
    house.plant.inverter_fault = True
    house.until(Mode.DARK)
    assert house.state.islanding.form_tries == 1, (
        "the failed start of minutes ago is forgotten; this one counts"
    )
