"""What would happen to the loads, in the words of the loads screen."""

from __future__ import annotations

from dataclasses import replace

from tests.core.houses import HEAT_PUMP, SETTINGS, House, changed
from v2h_console.core.settings import Settings
from v2h_console.runtime import snapshots
from v2h_console.runtime.what_if_lines import RENEW_NS, WhatIfLines, lines
from v2h_console.session.snapshot import LaneView, LoadView
from v2h_drivers.capabilities.slow_readings import CarStatus


def _loads(house: House) -> tuple[LoadView, ...]:
    around = snapshots.Surroundings(1, house.now_ns, 0.0, True, "", LaneView(), ())
    return snapshots.build(house.settings, house.state, around).loads


def _lines(house: House) -> tuple[str, ...]:
    return lines(house.settings, house.state, _loads(house), house.now_ns)


def _site(running_va: float = 3_000.0) -> Settings:
    """The test house with another heat pump."""
    table = list(SETTINGS.loads.circuits)
    table[HEAT_PUMP] = replace(table[HEAT_PUMP], min_off_s=0.0, running_va=running_va)
    return replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=tuple(table)))


def test_on_the_grid_the_first_two_minutes_of_an_island_are_told() -> None:
    told = _lines(House.tied(_site()))
    assert any("Heat pump is held off" in line for line in told)
    assert "   60 s  Heat pump may start." in told
    assert told[-1].startswith("The car would last: tier 1 ")


def test_what_the_inverter_cannot_bear_is_refused_in_volt_amperes() -> None:
    told = _lines(House.tied(_site(running_va=7_500.0)))
    assert any("Heat pump may not start: " in line and "allowed" in line for line in told)


def test_a_pack_that_would_sag_too_low_is_told_before_the_island_finds_out() -> None:
    house = House.tied(_site())
    least_v = 1.05 * house.settings.car.dc_lo_v
    house.plant.twist[CarStatus] = lambda reading: changed(reading, dc_voltage_v=least_v + 0.5)
    house.run_ms(100)
    told = _lines(house)
    assert any("Heat pump may not start: the car would fall to" in line for line in told)
    assert "   60 s  Heat pump may start." not in told


def test_a_car_whose_capacity_is_unknown_has_no_hours() -> None:
    house = House.tied()
    house.plant.twist[CarStatus] = lambda reading: changed(reading, capacity_wh=None)
    house.run_ms(100)
    assert _lines(house) == ("The car has not said how much it holds: how long it would last is unknown.",)


def test_on_the_island_each_that_waits_has_its_reason() -> None:
    house = House.islanded()
    told = _lines(house)
    assert any(line.startswith("Heat pump: held for the first minute") for line in told)
    house.plant.leg_a = (26.0, 26.0)
    house.run_ms(200_000, tick_ms=100)
    assert any("Heat pump: may not return now: " in line and "allowed" in line for line in _lines(house))


def test_the_lines_are_worked_out_once_a_minute_and_at_a_change_of_mode() -> None:
    kept, house = WhatIfLines(), House.tied()
    first = kept.lines(house.settings, house.state, _loads(house), house.now_ns)
    assert kept.lines(house.settings, house.state, (), house.now_ns + RENEW_NS - 1) is first
    lit = House.islanded()
    assert kept.lines(lit.settings, lit.state, _loads(lit), house.now_ns + 1) != first


def test_without_a_car_nothing_is_promised() -> None:
    house = House.tied(_site())
    house.plant.silent = frozenset({CarStatus})
    house.run_ms(3_000)
    assert _lines(house) == ("No backup: the car's link is silent. Nothing would be lit.",)
