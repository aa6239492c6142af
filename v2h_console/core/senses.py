"""The last word of every device, with its age: what the core believes about the world, and how stale it is.

Unknown is a third value: ``fresh`` gives the reading only while it is GOOD and young enough, else ``None``, so that
no rule can take silence for health (I4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeVar, get_args

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_MS
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import (
    CarSession,
    ControllerConfig,
    ControllerHeartbeat,
    ForeignCommand,
    GridFast,
    HouseFast,
    InverterFast,
    LegCurrents,
    LoadFeedback,
    MidState,
    Side,
    SideCycle,
    Supply,
    Sync,
    Temperatures,
)
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import (
    CarStatus,
    CircuitReading,
    Identity,
    InverterStatus,
    LinkHealth,
    RelayStates,
    SolarStatus,
    StorageState,
    WallClock,
)


@dataclass(frozen=True, slots=True)
class Senses:
    """The newest reading of each kind, whatever its quality; ``None`` = never heard."""

    grid_fast: GridFast | None = None
    house_fast: HouseFast | None = None
    mid: MidState | None = None
    inverter_fast: InverterFast | None = None
    sync: Sync | None = None
    currents: LegCurrents | None = None
    grid_cycle: SideCycle | None = None
    house_cycle: SideCycle | None = None
    heartbeat: ControllerHeartbeat | None = None
    load_feedback: LoadFeedback | None = None
    temperatures: Temperatures | None = None
    supply: Supply | None = None
    controller_config: ControllerConfig | None = None
    inverter: InverterStatus | None = None
    car: CarStatus | None = None
    car_session: CarSession | None = None
    solar: SolarStatus | None = None
    relays: RelayStates | None = None
    circuits: tuple[CircuitReading | None, ...] = ()
    foreign_command: ForeignCommand | None = None
    wall_clock: WallClock | None = None
    identities: tuple[Identity, ...] = ()
    links: tuple[LinkHealth, ...] = ()
    storage: tuple[StorageState, ...] = ()


_FIELD_OF: dict[type, str] = {
    GridFast: "grid_fast",
    HouseFast: "house_fast",
    MidState: "mid",
    InverterFast: "inverter_fast",
    Sync: "sync",
    LegCurrents: "currents",
    ControllerHeartbeat: "heartbeat",
    LoadFeedback: "load_feedback",
    Temperatures: "temperatures",
    Supply: "supply",
    ControllerConfig: "controller_config",
    InverterStatus: "inverter",
    CarStatus: "car",
    CarSession: "car_session",
    SolarStatus: "solar",
    ForeignCommand: "foreign_command",
    RelayStates: "relays",
    WallClock: "wall_clock",
}

#: Slow ones, whose age limit is the time for which the fault classes let them be unknown.
_PATIENT = ("car", "temperatures")
NONSENSE_NS = 500 * NS_PER_MS
_MAX_CIRCUITS = 32
_MOST_PARTS = 16

_FLOATS_OF: dict[type, tuple[str, ...]] = {
    kind: tuple(one.name for one in fields(kind) if "float" in str(one.type)) for kind in get_args(Reading)
}


def screen(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """The readings as the core may use them: NaN and infinity are a fault of the whole reading, and unknown (I4).

    Comparisons with NaN are false whichever way they are asked, so that one behind a driver's back would pass for
    "inside its limits".
    """
    for reading in readings:
        for name in _FLOATS_OF[type(reading)]:
            value = getattr(reading, name)
            if value is not None and not math.isfinite(value):
                return tuple(map(_screened, readings))
    return readings


def _screened(reading: Reading) -> Reading:
    lost: dict[str, object] = {}
    for name in _FLOATS_OF[type(reading)]:
        value = getattr(reading, name)
        if value is not None and not math.isfinite(value):
            lost[name] = None
    if not lost:
        return reading
    return replace(reading, quality=Quality.BAD, **lost)  # type: ignore[arg-type]  # names are the reading's own


def absorb(senses: Senses, readings: Iterable[Reading]) -> Senses:
    """Take the readings in their order; the newest of each kind stays. Returns the same object for none."""
    changes: dict[str, object] = {}
    for reading in readings:
        name = _FIELD_OF.get(type(reading))
        if name is not None:
            if name in _PATIENT and garbled(reading, changes.get(name, getattr(senses, name))):
                continue
            changes[name] = reading
        elif isinstance(reading, SideCycle):
            changes["grid_cycle" if reading.side is Side.GRID else "house_cycle"] = reading
        elif isinstance(reading, CircuitReading):
            held = changes.get("circuits", senses.circuits)
            assert isinstance(held, tuple)
            changes["circuits"] = _with_circuit(held, reading)
        elif isinstance(reading, LinkHealth):
            links = changes.get("links", senses.links)
            assert isinstance(links, tuple)
            changes["links"] = (*(link for link in links if link.device != reading.device), reading)
        elif isinstance(reading, Identity):
            known = changes.get("identities", senses.identities)
            assert isinstance(known, tuple)
            changes["identities"] = (*(one for one in known if one.device != reading.device), reading)
        elif isinstance(reading, StorageState):
            parts = changes.get("storage", senses.storage)
            assert isinstance(parts, tuple)
            changes["storage"] = (*(one for one in parts if one.part != reading.part), reading)[-_MOST_PARTS:]
    return replace(senses, **changes) if changes else senses  # type: ignore[arg-type]  # names come from _FIELD_OF


def garbled(reading: object, held: object) -> bool:
    """Whether a slow word tells nothing after one that did. That one counts until its own age ends it: a single word that
    is garbled darkens no house."""
    if _tells(reading) or not _tells(held):
        return False
    if (
        isinstance(reading, Temperatures)
        and isinstance(held, Temperatures)
        and reading.heatsink_c is not None
    ):
        # A sensor that goes on telling nonsense is broken: a second after it began that has been acted on.
        return reading.at_ns - held.at_ns <= NONSENSE_NS
    return True


def _tells(reading: object) -> bool:
    if not isinstance(reading, CarStatus | Temperatures) or reading.quality is not Quality.GOOD:
        return False
    return reading.soc_pct is not None if isinstance(reading, CarStatus) else not implausible_heat(reading)


def implausible_heat(reading: Temperatures) -> bool:
    """A heatsink that is unknown, colder than the air around it, or beyond what a thermistor can say: a broken sensor."""
    heatsink_c, ambient_c = reading.heatsink_c, reading.ambient_c
    if heatsink_c is None or not -30.0 <= heatsink_c <= 130.0:
        return True
    return ambient_c is not None and heatsink_c < ambient_c - 10.0


def _with_circuit(
    held: tuple[CircuitReading | None, ...], reading: CircuitReading
) -> tuple[CircuitReading | None, ...]:
    if not 0 <= reading.circuit < _MAX_CIRCUITS:
        return held
    padded = list(held) + [None] * (reading.circuit + 1 - len(held))
    padded[reading.circuit] = reading
    return tuple(padded)


AnyReading = TypeVar("AnyReading", bound=Reading)


def fresh(reading: AnyReading | None, now_ns: int, limit_ms: float) -> AnyReading | None:
    """The reading while it is GOOD and at most ``limit_ms`` old; else ``None``: unknown, as what comes from the future."""
    if (
        reading is None
        or reading.quality is not Quality.GOOD
        or abs(now_ns - reading.at_ns) > limit_ms * NS_PER_MS
    ):
        return None
    return reading


# How old each fast reading may be before it is unknown: three periods of docs/can.md, plus the fast lane's own
# lateness (8.6 ms at its worst when measured), and never beyond the reaction that the fault classes ask for.
GRID_FAST_LIMIT_MS = 60.0
HOUSE_FAST_LIMIT_MS = 60.0
MID_LIMIT_MS = 60.0
INVERTER_LIMIT_MS = 60.0
CYCLE_LIMIT_MS = 100.0
CURRENTS_LIMIT_MS = 100.0
HEARTBEAT_LIMIT_MS = 100.0
LOAD_FEEDBACK_LIMIT_MS = 200.0
TEMPERATURES_LIMIT_MS = 1_000.0
