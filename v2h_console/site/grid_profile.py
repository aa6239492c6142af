"""[grid] of comm_stack.conf into the core's settings, checked against what the standard lets a utility choose."""

from __future__ import annotations

from pathlib import Path

from v2h_console.core.grid_code import TRIP_RANGES, TRIP_TABLES, UTILITY_DELAYS_S, Category, TripElement
from v2h_console.core.settings import FAST, STEADY, EnterService, GridSettings, Separation
from v2h_console.site import toml_place
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import Grid


def settings_of(grid: Grid, path: Path, text: str) -> GridSettings:
    """The grid's settings; ``text`` is what the file says. Raises ConfigError naming the file, the element and its range."""
    category = Category(grid.category)
    delay_s = grid.enter_service_delay_s
    return GridSettings(
        category=category,
        detector=FAST if grid.detector == "fast" else STEADY,
        enter_service=EnterService(
            v_lo_pu=grid.enter_service_v_lo_pu,
            v_hi_pu=grid.enter_service_v_hi_pu,
            f_lo_hz=grid.enter_service_f_lo_hz,
            f_hi_hz=grid.enter_service_f_hi_hz,
            delay_s=UTILITY_DELAYS_S[grid.utility] if delay_s is None else delay_s,
            ramp_s=grid.enter_service_ramp_s,
        ),
        separation=Separation(grid.separation),
        trips=tuple(_element(grid, element, category, path, text) for element in TRIP_TABLES[category]),
    )


def _element(grid: Grid, default: TripElement, category: Category, path: Path, text: str) -> TripElement:
    name = default.name.lower()
    entry = getattr(grid.trips, name)
    if entry is None:
        return default
    allowed = TRIP_RANGES[category][default.name]
    for key, value, (low, high) in (
        ("limit", entry.limit, allowed.limit),
        ("clearing_s", entry.clearing_s, allowed.clearing_s),
    ):
        if not low <= value <= high:
            only = f"only {low:g}" if low == high else f"{low:g} to {high:g}"
            where = f"grid.trips.{name}.{key}"
            raise ConfigError(
                f"{toml_place.at(path, text, where)}: {where} is {value:g}: category {category.value} allows {only}"
            )
    return TripElement(default.name, default.quantity, default.over, entry.limit, entry.clearing_s)
