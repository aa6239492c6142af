"""What a Vehicle-to-Home site's devices can tell and do: words only.

Every driver turns bytes into frozen readings and requests into bytes; everything above the drivers knows these words and
nothing of protocols. Here: what a device is to the lane that drives it; beside it what it tells, fast or polled, and what it is
asked for. Conventions:

- ``at_ns`` is integer nanoseconds of the owner's monotonic clock: when the reading was received.
- ``quality``: GOOD is what the device said and the checks passed; SUSPECT is usable to show, never to act on;
  BAD failed a check (checksum, range, NaN, frozen). Unknown values are ``None``, never 0.
- Positive power flows from the source into the house (discharge, solar); positive load current is consumption.
- ``pu`` is per unit of 120 V RMS line to neutral.

Nothing in this package imports more than typing words.
"""

from __future__ import annotations

from typing import Protocol

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
    SideCycle,
    Supply,
    Sync,
    Temperatures,
    UnitFast,
)
from v2h_drivers.capabilities.requests import FastRequest, SlowRequest, WaveCapture
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
