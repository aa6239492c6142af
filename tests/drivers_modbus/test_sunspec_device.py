"""A polled SunSpec device that answers oddly: what is said of it, and what is read on."""

from __future__ import annotations

import itertools
import struct

import pytest

from tests.drivers_modbus.polled import ORDINARY, READ, House
from tests.drivers_modbus.rig import S, Unit, Wire, inverter, longest_gap_s
from v2h_console.twin.faces.modbus_server import answer
from v2h_drivers.capabilities.slow_readings import CarStatus, InverterStatus, LinkState
from v2h_drivers.modbus.sunspec import model_points
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter

PV, EV, BIDIRECTIONAL, UNSAID = 0, 2, 5, 0xFFFF


def _one_read_refused(code: int) -> House:
    """Twelve seconds after one read was answered so: it was said, and is no other device."""
    house = House()
    house.refuse(code, function=READ, times=1)
    house.wire.live(12.0)
    said = house.wire.reasons(house.began_ns)
    assert any(f"exception {code}" in one for one in said)
    assert not any("two devices" in one for one in said)
    return house


@pytest.mark.parametrize("code", ORDINARY)
def test_one_read_that_is_refused_is_one_poll_and_not_another_device(code: int) -> None:
    house = _one_read_refused(code)
    assert longest_gap_s(house.wire.since(house.began_ns, CarStatus)) < 1.0
    assert house.wire.health("Inverter") == (LinkState.OK, "")


def test_a_device_that_is_busy_three_times_over_is_lost_and_its_map_not_denied() -> None:
    house = House()
    house.refuse(6, function=READ)
    house.wire.live(20.0)
    assert house.wire.health("Inverter") == (LinkState.LOST, "exception 6: busy")


@pytest.mark.parametrize("code", [1, 2])
def test_a_known_register_that_is_not_there_once_is_one_poll(code: int) -> None:
    house = _one_read_refused(code)
    assert longest_gap_s(house.wire.since(house.began_ns - S, CarStatus)) < 1.0


@pytest.mark.parametrize("code", [1, 2])
@pytest.mark.parametrize("after_s", [0.0, 1.0, 8.0])
def test_a_known_register_that_is_not_there_twice_puts_the_unit_in_doubt(code: int, after_s: float) -> None:
    house = House()
    house.refuse(code, function=READ, times=1)
    house.wire.live(after_s + 0.3)
    house.refuse(code, function=READ, times=1)
    house.wire.live(1.0)
    doubted_ns = house.wire.now_ns()
    house.wire.live(8.0)
    assert not house.wire.since(doubted_ns, CarStatus)
    assert any("two devices answer as unit 1" in one for one in house.wire.reasons(house.began_ns))
    house.wire.live(4.0)
    assert house.wire.since(doubted_ns, CarStatus)


def test_two_stumbles_far_apart_are_two_polls() -> None:
    house = House()
    for _ in range(2):
        house.refuse(2, function=READ, times=1)
        house.wire.live(11.0)
    assert not any("two devices" in one for one in house.wire.reasons(house.began_ns))


def _serial(unit: Unit) -> slice:
    """Where it stands in model 1."""
    point = model_points(1)["SN"]
    return slice(point.offset, point.offset + point.size)


@pytest.mark.parametrize(("silent_s", "blank_s"), [(1.0, 1.0), (20.0, 4.0)])
def test_an_inverter_that_starts_without_its_serial_number_is_read_as_soon_as_it_says_it(
    silent_s: float, blank_s: float
) -> None:
    house = House()
    words, at = house.unit.model(1).registers, _serial(house.unit)
    serial = words[at]
    house.wire.silent.add(1)
    house.wire.live(silent_s)
    house.wire.silent.clear()
    words[at] = [0] * len(serial)
    house.wire.live(blank_s)
    words[at] = serial
    named_ns = house.wire.now_ns()
    house.wire.live(12.0)
    assert house.wire.since(named_ns, CarStatus)[0].at_ns - named_ns < S
    assert not any("two devices" in one for one in house.wire.reasons(house.began_ns))


def test_a_device_that_has_no_serial_number_is_read() -> None:
    house = House()
    unit = house.unit
    unit.model(1).registers[_serial(unit)] = [0] * 16
    wire = Wire({1: unit})
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    wire.live(5.0)
    assert wire.health("Inverter") == (LinkState.OK, "")


def test_of_two_devices_one_without_a_serial_number_neither_is_believed() -> None:
    house = House()
    other = inverter()
    other.model(1).registers[_serial(other)] = [0] * 16
    turn = itertools.cycle([house.unit] * 5 + [other] * 5)
    house.wire.meddle = lambda _unit, pdu: answer(next(turn), pdu)
    house.wire.live(3.0)
    doubted_ns = house.wire.now_ns()
    house.wire.live(20.0)
    assert not house.wire.since(doubted_ns, CarStatus)


def test_a_unit_in_doubt_is_looked_at_twice_a_second_however_long() -> None:
    house = House()
    house.refuse(2, function=READ, times=1_000_000)
    house.wire.live(30.0)
    polls_s = sorted({round(at_s) for at_s, _, _ in house.wire.asked if at_s > 20.0})
    assert max(later - earlier for earlier, later in itertools.pairwise(polls_s)) == 1


def test_a_unit_in_doubt_that_falls_silent_is_asked_every_five_seconds() -> None:
    house = House()
    house.refuse(2, function=READ)
    house.wire.live(1.5)
    assert house.driver._stranger_ns is not None
    house.wire.meddle = None
    house.wire.silent.add(1)
    house.wire.live(60.0)
    asked_s = [at_s for at_s, _, _ in house.wire.asked]
    assert 5.0 < asked_s[-1] - asked_s[-2] < 6.0


def test_a_unit_that_was_silent_and_is_busy_now_is_read_half_a_second_after_it_is_no_longer() -> None:
    house = House()
    house.wire.silent.add(1)
    house.wire.live(60.0)
    house.wire.silent.clear()
    house.refuse(6, function=READ)
    house.wire.live(10.0)
    house.wire.meddle = None
    free_ns = house.wire.now_ns()
    house.wire.live(1.0)
    assert house.wire.since(free_ns, CarStatus)


def test_what_a_model_said_that_is_gone_is_not_told_again() -> None:
    house = House()
    assert house.wire.since(0, InverterStatus)[-1].max_discharge_w == 10_000.0
    house.wire.silent.add(1)
    house.wire.live(10.0)
    assert house.wire.health("Inverter")[0] is LinkState.LOST
    # The car is unplugged, and the inverter restarts without what belongs to it.
    house.unit.drop(704, 713, 714)
    house.wire.silent.clear()
    back_ns = house.wire.now_ns()
    house.wire.live(10.0)
    told = house.wire.since(back_ns, InverterStatus)
    assert told
    assert not house.wire.since(back_ns, CarStatus)
    # 704's limit is gone; what 702 is set to counts.
    assert told[-1].max_discharge_w == 7600.0


@pytest.mark.parametrize("exponent", [-11, 11, 310, -32767])
def test_a_scale_factor_that_none_can_be_makes_its_points_unknown_and_no_defect(exponent: int) -> None:
    house = House()
    house.unit.model(701).scale(115, exponent)
    house.wire.live(2.0)
    told = house.wire.since(house.began_ns, InverterStatus)
    assert len(told) > 4
    assert told[-1].frequency_hz is None
    assert told[-1].l1_v is not None


@pytest.mark.parametrize(
    ("ports", "dc_volts"),
    [
        (((EV, 400.0),), 400.0),
        (((PV, 420.0), (EV, 12.0)), 12.0),
        (((PV, 420.0), (PV, 430.0), (EV, 380.0)), 380.0),
        (((UNSAID, 390.0),), 390.0),
        (((UNSAID, 390.0), (UNSAID, 420.0)), None),
        (((EV, 390.0), (EV, 400.0)), None),
        (((PV, 420.0),), None),
        (((BIDIRECTIONAL, 420.0),), None),
        ((), None),
    ],
)
def test_only_the_car_s_own_port_is_the_car(
    ports: tuple[tuple[int, float], ...], dc_volts: float | None
) -> None:
    house = House()
    image = house.unit.model(714)
    frame, one = image.registers[:20], image.registers[20:]
    image.registers = frame + [word for _ in ports for word in one]
    image.registers[1] = len(image.registers) - 2
    image.registers[4] = len(ports)
    for nth, (kind, volts) in enumerate(ports):
        image.registers[20 + 25 * nth] = kind
        image.u16(31 + 25 * nth, volts, -1)
        image.s16(30 + 25 * nth, 7.5, -2)
    wire = Wire({1: house.unit})
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    wire.live(1.0)
    told = wire.since(0, CarStatus)[-1]
    assert told.dc_voltage_v == (None if dc_volts is None else pytest.approx(dc_volts))
    assert told.dc_current_a == (None if dc_volts is None else pytest.approx(7.5))
    assert told.soc_pct is not None


def test_more_ports_than_the_model_has_room_for_are_unknown() -> None:
    house = House()
    house.unit.model(714).registers[4] = 60_000
    house.wire.live(1.0)
    assert house.wire.since(house.began_ns, CarStatus)[-1].dc_voltage_v is None


@pytest.mark.parametrize("base", [40000, 0, 50000])
def test_a_map_is_found_where_the_device_is_silent_elsewhere(base: int) -> None:
    unit = inverter()
    wire = Wire({1: unit})

    def elsewhere(_unit: int, pdu: bytes) -> bytes:
        function, address, rest = pdu[0], struct.unpack(">H", pdu[1:3])[0], pdu[3:]
        if not base <= address < base + 9_000:
            return b""
        return answer(unit, struct.pack(">BH", function, address - base + 40_000) + rest)

    wire.meddle = elsewhere
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    wire.live(6.0)
    assert wire.health("Inverter") == (LinkState.OK, "")
    wire.silent.add(1)
    wire.live(60.0)
    wire.silent.clear()
    wire.live(7.0)
    assert wire.health("Inverter") == (LinkState.OK, ""), "where it was, it is looked for first"


@pytest.mark.parametrize(("was", "now"), [(0, 40000), (40000, 50000), (50000, 0)])
def test_a_map_is_found_again_at_another_place_where_the_device_is_silent_elsewhere(
    was: int, now: int
) -> None:
    unit = inverter()
    wire = Wire({1: unit})
    base = [was]

    def elsewhere(_unit: int, pdu: bytes) -> bytes:
        function, address, rest = pdu[0], struct.unpack(">H", pdu[1:3])[0], pdu[3:]
        if not base[0] <= address < base[0] + 9_000:
            return b""
        return answer(unit, struct.pack(">BH", function, address - base[0] + 40_000) + rest)

    wire.meddle = elsewhere
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    wire.live(6.0)
    assert wire.health("Inverter") == (LinkState.OK, "")
    base[0] = now
    wire.live(100.0)
    assert wire.health("Inverter") == (LinkState.OK, "")
