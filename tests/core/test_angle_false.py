"""An angle between house and street that is no measurement, however fresh its frame: nothing is closed on it."""

from __future__ import annotations

from tests.core.houses import SETTINGS, House, changed
from v2h_console.core.settings import NS_PER_S
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import Sync


def _in_phase(reading: Sync) -> Sync:
    return changed(reading, phase_deg=0.0, slip_mhz=0.0, voltage_difference_pct=0.0)  # type: ignore[return-value]


def _false(house: House) -> list[str]:
    return [alarm.code for alarm in house.state.alarms if alarm.code == "ANGLE_FALSE"]


def test_an_angle_that_is_told_beside_a_dead_street_is_not_closed_on_when_the_street_comes_back() -> None:
    """The measurement hangs at what it was on the grid: zero degrees, zero slip."""
    house = House.islanded()
    house.plant.twist[Sync] = _in_phase  # type: ignore[assignment]
    house.run_ms(150)
    assert _false(house) == [], "a filter may linger"
    house.run_ms(150)
    assert _false(house) == ["ANGLE_FALSE"]
    house.plant.phase_deg = 170.0
    house.plant.grid_returns()
    house.run_ms(10_000, tick_ms=10)
    house.must_be(Mode.ISLANDED, Mode.SYNCING)
    assert "GRID_TIED" not in house.codes()
    assert "MID_CLOSE_FAILED" not in house.codes()
    del house.plant.twist[Sync]
    house.plant.grid_falls(house.now_ns)
    house.run_ms(200)
    assert _false(house) == []
    house.plant.phase_deg = 0.0
    house.plant.grid_returns()
    house.until(Mode.TIED)


def test_an_angle_that_bears_the_same_time_again_and_again_is_not_closed_on() -> None:
    house = House.islanded()
    house.plant.slip_mhz = 200.0
    house.plant.grid_returns()
    house.run_ms(300)
    stands_ms = house.now_ns // 1_000_000
    house.plant.twist[Sync] = lambda reading: changed(
        reading, phase_deg=0.0, slip_mhz=0.0, lc_time_ms=stands_ms
    )
    house.run_ms(150)
    assert _false(house) == ["ANGLE_FALSE"]
    house.run_ms(5_000, tick_ms=10)
    assert house.mode in (Mode.ISLANDED, Mode.SYNCING)
    assert not house.control.close_mid


def test_a_gap_in_which_nobody_looked_begins_the_delay_anew() -> None:
    """The owner stood still for two seconds; what the bus still holds are the newest frames, none of those between."""
    house = House.islanded(SETTINGS)
    house.plant.grid_returns()
    house.run_ms(900)
    began_ns = house.state.grid.ok_since_ns
    assert began_ns is not None
    house.tick(after_ms=2_000)
    assert house.state.grid.ok_since_ns == house.now_ns
    assert house.state.grid.ok_for_ns(house.now_ns + NS_PER_S) == NS_PER_S
