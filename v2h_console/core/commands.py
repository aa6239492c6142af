"""What ``step`` asks for: requests to devices, and one request to the storage."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.observation import Kept
from v2h_drivers.capabilities.requests import (
    ControlRequest,
    DischargeLimitRequest,
    FanRequest,
    InverterSetpoint,
    RelayRequest,
    ShedRequest,
    SolarPermitRequest,
)


@dataclass(frozen=True, slots=True)
class PersistLatch:
    """Write latch record ``sequence`` durably; its receipt comes back in an Observation."""

    sequence: int
    locked: bool
    reason: str
    kept: Kept = Kept()


Command = (
    ControlRequest
    | InverterSetpoint
    | ShedRequest
    | FanRequest
    | DischargeLimitRequest
    | RelayRequest
    | SolarPermitRequest
    | PersistLatch
)
