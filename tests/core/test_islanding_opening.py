"""The islanding table from the grid to the dark house: losing, opening, proving, and how each can fail."""

from __future__ import annotations

import pytest

from tests.core.edges import takes
from tests.core.houses import START_NS, House
from tests.core.moments import bad, opened_and_dark
from v2h_console.core.observation import OrderKind
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import FaultCause, Mode
from v2h_drivers.capabilities.fast_readings import (
    ControllerHeartbeat,
    GridFast,
    HouseFast,
    InverterFast,
    MidState,
    Sync,
)
from v2h_drivers.capabilities.slow_readings import CarStatus

# ------------------------------------------------------------------------------------------------ boot


@takes(Mode.BOOT_OPEN, "proven", Mode.DARK)
def test_a_start_with_an_open_mid_goes_dark_then_lights_the_house() -> None:
    house = House.booting()
    house.plant.grid_falls(START_NS)
    assert house.until(Mode.FORMING, within_ms=300) >= 200, "a contact of the last run's may be on its way"
    house.until(Mode.ISLANDED, within_ms=50)


@takes(Mode.BOOT_OPEN, "boot_overdue", Mode.FAULT_OPEN)
def test_a_start_with_a_closed_mid_is_a_fault_after_200_ms_with_the_gates_off() -> None:
    house = House.booting()
    house.plant.closed = house.plant.welded = True
    for _ in range(40):
        house.tick()
        house.must_be(Mode.BOOT_OPEN)
        assert opened_and_dark(house)
    house.tick()
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.fault_cause is FaultCause.BOOT
    assert opened_and_dark(house)


def test_a_start_beside_a_silent_mid_waits_open_for_ever() -> None:
    """The 200 ms count from the first word of the MID: nothing heard is not a fault of its contacts."""
    house = House.booting()
    house.plant.silent = frozenset({MidState})
    for _ in range(400):
        house.tick()
        house.must_be(Mode.BOOT_OPEN)
        assert opened_and_dark(house)


# ------------------------------------------------------------------------------------------------ tied


@takes(Mode.TIED, "operator", Mode.OPENING)
def test_a_person_orders_the_tied_mid_open_and_it_opens_in_that_step() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.must_be(Mode.OPENING)
    assert opened_and_dark(house)
    assert house.state.islanding.operator_hold
    assert house.state.transfer is not None
    assert house.state.transfer.transfer_class == "intentional"


@takes(Mode.TIED, "loss", Mode.OPENING)
def test_a_dead_grid_opens_the_mid_in_the_step_that_sees_the_detectors_hold_reached() -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.tick(after_ms=8)
    house.must_be(Mode.TIED)
    house.tick(after_ms=0.5)
    house.must_be(Mode.OPENING)
    assert opened_and_dark(house)
    assert house.state.loads.mask == 0b1100
    assert "GRID_LOST" in house.codes()


@takes(Mode.TIED, "seen_open", Mode.OPENING)
def test_a_tied_mid_that_opens_by_itself_is_followed_after_20_ms() -> None:
    house = House.tied()
    house.plant.closed, house.plant.edge_ns = False, house.now_ns
    house.tick(after_ms=1)
    house.tick(after_ms=19)
    house.must_be(Mode.TIED)
    house.tick(after_ms=1)
    house.must_be(Mode.DARK, Mode.FORMING)
    assert house.control.open_mid


@pytest.mark.parametrize("kind", [GridFast, ControllerHeartbeat])
@takes(Mode.TIED, "loss", Mode.OPENING)
def test_a_tied_house_that_no_longer_hears_this_opens_within_the_limit(kind: type) -> None:
    house = House.tied()
    house.plant.silent = frozenset({kind})
    assert house.until(Mode.OPENING, within_ms=150) <= 105
    assert opened_and_dark(house)


@takes(Mode.TIED, "loss", Mode.OPENING)
def test_one_bad_grid_reading_opens_the_tied_mid_in_one_step() -> None:
    house = House.tied()
    house.plant.twist[GridFast] = bad
    house.tick()
    house.must_be(Mode.OPENING)
    assert house.state.transfer is not None
    assert house.state.transfer.transfer_class == "sense_fault"


@pytest.mark.parametrize("kind", [MidState, HouseFast, InverterFast, Sync, CarStatus])
def test_a_tied_house_that_does_not_hear_this_stays_on_the_grid(kind: type) -> None:
    """Losing what only an island needs is no reason to leave a good grid."""
    house = House.tied()
    house.plant.silent = frozenset({kind})
    house.run_ms(1_500)
    house.must_be(Mode.TIED)
    assert not house.control.open_mid


# ------------------------------------------------------------------------------------------------ opening, proving


@takes(Mode.OPENING, "opened", Mode.PROVING)
def test_both_contacts_open_starts_the_proof() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.tick(after_ms=14)
    house.must_be(Mode.OPENING)
    house.tick(after_ms=2)
    house.must_be(Mode.PROVING)
    assert opened_and_dark(house)
    assert house.state.relay.last_ms == 15.0


@takes(Mode.OPENING, "not_open", Mode.FAULT_OPEN)
def test_a_welded_mid_is_a_fault_at_100_ms_and_locks_closing_out() -> None:
    house = House.tied()
    house.plant.welded = True
    house.tick(OrderKind.OPEN_MID)
    house.tick(after_ms=99)
    house.must_be(Mode.OPENING)
    house.tick(after_ms=1)
    house.must_be(Mode.FAULT_OPEN)
    assert opened_and_dark(house)
    assert house.state.islanding.fault_cause is FaultCause.NOT_OPEN
    assert house.state.islanding.lk_close


@pytest.mark.parametrize("silence", [True, False], ids=["silent", "bad"])
@takes(Mode.OPENING, "unheard", Mode.FAULT_OPEN)
def test_an_unheard_mid_never_counts_as_open(silence: bool) -> None:
    house = House.tied()
    if silence:
        house.plant.silent = frozenset({MidState})
    else:
        house.plant.twist[MidState] = bad
    house.run_ms(100)
    house.tick(OrderKind.OPEN_MID)
    house.run_ms(100)
    house.must_be(Mode.FAULT_OPEN)
    house.run_ms(3_000)
    house.must_be(Mode.FAULT_OPEN)
    assert opened_and_dark(house)


@takes(Mode.PROVING, "proven", Mode.DARK)
def test_proof_takes_12_ms_from_the_contacts_edge() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.tick(after_ms=15)
    house.tick(after_ms=11.9)
    house.must_be(Mode.PROVING)
    house.tick(after_ms=0.1)
    house.must_be(Mode.DARK, Mode.FORMING)
    assert house.state.proof.proven


@takes(Mode.PROVING, "disagree", Mode.FAULT_OPEN, "20 ms")
def test_contacts_that_contradict_each_other_for_20_ms_are_a_fault() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.tick(after_ms=15)
    house.must_be(Mode.PROVING)
    house.plant.stuck_contacts = (True, True)
    house.tick(after_ms=1)
    house.tick(after_ms=19)
    house.must_be(Mode.PROVING)
    house.tick(after_ms=1)
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.fault_cause is FaultCause.DISAGREEMENT
    assert opened_and_dark(house)


@takes(Mode.PROVING, "disagree", Mode.FAULT_OPEN, "100 ms")
def test_a_current_that_still_flows_denies_the_proof_until_its_100_ms_are_over() -> None:
    house = House.tied()
    house.plant.pole_a = 0.2
    house.tick(OrderKind.OPEN_MID)
    house.tick(after_ms=15)
    house.must_be(Mode.PROVING)
    house.tick(after_ms=99)
    house.must_be(Mode.PROVING)
    house.tick(after_ms=1)
    house.must_be(Mode.FAULT_OPEN)
    assert opened_and_dark(house)


# ------------------------------------------------------------------------------------------------ faults and their end


@takes(Mode.FAULT_OPEN, "proven_late", Mode.DARK)
def test_a_slow_mid_lights_the_house_after_a_second_of_proof_but_keeps_closing_locked() -> None:
    house = House.tied()
    house.plant.open_ms = 140
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FAULT_OPEN)
    faulted_ns = house.now_ns
    house.until(Mode.ISLANDED)
    assert (house.now_ns - faulted_ns) / NS_PER_MS >= 1_000
    assert house.state.islanding.lk_close
    house.plant.grid_returns()
    house.run_ms(4_000)
    house.must_be(Mode.ISLANDED)
    assert not house.control.close_mid


@takes(Mode.FAULT_OPEN, "proven_late", Mode.DARK)
def test_a_mid_that_opens_late_after_the_start_lights_the_house_without_a_lockout() -> None:
    house = House.booting()
    house.plant.grid_falls(START_NS)
    house.plant.closed = house.plant.welded = True
    house.until(Mode.FAULT_OPEN)
    house.plant.welded = False
    house.until(Mode.ISLANDED)
    assert not house.state.islanding.lk_close


@takes(Mode.FAULT_OPEN, "reset", Mode.DARK)
def test_a_person_resets_a_contradiction_once_the_mid_is_proven_open() -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.PROVING)
    house.plant.stuck_contacts = (True, True)
    house.until(Mode.FAULT_OPEN)
    house.plant.stuck_contacts = None
    house.run_ms(5_000, tick_ms=20)
    house.must_be(Mode.FAULT_OPEN)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.must_be(Mode.DARK, Mode.FORMING)
    assert not house.state.islanding.lk_close
    house.until(Mode.ISLANDED)


def test_a_reset_without_proof_is_refused_and_leaves_the_gates_off() -> None:
    house = House.tied()
    house.plant.welded = True
    house.tick(OrderKind.OPEN_MID)
    house.until(Mode.FAULT_OPEN)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.lk_close
    assert "LOCKOUT_RESET_REFUSED" in house.codes()
    assert opened_and_dark(house)
