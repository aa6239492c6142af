"""Reads SunSpec devices: finds the model chain once, then reads known models in blocks of at most 125 registers.

Point names, types, offsets and scale factors come from pysunspec2's model definitions. A not-implemented value is
``None``; so is NaN.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from v2h_drivers.modbus.connection import Connection, ModbusFailure
from v2h_drivers.modbus.machine import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, FailureKind

MARKER = (0x5375, 0x6E53)
BASES = (40000, 0, 50000)
END = 0xFFFF
MAX_BLOCK = 125
#: Exceptions that say of an address that nothing stands there; the others say that the device cannot answer now.
NOT_THERE = (ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE)
#: What a scale factor may be; a garbled one beyond it would make numbers that no arithmetic holds.
MAX_EXPONENT = 10
#: The largest raw value of a uint16; the next one means "not implemented".
MAX_RAW = 0xFFFE
#: A chain longer than this is a loop in a broken device.
MAX_MODELS = 64

Number = int | float | str | None


class NotSunSpec(Exception):
    """The unit has no SunSpec map where one may be. ``str()`` is a plain clause."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point: ``offset`` counted from the model's ID register, ``size`` in registers, ``scale`` a point's name or
    a fixed exponent."""

    name: str
    kind: str
    offset: int
    size: int
    scale: str | int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model stands: ``address`` of its ID register, ``length`` as the device says it."""

    model: int
    address: int
    length: int


@cache
def model_points(model: int) -> dict[str, Point]:
    """The model's points by name; the first instance of a repeated group's as ``group.name``. Raises KeyError."""
    path = resources.files("sunspec2") / "models" / "json" / f"model_{model}.json"
    if not path.is_file():
        raise KeyError(f"no definition of SunSpec model {model}")
    definition = json.loads(path.read_text("utf-8"))
    points: dict[str, Point] = {}
    _collect(definition["group"], 0, "", points)
    return points


def _collect(group: dict[str, Any], offset: int, prefix: str, points: dict[str, Point]) -> int:
    for entry in group.get("points", []):
        name = prefix + entry["name"]
        points[name] = Point(name, entry["type"], offset, entry["size"], entry.get("sf"))
        offset += entry["size"]
    for inner in group.get("groups", []):
        offset = _collect(inner, offset, f"{prefix}{inner['name']}.", points)
    return offset


async def find_models(connection: Connection, unit: int, bases: Sequence[int] = BASES) -> dict[int, Place]:
    """Walk the chain that begins at one of ``bases``. Raises ModbusFailure, at the first that is not answered at all, or
    NotSunSpec."""
    unable: ModbusFailure | None = None
    for base in bases:
        try:
            marker = await connection.read_holding(unit, base, 2)
        except ModbusFailure as failure:
            if failure.kind is not FailureKind.EXCEPTION:
                raise
            if failure.code not in NOT_THERE:
                unable = failure
            continue
        if marker == MARKER:
            return await _walk(connection, unit, base + 2)
    if unable is not None:
        # Busy, or not there behind its gateway: that tells nothing of a map.
        raise unable
    raise NotSunSpec(f"unit {unit} has no SunSpec map at 40000, 0 or 50000")


async def _walk(connection: Connection, unit: int, address: int) -> dict[int, Place]:
    places: dict[int, Place] = {}
    for _ in range(MAX_MODELS):
        model, length = await connection.read_holding(unit, address, 2)
        if model == END:
            return places
        places.setdefault(model, Place(model, address, length))
        address += 2 + length
        if address > 0xFFFF:
            break
    raise NotSunSpec(f"unit {unit}'s model chain has no end")


async def read_models(
    connection: Connection, unit: int, places: list[Place], block: int = MAX_BLOCK
) -> dict[int, tuple[int, ...]]:
    """Registers of each model, from ID on. Neighbours share a block of at most ``block``; nothing is read across a hole.

    Raises ModbusFailure, or NotSunSpec where a model does not stand where it stood.
    """
    read: dict[int, tuple[int, ...]] = {}
    run: list[Place] = []
    for place in sorted(places, key=lambda one: one.address):
        if run and place.address == run[-1].address + 2 + run[-1].length:
            run.append(place)
            continue
        read.update(await _read_run(connection, unit, run, block))
        run = [place]
    read.update(await _read_run(connection, unit, run, block))
    return read


async def _read_run(
    connection: Connection, unit: int, run: list[Place], block: int
) -> dict[int, tuple[int, ...]]:
    if not run:
        return {}
    start = run[0].address
    end = run[-1].address + 2 + run[-1].length
    registers: list[int] = []
    while start + len(registers) < end:
        at = start + len(registers)
        registers.extend(await connection.read_holding(unit, at, min(block, end - at)))
    read = {}
    for place in run:
        at = place.address - start
        if registers[at : at + 2] != [place.model, place.length]:
            raise NotSunSpec(
                f"unit {unit} has another map than it had: model {place.model} is not at its place"
            )
        read[place.model] = tuple(registers[at : at + 2 + place.length])
    return read


def instances(points: dict[str, Point], registers: tuple[int, ...], group: str) -> int:
    """How many of a repeated group the registers have room for."""
    first = min(point.offset for point in points.values() if point.name.startswith(f"{group}."))
    return max(0, len(registers) - first) // _size(points, group)


def _size(points: dict[str, Point], group: str) -> int:
    """Registers of one instance; groups within it are not counted, so that only flat ones may be walked."""
    return sum(point.size for point in points.values() if group and point.name.rpartition(".")[0] == group)


def value(points: dict[str, Point], registers: tuple[int, ...], name: str, nth: int = 0) -> Number:
    """One point's value, scaled; ``None`` when not implemented or beyond what the device has. ``nth``: in which instance
    of its repeated group, from 0."""
    point = points[name]
    at = point.offset + (nth * _size(points, name.rpartition(".")[0]) if nth else 0)
    words = registers[at : at + point.size]
    if len(words) < point.size:
        return None
    raw = _raw(point, words)
    if raw is None or isinstance(raw, str) or point.scale is None:
        return raw
    exponent = point.scale
    if isinstance(exponent, str):
        group = point.name.rpartition(".")[0]
        found = f"{group}.{exponent}" if f"{group}.{exponent}" in points else exponent
        scale = value(points, registers, found, nth)
        if not isinstance(scale, int):
            return None
        exponent = scale
    return raw * 10.0**exponent


def number(points: dict[str, Point], registers: tuple[int, ...], name: str, nth: int = 0) -> float | None:
    """``value`` for points that are numbers."""
    found = value(points, registers, name, nth)
    return None if found is None or isinstance(found, str) else float(found)


def text(points: dict[str, Point], registers: tuple[int, ...], name: str) -> str:
    """A string point, cut at its first NUL; "" when it has none. The text is the device's: show it inert."""
    found = value(points, registers, name)
    return found if isinstance(found, str) else ""


_NOT_IMPLEMENTED: dict[str, int] = {
    "int16": 0x8000,
    "sunssf": 0x8000,
    "uint16": 0xFFFF,
    "enum16": 0xFFFF,
    "bitfield16": 0xFFFF,
    "int32": 0x80000000,
    "uint32": 0xFFFFFFFF,
    "enum32": 0xFFFFFFFF,
    "bitfield32": 0xFFFFFFFF,
    "uint64": 0xFFFFFFFFFFFFFFFF,
    "int64": 0x8000000000000000,
}


def _raw(point: Point, words: tuple[int, ...]) -> int | float | str | None:
    if point.kind == "string":
        data = struct.pack(f">{len(words)}H", *words)
        return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    if point.kind in ("float32", "float64"):
        data = struct.pack(f">{len(words)}H", *words)
        real = float(struct.unpack(">f" if point.kind == "float32" else ">d", data)[0])
        return real if math.isfinite(real) else None
    number = 0
    for word in words:
        number = number << 16 | word
    if number == _NOT_IMPLEMENTED.get(point.kind):
        return None
    bits = 16 * len(words)
    if point.kind in ("int16", "sunssf", "int32", "int64") and number >> (bits - 1):
        number -= 1 << bits
    if point.kind == "sunssf" and abs(number) > MAX_EXPONENT:
        return None
    return number
