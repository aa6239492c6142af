"""IEEE 1547-2018's trip settings as data: defaults, the ranges a utility may choose from, and utilities' own presets.

Voltages are per unit of the nominal, times in seconds. Source: Tables 11, 12, 13 (voltage) and 18 (frequency).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Category(str, Enum):
    """IEEE 1547-2018 abnormal operating performance category."""

    I = "I"  # noqa: E741  (the standard's own name)
    II = "II"
    III = "III"


@dataclass(frozen=True, slots=True)
class TripElement:
    """One line of the trip tables: beyond ``limit`` (strictly) for ``clearing_s`` → trip.

    ``quantity``: "v" in pu or "f" in hertz; ``over``: whether above or below the limit counts.
    """

    name: str
    quantity: str
    over: bool
    limit: float
    clearing_s: float


def _voltage_trips(
    ov1_s: float, uv1_pu: float, uv1_s: float, uv2_pu: float, uv2_s: float
) -> tuple[TripElement, ...]:
    return (
        TripElement("OV2", "v", True, 1.20, 0.16),
        TripElement("OV1", "v", True, 1.10, ov1_s),
        TripElement("UV1", "v", False, uv1_pu, uv1_s),
        TripElement("UV2", "v", False, uv2_pu, uv2_s),
    )


_FREQUENCY_TRIPS = (
    TripElement("OF2", "f", True, 62.0, 0.16),
    TripElement("OF1", "f", True, 61.2, 300.0),
    TripElement("UF1", "f", False, 58.5, 300.0),
    TripElement("UF2", "f", False, 56.5, 0.16),
)

#: IEEE 1547-2018 default trip settings by category (Tables 11, 12, 13 and 18).
TRIP_TABLES: dict[Category, tuple[TripElement, ...]] = {
    Category.I: _voltage_trips(2.0, 0.70, 2.0, 0.45, 0.16) + _FREQUENCY_TRIPS,
    Category.II: _voltage_trips(2.0, 0.70, 10.0, 0.45, 0.16) + _FREQUENCY_TRIPS,
    Category.III: _voltage_trips(13.0, 0.88, 21.0, 0.50, 2.0) + _FREQUENCY_TRIPS,
}


@dataclass(frozen=True, slots=True)
class TripRange:
    """What one element may be set to, both ends inclusive."""

    limit: tuple[float, float]
    clearing_s: tuple[float, float]


_FREQUENCY_RANGES = {
    "OF2": TripRange((61.8, 66.0), (0.16, 1000.0)),
    "OF1": TripRange((61.0, 66.0), (180.0, 1000.0)),
    "UF1": TripRange((50.0, 59.0), (180.0, 1000.0)),
    "UF2": TripRange((50.0, 57.0), (0.16, 1000.0)),
}
_OV = {"OV2": TripRange((1.20, 1.20), (0.16, 0.16)), "OV1": TripRange((1.10, 1.20), (1.0, 13.0))}
_UV_I_II = {"UV1": TripRange((0.0, 0.88), (2.0, 21.0)), "UV2": TripRange((0.0, 0.50), (0.16, 2.0))}
_UV_III = {"UV1": TripRange((0.0, 0.88), (21.0, 50.0)), "UV2": TripRange((0.0, 0.50), (2.0, 21.0))}

#: Allowed settings by category and element (the tables' "ranges of adjustability").
TRIP_RANGES: dict[Category, dict[str, TripRange]] = {
    Category.I: _OV | _UV_I_II | _FREQUENCY_RANGES,
    Category.II: _OV | _UV_I_II | _FREQUENCY_RANGES,
    Category.III: _OV | _UV_III | _FREQUENCY_RANGES,
}

#: Enter-service delays that utilities ask for instead of the standard's 300 s.
UTILITY_DELAYS_S: dict[str, float] = {
    "ieee1547": 300.0,
    "ca_rule21_2022": 15.0,
    "ca_ul1741sa_2016": 60.0,
    "ladwp": 60.0,
}
