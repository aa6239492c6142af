"""The load centre's units on one RS-485 line: an 8-relay board and a single-circuit meter for each circuit.

The board answers as Waveshare's Modbus RTU relay (FC 1, 5, 15; coil i = circuit i); the meters as Eastron's SDM230
(FC 4, float32 high word first: volts 0x00, amps 0x06, watts 0x0C, hertz 0x46).
"""

from __future__ import annotations

import struct
import threading

from v2h_console.twin.faces.modbus_server import ILLEGAL_ADDRESS, ModbusError, UnitFace
from v2h_console.twin.world import World

RELAYS = 8
#: All of the meter's inputs that are answered: 0x00 to 0x4F.
METER_REGISTERS = 0x50
VOLTS, AMPS, WATTS, HERTZ = 0x00, 0x06, 0x0C, 0x46


class RelayBoard(UnitFace):
    """Coils 0-7."""

    def __init__(self, world: World, lock: threading.Lock) -> None:
        self._world = world
        self._lock = lock

    def read_coils(self, address: int, count: int) -> list[bool]:
        """FC 1."""
        self._check(address, count)
        with self._lock:
            closed = [circuit.relay_closed for circuit in self._world.circuits]
        return closed[address : address + count]

    def write_coils(self, address: int, values: list[bool]) -> None:
        """FC 5 and 15."""
        self._check(address, len(values))
        with self._lock:
            for index, value in enumerate(values):
                self._world.set_relay(address + index, value)

    def _check(self, address: int, count: int) -> None:
        if address + count > min(RELAYS, len(self._world.circuits)):
            raise ModbusError(ILLEGAL_ADDRESS)


class CircuitMeter(UnitFace):
    """One circuit's meter."""

    def __init__(self, world: World, lock: threading.Lock, circuit: int) -> None:
        self._world = world
        self._lock = lock
        self._circuit = circuit

    def read_input(self, address: int, count: int) -> list[int]:
        """FC 4."""
        if address + count > METER_REGISTERS:
            raise ModbusError(ILLEGAL_ADDRESS)
        with self._lock:
            circuit = self._world.circuits[self._circuit]
            values = {VOLTS: circuit.voltage_v, AMPS: circuit.current_a, WATTS: circuit.power_w}
            frequency = self._world.frequency_hz("house")
        values[HERTZ] = frequency if frequency is not None else 0.0
        registers = [0] * METER_REGISTERS
        for at, value in values.items():
            registers[at : at + 2] = struct.unpack(">HH", struct.pack(">f", value))
        return registers[address : address + count]
