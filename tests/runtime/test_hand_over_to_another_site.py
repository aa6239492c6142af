"""A planned restart onto an edited configuration: what a device said that is no longer there goes with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import SETTINGS, House
from v2h_console.core.settings import NS_PER_S, EnterService, Settings
from v2h_console.core.soc import SocState
from v2h_console.core.state import Mode, State
from v2h_console.runtime import hand_over
from v2h_console.runtime.hand_over import Equipment, HandOver
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import DischargeLimitRequest
from v2h_drivers.capabilities.slow_readings import (
    CircuitReading,
    Identity,
    LinkHealth,
    LinkState,
    RelayStates,
    SolarStatus,
)

OLD, KEPT = "Old roof", "Inverter"


def at_this_site(state: State, here: Equipment, settings: Settings = SETTINGS) -> State:
    """What an owner with ``settings`` takes up of one with the plain ones."""
    return hand_over.at_this_site(HandOver("", {}, state, hand_over.rules(SETTINGS)), settings, here)


@pytest.mark.parametrize("still_there", [True, False])
def test_a_device_that_was_taken_out_is_neither_lost_nor_well_for_ever(still_there: bool) -> None:
    house = House.tied()
    for name in (OLD, KEPT):
        now_ns = house.now_ns
        house.observe(
            (
                LinkHealth(now_ns, name, "SunSpec", "x", LinkState.LOST, "no answer", None, 0, 0, None),
                Identity(now_ns, Quality.GOOD, name, "Maker", "Model", "1", "7"),
            )
        )
    roof = SolarStatus(house.now_ns, Quality.GOOD, OLD, 900.0, 240.0, 60.0, 5_000.0)
    house.observe((roof,))
    house.run_ms(10_000, tick_ms=50)
    assert "OLD_ROOF_LOST" in {alarm.code for alarm in house.state.alarms}
    before = house.state
    here = Equipment({KEPT: ""} | ({OLD: ""} if still_there else {}), roof=still_there)
    house.state = at_this_site(before, here)
    assert {link.device for link in house.state.senses.links} >= {KEPT}
    assert (house.state.senses == before.senses) is still_there
    assert (house.state.senses.solar is None) is not still_there
    asked_anew = replace(before, requested_limit_w=None, thermal=replace(before.thermal, limit_w=None))
    assert replace(house.state, senses=before.senses) == asked_anew
    house.tick()
    assert ("OLD_ROOF_LOST" in {alarm.code for alarm in house.state.alarms}) is still_there
    assert "INVERTER_LOST" in {alarm.code for alarm in house.state.alarms}


def test_meters_and_relays_that_were_taken_out_are_no_silent_ones() -> None:
    house = House.tied()
    now_ns = house.now_ns
    meters = [CircuitReading(now_ns, Quality.GOOD, "Board", nth, 240.0, 1.0, 240.0, 60.0) for nth in (0, 1)]
    house.observe((*meters, RelayStates(now_ns, Quality.GOOD, "Board", 0b11)))
    kept = at_this_site(house.state, Equipment({}, metered=[1], relays=True)).senses
    assert (kept.circuits, kept.relays is not None) == ((None, meters[1]), True)
    gone = at_this_site(house.state, Equipment({})).senses
    assert (gone.circuits, gone.relays) == ((None, None), None)


def test_an_inverter_that_ignored_the_limit_before_the_take_over_is_asked_again() -> None:
    house = House.tied()
    house.state = replace(house.state, limit_ignored="asked 7.6 kW, it says 10.0 kW", limit_tries=3)
    house.state = at_this_site(house.state, Equipment({}))
    assert any(isinstance(one, DischargeLimitRequest) for one in house.tick().commands)


@pytest.mark.parametrize(
    ("address", "doubted", "forgotten"),
    [("plc:502/1", False, True), ("x:502/1", False, False), ("", False, False), ("plc:502/1", True, False)],
)
def test_a_charge_that_is_read_at_another_address_is_counted_anew_unless_it_is_doubted(
    address: str, doubted: bool, forgotten: bool
) -> None:
    house = House.islanded()
    link = LinkHealth(house.now_ns, KEPT, "SunSpec", "x:502/1", LinkState.OK, "", None, 0, 0, None)
    house.observe((link,))
    since_ns = house.now_ns - NS_PER_S if doubted else None
    counted = replace(house.state.car.soc, believed_pct=30.0, counted_pct=30.0, doubted_since_ns=since_ns)
    house.state = replace(house.state, car=replace(house.state.car, soc=counted))
    house.state = at_this_site(house.state, Equipment({KEPT: address}))
    assert (house.state.car.soc == SocState()) is forgotten
    house.run_ms(1_000)
    assert house.state.islanding.mode is Mode.ISLANDED
    if forgotten:
        assert house.state.car.known_soc_pct == house.plant.soc_pct


@pytest.mark.parametrize("lowest_hz", [SETTINGS.grid.enter_service.f_lo_hz, 59.9])
def test_the_delay_before_a_close_is_served_in_the_window_that_holds_now(lowest_hz: float) -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.grid_hz = 59.8
    house.run_ms(900, tick_ms=20)
    served_ns = house.state.grid.ok_for_ns(house.now_ns)
    assert served_ns > 0
    window = EnterService(f_lo_hz=lowest_hz, delay_s=SETTINGS.grid.enter_service.delay_s)
    edited = replace(SETTINGS, grid=replace(SETTINGS.grid, enter_service=window))
    house.state = at_this_site(house.state, Equipment({}), edited)
    assert (house.state.grid.ok_for_ns(house.now_ns) == 0) is (edited != SETTINGS)
