"""An incident on disk: where the core stood, every observation after that, and what it answered.

MessagePack, compressed, with a checksum; readings and commands carry their kind's name, so that a field added later
fails loudly instead of being taken for another. Read only from the owner's own folder; a file that is torn, foreign or
of another version is refused in one line.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from v2h_console.core.commands import Command
from v2h_console.core.events import Event
from v2h_console.core.observation import CoreOrder, LatchReceipt, Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.storage import whole_file
from v2h_console.storage.disk import DISK, Disk
from v2h_drivers.capabilities.devices import Reading

MAGIC = b"V2HI"
#: Of the file's layout; what core values look like is checked by their own decoding.
VERSION = 2
SUFFIX = ".v2hincident"
#: Ten seconds of a busy bus take under 1 MB; a file that unpacks to more than this is none of ours.
MOST_BYTES = 64 * 1024 * 1024

_READINGS: dict[str, type] = {kind.__name__: kind for kind in get_args(Reading)}
_COMMANDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Command)}


_PACKER = msgspec.msgpack.Encoder()


class IncidentError(ValueError):
    """The file is no incident of this program. ``str()`` is one line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step: what went in at ``now_ns``, and what came out."""

    now_ns: int
    observation: Observation
    commands: tuple[Command, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """``state`` is the core's memory before the first entry; ``wall_s`` of the last one only informs."""

    title: str
    site: str
    wall_s: float
    settings: Settings
    state: State
    entries: tuple[Entry, ...]


class _Record(msgspec.Struct, array_like=True):
    now_ns: int
    sequence: int
    readings: list[tuple[str, dict[str, Any]]]
    orders: list[CoreOrder]
    receipts: list[LatchReceipt]
    commands: list[tuple[str, dict[str, Any]]]
    events: list[Event]


class _File(msgspec.Struct, array_like=True):
    title: str
    site: str
    wall_s: float
    settings: Settings
    state: State
    records: list[_Record]


def commands_bytes(commands: Sequence[Command]) -> bytes:
    """Commands as bytes: the same commands give the same bytes."""
    return msgspec.msgpack.encode([(type(one).__name__, msgspec.to_builtins(one)) for one in commands])


def packed(entry: Entry) -> bytes:
    """One step as it lies in the file; quick enough for the lane (12 µs with 31 readings)."""
    return _PACKER.encode(
        (
            entry.now_ns,
            entry.observation.sequence,
            [(type(one).__name__, one) for one in entry.observation.readings],
            entry.observation.orders,
            entry.observation.receipts,
            [(type(one).__name__, one) for one in entry.commands],
            entry.events,
        )
    )


def unpacked(record: bytes) -> Entry:
    """The step that ``packed`` gave. Raises msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError."""
    return _entry(msgspec.msgpack.decode(record, type=_Record))


def encode(incident: Incident) -> bytes:
    """The whole file."""
    return encode_packed(
        incident.title,
        incident.site,
        incident.wall_s,
        incident.settings,
        incident.state,
        [packed(entry) for entry in incident.entries],
    )


def encode_packed(
    title: str, site: str, wall_s: float, settings: Settings, state: State, records: Sequence[bytes]
) -> bytes:
    """The whole file from steps that are packed already."""
    whole = (title, site, wall_s, settings, state, [msgspec.Raw(record) for record in records])
    body = zlib.compress(_PACKER.encode(whole), 6)
    return MAGIC + bytes((VERSION,)) + zlib.crc32(body).to_bytes(4, "big") + body


def decode(data: bytes, where: str) -> Incident:
    """Read a file's bytes. Raises IncidentError."""
    if data[:4] != MAGIC:
        raise IncidentError(f"{where}: is no incident file")
    if data[4:5] != bytes((VERSION,)):
        raise IncidentError(
            f"{where}: is of layout {data[4] if len(data) > 4 else '?'}, this program reads {VERSION}"
        )
    body = data[9:]
    if zlib.crc32(body) != int.from_bytes(data[5:9], "big"):
        raise IncidentError(f"{where}: is damaged (its checksum does not fit)")
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(body, MOST_BYTES)
        if unpacker.unconsumed_tail:
            raise IncidentError(f"{where}: unpacks to more than {MOST_BYTES // 1_000_000} MB")
        found = msgspec.msgpack.decode(plain, type=_File)
        entries = tuple(_entry(record) for record in found.records)
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError) as error:
        said = " ".join(str(error).split())[:160]
        raise IncidentError(f"{where}: was written by another version of the core: {said}") from None
    return Incident(found.title, found.site, found.wall_s, found.settings, found.state, entries)


def _entry(record: _Record) -> Entry:
    readings: tuple[Reading, ...] = tuple(
        msgspec.convert(fields, _READINGS[kind]) for kind, fields in record.readings
    )
    commands: tuple[Command, ...] = tuple(
        msgspec.convert(fields, _COMMANDS[kind]) for kind, fields in record.commands
    )
    observation = Observation(record.sequence, readings, tuple(record.orders), tuple(record.receipts))
    return Entry(record.now_ns, observation, commands, tuple(record.events))


def read(path: Path) -> Incident:
    """Read a file. Raises IncidentError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise IncidentError(f"{path}: over {MOST_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise IncidentError(f"{path}: {error.strerror or error}") from None
    return decode(data, str(path))


def write(path: Path, data: bytes, disk: Disk = DISK) -> None:
    """Write whole or not at all, with the folder where there is none. Raises OSError."""
    disk.make_folder(path.parent)
    whole_file.write(path, data, disk=disk)
