"""What a Vehicle-to-Home site's devices can tell and do: words only.

Every driver turns bytes into the frozen readings below and requests into bytes; everything above the drivers
knows these words and nothing of protocols. Conventions:

- ``at_ns`` is integer nanoseconds of the owner's monotonic clock: when the reading was received.
- ``quality``: GOOD is what the device said and the checks passed; SUSPECT is usable to show, never to act on;
  BAD failed a check (checksum, range, NaN, frozen). Unknown values are ``None``, never 0.
- Positive power flows from the source into the house (discharge, solar); positive load current is consumption.
- ``pu`` is per unit of 120 V RMS line to neutral.

This module imports typing words only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Quality(str, Enum):
    """How far a reading can be trusted. Only GOOD (and fresh) ever counts as healthy."""

    GOOD = "good"
    SUSPECT = "suspect"
    BAD = "bad"


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


# ---------------------------------------------------------------- fast readings (the logic controller's CAN)


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


# ---------------------------------------------------------------- slow readings (Modbus, later the car link)


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


Reading = (
    GridFast
    | HouseFast
    | MidState
    | InverterFast
    | UnitFast
    | ForeignCommand
    | Sync
    | LegCurrents
    | SideCycle
    | ControllerHeartbeat
    | LoadFeedback
    | Temperatures
    | Supply
    | CarSession
    | ControllerConfig
    | Identity
    | InverterStatus
    | CarStatus
    | SolarStatus
    | WallClock
    | CircuitReading
    | RelayStates
    | LinkHealth
    | StorageState
)


# ---------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """The MID and the inverter's gates, as one word so that no half of it can go astray.

    ``open_mid`` wins over ``close_mid``. ``close_token`` (1-255) is needed for a close, once each, and lives
    50 ms; 0 = none. Neither open nor close = hold. ``gate`` allows the inverter to switch, ``form`` asks it to
    make the voltage; the controller ANDs both with its own proof of an open MID. ``inverter_mask`` says whose gates
    (bit = index), ``primary`` which unit forms; the others follow it.
    """

    open_mid: bool
    close_mid: bool
    gate: bool
    form: bool
    inverter_mask: int = 1
    close_token: int = 0
    primary: int = 0


@dataclass(frozen=True, slots=True)
class InverterSetpoint:
    """What the forming inverter aims at. ``power_w`` positive = discharge; ``leg1_share`` 0..1."""

    frequency_hz: float
    voltage_v: float
    power_w: float
    leg1_share: float = 0.5


@dataclass(frozen=True, slots=True)
class ShedRequest:
    """Circuits to hold off: bit = circuit index, 1 = held off."""

    mask: int


@dataclass(frozen=True, slots=True)
class FanRequest:
    """Auxiliary fan duty in per cent."""

    duty_pct: int


@dataclass(frozen=True, slots=True)
class DischargeLimitRequest:
    """Most active power the inverter may give, in watts; confirmed by reading it back."""

    power_w: float


@dataclass(frozen=True, slots=True)
class RelayRequest:
    """Close or open one circuit's relay at the load centre; confirmed by reading it back."""

    circuit: int
    closed: bool


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """Record the voltages of both sides once; a capture that runs is given up for it."""


@dataclass(frozen=True, slots=True)
class WaveCapture:
    """One window of the four leg voltages, evenly sampled, volts; ``None`` where the sensor gave nothing.

    ``at_ns``: when it was asked for. ``samples`` of one channel are ``rate_hz`` apart.
    """

    at_ns: int
    rate_hz: float
    grid_l1_v: tuple[float | None, ...]
    grid_l2_v: tuple[float | None, ...]
    house_l1_v: tuple[float | None, ...]
    house_l2_v: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SolarPermitRequest:
    """Whether the solar inverter may give power at all; confirmed by what it gives."""

    permitted: bool


FastRequest = ControlRequest | InverterSetpoint | ShedRequest | FanRequest
SlowRequest = DischargeLimitRequest | RelayRequest | SolarPermitRequest


# ---------------------------------------------------------------- capabilities


class FastDevice(Protocol):
    """MID, grid sense, inverter gates and load shedding behind one fast link (the logic controller).

    A sans-I/O machine: frames and the time in; readings, frames and the next wake time out. On failure it owes:
    a reading with BAD quality for a frame that fails its checks, and nothing at all for a silent device, so
    that age tells. It never repeats an old value and never raises on anything that came from the wire.
    """

    def receive(self, arbitration_id: int, data: bytes, now_ns: int) -> Reading | None:
        """One received frame to at most one reading; ``None`` for frames that are not the device's."""

    def request(self, request: FastRequest, now_ns: int) -> None:
        """Take the request as the one in force; it goes out with the next ``frames_due``."""

    def frames_due(self, now_ns: int) -> list[tuple[int, bytes]]:
        """Frames to send now, as (arbitration id, 8 bytes): on change at once, else by their periods."""

    def wake_at_ns(self) -> int:
        """When ``frames_due`` next has something to send."""

    def capture(self, now_ns: int) -> None:
        """Begin to record a window of waveforms."""

    def captured(self) -> WaveCapture | str | None:
        """The window when it is whole, once; why it failed, once; ``None`` while it runs or none was asked for."""

    def health(self, now_ns: int) -> LinkHealth:
        """How the link is now."""

    def hurry(self, now_ns: int) -> None:
        """The command is due now, whatever its period: the device's patience begins anew with it."""

    def halted(self, for_ns: int) -> None:
        """So long nobody was listened to, though the clock did not go on: this whole machine was halted."""

    def counters(self) -> dict[str, int]:
        """The counter of each frame that was sent last, by name: what a next owner goes on from."""

    def carry_on(self, counters: dict[str, int]) -> None:
        """Go on from another owner's counters; names that are not sent here are passed over."""


class SlowDevice(Protocol):
    """A polled device (SunSpec inverter, load centre): driven by one asyncio task on the slow lane.

    On failure it owes: LinkHealth that says what is wrong in a plain clause, no reading made of a part of a
    reply, and a reconnect with a back-off of at most 5 s. A write is read back; a write that did not take
    effect is reported once in LinkHealth and never retried more than once.
    """

    name: str

    async def run(self) -> None:
        """Poll until cancelled."""

    def submit(self, request: SlowRequest) -> bool:
        """Queue a request; ``False`` when it is not this device's or the link is down."""

    def busy(self) -> bool:
        """From any thread: whether a request waits that nobody gives again, should the polling end now."""

    def ended(self, words: str) -> None:
        """Its task ended by a defect, to be started again: say that the link is lost, with these words."""
