"""The islanding table from the lit island back to the grid: losing the source, requalifying, closing, handing back."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.core.edges import takes
from tests.core.houses import SETTINGS, START_NS, House, changed
from tests.core.moments import closing_dead, closing_sync, handback, opened_and_dark, syncing
from v2h_console.core.load_holds import RESTS
from v2h_console.core.observation import LatchReceipt, OrderKind
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, SyncSettings
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import GridFast, HouseFast, InverterFast, MidState, Sync

# ------------------------------------------------------------------------------------------------ synchronising


@takes(Mode.ISLANDED, "requalified", Mode.SYNCING)
def test_the_island_synchronises_only_after_the_whole_delay_and_the_durable_clear() -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.phase_deg = 90.0
    house.tick()
    back_ns = house.now_ns
    house.until(Mode.SYNCING)
    assert NS_PER_S <= house.now_ns - back_ns <= NS_PER_S + 10 * NS_PER_MS
    assert house.state.latch.clear_is_durable
    assert house.control.open_mid


def test_a_disk_that_takes_no_clear_keeps_the_mid_open() -> None:
    house = House.islanded()
    house.disk_ok = False
    house.plant.grid_returns()
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    assert not house.control.close_mid


@takes(Mode.SYNCING, "window_left", Mode.ISLANDED)
def test_a_grid_that_leaves_its_window_while_synchronising_serves_its_delay_again() -> None:
    house = syncing()
    house.plant.grid_hz = 60.11
    house.tick()
    house.must_be(Mode.ISLANDED)
    house.plant.grid_hz = 60.0
    house.tick()
    again_ns = house.now_ns
    house.until(Mode.SYNCING)
    assert house.now_ns - again_ns >= NS_PER_S


@takes(Mode.SYNCING, "held_off", Mode.ISLANDED)
def test_an_order_to_stay_open_ends_the_synchronising_and_holds_until_a_person_closes() -> None:
    house = syncing()
    house.tick(OrderKind.OPEN_MID)
    house.must_be(Mode.ISLANDED)
    house.plant.phase_deg = 0.0
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    house.tick(OrderKind.CLOSE_MID)
    house.until(Mode.TIED)


@takes(Mode.SYNCING, "sync_timeout", Mode.ISLANDED)
def test_synchronising_gives_up_after_its_time_out() -> None:
    settings = replace(SETTINGS, sync=SyncSettings(timeout_s=3.0))
    house = House.islanded(settings)
    house.plant.grid_returns()
    house.plant.phase_deg = 90.0
    house.until(Mode.SYNCING)
    started_ns = house.now_ns
    while house.mode is Mode.SYNCING or house.state.islanding.since_ns == started_ns:
        house.tick()
        if "GRID_REQUALIFIED" in house.codes()[1:]:
            break
    assert 3 * NS_PER_S <= house.now_ns - started_ns <= 3 * NS_PER_S + 10 * NS_PER_MS


@takes(Mode.SYNCING, "in_phase", Mode.CLOSING_SYNC)
def test_the_close_comes_after_half_a_second_in_phase_with_a_new_token() -> None:
    house = syncing()
    token = house.state.islanding.close_token
    house.plant.phase_deg = 5.0
    # Until now it was turned as fast as 90 degrees ask for.
    house.tick()
    house.tick()
    in_phase_ns = house.now_ns
    house.until(Mode.CLOSING_SYNC)
    assert house.now_ns - in_phase_ns == 500 * NS_PER_MS
    control = house.control
    assert control.close_mid
    assert not control.open_mid
    assert control.close_token not in (0, token)


def test_an_angle_that_was_right_before_anybody_steered_it_holds_nothing() -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.phase_deg = 5.0
    house.until(Mode.SYNCING)
    synchronising_ns = house.now_ns
    house.until(Mode.CLOSING_SYNC)
    assert house.now_ns - synchronising_ns >= 500 * NS_PER_MS


@pytest.mark.parametrize("kind", [Sync, GridFast])
def test_nothing_closes_on_what_is_older_than_20_ms(kind: type) -> None:
    """I1. The angle's hold is served, then the reading stops coming."""
    house = syncing()
    house.plant.phase_deg = 5.0
    house.run_ms(496, tick_ms=4)
    house.must_be(Mode.SYNCING)
    house.plant.silent = frozenset({kind})
    house.tick(after_ms=21)
    house.must_be(Mode.SYNCING)
    house.run_ms(200)
    assert not house.control.close_mid


# ------------------------------------------------------------------------------------------------ closing in phase


@takes(Mode.CLOSING_SYNC, "closed", Mode.HANDBACK)
def test_contacts_closed_and_level_for_10_ms_hand_back_to_the_grid() -> None:
    house = closing_sync()
    house.tick(after_ms=31)
    assert house.plant.closed
    house.tick(after_ms=9)
    house.must_be(Mode.CLOSING_SYNC)
    house.tick(after_ms=1)
    house.must_be(Mode.HANDBACK, Mode.TIED)
    assert not house.control.form


@takes(Mode.CLOSING_SYNC, "not_closed", Mode.ISLANDED)
def test_a_mid_that_does_not_close_is_tried_three_times_30_s_apart_then_locked_out() -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.will_not_close = True
    tries_ns = []
    for _ in range(3):
        house.until(Mode.CLOSING_SYNC, within_ms=31_000, tick_ms=10)
        tries_ns.append(house.now_ns)
        house.until(Mode.ISLANDED)
        assert 100 * NS_PER_MS <= house.now_ns - tries_ns[-1] <= 105 * NS_PER_MS
        assert house.control.open_mid
    assert all(later - earlier >= 30 * NS_PER_S for earlier, later in pairwise(tries_ns))
    assert house.state.islanding.lk_close
    house.run_ms(40_000, tick_ms=20)
    house.must_be(Mode.ISLANDED)
    assert "MID_DOES_NOT_CLOSE" in house.codes()


@takes(Mode.CLOSING_SYNC, "half_closed", Mode.OPENING)
def test_contacts_closed_but_not_level_are_opened_with_the_gates_off_and_the_island_forms_anew() -> None:
    house = closing_sync()
    house.plant.twist[Sync] = lambda reading: changed(reading, voltage_difference_pct=2.0)
    house.until(Mode.OPENING, within_ms=105)
    assert opened_and_dark(house)
    house.plant.twist.clear()
    house.until(Mode.ISLANDED, within_ms=500)
    assert house.state.islanding.close_tries == 1


@takes(Mode.CLOSING_SYNC, "slipped", Mode.OPENING)
@pytest.mark.parametrize("phase_deg", [21.0, -100.0])
def test_a_phase_that_jumps_while_the_relay_travels_stops_the_close_with_the_gate_off(
    phase_deg: float,
) -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.will_not_close = True
    house.until(Mode.CLOSING_SYNC, tick_ms=1)
    house.plant.twist[Sync] = lambda reading: changed(reading, phase_deg=phase_deg)
    house.tick(after_ms=10)
    house.must_be(Mode.DARK)
    jumped_ns = house.now_ns
    for _ in range(19):
        house.tick(after_ms=5)
        assert opened_and_dark(house), "contacts on their way may meet yet"
    assert "PHASE_JUMPED_AT_CLOSE" in house.codes()
    house.plant.twist.clear()
    house.plant.will_not_close = False
    house.until(Mode.TIED, within_ms=10_000)
    assert house.now_ns - jumped_ns >= NS_PER_S, "the delay is served again"
    assert house.state.islanding.close_tries == 0, "no fault of the relay's"


def test_an_angle_from_before_the_close_stops_nothing() -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.until(Mode.CLOSING_SYNC, tick_ms=1)
    house.plant.silent = frozenset({Sync})
    house.tick(after_ms=1)
    house.must_be(Mode.CLOSING_SYNC)


def test_an_owner_held_up_in_the_close_does_not_form_a_house_that_went_dark_in_passing() -> None:
    """The controller opens and stops by itself meanwhile: what comes back is proved and shed for like any other start."""
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.will_not_close = True
    house.until(Mode.CLOSING_SYNC, tick_ms=1)
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.0, l2_pu=0.0)
    house.tick(after_ms=1_860)
    assert opened_and_dark(house)


@takes(Mode.CLOSING_SYNC, "operator", Mode.OPENING)
def test_a_person_stops_the_close_and_the_mid_opens_in_that_step() -> None:
    house = closing_sync()
    house.tick(OrderKind.OPEN_MID, after_ms=1)
    assert house.control.open_mid
    assert not house.control.form


@takes(Mode.CLOSING_SYNC, "loss", Mode.OPENING)
def test_a_grid_lost_while_closing_opens_the_mid() -> None:
    house = closing_sync()
    house.plant.grid_falls(house.now_ns)
    house.tick(after_ms=9)
    assert house.control.open_mid
    assert not house.control.form


@takes(Mode.CLOSING_SYNC, "source_lost", Mode.OPENING)
def test_an_inverter_lost_while_closing_opens_the_mid() -> None:
    house = closing_sync()
    house.plant.inverter_fault = True
    house.tick(after_ms=1)
    assert opened_and_dark(house)
    assert "INVERTER_LOST_AT_CLOSE" in house.codes()


# ------------------------------------------------------------------------------------------------ handing back


@takes(Mode.HANDBACK, "following", Mode.TIED)
def test_an_inverter_that_follows_ends_the_hand_back() -> None:
    house = handback()
    house.plant.will_not_follow = False
    house.tick()
    house.must_be(Mode.TIED)
    assert house.control.gate
    assert all(held.reason == RESTS for held in house.state.loads.circuits if held.shed)


@takes(Mode.HANDBACK, "not_following", Mode.TIED)
def test_an_inverter_that_does_not_follow_in_100_ms_is_gated_off_and_the_house_stays_on_the_grid() -> None:
    house = handback()
    started_ns = house.now_ns
    house.until(Mode.TIED)
    assert 100 * NS_PER_MS <= house.now_ns - started_ns <= 105 * NS_PER_MS
    assert not house.control.gate
    assert "INVERTER_DID_NOT_FOLLOW" in house.codes()


@takes(Mode.HANDBACK, "operator", Mode.OPENING)
def test_a_person_opens_the_mid_during_the_hand_back() -> None:
    house = handback()
    house.tick(OrderKind.OPEN_MID, after_ms=1)
    house.must_be(Mode.OPENING)
    assert opened_and_dark(house)


@takes(Mode.HANDBACK, "loss", Mode.OPENING)
def test_a_grid_lost_during_the_hand_back_opens_the_mid() -> None:
    house = handback()
    house.plant.grid_falls(house.now_ns)
    house.tick(after_ms=9)
    house.must_be(Mode.OPENING)
    assert opened_and_dark(house)


@takes(Mode.HANDBACK, "source_lost", Mode.TIED)
@pytest.mark.parametrize("how", ["it reports a fault", "it falls silent"])
def test_an_inverter_lost_during_the_hand_back_is_gated_off_and_the_house_stays_on_the_grid(how: str) -> None:
    house = handback()
    if how == "it falls silent":
        house.plant.silent = frozenset({InverterFast})
        house.run_ms(65)
    else:
        house.plant.twist[InverterFast] = lambda reading: changed(reading, fault=True)
        house.tick(after_ms=2)
    house.must_be(Mode.TIED)
    assert not house.control.gate
    assert not house.control.open_mid
    assert "INVERTER_LOST_AT_CLOSE" in house.codes()


# ------------------------------------------------------------------------------------------------ onto a dead bus


@takes(Mode.DARK, "close_dead", Mode.CLOSING_DEAD)
def test_a_dark_depleted_house_is_closed_onto_the_returned_grid_after_its_whole_delay() -> None:
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.run_ms(1_000)
    house.plant.grid_returns()
    house.tick()
    back_ns = house.now_ns
    house.until(Mode.CLOSING_DEAD)
    assert NS_PER_S <= house.now_ns - back_ns <= NS_PER_S + 10 * NS_PER_MS
    control = house.control
    assert control.close_mid
    assert not control.gate
    assert control.close_token


def test_a_house_bus_with_five_percent_left_is_not_dead() -> None:
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.plant.residual_pu = 0.05
    house.plant.grid_returns()
    house.run_ms(3_000, tick_ms=10)
    house.must_be(Mode.DARK)
    house.plant.residual_pu = 0.049
    dead_ns = house.now_ns
    house.until(Mode.CLOSING_DEAD)
    assert house.now_ns - dead_ns >= 300 * NS_PER_MS


def test_a_bus_whose_gates_are_not_confirmed_off_is_not_dead() -> None:
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.plant.twist[InverterFast] = lambda reading: changed(reading, gate_on=True)
    house.plant.grid_returns()
    house.run_ms(3_000, tick_ms=10)
    house.must_be(Mode.DARK)


@takes(Mode.CLOSING_DEAD, "closed", Mode.TIED)
def test_contacts_that_close_onto_the_dead_bus_tie_the_house() -> None:
    house = closing_dead()
    assert 30 <= house.until(Mode.TIED, tick_ms=1) <= 32


@takes(Mode.CLOSING_DEAD, "not_closed", Mode.OPENING)
def test_a_mid_that_does_not_close_onto_the_dead_bus_is_opened_and_waits_30_s() -> None:
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.plant.will_not_close = True
    house.plant.grid_returns()
    house.until(Mode.CLOSING_DEAD)
    house.run_ms(100)
    assert opened_and_dark(house)
    assert house.state.islanding.close_not_before_ns - house.now_ns == 30 * NS_PER_S


@takes(Mode.CLOSING_DEAD, "house_lives", Mode.OPENING)
def test_a_house_that_comes_alive_while_the_relay_travels_onto_it_stops_the_close() -> None:
    house = closing_dead()
    house.plant.will_not_close = True
    house.plant.twist[HouseFast] = lambda reading: changed(reading, l1_pu=0.3, l2_pu=0.3)
    house.tick(after_ms=5)
    assert opened_and_dark(house)
    assert "HOUSE_LIVE_AT_CLOSE" in house.codes()
    assert house.state.islanding.close_tries == 0, "no fault of the relay's"


@pytest.mark.parametrize("how", ["a person", "the grid"])
def test_a_close_that_is_taken_back_before_its_contact_moved_is_not_unbidden_when_it_still_meets(
    how: str,
) -> None:
    house = closing_dead()
    if how == "a person":
        house.tick(OrderKind.OPEN_MID, after_ms=25)
    else:
        house.plant.grid_falls(house.now_ns + 16 * NS_PER_MS)
        house.run_ms(25, tick_ms=1)
    assert opened_and_dark(house)
    house.plant.twist[MidState] = lambda reading: changed(
        reading, nc_mirror_closed=False, no_contact_closed=True
    )
    house.run_ms(15, tick_ms=1)
    house.plant.twist.clear()
    house.run_ms(300)
    assert house.state.islanding.mode is not Mode.FAULT_OPEN
    assert not house.state.islanding.lk_close


@takes(Mode.CLOSING_DEAD, "operator", Mode.OPENING)
def test_a_person_stops_the_close_onto_the_dead_bus() -> None:
    house = closing_dead()
    house.tick(OrderKind.OPEN_MID, after_ms=1)
    assert opened_and_dark(house)


@takes(Mode.CLOSING_DEAD, "loss", Mode.OPENING)
def test_a_grid_lost_during_the_close_onto_the_dead_bus_opens_the_mid() -> None:
    house = closing_dead()
    house.plant.grid_falls(house.now_ns)
    house.tick(after_ms=9)
    assert opened_and_dark(house)


def test_a_crash_between_the_clear_and_the_close_boots_open_and_serves_everything_again() -> None:
    house = House.booting()
    house.receipts = [LatchReceipt(9, locked=False)]
    house.tick()
    assert not house.control.close_mid
    house.plant.grid_falls(START_NS)
    house.until(Mode.ISLANDED)
