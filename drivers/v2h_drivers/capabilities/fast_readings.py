"""What the logic controller tells over CAN, up to every 2 ms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_drivers.capabilities.quality import Quality


class Side(str, Enum):
    """The two sides of the Microgrid Interconnection Device."""

    GRID = "grid"
    HOUSE = "house"


class InverterMode(str, Enum):
    """What the inverter says that it is doing."""

    OFF = "off"
    STANDBY = "standby"
    FOLLOWING = "following"
    FORMING = "forming"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class GridFast:
    """Grid side, every 2 ms: SOGI amplitudes and for how long the worse leg has been low.

    ``below_050_ms``: SOGI amplitude < 0.5 pu; ``below_088_ms``: sliding half-cycle RMS < 0.88 pu; both saturate
    at 409.4 ms. ``None`` = the controller does not know.
    """

    at_ns: int
    quality: Quality
    l1_pu: float | None
    l2_pu: float | None
    below_050_ms: float | None
    below_088_ms: float | None


@dataclass(frozen=True, slots=True)
class HouseFast:
    """House side, every 4 ms: SOGI amplitudes and the neutral's shift in pu."""

    at_ns: int
    quality: Quality
    l1_pu: float | None
    l2_pu: float | None
    neutral_shift_pu: float | None


@dataclass(frozen=True, slots=True)
class MidState:
    """The MID's two independent contacts, its coil, and how long ago a contact last moved.

    Open is ``nc_mirror_closed and not no_contact_closed``; any other pair is not open. ``since_edge_ms``
    saturates at 6553.4. ``pole_current_a`` is the larger of the two poles.
    """

    at_ns: int
    quality: Quality
    nc_mirror_closed: bool
    no_contact_closed: bool
    coil_on: bool
    bond_closed: bool
    interlock_ok: bool
    since_edge_ms: float | None
    pole_current_a: float | None
    operations: int


@dataclass(frozen=True, slots=True)
class InverterFast:
    """The inverter as the logic controller sees it, every 10 ms.

    ``limit_a``: continuous current of one leg that it would give now (the discharge limit in force, less its own
    derating), never a fixed rating; None where only the rating is known.
    """

    at_ns: int
    quality: Quality
    mode: InverterMode
    gate_on: bool
    form_enabled: bool
    fault: bool
    voltage_v: float | None
    frequency_hz: float | None
    current_a: float | None
    limit_a: float | None


@dataclass(frozen=True, slots=True)
class UnitFast:
    """One of several inverters (``unit`` 1-8), every 20 ms; its angle, slip and volts are against the house's bus."""

    at_ns: int
    quality: Quality
    unit: int
    mode: InverterMode
    gate_on: bool
    form_enabled: bool
    fault: bool
    phase_deg: float | None
    slip_hz: float | None
    voltage_difference_pct: float | None
    current_a: float | None
    limit_a: float | None


@dataclass(frozen=True, slots=True)
class ForeignCommand:
    """A valid command on the bus that this owner did not send: somebody else commands the controller."""

    at_ns: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class Sync:
    """House against grid: phase in degrees (-180..180), slip in mHz, voltage difference in per cent."""

    at_ns: int
    quality: Quality
    phase_deg: float | None
    slip_mhz: float | None
    voltage_difference_pct: float | None
    lc_time_ms: int | None


@dataclass(frozen=True, slots=True)
class LegCurrents:
    """RMS load current per leg and in the neutral, positive = consumed, every half cycle."""

    at_ns: int
    quality: Quality
    l1_a: float | None
    l2_a: float | None
    n_a: float | None


@dataclass(frozen=True, slots=True)
class SideCycle:
    """Half-cycle RMS volts of both legs and between them, and frequency, of one side."""

    at_ns: int
    quality: Quality
    side: Side
    l1_v: float | None
    l2_v: float | None
    l1l2_v: float | None
    frequency_hz: float | None


@dataclass(frozen=True, slots=True)
class ControllerHeartbeat:
    """The logic controller lives: its nonce (one a start), uptime and own state, every 20 ms."""

    at_ns: int
    quality: Quality
    nonce: int
    uptime_s: int | None
    fail_safe: bool
    lc_time_ms: int | None


@dataclass(frozen=True, slots=True)
class LoadFeedback:
    """Which circuit switches are really closed: bit = circuit index."""

    at_ns: int
    quality: Quality
    closed_mask: int


@dataclass(frozen=True, slots=True)
class Temperatures:
    """Inverter heatsink and ambient in °C, fan speed in rpm."""

    at_ns: int
    quality: Quality
    heatsink_c: float | None
    ambient_c: float | None
    fan_rpm: float | None


@dataclass(frozen=True, slots=True)
class Supply:
    """The controller's own supply in volts and how long its battery holds it, in minutes."""

    at_ns: int
    quality: Quality
    supply_v: float | None
    hold_up_min: float | None


class CarStage(str, Enum):
    """How far the car's session has come. ENERGISED alone means that its contactors may be closed."""

    UNKNOWN = "unknown"
    UNPLUGGED = "unplugged"
    LINKING = "linking"
    INSULATION = "insulation"
    PRECHARGE = "precharge"
    ENERGISED = "energised"
    STOPPED = "stopped"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class CarSession:
    """The DC side between inverter and car, every 50 ms and at once on a change.

    ``commanded_closed`` is what the contactors are told, the two others their own
    feedback. ``dc_voltage_v`` is the inverter's side of them, ``pack_voltage_v`` the car's. ``limit_a``: most DC amps
    that the car gives now.
    """

    at_ns: int
    quality: Quality
    stage: CarStage
    commanded_closed: bool
    positive_closed: bool
    negative_closed: bool
    dc_voltage_v: float | None
    pack_voltage_v: float | None
    insulation_ohm_per_v: float | None
    limit_a: float | None


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """The CRC of the configuration that the logic controller runs with."""

    at_ns: int
    quality: Quality
    configuration_crc: int | None
