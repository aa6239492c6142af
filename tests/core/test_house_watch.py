"""What the house gets: volts and hertz that appliances bear, told or ended, and a closed MID that feeds nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tests.core.houses import SETTINGS, House
from v2h_console.core import guards
from v2h_console.core.lockouts import RIVALS
from v2h_console.core.observation import OrderKind
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import HouseFast, InverterFast, InverterMode, Side, SideCycle
from v2h_drivers.capabilities.quality import Quality


def codes(house: House) -> set[str]:
    """Of the alarms that stand."""
    return {alarm.code for alarm in house.state.alarms}


@dataclass(frozen=True)
class Said:
    """What the devices say instead; ``None`` = what the plant has them say. ``shift`` goes with ``legs``."""

    legs: tuple[float, float] | None = None
    shift: float | None = 0.0
    blind: bool = False
    hertz: float | None = None
    mode: InverterMode | None = None
    amps: float | None = None

    def of(self, reading: Reading) -> Reading:
        """This reading as it is said."""
        match reading:
            case HouseFast() if self.blind:
                return replace(reading, quality=Quality.BAD)
            case HouseFast() if self.legs is not None:
                return replace(reading, l1_pu=self.legs[0], l2_pu=self.legs[1], neutral_shift_pu=self.shift)
            case SideCycle() if self.hertz is not None and reading.side is Side.HOUSE:
                return replace(reading, frequency_hz=self.hertz)
            case InverterFast() if self.mode is not None:
                return replace(reading, mode=self.mode, gate_on=True)
            case InverterFast() if self.amps is not None:
                return replace(reading, current_a=self.amps, gate_on=False)
        return reading


def live(house: House, ms: float, said: Said = Said()) -> None:
    """So long."""
    for _ in range(round(ms / 10.0)):
        house.now_ns += 10 * NS_PER_MS
        house.observe(tuple(map(said.of, house.plant.readings(house.now_ns))))


@pytest.mark.parametrize("pu", [0.6, 0.85, 1.12])
def test_a_voltage_that_appliances_do_not_bear_for_good_is_told_and_the_house_stays_lit(pu: float) -> None:
    house = House.islanded()
    live(house, 1_800, Said(legs=(pu, pu), shift=0.0))
    assert "HOUSE_VOLTAGE_POOR" not in codes(house)
    live(house, 500, Said(legs=(pu, pu), shift=0.0))
    assert "HOUSE_VOLTAGE_POOR" in codes(house)
    assert house.mode is Mode.ISLANDED
    live(house, 100)
    assert "HOUSE_VOLTAGE_POOR" not in codes(house)


def test_a_voltage_that_burns_appliances_ends_the_island_after_half_a_second() -> None:
    house = House.islanded()
    live(house, 450, Said(legs=(1.3, 1.3), shift=0.0))
    assert house.mode is Mode.ISLANDED
    live(house, 100, Said(legs=(1.3, 1.3), shift=0.0))
    assert not house.control.gate
    assert "House dark: a leg had more than appliances bear." in [event.text for event in house.events]


@pytest.mark.parametrize("hertz", [52.0, 63.0])
def test_a_frequency_that_nobody_asked_for_is_told(hertz: float) -> None:
    house = House.islanded()
    live(house, 2_100, Said(hertz=hertz))
    assert "HOUSE_FREQUENCY_POOR" in codes(house)
    live(house, 2_100, Said(hertz=61.0))
    assert "HOUSE_FREQUENCY_POOR" not in codes(house)


def test_a_lit_house_whose_voltage_nobody_knows_is_told() -> None:
    house = House.islanded()
    live(house, 700, Said(blind=True))
    assert "HOUSE_SENSE_SILENT" in codes(house)


def test_a_neutral_that_wanders_off_is_seen_by_the_legs_where_its_own_word_is_missing() -> None:
    house = House.islanded()
    live(house, 200, Said(legs=(1.0, 1.0), shift=None))
    assert house.mode is Mode.ISLANDED
    live(house, 200, Said(legs=(1.3, 0.7), shift=None))
    assert guards.neutral_lost(house.state, house.now_ns)
    assert not house.control.gate


@pytest.mark.parametrize("legs", [(0.0, 0.0), (1.0, 0.0)])
def test_a_closed_mid_that_feeds_nothing_is_told(legs: tuple[float, float]) -> None:
    house = House.tied()
    live(house, 1_200, Said(legs=legs, shift=0.0))
    assert "HOUSE_NOT_FED" in codes(house)
    assert house.mode is Mode.TIED


def test_an_inverter_that_makes_a_frequency_beside_the_grid_has_its_gate_taken_until_a_person_resets() -> (
    None
):
    house = House.tied()
    live(house, 150, Said(mode=InverterMode.FORMING))
    assert house.control.gate
    live(house, 150, Said(mode=InverterMode.FORMING))
    assert not house.control.gate
    assert house.state.islanding.lk_form == RIVALS
    live(house, 500)
    assert not house.control.gate
    house.tick(OrderKind.RESET_LOCKOUT)
    assert house.control.gate


def test_one_that_made_a_frequency_beside_the_grid_stands_by_after_an_outage_too() -> None:
    house = House.tied()
    live(house, 300, Said(mode=InverterMode.FORMING))
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.DARK, within_ms=10_000)
    house.run_ms(1_000, tick_ms=20)
    house.plant.grid_returns()
    house.until(Mode.TIED, within_ms=60_000)
    house.run_ms(500)
    assert not house.control.gate


def test_a_house_that_is_not_brought_in_phase_in_time_is_told_until_it_is() -> None:
    quick = replace(SETTINGS, sync=replace(SETTINGS.sync, timeout_s=5.0))
    house = House.islanded(quick)
    house.plant.grid_returns()
    house.plant.phase_deg = 90.0
    house.run_ms(5_000, tick_ms=20)
    assert "NOT_IN_PHASE" not in codes(house)
    house.run_ms(3_000, tick_ms=20)
    assert "NOT_IN_PHASE" in codes(house)
    house.plant.phase_deg = 0.0
    house.until(Mode.TIED, within_ms=60_000)
    assert "NOT_IN_PHASE" not in codes(house)


def test_an_inverter_that_says_its_gate_is_off_and_gives_all_the_same_is_told() -> None:
    house = House.tied()
    house.plant.soc_pct = 20.5
    live(house, 1_200, Said(amps=0.2))
    assert not house.control.gate
    live(house, 1_900, Said(amps=20.0))
    assert "INVERTER_STILL_GIVES" not in codes(house)
    live(house, 200, Said(amps=20.0))
    assert "INVERTER_STILL_GIVES" in codes(house)
    live(house, 100, Said(amps=0.2))
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
