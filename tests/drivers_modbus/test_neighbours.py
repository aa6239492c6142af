"""Several units behind one connection: what one of them does must not cost the others their readings."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.drivers_modbus.rig import S, Wire, _Port, inverter, longest_gap_s, solar
from v2h_console.site import reader
from v2h_console.wiring import devices
from v2h_drivers.capabilities.slow_readings import CarStatus, LinkHealth, LinkState, SolarStatus
from v2h_drivers.modbus.connection import (
    SHARED_TIMEOUT_S,
    SOLE_TIMEOUT_S,
    Connection,
    Port,
    serial_connection,
)
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter
from v2h_drivers.modbus.sunspec_solar import SunSpecSolar

#: The core's patience with a polled car.
CAR_FRESH_S = 1.0


def house() -> Wire:
    """An inverter and a roof behind one gateway, polled as a site polls them."""
    wire = Wire({1: inverter(), 2: solar()})
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    wire.run(SunSpecSolar("Solar", wire.connection, 2, wire.emit, period_s=1.0, clock_ns=wire.now_ns))
    wire.live(3.0)
    return wire


def test_a_roof_that_sleeps_at_night_leaves_the_car_s_readings_fresh() -> None:
    wire = house()
    wire.silent.add(2)
    began_ns = wire.now_ns()
    wire.live(60.0)
    assert wire.health("Solar")[0] is LinkState.LOST
    assert longest_gap_s(wire.since(began_ns, CarStatus)) < CAR_FRESH_S


@pytest.mark.parametrize(
    ("way_s", "inverters", "silent"),
    [
        (0.0025, 2, (2, 9)),
        (0.01, 2, (2, 9)),
        (0.02, 2, (2, 9)),
        (0.0025, 3, (2, 3, 9)),
        (0.005, 3, (2, 3, 9)),
        (0.01, 3, (2, 3, 9)),
    ],
)
def test_of_several_silent_units_no_two_are_waited_for_in_a_row(
    way_s: float, inverters: int, silent: tuple[int, ...]
) -> None:
    wire = Wire({**{unit: inverter() for unit in range(1, inverters + 1)}, 9: solar()})
    wire.way_s = way_s
    for unit in range(1, inverters + 1):
        name = f"Inverter {unit}"
        wire.run(SunSpecInverter(name, wire.connection, unit, wire.emit, clock_ns=wire.now_ns))
    wire.run(SunSpecSolar("Solar", wire.connection, 9, wire.emit, period_s=1.0, clock_ns=wire.now_ns))
    wire.live(15.0)
    wire.silent.update(silent)
    began_ns = wire.now_ns() - S
    wire.live(120.0)
    assert longest_gap_s(wire.since(began_ns, CarStatus, "Inverter 1")) < CAR_FRESH_S
    # Nor is the connection dead on which only those are silent.
    assert wire.opened == 1
    # Each goes on being told of, and is found again.
    wire.silent.clear()
    back_ns = wire.now_ns()
    wire.live(7.0)
    assert {one.device for one in wire.since(back_ns, CarStatus)} == {
        f"Inverter {unit}" for unit in range(1, inverters + 1)
    }


def test_a_unit_that_is_lost_is_asked_every_five_seconds_and_found_again() -> None:
    wire = house()
    wire.silent.add(2)
    wire.live(30.0)
    asked_s = [at_s for at_s, unit, _ in wire.asked if unit == 2]
    assert 5.0 < asked_s[-1] - asked_s[-2] < 5.0 + 2 * SHARED_TIMEOUT_S
    # Its driver is not silent: a link is said every second, however seldom the device is asked.
    assert longest_gap_s(wire.since(0, LinkHealth, "Solar")) < 2.0
    wire.silent.clear()
    back_ns = wire.now_ns()
    wire.live(6.0)
    assert wire.since(back_ns, SolarStatus)
    assert wire.health("Solar") == (LinkState.OK, "")


class SlowGateway(Wire):
    """A TCP gateway onto an RTU line of 9600 baud, with 100 ms between question and answer."""

    free_at_s = 0.0

    def port(self, connection: Connection) -> Port:
        """What opening gives."""
        return _SlowPort(self, connection)


class _SlowPort(_Port):
    def _arrive(self, data: bytes) -> None:
        reply = self._wire.serve(self.number, data)
        if not reply:
            return
        assert isinstance(self._wire, SlowGateway)
        now_s = self._wire.loop.time()
        taken_s = (8 + len(reply) - 4) * 11 / 9600 + 0.1
        self._wire.free_at_s = max(self._wire.free_at_s, now_s) + taken_s
        self._wire.loop.call_later(self._wire.free_at_s - now_s, self._deliver, reply)


def test_units_behind_a_slow_gateway_are_read_in_smaller_blocks() -> None:
    wire = SlowGateway({1: inverter(), 2: solar()})
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    wire.run(SunSpecSolar("Solar", wire.connection, 2, wire.emit, period_s=1.0, clock_ns=wire.now_ns))
    wire.live(30.0)
    heard_ns = wire.now_ns()
    wire.live(60.0)
    for name in ("Inverter", "Solar"):
        assert wire.health(name) == (LinkState.OK, "")
    assert longest_gap_s(wire.since(heard_ns, CarStatus)) < 5.0
    assert longest_gap_s(wire.since(heard_ns, SolarStatus)) < 5.0


def test_a_poll_that_is_not_answered_later_on_makes_no_block_smaller() -> None:
    wire = house()
    asked = len(wire.asked)
    wire.silent.add(1)
    wire.live(10.0)
    wire.silent.clear()
    wire.live(8.0)
    sizes = {struct.unpack(">H", pdu[3:5])[0] for _, unit, pdu in wire.asked[asked:] if unit == 1}
    assert max(sizes) == 125


COMM = """\
[controller]
interface = "udp_multicast"
channel = "239.74.163.2"
port = 43113
[inverter]
host = "10.0.0.1"
[solar]
host = "{solar}"
unit = 2
"""


@pytest.mark.parametrize(
    ("roof", "timeout_s"), [("10.0.0.1", SHARED_TIMEOUT_S), ("10.0.0.2", SOLE_TIMEOUT_S)]
)
def test_only_a_roof_that_has_its_connection_to_itself_is_waited_for_longer(
    tmp_path: Path, roof: str, timeout_s: float
) -> None:
    folder = tmp_path / "etc/energy"
    folder.mkdir(parents=True)
    (folder / "comm_stack.conf").write_text(COMM.format(solar=roof))
    (folder / "limits.conf").write_text("")
    polled = devices.slow_devices(reader.read_site(tmp_path), [], lambda _reading: None)
    made = [one for one in polled if isinstance(one, SunSpecInverter | SunSpecSolar)]
    assert [one._connection.timeout_s for one in made] == [SHARED_TIMEOUT_S, timeout_s]


def test_one_answer_that_is_lost_leaves_the_car_s_readings_fresh() -> None:
    wire = house()
    left = [1]

    def lose(unit: int, _pdu: bytes) -> bytes | None:
        if unit != 1 or not left[0]:
            return None
        left[0] -= 1
        return b""

    wire.meddle = lose
    began_ns = wire.now_ns() - S
    wire.live(10.0)
    assert longest_gap_s(wire.since(began_ns, CarStatus)) < CAR_FRESH_S


def test_a_slow_line_s_bytes_are_no_silence() -> None:
    assert SHARED_TIMEOUT_S < serial_connection("/dev/null", 9600).timeout_s < 0.5
    assert serial_connection("/dev/null", 1200).timeout_s > SHARED_TIMEOUT_S + 41 * 10 / 1200
