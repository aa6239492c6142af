"""Frame layouts taken from a DBC file once, at start-up, so that a frame costs microseconds and not a dictionary.

cantools parses and checks the DBC; what is kept are shifts, masks, scales and limits. Only what the logic
controller's frames need is supported: little-endian integer signals within the first 6 of 8 bytes.

``[minimum|maximum]`` of a DBC signal is read as what is physically possible. Outside it, all bits set (signed: the
most negative value) is "not available", and anything else is impossible and makes the whole frame suspect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cantools.database.can import Message, Signal

#: Signals end where the counter begins.
SIGNAL_BYTES = 6
COUNTER_BYTE = 6
CRC_BYTE = 7
FRAME_BYTES = 8
#: The message attribute of the DBC that holds a frame's period.
_PERIOD_ATTRIBUTE = "PeriodUs"


class LayoutError(ValueError):
    """The DBC says something that these frames do not have; raised at start-up only, never for a frame."""


@dataclass(frozen=True, slots=True)
class Field:
    """One signal: ``(word >> shift) & mask`` is its raw value, ``raw * scale + offset`` the physical one.

    ``sign_bit`` is 0 for unsigned signals. ``lowest`` and ``highest`` are the possible raw values after sign
    extension; ``not_available`` is the raw value that says so.
    """

    name: str
    shift: int
    mask: int
    sign_bit: int
    not_available: int
    lowest: int
    highest: int
    scale: float
    offset: float

    def encode(self, value: float | None) -> int:
        """Physical value to bits, in place. Clamped to what is possible; ``None`` or NaN is not available."""
        if value is None or math.isnan(value):
            raw = self.not_available
        else:
            # The clamp comes before rounding: infinity has no nearest integer.
            raw = round(min(max((value - self.offset) / self.scale, self.lowest), self.highest))
        return (raw & self.mask) << self.shift


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """One message of the DBC: its id, period, whether the controller sends it, and its fields by name."""

    name: str
    arbitration_id: int
    period_ns: int
    sender: str
    fields: Mapping[str, Field]

    def pick(self, *names: str) -> FieldReader:
        """A reader of these fields, in this order. Raises :class:`LayoutError` for a name the DBC lacks."""
        return FieldReader([self._field(name) for name in names])

    def encode(self, values: Mapping[str, float | None]) -> bytes:
        """The first 6 bytes of a frame. Fields not named are 0. Raises :class:`LayoutError` for unknown names."""
        word = 0
        for name, value in values.items():
            word |= self._field(name).encode(value)
        return word.to_bytes(SIGNAL_BYTES, "little")

    def _field(self, name: str) -> Field:
        field = self.fields.get(name)
        if field is None:
            raise LayoutError(f"{self.name} has no signal {name!r} in the DBC")
        return field


class FieldReader:
    """Reads a few fields of one frame."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Sequence[Field]) -> None:
        # Plain tuples: on the hot path each attribute access would cost as much as the arithmetic.
        self._fields = tuple(
            (f.shift, f.mask, f.sign_bit, f.lowest, f.highest, f.scale, f.offset, f.not_available)
            for f in fields
        )

    def read(self, data: bytes) -> tuple[list[float | None], bool]:
        """Values in the order of the fields, and whether all of them are possible.

        ``data`` is a whole frame. A field that is not available, or impossible, is ``None``; only the latter makes
        the second part false. A field with whole scale and offset is an ``int``.
        """
        word = int.from_bytes(data[:SIGNAL_BYTES], "little")
        values: list[float | None] = []
        possible = True
        for shift, mask, sign_bit, lowest, highest, scale, offset, not_available in self._fields:
            raw = (word >> shift) & mask
            if raw & sign_bit:
                raw -= sign_bit << 1
            if lowest <= raw <= highest:
                values.append(raw * scale + offset)
            else:
                values.append(None)
                possible = possible and raw == not_available
        return values, possible


@cache
def load_layouts(path: Path) -> Mapping[str, FrameLayout]:
    """All messages of a DBC by name; read once a process.

    Raises OSError when the file cannot be read, cantools' own errors when it is no DBC, and
    :class:`LayoutError` when a message does not have the form of these frames.
    """
    # Here, not at the top: importing cantools costs some 90 ms, which the first screen must not wait for.
    import cantools.database
    from cantools.database.can import Database

    database = cantools.database.load_string(path.read_text(encoding="utf-8"), "dbc", strict=True)
    if not isinstance(database, Database):
        raise LayoutError(f"{path.name} is not a CAN database")
    return MappingProxyType({message.name: _layout(message) for message in database.messages})


def _layout(message: Message) -> FrameLayout:
    if message.length != FRAME_BYTES:
        raise LayoutError(f"{message.name} has {message.length} bytes, not {FRAME_BYTES}")
    attributes = message.dbc.attributes if message.dbc is not None else {}
    if _PERIOD_ATTRIBUTE not in attributes:
        raise LayoutError(f"{message.name} has no {_PERIOD_ATTRIBUTE} in the DBC")
    signals = [signal for signal in message.signals if signal.start < 8 * SIGNAL_BYTES]
    return FrameLayout(
        name=message.name,
        arbitration_id=message.frame_id,
        period_ns=int(attributes[_PERIOD_ATTRIBUTE].value) * 1_000,
        sender=message.senders[0],
        fields={signal.name: _field(message.name, signal) for signal in signals},
    )


def _field(message: str, signal: Signal) -> Field:
    if (
        signal.byte_order != "little_endian"
        or signal.is_float
        or signal.start + signal.length > 8 * SIGNAL_BYTES
    ):
        raise LayoutError(f"{message}.{signal.name} is not a little-endian integer in bytes 0 to 5")
    if signal.minimum is None or signal.maximum is None:
        raise LayoutError(f"{message}.{signal.name} has no [minimum|maximum] in the DBC")
    mask = (1 << signal.length) - 1
    sign_bit = 1 << (signal.length - 1) if signal.is_signed else 0
    return Field(
        name=signal.name,
        shift=signal.start,
        mask=mask,
        sign_bit=sign_bit,
        not_available=-sign_bit if signal.is_signed else mask,
        lowest=round((signal.minimum - signal.offset) / signal.scale),
        highest=round((signal.maximum - signal.offset) / signal.scale),
        scale=signal.scale,
        offset=signal.offset,
    )
