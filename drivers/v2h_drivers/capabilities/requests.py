"""What a device is asked for, and the waveforms that it is asked for."""

from __future__ import annotations

from dataclasses import dataclass


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
