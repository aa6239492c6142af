"""Bringing the island in phase with the grid, and saying when a close would be right.

The close is commanded on the predicted angle at contact, phase + 360 · slip · closing time, not on the present one:
at 0.3 Hz and 100 ms the angle moves 10.8°. The site's limits are tighter than the standard's 20°, 10 %, 0.3 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import CYCLE_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NS_PER_MS, Settings, SyncSettings
from v2h_drivers.capabilities.requests import InverterSetpoint

#: Hertz asked for each degree of angle: closes the angle with a time constant of 0.55 s and never overshoots.
STEER_HZ_PER_DEG = 0.005


@dataclass(frozen=True, slots=True)
class SyncState:
    """``ok_since_ns``: since when every limit has been kept; ``predicted_deg``: angle at contact if closed now.

    ``aim``: where the inverter was sent when the close was commanded.
    """

    ok_since_ns: int | None = None
    predicted_deg: float | None = None
    reason: str = "no angle is known"
    aim: InverterSetpoint | None = None

    def held(self, settings: SyncSettings, now_ns: int) -> bool:
        """Whether the limits have been kept for the whole hold."""
        return self.ok_since_ns is not None and now_ns - self.ok_since_ns >= settings.hold_ms * NS_PER_MS


def update(
    settings: SyncSettings, closing_time_ms: float, state: SyncState, senses: Senses, now_ns: int
) -> SyncState:
    """Judge the newest angle, carried on to the contact: its own age and the relay's time. Stale is no angle."""
    sync = fresh(senses.sync, now_ns, settings.max_age_ms)
    if sync is None or sync.phase_deg is None or sync.slip_mhz is None or sync.voltage_difference_pct is None:
        return SyncState(reason="no fresh angle between house and grid", aim=state.aim)
    ahead_ms = closing_time_ms + (now_ns - sync.at_ns) / NS_PER_MS
    predicted = wrap_deg(sync.phase_deg + 0.36 * sync.slip_mhz * ahead_ms / 1000.0)
    reason = ""
    if abs(predicted) > settings.max_phase_deg:
        reason = f"angle at contact {predicted:+.1f}°, limit {settings.max_phase_deg:g}°"
    elif abs(sync.slip_mhz) > settings.max_slip_hz * 1000.0:
        reason = f"slip {sync.slip_mhz / 1000.0:+.3f} Hz, limit {settings.max_slip_hz:g} Hz"
    elif abs(sync.voltage_difference_pct) > settings.max_voltage_difference_pct:
        reason = f"voltage difference {sync.voltage_difference_pct:+.1f} %, limit {settings.max_voltage_difference_pct:g} %"
    if reason:
        return replace(state, ok_since_ns=None, predicted_deg=predicted, reason=reason)
    since = state.ok_since_ns if state.ok_since_ns is not None else sync.at_ns
    return replace(state, ok_since_ns=since, predicted_deg=predicted, reason="")


def aim(settings: Settings, senses: Senses, now_ns: int) -> InverterSetpoint:
    """Where the forming inverter must go: towards the grid's frequency, angle and voltage.

    Never beyond the window in which it may close: at the edge of a sag a counter of zero crossings reads several hertz
    too little for a cycle, and a house that followed would be 20 degrees away before the next.
    """
    inverter, window, most_hz = settings.inverter, settings.grid.enter_service, settings.sync.steer_max_hz
    sync = fresh(senses.sync, now_ns, settings.sync.max_age_ms * 3)
    grid = fresh(senses.grid_cycle, now_ns, CYCLE_LIMIT_MS)
    if sync is None or sync.phase_deg is None or grid is None or grid.frequency_hz is None:
        return InverterSetpoint(inverter.nominal_hz, inverter.nominal_v, 0.0)
    street_hz = max(window.f_lo_hz, min(window.f_hi_hz, grid.frequency_hz))
    correction_hz = max(-most_hz, min(most_hz, -STEER_HZ_PER_DEG * sync.phase_deg))
    legs = [volts for volts in (grid.l1_v, grid.l2_v) if volts is not None]
    target_v = sum(legs) / len(legs) if legs else inverter.nominal_v
    # Follow the grid's volts only inside what a house may see.
    target_v = max(0.95 * inverter.nominal_v, min(1.05 * inverter.nominal_v, target_v))
    return InverterSetpoint(round(street_hz + correction_hz, 4), round(target_v, 2), 0.0)


def wrap_deg(angle: float) -> float:
    """An angle in -180..180 degrees."""
    return (angle + 180.0) % 360.0 - 180.0
