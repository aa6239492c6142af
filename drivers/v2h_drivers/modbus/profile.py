"""Register maps as data: one TOML file a product, under ``profiles/``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


class ProfileError(ValueError):
    """A profile that cannot be used; raised at start-up, names the file and the key."""


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """Input registers (FC 4, float32, high word first) of a single-circuit meter."""

    name: str
    voltage_v: int
    current_a: int
    power_w: int
    frequency_hz: int


@dataclass(frozen=True, slots=True)
class RelayProfile:
    """Coils of a relay board: the first coil's address."""

    name: str
    first_coil: int
    coils: int


@cache
def meter_profile(name: str) -> MeterProfile:
    """The meter's profile. Raises ProfileError."""
    table = _load(name)
    registers = table.get("input_float32")
    if not isinstance(registers, dict):
        raise ProfileError(f"profiles/{name}.toml: needs [input_float32]")
    found = {}
    for key in ("voltage_v", "current_a", "power_w", "frequency_hz"):
        found[key] = _address(name, registers, key)
    return MeterProfile(name=str(table.get("name", name)), **found)


@cache
def relay_profile(name: str) -> RelayProfile:
    """The relay board's profile. Raises ProfileError."""
    table = _load(name)
    coils = table.get("coils")
    if not isinstance(coils, dict):
        raise ProfileError(f"profiles/{name}.toml: needs [coils]")
    return RelayProfile(
        str(table.get("name", name)), _address(name, coils, "first"), _address(name, coils, "count")
    )


def _load(name: str) -> dict[str, object]:
    path = resources.files("v2h_drivers.modbus") / "profiles" / f"{name}.toml"
    if not path.is_file():
        raise ProfileError(f"profiles/{name}.toml: there is no such profile")
    return dict(tomllib.loads(path.read_text("utf-8")))


def _address(name: str, table: dict[str, object], key: str) -> int:
    found = table.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= 0xFFFF:
        raise ProfileError(f"profiles/{name}.toml: {key} must be 0 to 65535")
    return found
