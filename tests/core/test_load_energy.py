"""What the car can carry beside the inverter's limits: its voltage under the load, and the hours after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import GOOD, HEAT_PUMP, SETTINGS
from v2h_console.core import load_energy, load_manager
from v2h_console.core.car_reserve import CarState
from v2h_console.core.load_manager import Source
from v2h_console.core.load_state import CircuitState, LoadState
from v2h_console.core.pack import PackState
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_S, Circuit
from v2h_drivers.capabilities.fast_readings import LegCurrents, LoadFeedback
from v2h_drivers.capabilities.slow_readings import CarStatus

NOW_NS = 100 * NS_PER_S
HEATER = Circuit("heater", "Heater", "L12", 3, 3_000.0)


def _refusal(
    volts: float | None = 400.0,
    ohm: float | None = 0.1,
    soc_pct: float = 60.0,
    capacity_wh: float | None = 60_000.0,
    candidate: Circuit = HEATER,
    runtime_s: float | None = None,
) -> str:
    said = CarStatus(NOW_NS, GOOD, "Inverter", soc_pct, 95.0, capacity_wh, volts, 2.0, 800.0)
    car = CarState(
        own_refusal="", known_soc_pct=soc_pct, runtime_s=runtime_s, pack=PackState(resistance_ohm=ohm)
    )
    return load_energy.refusal(SETTINGS.car, car, Senses(car=said), candidate, 1, NOW_NS)


def test_a_cold_pack_near_its_end_does_not_start_what_would_pull_it_under_its_margin() -> None:
    assert "V, allowed 368 V" in _refusal(volts=370.0, ohm=0.4)
    assert _refusal(volts=370.0, ohm=0.1) == ""


@pytest.mark.parametrize(("volts", "refused"), [(368.0, True), (372.0, False)])
def test_an_unknown_resistance_counts_as_the_upper_end_of_the_usual(volts: float, refused: bool) -> None:
    assert bool(_refusal(volts=volts, ohm=None)) is refused


def test_a_motor_s_start_sags_the_pack_more_than_its_running() -> None:
    motor = replace(HEATER, inrush_multiple=6.0)
    assert not _refusal(volts=369.5, ohm=0.2)
    assert _refusal(volts=369.5, ohm=0.2, candidate=motor)


@pytest.mark.parametrize(("tier", "refused"), [(1, False), (2, False), (3, True)])
def test_each_tier_has_a_runtime_of_its_own_to_leave(tier: int, refused: bool) -> None:
    # 2 % of 60 kWh at 3.8 kW: 19 minutes
    reason = _refusal(soc_pct=22.0, candidate=replace(HEATER, tier=tier))
    assert bool(reason) is refused


def test_an_end_by_volts_counts_where_it_comes_sooner() -> None:
    assert not _refusal()
    assert "min" in _refusal(runtime_s=3_600.0)


def test_what_the_car_does_not_say_is_left_to_its_own_rules() -> None:
    assert not _refusal(volts=None, capacity_wh=None)


def test_the_heat_pump_waits_on_an_island_whose_car_would_not_last() -> None:
    held = [CircuitState() for _ in SETTINGS.loads.circuits]
    held[HEAT_PUMP] = CircuitState(shed=True, until_ns=0, off_since_ns=-(10**12))
    state = LoadState(circuits=tuple(held))
    said = CarStatus(NOW_NS, GOOD, "Inverter", 22.0, 95.0, 60_000.0, 400.0, 2.0, 800.0)
    senses = Senses(
        currents=LegCurrents(NOW_NS, GOOD, 3.0, 3.0, 0.0),
        load_feedback=LoadFeedback(NOW_NS, GOOD, 0b0011),
        car=said,
    )
    for soc_pct, waits in ((22.0, True), (60.0, False)):
        source = Source(car=CarState(own_refusal="", known_soc_pct=soc_pct))
        after = load_manager.update_island(SETTINGS, state, senses, 7_600.0, 0, NOW_NS, source=source)
        assert after.circuits[HEAT_PUMP].shed is waits
