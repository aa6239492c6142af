"""An order to a SunSpec device that answers oddly: tried again, told, or given up."""

from __future__ import annotations

import struct

import pytest

from tests.drivers_modbus.polled import ORDINARY, READ, WRITE, House
from tests.drivers_modbus.rig import S, Wire, exception, inverter, longest_gap_s, solar
from v2h_drivers.capabilities.requests import DischargeLimitRequest, SolarPermitRequest
from v2h_drivers.capabilities.slow_readings import CarStatus, InverterStatus, LinkState, SolarStatus
from v2h_drivers.modbus.sunspec import model_points
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter
from v2h_drivers.modbus.sunspec_solar import SunSpecSolar


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_limit_that_is_refused_is_said_tried_once_more_and_dropped(code: int) -> None:
    house = House()
    house.refuse(code, function=WRITE)
    house.order(5.0)
    house.wire.live(30.0)
    assert len(house.wire.writes()) == 2
    state, reason = house.wire.health("Inverter")
    assert state is LinkState.OK
    assert reason.startswith(f"did not take the discharge limit of 5.0 kW: exception {code}")
    assert longest_gap_s(house.wire.since(house.began_ns, CarStatus)) < 0.5


def test_a_limit_that_is_refused_once_is_taken_with_the_next_poll() -> None:
    house = House()
    house.refuse(6, function=WRITE, times=1)
    house.order(5.0)
    house.wire.live(2.0)
    assert house.wire.health("Inverter") == (LinkState.OK, "")
    assert house.wire.since(house.began_ns, InverterStatus)[-1].max_discharge_w == 5000.0


@pytest.mark.parametrize("code", ORDINARY)
def test_a_limit_that_is_refused_for_now_is_tried_again_until_it_is_taken(code: int) -> None:
    house = House()
    house.refuse(code, function=WRITE)
    house.order(5.0)
    house.wire.live(30.0)
    assert 10 < len(house.wire.writes()) < 20, "every two seconds"
    state, reason = house.wire.health("Inverter")
    assert state is LinkState.OK
    assert reason.startswith(f"did not take the discharge limit of 5.0 kW: exception {code}")
    assert longest_gap_s(house.wire.since(house.began_ns, CarStatus)) < 0.5
    house.wire.meddle = None
    house.wire.live(3.0)
    assert house.wire.health("Inverter") == (LinkState.OK, "")
    assert house.wire.since(house.began_ns, InverterStatus)[-1].max_discharge_w == 5000.0


def test_a_limit_that_is_never_answered_is_tried_again_and_costs_no_reading() -> None:
    house = House()
    house.wire.meddle = lambda _unit, pdu: b"" if pdu[0] == WRITE else None
    house.order(5.0)
    house.wire.live(30.0)
    assert 10 < len(house.wire.writes()) < 20
    assert longest_gap_s(house.wire.since(house.began_ns + 3 * S, CarStatus)) < 1.0
    house.wire.meddle = None
    house.wire.live(5.0)
    assert house.wire.health("Inverter") == (LinkState.OK, "")
    assert house.wire.since(house.began_ns, InverterStatus)[-1].max_discharge_w == 5000.0


def test_the_newest_order_is_the_one_that_is_tried_again() -> None:
    house = House()
    house.refuse(6, function=WRITE)
    house.order(5.0)
    house.wire.live(6.0)
    house.order(3.0)
    house.wire.live(6.0)
    house.wire.meddle = None
    house.wire.live(5.0)
    assert house.wire.since(house.began_ns, InverterStatus)[-1].max_discharge_w == 3000.0
    assert len(house.wire.writes()) < 14


@pytest.mark.parametrize("how", ["busy", "silent"])
def test_a_roof_that_could_not_be_told_for_three_seconds_leaves_after_them(how: str) -> None:
    unit = solar()
    wire = Wire({2: unit})
    roof = SunSpecSolar("Solar", wire.connection, 2, wire.emit, period_s=1.0, clock_ns=wire.now_ns)
    wire.run(roof)
    wire.live(3.0)
    wire.meddle = lambda _unit, pdu: (
        None if pdu[0] != WRITE else b"" if how == "silent" else exception(pdu, 6)
    )
    wire.loop.call_soon(roof.submit, SolarPermitRequest(False))
    wire.live(3.0)
    wire.meddle = None
    wire.live(4.0)
    assert unit.written[703] == {model_points(703)["ES"].offset: 0}
    assert wire.health("Solar") == (LinkState.OK, "")
    assert roof._wanted is None


def test_a_roof_that_refuses_to_leave_goes_on_being_read() -> None:
    wire = Wire({2: solar()})
    roof = SunSpecSolar("Solar", wire.connection, 2, wire.emit, clock_ns=wire.now_ns)
    wire.run(roof)
    wire.live(2.0)
    wire.meddle = lambda _unit, pdu: exception(pdu, 4) if pdu[0] == WRITE else None
    wire.loop.call_soon(roof.submit, SolarPermitRequest(False))
    wire.live(5.0)
    assert wire.health("Solar") == (
        LinkState.OK,
        "did not take the order to leave: exception 4: device failure",
    )
    assert len(wire.writes()) == 3
    assert longest_gap_s(wire.since(0, SolarStatus)) < 1.0


@pytest.mark.parametrize(
    ("exponent", "says"), [(-10, "its register cannot hold that"), (-11, "does not scale")]
)
def test_a_limit_that_its_register_cannot_hold_is_not_written(exponent: int, says: str) -> None:
    house = House()
    house.unit.model(704).scale(54, exponent)
    house.order(5.0)
    house.wire.live(5.0)
    assert not house.wire.writes()
    assert says in house.wire.health("Inverter")[1]
    assert len(house.wire.since(house.began_ns, InverterStatus)) > 10


def test_a_permit_is_not_written_into_the_model_behind_one_that_is_too_short() -> None:
    unit = solar()
    unit.model(703).registers[1:] = [0]
    wire = Wire({2: unit})
    roof = SunSpecSolar("Solar", wire.connection, 2, wire.emit, clock_ns=wire.now_ns)
    wire.run(roof)
    wire.live(2.0)
    wire.loop.call_soon(roof.submit, SolarPermitRequest(False))
    wire.live(5.0)
    assert not wire.writes()
    assert wire.health("Solar")[1] == "did not take the order to leave: its model 703 ends before that"


@pytest.mark.parametrize(
    ("lacks", "says"),
    [(702, "does not say what it is rated for"), (704, "offers no discharge limit (no SunSpec model 704)")],
)
def test_a_limit_for_a_device_that_has_none_is_said_and_dropped(lacks: int, says: str) -> None:
    unit = inverter()
    unit.drop(lacks)
    wire = Wire({1: unit})
    driver = SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns)
    wire.run(driver)
    wire.live(1.0)
    wire.loop.call_soon(driver.submit, DischargeLimitRequest(5000.0))
    wire.live(2.0)
    state, reason = wire.health("Inverter")
    assert state is LinkState.OK
    assert says in reason
    assert driver._wanted is None
    assert not wire.writes()


def test_a_limit_whose_rating_was_missed_in_the_first_poll_is_set_all_the_same() -> None:
    unit = inverter()
    wire = Wire({1: unit})
    refused = [1]

    def meddle(_unit: int, pdu: bytes) -> bytes | None:
        if pdu[0] == READ and struct.unpack(">H", pdu[3:5])[0] > 100 and refused[0]:
            refused[0] -= 1
            return exception(pdu, 6)
        return None

    wire.meddle = meddle
    driver = SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns)
    wire.run(driver)
    wire.loop.call_soon(driver.submit, DischargeLimitRequest(5000.0))
    wire.live(2.0)
    assert not refused[0]
    assert wire.since(0, InverterStatus)[-1].max_discharge_w == 5000.0
