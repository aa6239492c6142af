"""Contacts that move or conduct although nobody moves them, and how long the MID takes at each operation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.edges import takes
from tests.core.houses import House
from tests.core.moments import opened_and_dark, syncing
from v2h_console.core import relay_times
from v2h_console.core.contact_watch import MOST_EDGES
from v2h_console.core.observation import OrderKind
from v2h_console.core.relay_times import RelayTimes
from v2h_console.core.settings import NS_PER_MS, MidSettings
from v2h_console.core.state import FaultCause, Mode

# ------------------------------------------------------------------------------------------------------- chatter


def flutter(house: House, times: int, apart_ms: float) -> None:
    """The NO contact leaves for 3 ms, so many times, or until the MID is told to open."""
    for _ in range(times):
        house.plant.stuck_contacts = (False, False)
        house.tick(after_ms=3)
        house.plant.stuck_contacts = None
        if house.mode is Mode.OPENING:
            return
        house.tick(after_ms=apart_ms)


@takes(Mode.TIED, "chatter", Mode.OPENING)
def test_contacts_that_chatter_are_let_go_and_stay_open_for_a_person() -> None:
    house = House.tied()
    began_ns = house.now_ns
    flutter(house, times=10, apart_ms=30)
    house.must_be(Mode.OPENING)
    assert house.now_ns - began_ns <= 200 * NS_PER_MS
    assert opened_and_dark(house)
    assert "MID_CHATTERS" in house.codes()
    house.plant.stuck_contacts = None
    house.until(Mode.ISLANDED)
    house.run_ms(4_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)


def test_a_bounce_now_and_then_is_not_chatter() -> None:
    house = House.tied()
    flutter(house, times=20, apart_ms=600)
    house.must_be(Mode.TIED)


def test_the_bounce_of_a_close_is_not_chatter() -> None:
    house = syncing()
    house.plant.phase_deg = 0.0
    house.until(Mode.HANDBACK, tick_ms=2)
    flutter(house, times=MOST_EDGES, apart_ms=2)
    house.plant.stuck_contacts = None
    house.until(Mode.TIED)
    house.run_ms(500)
    house.must_be(Mode.TIED)


# ------------------------------------------------------------------------------------------ an open pole conducts


@takes(Mode.DARK, "unbidden", Mode.FAULT_OPEN)
def test_a_contact_that_closes_on_a_dark_house_is_a_fault() -> None:
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.until(Mode.DARK)
    house.run_ms(500)
    house.must_be(Mode.DARK)
    house.plant.stuck_contacts = (False, True)
    house.tick()
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.fault_cause is FaultCause.UNBIDDEN
    assert opened_and_dark(house)


@pytest.mark.parametrize("moment", ["islanded", "syncing"])
def test_current_through_an_open_pole_is_a_contact_that_lies(moment: str) -> None:
    house = House.islanded() if moment == "islanded" else syncing()
    house.plant.pole_a = 0.25
    house.run_ms(10)
    house.must_be(Mode.ISLANDED, Mode.SYNCING)
    house.run_ms(10)
    house.must_be(Mode.FAULT_OPEN)
    assert opened_and_dark(house)


def test_one_sample_of_current_locks_nothing_out() -> None:
    house = House.islanded()
    for _ in range(20):
        house.plant.pole_a = 0.25
        house.tick()
        house.plant.pole_a = 0.0
        house.tick()
    house.must_be(Mode.ISLANDED)


# ------------------------------------------------------------------------------------------------ the relay's times


def openings(*times_ms: float) -> RelayTimes:
    times = RelayTimes()
    for took_ms in times_ms:
        times = relay_times.told_to_open(times, 1_000)
        times = relay_times.opened(times, 1_000 + int(took_ms * NS_PER_MS))
    return times


def test_each_operation_is_timed() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.until(Mode.ISLANDED)
    house.tick(OrderKind.CLOSE_MID)
    house.until(Mode.TIED)
    assert house.state.relay.opening_ms == (15.0,)
    boot_ms, closing_ms = house.state.relay.closing_ms
    assert min(boot_ms, closing_ms) >= 31.0
    assert max(boot_ms, closing_ms) <= 36.0


def test_a_relay_that_wears_is_told_before_it_is_slow() -> None:
    settings = MidSettings()
    worn = openings(*(15.0 + 0.4 * nth for nth in range(12)))
    assert worn.worst_ms is not None
    assert worn.worst_ms < settings.alarm_open_ms
    assert relay_times.wears(settings, worn)
    assert relay_times.slope_ms(worn) == pytest.approx(0.4)


def test_one_slow_opening_makes_no_trend() -> None:
    assert not relay_times.wears(MidSettings(), openings(15, 15.2, 14.9, 15, 29, 15.1, 15, 14.8, 15, 15.2))


@given(st.lists(st.floats(14.0, 17.0), min_size=0, max_size=40))
def test_scatter_is_no_wear_while_it_does_not_rise(times_ms: list[float]) -> None:
    times = openings(*times_ms)
    slope = relay_times.slope_ms(times)
    assert len(times.opening_ms) <= relay_times.REMEMBERED
    if slope is not None and slope <= 0.0:
        assert not relay_times.wears(MidSettings(), times)


def test_the_predicted_angle_uses_what_this_relay_takes() -> None:
    settings = MidSettings()
    times = RelayTimes()
    assert relay_times.closing_time_ms(settings, times) == settings.closing_time_ms
    for took_ms in (24.0, 25.0, 24.5, 400.0):
        times = relay_times.closed(times, 0, int(took_ms * NS_PER_MS))
    assert relay_times.closing_time_ms(settings, times) == 24.5
    house = syncing()
    house.plant.slip_mhz, house.plant.set_hz = 50.0, 60.0
    house.plant.phase_deg = -5.0
    house.state = replace(house.state, relay=times)
    house.tick()
    assert house.state.sync.predicted_deg == pytest.approx(-5.0 + 0.36 * 50.0 * 24.5 / 1000.0)
