"""What stands as an alarm: it does not flutter on the last digit, and says nothing of a car that is not there."""

from __future__ import annotations

import pytest

from tests.core.houses import SETTINGS, House, changed
from v2h_console.core.frozen import replace
from v2h_console.core.settings import NOMINAL_V, TariffSettings, TariffWindow
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import CarStage, Side, SideCycle
from v2h_drivers.capabilities.slow_readings import CarStatus


def test_a_grid_that_rests_on_its_limit_is_said_to_be_high_once() -> None:
    house = House.tied()
    limit_v = house.settings.grid.enter_service.v_hi_pu * NOMINAL_V
    swings = iter([0.05, -0.05] * 400)

    def on_the_limit(reading: object) -> object:
        if not isinstance(reading, SideCycle) or reading.side is not Side.GRID:
            return reading
        return changed(reading, l1_v=limit_v + next(swings), l2_v=limit_v - 1.0)

    house.plant.twist[SideCycle] = on_the_limit  # type: ignore[assignment]  # it gives what it was given
    house.run_ms(2_000)
    assert house.codes().count("GRID_SENSE_VOLTAGE_HIGH") == 1
    assert "GRID_SENSE_VOLTAGE_HIGH_CLEARED" not in house.codes()
    house.plant.twist.clear()
    house.run_ms(500)
    assert house.codes().count("GRID_SENSE_VOLTAGE_HIGH_CLEARED") == 1


def test_a_car_that_drove_away_empty_is_not_in_the_house() -> None:
    house = House.tied()
    house.plant.soc_pct = 19.0
    house.run_ms(45_000, tick_ms=50)
    assert "SOC_STOP" in [alarm.code for alarm in house.state.alarms]
    house.plant.dc_side = {"stage": CarStage.UNPLUGGED, "commanded_closed": False, "dc_voltage_v": 0.0}
    house.plant.silent = frozenset({CarStatus})
    house.run_ms(3_000)
    standing = {alarm.code: alarm.text for alarm in house.state.alarms}
    assert "SOC_STOP" not in standing
    assert "No backup" in standing["CAR_NOT_READY"]


def test_gaps_of_the_cars_link_raise_and_clear_nothing_about_its_charge() -> None:
    house = House.tied()
    house.plant.soc_pct = 21.8
    house.run_ms(45_000, tick_ms=50)
    assert house.codes().count("SOC_SHED") == 1
    for _ in range(3):
        house.plant.silent = frozenset({CarStatus})
        house.run_ms(2_000, tick_ms=50)
        assert {"SOC_SHED", "CAR_NOT_READY"} <= {alarm.code for alarm in house.state.alarms}
        house.plant.silent = frozenset()
        house.run_ms(1_000, tick_ms=50)
    assert house.codes().count("SOC_SHED") == 1
    assert "SOC_SHED_CLEARED" not in house.codes()
    house.plant.soc_pct = 23.2
    house.run_ms(1_000, tick_ms=50)
    assert house.codes().count("SOC_SHED_CLEARED") == 1


@pytest.mark.parametrize(
    ("mode", "words"),
    [(Mode.TIED, "a backup would carry"), (Mode.ISLANDED, "only must-run circuits stay on")],
)
def test_a_low_charge_says_what_it_costs_now(mode: Mode, words: str) -> None:
    house = House.tied() if mode is Mode.TIED else House.islanded()
    house.plant.soc_pct = 21.8
    house.run_ms(45_000, tick_ms=50)
    house.must_be(mode)
    assert words in {alarm.code: alarm.text for alarm in house.state.alarms}["SOC_SHED"]


def test_an_inverter_that_goes_on_giving_after_peak_shaving_loses_its_gate() -> None:
    always = TariffSettings((TariffWindow(tuple(range(7)), 0, 1_440),))
    house = House.tied(replace(SETTINGS, tariff=always))
    house.plant.inverter_w = 3_000.0
    house.state = replace(house.state, tariff=replace(house.state.tariff, ending_since_ns=house.now_ns))
    house.run_ms(4_000)
    assert house.control.gate
    house.run_ms(2_000)
    assert not house.control.gate
    assert "PEAK_SHAVING_GOES_ON" in house.codes()
    house.must_be(Mode.TIED)
