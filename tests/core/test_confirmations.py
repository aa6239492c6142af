"""What was commanded and does not happen is told, and relied upon no more (I13)."""

from __future__ import annotations

from tests.core.houses import House, changed
from v2h_console.core.lockouts import DISOBEYED
from v2h_console.core.observation import OrderKind
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import InverterFast


def test_an_inverter_that_does_not_stop_when_told_locks_forming_out() -> None:
    house = House.islanded()
    house.plant.dc_v = 300.0
    house.plant.twist[InverterFast] = lambda reading: changed(reading, gate_on=True)
    house.until(Mode.DARK)
    house.run_ms(100)
    assert "INVERTER_DOES_NOT_STOP" not in house.codes()
    house.run_ms(50)
    assert "INVERTER_DOES_NOT_STOP" in house.codes()
    assert house.state.islanding.lk_form == DISOBEYED
    house.plant.twist.clear()
    house.plant.dc_v = 400.0
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.DARK)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.until(Mode.ISLANDED)


def test_an_inverter_that_stops_a_moment_later_is_a_sound_one() -> None:
    house = House.islanded()
    house.plant.dc_v = 300.0
    house.until(Mode.DARK)
    house.run_ms(500)
    assert not house.state.islanding.lk_form


def test_a_bond_that_goes_or_comes_in_the_island_is_told() -> None:
    house = House.islanded()
    house.run_ms(1_500, tick_ms=20)
    assert not {alarm.code for alarm in house.state.alarms} & {"BOND_MISSING", "BOND_DOUBLED"}
    house.plant.bond = not house.plant.bond
    house.run_ms(100)
    poles = house.settings.mid.poles
    assert ("BOND_MISSING" if poles == 3 else "BOND_DOUBLED") in {alarm.code for alarm in house.state.alarms}
