"""One shared connection per host:port or per serial line, with unit multiplexing, on one asyncio loop.

Several units behind one socket, and devices that take a single client, leave no other way. The machine does the
protocol; here is only the port: open, move bytes, wake, reconnect with a back-off of at most 5 s.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from v2h_drivers.modbus.machine import (
    READ_COILS,
    READ_HOLDING,
    READ_INPUT,
    RTU_SILENCE_NS,
    WRITE_COIL,
    WRITE_REGISTERS,
    ClientMachine,
    Failure,
    FailureKind,
    Framing,
    Outcome,
    Request,
)
from v2h_drivers.modbus.turns import Turns

FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0
CONNECT_TIMEOUT_S = 2.0
#: So many time-outs in a row without a byte from any unit, one of them of the unit that answered last, and a TCP
#: connection is taken to be dead: a peer that restarted, or a router that forgot, ends none.
DEAD_AFTER = 3
#: A roof that has the connection to itself keeps nobody else waiting.
SOLE_TIMEOUT_S = 1.0
#: Where several units take turns, one that is silent holds up the others for this: with a poll's own time it must stay
#: well below the second after which the car's readings are too old to keep a house lit by.
SHARED_TIMEOUT_S = 0.4
#: A meter's block and the question for it, on a serial line; a character with its start, stop and parity.
LONGEST_EXCHANGE_BYTES, BITS_A_CHARACTER = 41, 11
#: Above 19200 baud the silence between frames is this, as the specification has it.
LEAST_SILENCE_NS = 1_750_000


class ModbusFailure(Exception):
    """A request without a usable answer; ``str()`` is a plain clause such as "did not answer in 1.0 s"."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.kind = failure.kind
        #: Of an exception reply.
        self.code = failure.code


class Port(Protocol):
    """Where the bytes go."""

    @property
    def alive(self) -> bool:
        """Not lost and not closed."""

    def write(self, data: bytes) -> None:
        """Send."""

    def close(self) -> None:
        """Let go."""


class Connection:
    """Requests in turn from any task of the loop. ``good``/``bad`` count answers, ``round_trip_ms`` is the last,
    ``timeout_s`` how long one is waited for."""

    def __init__(
        self,
        address: str,
        framing: Framing,
        open_port: Callable[[Connection], asyncio.Future[Port] | asyncio.Task[Port]],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        timeout_s: float = SHARED_TIMEOUT_S,
        silence_ns: int = RTU_SILENCE_NS,
    ) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._machine = ClientMachine(framing, int(timeout_s * 1e9), silence_ns)
        self._framing = framing
        self._open_port = open_port
        self._clock_ns = clock_ns
        self._port: Port | None = None
        self._opening: asyncio.Lock = asyncio.Lock()
        self._futures: dict[int, tuple[int, asyncio.Future[Outcome]]] = {}
        self._turns = Turns(clock_ns)
        #: Who has answered last, and who has not since, as often as ``_unanswered`` says.
        self._last_heard: int | None = None
        self._unheard: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._retry_s = FIRST_RETRY_S
        self._answered = False
        self._unanswered = 0
        self._retry_not_before_ns = 0
        self._last_refusal = Failure(FailureKind.CLOSED, "not connected yet")
        self.good = 0
        self.bad = 0
        self.round_trip_ms: float | None = None

    async def read_holding(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        """FC 3. Raises ModbusFailure."""
        return await self._ask(Request(unit, READ_HOLDING, address, count))

    async def read_input(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        """FC 4. Raises ModbusFailure."""
        return await self._ask(Request(unit, READ_INPUT, address, count))

    async def read_coils(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        """FC 1, as 0 and 1. Raises ModbusFailure."""
        return await self._ask(Request(unit, READ_COILS, address, count))

    async def write_coil(self, unit: int, address: int, closed: bool) -> None:
        """FC 5. Raises ModbusFailure."""
        await self._ask(Request(unit, WRITE_COIL, address, 1, (int(closed),)))

    async def write_registers(self, unit: int, address: int, values: tuple[int, ...]) -> None:
        """FC 16. Raises ModbusFailure."""
        await self._ask(Request(unit, WRITE_REGISTERS, address, len(values), values))

    def close(self) -> None:
        """Let go of the port; what waits fails."""
        self._drop("closed by us")

    async def _ask(self, request: Request) -> tuple[int, ...]:
        if self._framing is Framing.RTU:
            # A line has one driver, which asks one thing after the other.
            return await self._exchange(request)
        await self._turns.take(request.unit)
        try:
            values = await self._exchange(request)
        except (Exception, asyncio.CancelledError):
            self._turns.give()
            raise
        self._turns.give()
        return values

    async def _exchange(self, request: Request) -> tuple[int, ...]:
        await self._ensure_open()
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        ticket = self._machine.submit(request)
        self._futures[ticket] = (request.unit, future)
        self._pump()
        outcome = await future
        if isinstance(outcome, Failure):
            self.bad += 1
            raise ModbusFailure(outcome)
        self.good += 1
        self.round_trip_ms = outcome.round_trip_ns / 1e6
        return outcome.values

    async def _ensure_open(self) -> None:
        async with self._opening:
            if self._port is not None:
                return
            if self._clock_ns() < self._retry_not_before_ns:
                raise ModbusFailure(self._last_refusal)
            try:
                # Not wait_for: in Python 3.11 it forgets a cancellation that comes together with its result.
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    port = await self._open_port(self)
            except TimeoutError:
                self._refused("does not take the connection")
            except OSError as error:
                self._refused(_words(error))
            except UnicodeError:
                self._refused("cannot be reached: that is no host's name")
            if not port.alive:
                # Taken and closed in one breath, as by a device that has its one client: its end was told before its begin.
                self._refused("closed the connection at once")
            self._port, self._answered = port, False
            self._heard_nobody_since()

    def _refused(self, reason: str) -> NoReturn:
        self.bad += 1
        self._back_off(reason)
        raise ModbusFailure(self._last_refusal) from None

    def _back_off(self, reason: str) -> None:
        self._last_refusal = Failure(FailureKind.CLOSED, reason)
        self._retry_not_before_ns = self._clock_ns() + int(self._retry_s * 1e9)
        self._retry_s = min(LAST_RETRY_S, 2 * self._retry_s)

    # ------------------------------------------------------------ called by the port

    def received(self, data: bytes) -> None:
        """Bytes from the port."""
        self._answered, self._retry_s = True, FIRST_RETRY_S
        self._heard_nobody_since()
        self._machine.data_received(data, self._clock_ns())
        self._pump()

    def lost(self, reason: str) -> None:
        """The port is gone."""
        if self._port is not None and not self._answered:
            # It took the connection and gave nothing: that is no better than a refusal.
            self._back_off(reason)
        self._port = None
        self._machine.connection_lost(reason)
        self._pump()

    def _drop(self, reason: str) -> None:
        if self._port is not None:
            self._port.close()
        self.lost(reason)

    def _pump(self) -> None:
        """Hand out outcomes, send what may go, set the timer."""
        machine = self._machine
        if machine.broken:
            self._drop("sent what is not Modbus; reconnecting")
            return
        while machine.outcomes:
            ticket, outcome = machine.outcomes.popleft()
            unit, future = self._futures.pop(ticket)
            self._heed(unit, outcome)
            if not future.done():
                future.set_result(outcome)
        if self._framing is Framing.TCP and self._dead() and self._port is not None:
            self._drop("nobody answers on this connection; reconnecting")
            return
        if self._port is not None:
            data = machine.bytes_to_send(self._clock_ns())
            if data:
                self._port.write(data)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake_ns = machine.wake_at_ns()
        if wake_ns is not None:
            delay_s = max(0.0, (wake_ns - self._clock_ns()) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(delay_s + 0.001, self._tick)

    def _heed(self, unit: int, outcome: Outcome) -> None:
        """Who answers, and who does not."""
        kind = outcome.kind if isinstance(outcome, Failure) else None
        if kind is FailureKind.TIMEOUT:
            self._unanswered += 1
            self._unheard.add(unit)
            self._turns.timed_out(unit)
        elif kind is not FailureKind.CLOSED:
            self._last_heard = unit
            self._turns.heard(unit)

    def _heard_nobody_since(self) -> None:
        self._unanswered = 0
        self._unheard.clear()

    def _dead(self) -> bool:
        """Units that are known to be silent say nothing of the connection."""
        counts = self._last_heard is None or self._last_heard in self._unheard
        return self._unanswered >= DEAD_AFTER and counts

    def _tick(self) -> None:
        self._timer = None
        self._machine.tick(self._clock_ns())
        self._pump()


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(error, FileNotFoundError):
        return "there is no such serial port"
    if isinstance(error, PermissionError):
        return "not permitted to open the port"
    return f"cannot be reached: {error.strerror or error}"


class _TcpPort(asyncio.Protocol):
    """A TCP socket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport: asyncio.Transport | None = None

    @property
    def alive(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._connection.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._connection.lost("reset the connection" if exc is not None else "closed the connection")

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()


class _SerialPort:
    """A tty, set up by pyserial, read through the loop."""

    def __init__(self, connection: Connection, tty: str, baud: int) -> None:
        import serial

        try:
            self._serial = serial.Serial(tty, baud, timeout=0, write_timeout=0, exclusive=True)
        except serial.SerialException as error:
            raise OSError(error.errno or 0, str(error.strerror or error)) from None
        self._open = True
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._fd = self._serial.fileno()
        self._loop.add_reader(self._fd, self._readable)

    @property
    def alive(self) -> bool:
        return self._open

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 512)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(error.strerror or "unknown")
            return
        if data:
            self._connection.received(data)
        elif self._hung_up():
            # A line that has hung up is readable for ever and gives nothing: heard again and again it costs half a core.
            self._failed("it has hung up")

    def _hung_up(self) -> bool:
        looked = select.poll()
        looked.register(self._fd, 0)
        return bool(looked.poll(0))

    def _failed(self, reason: str) -> None:
        if self._open:
            self.close()
            self._connection.lost(f"the serial line failed: {reason}")

    def write(self, data: bytes) -> None:
        try:
            os.write(self._fd, data)
        except OSError as error:
            # Not from within the pump that is writing; a request half written times out as one that was lost.
            self._loop.call_soon(self._failed, error.strerror or "unknown")

    def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            self._serial.close()


def tcp_connection(host: str, port: int, timeout_s: float = SHARED_TIMEOUT_S) -> Connection:
    """A shared Modbus TCP connection; opened with the first request."""

    async def open_port(connection: Connection) -> Port:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(lambda: _TcpPort(connection), host, port)
        return protocol

    return Connection(
        f"{host}:{port}", Framing.TCP, lambda c: asyncio.ensure_future(open_port(c)), timeout_s=timeout_s
    )


def serial_connection(tty: str, baud: int, timeout_s: float | None = None) -> Connection:
    """A shared Modbus RTU line, 8N1; opened with the first request. ``timeout_s`` ``None``: what a shared link allows,
    and the time of the bytes."""
    if timeout_s is None:
        timeout_s = SHARED_TIMEOUT_S + LONGEST_EXCHANGE_BYTES * BITS_A_CHARACTER / baud

    async def open_port(connection: Connection) -> Port:
        return _SerialPort(connection, tty, baud)

    return Connection(
        tty,
        Framing.RTU,
        lambda c: asyncio.ensure_future(open_port(c)),
        timeout_s=timeout_s,
        silence_ns=max(LEAST_SILENCE_NS, int(3.5e9 * BITS_A_CHARACTER / baud)),
    )
