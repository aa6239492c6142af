"""What is polled (Modbus, the car's own words), and what the owner says of its links, its clock and its storage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_drivers.capabilities.quality import Quality


@dataclass(frozen=True, slots=True)
class Identity:
    """A device's own words about itself. Untrusted text: show inert."""

    at_ns: int
    quality: Quality
    device: str
    manufacturer: str
    model: str
    version: str
    serial: str


@dataclass(frozen=True, slots=True)
class InverterStatus:
    """The inverter over SunSpec (models 701, 702, 704): slow, for show and cross-checks.

    ``power_w`` positive = into the house. ``max_discharge_w`` is the set limit, ``rated_w`` the nameplate.
    ``forming`` / ``following`` are DERMode bits 1 and 0.
    """

    at_ns: int
    quality: Quality
    device: str
    power_w: float | None
    l1_w: float | None
    l2_w: float | None
    l1_v: float | None
    l2_v: float | None
    l1l2_v: float | None
    frequency_hz: float | None
    temperature_c: float | None
    rated_w: float | None
    max_discharge_w: float | None
    forming: bool | None
    following: bool | None
    alarms: int | None


class CarSource(str, Enum):
    """Who a car's status comes from: a native link is judged by a shorter age than a polled register map."""

    POLLED = "polled"
    ISO_15118 = "iso15118"
    CHADEMO = "chademo"


@dataclass(frozen=True, slots=True)
class CarStatus:
    """The car's battery as its link reports it (SunSpec 713/714 until the car link itself speaks).

    ``dc_current_a`` positive = discharge. ``capacity_wh`` is the rated energy.
    """

    at_ns: int
    quality: Quality
    device: str
    soc_pct: float | None
    soh_pct: float | None
    capacity_wh: float | None
    dc_voltage_v: float | None
    dc_current_a: float | None
    dc_power_w: float | None
    source: CarSource = CarSource.POLLED


@dataclass(frozen=True, slots=True)
class SolarStatus:
    """A solar inverter on the house bus."""

    at_ns: int
    quality: Quality
    device: str
    power_w: float | None
    voltage_v: float | None
    frequency_hz: float | None
    rated_w: float | None


@dataclass(frozen=True, slots=True)
class WallClock:
    """The local date and time of day, zone rule applied: ``day`` is the proleptic Gregorian ordinal (1 = 0001-01-01).

    ``trusted``: whoever read it knows that it is set; else ``doubt`` says why not.
    """

    at_ns: int
    quality: Quality
    day: int
    second_of_day: int
    trusted: bool
    doubt: str = ""

    @property
    def weekday(self) -> int:
        """Monday is 0."""
        return (self.day + 6) % 7


@dataclass(frozen=True, slots=True)
class CircuitReading:
    """One circuit's meter: RMS volts and amps, watts (positive = consumed), hertz."""

    at_ns: int
    quality: Quality
    device: str
    circuit: int
    voltage_v: float | None
    current_a: float | None
    power_w: float | None
    frequency_hz: float | None


@dataclass(frozen=True, slots=True)
class RelayStates:
    """The load centre's relays as it reads them back: bit = circuit index, 1 = closed."""

    at_ns: int
    quality: Quality
    device: str
    closed_mask: int


class LinkState(str, Enum):
    """A device's link, in the order in which a technician meets it."""

    CONNECTING = "connecting"
    OK = "ok"
    LATE = "late"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """How a device's link is, said by its driver once a second and at once on a change.

    ``reason`` is a plain clause for the screen when not OK ("refused the connection"). ``answered_at_ns`` is the
    last good answer. ``bad`` counts frames or replies refused since start, ``good`` those accepted.
    ``round_trip_ms`` is the last one, where the protocol has one.
    """

    at_ns: int
    device: str
    protocol: str
    address: str
    state: LinkState
    reason: str
    answered_at_ns: int | None
    good: int
    bad: int
    round_trip_ms: float | None
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class StorageState:
    """How one part of the owner's own storage does (latch, audit, incidents, log, configuration), said on every change.

    ``failure``: why it cannot be written or read, a clause for the screen; "" = it can.
    """

    at_ns: int
    quality: Quality
    part: str
    failure: str
