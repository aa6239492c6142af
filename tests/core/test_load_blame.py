"""Whom an overload is laid to, who goes for it, and who is spared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import CIRCUITS, FRIDGE, GOOD, HEAT_PUMP, LIGHTS, SETTINGS, House
from v2h_console.core import load_manager, load_overload, load_state
from v2h_console.core.load_manager import Source
from v2h_console.core.load_state import Start
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Circuit
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import CarStage, LegCurrents, LoadFeedback
from v2h_drivers.capabilities.slow_readings import CircuitReading, InverterStatus, RelayStates

LIMIT_W = 7_600.0


def senses(now_ns: int, l1_a: float, l2_a: float, closed: int = 0b1111) -> Senses:
    """The legs' currents and the switches' feedback."""
    return Senses(
        currents=LegCurrents(now_ns, GOOD, l1_a, l2_a, 0.0), load_feedback=LoadFeedback(now_ns, GOOD, closed)
    )


def meter(now_ns: int, index: int, amps: float) -> CircuitReading:
    """A circuit's own meter."""
    return CircuitReading(now_ns, GOOD, "m", index, 240.0, amps, 240.0 * amps, 60.0)


@pytest.mark.parametrize("gap_ms", [20, 40, 100, 300])
def test_a_limit_that_falls_in_two_steps_makes_nobody_a_culprit(gap_ms: int) -> None:
    state = load_state.initial(SETTINGS)
    for turn in range(1, 5):
        now_ns = turn * 10_000 * NS_PER_S
        for after_ms, limit_w in (
            (0, 10_000.0), (1_000, 5_000.0), (1_000 + gap_ms, 2_000.0), (1_100 + gap_ms, 2_000.0)
        ):  # fmt: skip
            at_ns = now_ns + after_ms * NS_PER_MS
            # The switches have not opened yet: what is drawn is still there.
            state = load_manager.update_island(SETTINGS, state, senses(at_ns, 30.0, 28.0), limit_w, 0, at_ns)
        assert state.mask, "the limit holds"
        assert not any(held.trips for held in state.circuits)
        state = replace(state, circuits=tuple(replace(held, shed=False) for held in state.circuits))


def test_before_the_fridge_goes_what_seems_to_rest_above_it() -> None:
    """The heat pump's meter says 0 W while it draws all there is: the fridge would go for nothing."""
    two = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(CIRCUITS[FRIDGE], CIRCUITS[HEAT_PUMP])))
    state = load_state.initial(two)
    for at_s in (100, 102):
        at_ns = at_s * NS_PER_S
        heard = replace(senses(at_ns, 34.0, 34.0), circuits=(meter(at_ns, 0, 0.8), meter(at_ns, 1, 0.0)))
        state = load_manager.update_island(two, state, heard, LIMIT_W, 0, at_ns)
    assert state.mask == 0b10
    soon_ns = at_ns + 70 * NS_PER_MS
    still = replace(senses(soon_ns, 34.0, 34.0), circuits=heard.circuits)
    assert load_manager.update_island(two, state, still, LIMIT_W, 0, soon_ns).mask == 0b11, "it was not that"
    gone = replace(senses(soon_ns, 2.0, 2.0), circuits=heard.circuits)
    assert load_manager.update_island(two, state, gone, LIMIT_W, 0, soon_ns).mask == 0b10


def test_what_was_too_much_before_and_after_them_makes_nobody_a_culprit() -> None:
    """A motor that no table lists starts again and again: what had to go for it did nothing."""
    state = load_state.initial(SETTINGS)
    for turn in range(1, 5):
        now_ns = turn * 10_000 * NS_PER_S
        state = replace(state, circuits=(replace(state.circuits[FRIDGE], shed=False), *state.circuits[1:]))
        for after_ms in (-2_000, 0, 70, 200):
            at_ns = now_ns + after_ms * NS_PER_MS
            state = load_manager.update_island(SETTINGS, state, senses(at_ns, 80.0, 1.0), LIMIT_W, 0, at_ns)
        assert state.circuits[FRIDGE].shed
        quiet_ns = now_ns + NS_PER_S
        state = load_manager.update_island(SETTINGS, state, senses(quiet_ns, 1.0, 1.0), LIMIT_W, 0, quiet_ns)
    assert state.circuits[FRIDGE].trips == 0


def test_a_car_s_patience_counts_though_another_limit_is_in_force() -> None:
    """The setting allows less than the car; what is drawn is more than both, and the car waits two seconds at most."""
    now_ns = 100 * NS_PER_S
    for load_a, shed in ((33.0, False), (40.0, True)):
        state = load_state.initial(SETTINGS)
        for after_ms in (0, 500, 1_010):
            at_ns = now_ns + after_ms * NS_PER_MS
            state = load_manager.update_island(
                SETTINGS, state, senses(at_ns, load_a, load_a), LIMIT_W, 0, at_ns,
                source=Source(hold_ns=load_overload.OVERLOAD_HOLD_NS, car_va=8_500.0),
            )  # fmt: skip
        assert bool(state.mask) is shed


def test_without_current_sensors_what_the_inverter_gives_counts() -> None:
    """The table says 200 VA; something that it does not list draws 3 kW."""
    only = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(CIRCUITS[FRIDGE],)))
    state, now_ns = load_state.initial(only), 100 * NS_PER_S
    for after_s in (0, 1, 3):
        at_ns = now_ns + after_s * NS_PER_S
        said = InverterStatus(
            at_ns, GOOD, "Inverter", 3_000.0, 1_500.0, 1_500.0, 120.0, 120.0, 240.0, 60.0, 30.0, 10_000.0, 800.0,
            True, False, 0,
        )  # fmt: skip
        heard = Senses(inverter=said, load_feedback=LoadFeedback(at_ns, GOOD, 1))
        state = load_manager.update_island(only, state, heard, 800.0, 0, at_ns)
    assert state.mask == 1


def test_a_charging_station_whose_meter_falls_silent_waits_for_it() -> None:
    station = Circuit("evse", "EVSE", "L12", 3, 1_400.0, island_ceiling_va=1_440.0)
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(station,)))
    state = load_state.initial(site)
    heard = meter(100 * NS_PER_S, 0, 5.0)
    for second in range(100, 175):
        at_ns = second * NS_PER_S
        now = replace(senses(at_ns, 6.0, 6.0), circuits=(heard,))
        state = load_manager.update_island(site, state, now, LIMIT_W, 0, at_ns)
        assert bool(state.mask) is (second > 110)
    assert "meter is silent" in state.circuits[0].reason
    speaks = replace(senses(at_ns, 6.0, 6.0), circuits=(meter(at_ns, 0, 0.0),))
    assert not load_manager.update_island(site, state, speaks, LIMIT_W, 0, at_ns + NS_PER_S).mask
    never = load_state.initial(site)
    assert not load_manager.update_island(
        site, never, replace(senses(at_ns, 6.0, 6.0), circuits=(None,)), LIMIT_W, 0, at_ns
    ).mask, "one that was never heard is not there"


def test_a_switch_that_did_not_close_is_tried_again_after_a_minute() -> None:
    two = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=CIRCUITS[:2]))
    now_ns = 100 * NS_PER_S
    began = replace(load_state.initial(two), start=Start(LIGHTS, now_ns, (0.0, 300.0)))
    open_ns = now_ns + 2 * NS_PER_S
    heard = replace(
        senses(open_ns, 1.0, 1.0, closed=0b1101), relays=RelayStates(open_ns, GOOD, "Load centre", 0b1111)
    )
    state = load_manager.update_island(two, began, heard, LIMIT_W, 0, open_ns)
    assert state.circuits[LIGHTS].reason == "its switch did not close"
    again_ns = open_ns + 61 * NS_PER_S
    assert not load_manager.update_island(two, state, senses(again_ns, 1.0, 1.0), LIMIT_W, 0, again_ns).mask


def test_a_compressor_that_stood_in_the_dark_rests_before_it_starts_again() -> None:
    fridge = replace(CIRCUITS[FRIDGE], min_off_s=180.0)
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(fridge, *CIRCUITS[1:])))
    house = House.tied(site)
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.ISLANDED)
    assert not house.state.loads.circuits[FRIDGE].shed, "a transfer is no darkness"
    house.plant.inverter_fault = True
    house.until(Mode.DARK)
    dark_ns = house.now_ns
    house.plant.inverter_fault = False
    house.until(Mode.ISLANDED, within_ms=5_000)
    while house.state.loads.circuits[FRIDGE].shed:
        house.tick(after_ms=100)
        assert house.now_ns - dark_ns < 200 * NS_PER_S
    assert house.now_ns - dark_ns >= 180 * NS_PER_S


def test_a_car_that_is_being_plugged_in_allows_nothing_yet_and_sheds_nothing() -> None:
    house = House.islanded()
    house.plant.dc_side = {"stage": CarStage.UNPLUGGED, "limit_a": None}
    house.until(Mode.DARK, within_ms=1_000)
    before = house.state.loads.mask
    house.plant.dc_side = {"stage": CarStage.LINKING, "limit_a": 0.0}
    house.run_ms(2_000, tick_ms=20)
    assert house.state.loads.mask == before
