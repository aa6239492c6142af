"""The islanding table on the lit island: what turns it dark, and a contact that closes unbidden."""

from __future__ import annotations

import pytest

from tests.core.edges import takes
from tests.core.houses import House, Plant, changed
from tests.core.moments import bad, opened_and_dark, syncing
from v2h_console.core.state import FaultCause, Mode
from v2h_drivers.capabilities.fast_readings import GridFast, HouseFast, InverterFast, MidState
from v2h_drivers.capabilities.slow_readings import CarStatus

# ------------------------------------------------------------------------------------------------ the island's source


@pytest.mark.parametrize("mode", [Mode.ISLANDED, Mode.SYNCING])
@pytest.mark.parametrize(
    ("what", "within_ms"),
    [
        ("inverter fault", 5), ("inverter silent", 65), ("inverter bad", 5), ("charge", 520),
        ("charge unknown", 1_005), ("DC low", 5), ("DC high", 5), ("DC unknown", 5), ("car silent", 1_005), ("hot", 5), ("house dark", 5),
        ("inverter stops forming", 5), ("MID silent", 65), ("MID bad", 5),
    ],
)  # fmt: skip
def test_an_island_that_loses_this_turns_its_gates_off_in_time(
    mode: Mode, what: str, within_ms: float
) -> None:
    house = House.islanded() if mode is Mode.ISLANDED else syncing()
    house.run_ms(120)
    house.must_be(mode)
    _lose(house.plant, what)
    assert house.until(Mode.DARK, within_ms=within_ms + 10) <= within_ms
    assert opened_and_dark(house)
    assert "HOUSE_DARK" in house.codes()


def _lose(plant: Plant, what: str) -> None:
    match what:
        case "inverter fault":
            plant.inverter_fault = True
        case "inverter silent":
            plant.silent = frozenset({InverterFast})
        case "inverter bad":
            plant.twist[InverterFast] = bad
        case "charge":
            plant.soc_pct = 20.9
        case "charge unknown":
            plant.soc_pct = None
        case "DC low":
            plant.dc_v = 349.9
        case "DC high":
            plant.dc_v = 900.1
        case "DC unknown":
            plant.dc_v = None
        case "car silent":
            plant.silent = frozenset({CarStatus})
        case "hot":
            plant.heatsink_c = 75.0
        case "house dark":
            plant.twist[HouseFast] = lambda reading: changed(reading, l2_pu=0.49)
        case "inverter stops forming":
            plant.will_not_form = True
        case "MID silent":
            plant.silent = frozenset({MidState})
        case "MID bad":
            plant.twist[MidState] = bad
        case _:
            raise AssertionError(what)


@takes(Mode.ISLANDED, "source_lost", Mode.DARK)
def test_an_inverter_that_trips_on_the_island_leaves_the_house_dark_behind_an_open_mid() -> None:
    house = House.islanded()
    house.plant.inverter_fault = True
    house.tick()
    house.must_be(Mode.DARK)
    assert opened_and_dark(house)
    assert house.state.islanding.form_tries == 1


@takes(Mode.SYNCING, "source_lost", Mode.DARK)
def test_an_inverter_that_trips_while_synchronising_leaves_the_house_dark() -> None:
    house = syncing()
    house.plant.inverter_fault = True
    house.tick()
    house.must_be(Mode.DARK)
    assert opened_and_dark(house)


def test_a_depleted_house_stays_dark_while_the_grid_is_gone() -> None:
    house = House.islanded()
    house.plant.soc_pct = 20.0
    house.run_ms(5_000, tick_ms=20)
    house.must_be(Mode.DARK)
    assert opened_and_dark(house)


def test_an_island_stays_lit_when_the_grid_sense_dies() -> None:
    """The street's sense is needed to close, not to go on."""
    house = House.islanded()
    house.plant.silent = frozenset({GridFast})
    house.run_ms(3_000, tick_ms=20)
    house.must_be(Mode.ISLANDED)


@pytest.mark.parametrize("contacts", [(False, True), (True, True), (False, False)])
@takes(Mode.ISLANDED, "unbidden", Mode.FAULT_OPEN)
def test_a_contact_that_closes_unbidden_on_the_island_is_a_fault_in_that_step(
    contacts: tuple[bool, bool],
) -> None:
    house = House.islanded()
    house.plant.stuck_contacts = contacts
    house.tick()
    house.must_be(Mode.FAULT_OPEN)
    assert house.state.islanding.fault_cause is FaultCause.UNBIDDEN
    assert house.state.islanding.lk_close
    assert opened_and_dark(house)
    house.plant.stuck_contacts = None
    house.run_ms(3_000, tick_ms=20)
    house.must_be(Mode.FAULT_OPEN)


@takes(Mode.SYNCING, "unbidden", Mode.FAULT_OPEN)
def test_a_contact_that_closes_unbidden_while_synchronising_is_a_fault_in_that_step() -> None:
    house = syncing()
    house.plant.stuck_contacts = (False, True)
    house.tick()
    house.must_be(Mode.FAULT_OPEN)
    assert opened_and_dark(house)
