"""A connection that is taken and not served, that dies without a word, or that cannot even be tried."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.drivers_modbus.rig import Wire, inverter, solar
from v2h_drivers.capabilities.slow_readings import CarStatus, LinkState
from v2h_drivers.modbus.connection import (
    LAST_RETRY_S,
    SOLE_TIMEOUT_S,
    Connection,
    ModbusFailure,
    Port,
    _TcpPort,
    tcp_connection,
)
from v2h_drivers.modbus.machine import Framing
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter
from v2h_drivers.modbus.sunspec_solar import SunSpecSolar


def polled(wire: Wire) -> Wire:
    """With an inverter's driver on it."""
    wire.run(SunSpecInverter("Inverter", wire.connection, 1, wire.emit, clock_ns=wire.now_ns))
    return wire


class Taken(Wire):
    """Its peer serves one client: the first ``closes`` connections are taken and closed in one breath."""

    closes = 1

    def port(self, connection: Connection) -> Port:
        """The socket's end is told before whoever opens it has it in hand."""
        if self.opened > self.closes:
            return super().port(connection)
        port = _TcpPort(connection)
        port.connection_made(asyncio.Transport())
        port.connection_lost(None)
        return port


def test_a_peer_that_takes_and_closes_at_once_is_a_refusal_and_tried_again() -> None:
    wire = polled(Taken({1: inverter()}))
    wire.live(0.3)
    assert wire.health("Inverter") == (LinkState.CONNECTING, "closed the connection at once")
    wire.live(2.0)
    assert wire.opened == 2
    assert wire.health("Inverter") == (LinkState.OK, "")


def test_a_peer_that_never_serves_is_tried_ever_more_seldom() -> None:
    wire = Taken({1: inverter()})
    wire.closes = 1_000_000
    polled(wire)
    wire.live(100.0)
    assert 100.0 / LAST_RETRY_S <= wire.opened < 100.0 / LAST_RETRY_S + 10


def test_a_peer_that_hangs_up_on_every_question_is_tried_ever_more_seldom() -> None:
    wire = Wire({1: inverter()})

    def hang_up(_unit: int, _pdu: bytes) -> bytes:
        wire.loop.call_soon(wire.connection.lost, "closed the connection")
        return b""

    async def ask_on_and_on() -> None:
        while True:
            with contextlib.suppress(ModbusFailure):
                await wire.connection.read_holding(1, 40000, 2)
            await asyncio.sleep(0.1)

    wire.meddle = hang_up
    wire.loop.create_task(ask_on_and_on())
    wire.live(100.0)
    assert 100.0 / LAST_RETRY_S <= wire.opened < 100.0 / LAST_RETRY_S + 10
    wire.meddle = None
    wire.live(LAST_RETRY_S)
    assert wire.connection.good > 0


def test_a_connection_that_died_without_a_word_is_opened_anew_within_five_seconds() -> None:
    wire = polled(Wire({1: inverter()}, timeout_s=SOLE_TIMEOUT_S))
    wire.live(3.0)
    wire.dead.add(1)
    died_ns = wire.now_ns()
    wire.live(5.0)
    assert wire.opened == 2
    assert wire.since(died_ns, CarStatus)
    assert wire.health("Inverter") == (LinkState.OK, "")


def test_a_silent_unit_is_no_dead_connection_while_its_neighbour_answers() -> None:
    wire = polled(Wire({1: inverter(), 2: solar()}))
    wire.run(SunSpecSolar("Solar", wire.connection, 2, wire.emit, clock_ns=wire.now_ns))
    wire.live(3.0)
    wire.silent.add(2)
    wire.live(30.0)
    assert wire.opened == 1


def test_a_peer_that_answers_nothing_on_any_connection_is_connected_to_ever_more_seldom() -> None:
    wire = polled(Wire({1: inverter()}))
    wire.silent.add(1)
    wire.live(100.0)
    assert 2 <= wire.opened < 12


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".local"])
def test_a_name_that_no_host_can_have_is_a_refused_connection(host: str) -> None:
    async def story() -> None:
        await tcp_connection(host, 502).read_holding(1, 40000, 2)

    with pytest.raises(ModbusFailure, match="no host's name"):
        asyncio.run(story())


async def test_an_end_that_comes_together_with_the_connection_is_an_end() -> None:
    class Silent:
        alive = True

        def write(self, data: bytes) -> None:
            """To nobody."""

        def close(self) -> None:
            """Nothing to let go of."""

    opened: asyncio.Future[Port] = asyncio.get_running_loop().create_future()
    connection = Connection("nowhere", Framing.TCP, lambda _connection: opened, timeout_s=0.05)
    asked = asyncio.create_task(connection.read_holding(1, 40000, 2))
    await asyncio.sleep(0)
    opened.set_result(Silent())
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
