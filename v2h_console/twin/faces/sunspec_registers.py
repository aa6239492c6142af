"""A SunSpec register image, laid out by hand from the model definitions: offsets and scale factors as numbers.

Not-implemented points carry the specification's values (SunSpec Device Information Model Specification V1.1, 5.1):
int16 0x8000, uint16 and enum16 0xFFFF, int32 0x80000000, uint32 and bitfield32 0xFFFFFFFF, acc64 0.
"""

from __future__ import annotations

NI_INT16, NI_UINT16 = 0x8000, 0xFFFF


class Image:
    """One model's registers; ``at`` an offset counted from the model's ID, as the specification counts."""

    __slots__ = ("registers",)

    def __init__(self, model: int, length: int) -> None:
        self.registers = [NI_UINT16] * (length + 2)
        self.registers[0] = model
        self.registers[1] = length

    def u16(self, at: int, value: float | None, exponent: int = 0) -> None:
        """Unsigned, or enumeration; clamped to what fits."""
        self.registers[at] = NI_UINT16 if value is None else _clamp(value, exponent, 0, 0xFFFE)

    def s16(self, at: int, value: float | None, exponent: int = 0) -> None:
        """Signed."""
        self.registers[at] = NI_INT16 if value is None else _clamp(value, exponent, -0x7FFF, 0x7FFF) & 0xFFFF

    def u32(self, at: int, value: float | None, exponent: int = 0) -> None:
        """Unsigned or bit field, high word first."""
        raw = 0xFFFFFFFF if value is None else _clamp(value, exponent, 0, 0xFFFFFFFE)
        self.registers[at : at + 2] = [raw >> 16, raw & 0xFFFF]

    def s32(self, at: int, value: float | None, exponent: int = 0) -> None:
        """Signed, high word first."""
        raw = 0x80000000 if value is None else _clamp(value, exponent, -0x7FFFFFFF, 0x7FFFFFFF) & 0xFFFFFFFF
        self.registers[at : at + 2] = [raw >> 16, raw & 0xFFFF]

    def u64(self, at: int, value: float | None, exponent: int = 0) -> None:
        """Unsigned, high word first."""
        raw = 0xFFFFFFFFFFFFFFFF if value is None else _clamp(value, exponent, 0, 0xFFFFFFFFFFFFFFFE)
        self.registers[at : at + 4] = [raw >> shift & 0xFFFF for shift in (48, 32, 16, 0)]

    def scale(self, at: int, exponent: int) -> None:
        """A scale factor."""
        self.registers[at] = exponent & 0xFFFF

    def text(self, at: int, words: int, value: str) -> None:
        """A string, NUL-padded."""
        raw = value.encode("utf-8")[: 2 * words].ljust(2 * words, b"\0")
        self.registers[at : at + words] = [raw[2 * i] << 8 | raw[2 * i + 1] for i in range(words)]

    def not_signed(self, *offsets: int) -> None:
        """Mark signed points as not implemented."""
        for at in offsets:
            self.registers[at] = NI_INT16


def _clamp(value: float, exponent: int, low: int, high: int) -> int:
    return max(low, min(high, round(value / 10.0**exponent)))


def common(manufacturer: str, model: str, version: str, serial: str, unit: int) -> Image:
    """Model 1."""
    image = Image(1, 66)
    image.text(2, 16, manufacturer)
    image.text(18, 16, model)
    image.text(34, 8, "")
    image.text(42, 8, version)
    image.text(50, 16, serial)
    image.u16(66, unit)
    image.registers[67] = 0x8000
    return image
