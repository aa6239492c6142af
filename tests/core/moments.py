"""Houses at the moments that the tests start from, and what they look for there."""

from __future__ import annotations

from dataclasses import replace

from tests.core.houses import House
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality


def opened_and_dark(house: House) -> bool:
    """MID told to open, gates off, no form."""
    control = house.control
    return control.open_mid and not control.close_mid and not control.gate and not control.form


def bad(reading: Reading) -> Reading:
    """The same, failed by its driver."""
    return replace(reading, quality=Quality.BAD)


def brought_to(mode: Mode, *, phase_deg: float = 0.0) -> House:
    """An island whose grid has come back, stepped until the machine is in ``mode``."""
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.phase_deg = phase_deg
    house.until(mode, tick_ms=5)
    return house


def syncing() -> House:
    """Requalified, but out of phase: nothing may close yet."""
    return brought_to(Mode.SYNCING, phase_deg=90.0)


def closing_sync() -> House:
    """The close onto the live grid has just been commanded; the contacts still travel."""
    return brought_to(Mode.CLOSING_SYNC)


def handback() -> House:
    """Closed and level; the inverter does not follow yet."""
    house = closing_sync()
    house.plant.will_not_follow = True
    house.until(Mode.HANDBACK, tick_ms=2)
    return house


def closing_dead() -> House:
    """A depleted, dark house whose grid has come back: the close onto the dead bus has just been commanded."""
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.plant.grid_returns()
    house.until(Mode.CLOSING_DEAD)
    return house
