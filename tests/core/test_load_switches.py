"""A load switch that does not follow: how long forming waits for it, and what it costs the next time."""

from __future__ import annotations

from dataclasses import replace

from tests.core.houses import DRYER, FRIDGE, HEAT_PUMP, LIGHTS, SETTINGS, House
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Circuit, Settings
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import LoadFeedback
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CircuitReading


def _outage(house: House, within_ms: float = 5_000.0) -> float:
    house.plant.grid_falls(house.now_ns)
    return house.until(Mode.ISLANDED, within_ms)


def _back(house: House) -> None:
    house.plant.grid_returns()
    house.until(Mode.TIED, 10_000.0)
    house.rest()
    house.run_ms(500)


def _stuck(*indices: int, settings: Settings = SETTINGS) -> House:
    house = House.tied(settings)
    house.plant.relay_stuck_mask = sum(1 << index for index in indices)
    return house


def test_forming_waits_100_ms_for_a_stuck_switch_once_and_not_at_all_the_next_time() -> None:
    healthy_ms = _outage(House.tied())
    house = _stuck(HEAT_PUMP)
    first_ms = _outage(house)
    assert 100.0 < first_ms < 150.0
    assert house.state.loads.circuits[HEAT_PUMP].stuck
    _back(house)
    assert not house.state.loads.stuck_mask
    assert _outage(house) <= healthy_ms + 5.0
    assert house.state.loads.circuits[HEAT_PUMP].stuck
    assert "LOAD_SWITCH_STUCK_HEAT_PUMP" in [alarm.code for alarm in house.state.alarms]


def test_a_core_that_was_held_up_does_not_take_its_own_silence_for_a_stuck_switch() -> None:
    """SHED may not have gone out meanwhile: what the switch is given its 100 ms for is said again first."""
    house = House.tied()
    house.plant.relay_stuck_mask = 1 << HEAT_PUMP
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.DARK, tick_ms=1)
    house.tick(after_ms=450)
    assert not house.state.loads.circuits[HEAT_PUMP].stuck
    house.must_be(Mode.DARK)
    house.run_ms(150, tick_ms=5)
    assert house.state.loads.circuits[HEAT_PUMP].stuck


def test_a_switch_that_was_repaired_is_believed_again() -> None:
    house = _stuck(HEAT_PUMP)
    _outage(house)
    _back(house)
    house.plant.relay_stuck_mask = 0
    _outage(house)
    assert not house.state.loads.circuits[HEAT_PUMP].doubted
    _back(house)
    house.plant.relay_stuck_mask = 1 << HEAT_PUMP
    assert _outage(house) > 100.0, "it has its 100 ms again"


def test_what_no_longer_starts_beside_a_stuck_load_joins_shed_before_forming() -> None:
    big = replace(SETTINGS.loads.circuits[HEAT_PUMP], running_va=6_000.0, inrush_multiple=1.0)
    saw = Circuit("saw", "Saw", "L1", 2, 900.0)
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(
        SETTINGS.loads.circuits[FRIDGE], saw, big, SETTINGS.loads.circuits[DRYER],
    )))  # fmt: skip
    assert not _islanded_mask(House.tied(site)) >> LIGHTS & 1
    house = _stuck(HEAT_PUMP, settings=site)
    mask = _islanded_mask(house)
    assert mask >> LIGHTS & 1
    assert not mask >> FRIDGE & 1
    assert "cannot start it with the house" in house.state.loads.circuits[LIGHTS].reason


def _islanded_mask(house: House) -> int:
    _outage(house)
    return house.state.loads.mask


def test_a_stuck_load_too_large_to_start_keeps_the_house_dark() -> None:
    house = _stuck(
        DRYER, settings=replace(SETTINGS, inverter=replace(SETTINGS.inverter, max_discharge_w=5_000.0))
    )
    house.plant.grid_falls(house.now_ns)
    house.run_ms(2_000)
    house.must_be(Mode.DARK)


def test_feedback_that_has_just_come_back_convicts_nobody() -> None:
    house = House.tied()
    house.plant.silent = frozenset({LoadFeedback})
    house.plant.relay_stuck_mask = 1 << HEAT_PUMP
    house.plant.grid_falls(house.now_ns)
    house.run_ms(1_000)
    house.must_be(Mode.DARK)
    house.plant.silent = frozenset()
    heard_ns = house.now_ns
    house.tick()
    assert not house.state.loads.stuck_mask
    house.until(Mode.ISLANDED)
    assert house.now_ns - heard_ns > 100 * NS_PER_MS


def _reading(house: House, power_w: float, index: int = HEAT_PUMP) -> CircuitReading:
    return CircuitReading(house.now_ns, Quality.GOOD, "Panel", index, 240.0, power_w / 240.0, power_w, 60.0)


def _drawing(house: House) -> list[str]:
    return [alarm.code for alarm in house.state.alarms if "STILL_DRAWS" in alarm.code]


def test_a_contactor_that_is_welded_behind_a_feedback_that_says_open_is_told_by_the_circuits_meter() -> None:
    house = House.islanded()
    held = house.state.loads.circuits[HEAT_PUMP]
    assert held.shed
    assert held.off_since_ns is not None
    # What was read while the order was on its way says nothing yet.
    house.observe((*house.plant.readings(house.now_ns), _reading(house, 2_800.0)))
    assert house.now_ns - held.off_since_ns < 5 * NS_PER_S
    assert _drawing(house) == []
    house.run_ms(5_000, tick_ms=10)
    house.observe((*house.plant.readings(house.now_ns), _reading(house, 2_800.0)))
    assert _drawing(house) == ["LOAD_STILL_DRAWS_HEAT_PUMP"]
    text = next(alarm.text for alarm in house.state.alarms if "STILL_DRAWS" in alarm.code)
    assert text == "Heat pump is held off and its switch says open, but its meter reads 2800 W."
    house.must_be(Mode.ISLANDED)
    # A lamp on the contactor, and a meter's own last digit, are no load.
    house.observe((*house.plant.readings(house.now_ns), _reading(house, 20.0)))
    assert _drawing(house) == []


def test_a_circuit_that_is_let_in_may_draw() -> None:
    house = House.islanded()
    house.run_ms(6_000, tick_ms=10)
    house.observe((*house.plant.readings(house.now_ns), _reading(house, 180.0, FRIDGE)))
    assert not house.state.loads.circuits[FRIDGE].shed
    assert _drawing(house) == []
