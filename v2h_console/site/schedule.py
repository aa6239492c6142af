"""``schedule.conf``: the high tariff in local time, and how far the car may be emptied for it. TOML, optional."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, field

from v2h_console.core.settings import TariffSettings, TariffWindow
from v2h_console.site import toml_place
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import Name

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
#: Above the reserve that the house's backup begins to warn at.
ABOVE_FLOOR_PCT = 5.0


class HighTariff(Struct, frozen=True, forbid_unknown_fields=True):
    """``[[high_tariff]]``: from ``begins`` to ``ends``, "HH:MM"; one that passes midnight belongs to the day it began."""

    begins: str
    ends: str
    days: Annotated[list[Day], Meta(min_length=1, max_length=7)] = field(default_factory=lambda: list(DAYS))


class ScheduleFile(Struct, frozen=True, forbid_unknown_fields=True):
    """schedule.conf. ``clock``: synchronised (the kernel must say so) or set_by_hand (believed while it runs evenly)."""

    zone: Name
    clock: Literal["synchronised", "set_by_hand"] = "synchronised"
    disengage_at_soc: Annotated[float, Meta(ge=25, le=95)] = 50.0
    power_kw: Annotated[float, Meta(gt=0, le=100)] | None = None
    high_tariff: Annotated[list[HighTariff], Meta(max_length=20)] = []


def settings_of(path: str, text: str, file: ScheduleFile, floor_soc_pct: float) -> TariffSettings:
    """The core's part of it. Raises ConfigError: "FILE, line N: what is wrong, and what is allowed"."""
    try:
        ZoneInfo(file.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        said = (
            f"zone: {file.zone!r} is no time zone of this machine: allowed are names like 'America/New_York'"
        )
        raise _wrong(path, text, "zone", said) from None
    least_pct = floor_soc_pct + ABOVE_FLOOR_PCT
    if file.disengage_at_soc < least_pct:
        said = f"disengage_at_soc: {file.disengage_at_soc:g} is under {least_pct:g}: allowed are {least_pct:g} to 95"
        raise _wrong(path, text, "disengage_at_soc", said)
    return TariffSettings(
        windows=tuple(_window(path, text, nth, one) for nth, one in enumerate(file.high_tariff)),
        most_w=None if file.power_kw is None else file.power_kw * 1000.0,
        disengage_at_soc_pct=file.disengage_at_soc,
    )


def _window(path: str, text: str, nth: int, entry: HighTariff) -> TariffWindow:
    begins_min = _minutes(path, text, nth, "begins", entry.begins)
    ends_min = 1440 if entry.ends == "24:00" else _minutes(path, text, nth, "ends", entry.ends)
    if begins_min == ends_min:
        said = f"high_tariff: begins and ends at {entry.ends}: allowed are two times, a whole day is 00:00 to 24:00"
        raise _wrong(path, text, f"high_tariff[{nth}].ends", said)
    return TariffWindow(tuple(sorted({DAYS.index(day) for day in entry.days})), begins_min, ends_min)


def _minutes(path: str, text: str, nth: int, key: str, value: str) -> int:
    time = _TIME.fullmatch(value)
    if time is None:
        most = "24:00" if key == "ends" else "23:59"
        said = f"{key}: {value[:20]!r} is no time of day: allowed are 00:00 to {most}"
        raise _wrong(path, text, f"high_tariff[{nth}].{key}", said)
    return int(time[1]) * 60 + int(time[2])


def _wrong(path: str, text: str, where: str, said: str) -> ConfigError:
    return ConfigError(f"{toml_place.at(path, text, where)}: {said}")
