"""How much the inverter may give now: every limit that stands, by name, and the one that binds (S31)."""

from __future__ import annotations

from v2h_console.core.commands import Command
from v2h_console.core.frozen import replace
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_drivers.capabilities import DischargeLimitRequest

#: A new limit is asked for only when it differs by this much, so that heat does not write registers all day.
LIMIT_STEP_W = 50.0


def limits_w(settings: Settings, state: State) -> list[tuple[float, str]]:
    """The chain of limits in watts with their names, in no order: what a technician reads down."""
    limits = [(settings.inverter.max_discharge_w, "set"), (settings.inverter.rated_w, "rated")]
    if state.operator_limit_w is not None:
        limits.append((state.operator_limit_w, "operator"))
    if state.thermal.limit_w is not None:
        limits.append((state.thermal.limit_w, "heat"))
    if state.loads.blind:
        # Unknown load currents: half is what the inverter may be asked for (fault class 10).
        limits.append((settings.inverter.max_discharge_w / 2.0, "load current sensors"))
    if state.car.session.limit_w is not None:
        # While it is unknown the car refuses altogether: no number stands for that.
        limits.append((state.car.session.limit_w, "car"))
    most_a = settings.car.max_discharge_a
    if most_a is not None:
        # While the voltage is unknown the lowest that is allowed counts: it gives the fewest watts.
        volts = state.car.dc_voltage_v
        limits.append((most_a * (settings.car.dc_lo_v if volts is None else volts), "amps"))
    return limits


def allowed_power_w(settings: Settings, state: State) -> tuple[float, str]:
    """Most power that the inverter may give now, and the limit that binds."""
    return min(limits_w(settings, state))


def ask(settings: Settings, state: State, now_ns: int) -> tuple[State, tuple[Command, ...]]:
    """Ask the inverter for a new limit when it has changed, and it is there to be asked."""
    limit_w, _ = allowed_power_w(settings, state)
    asked_w = state.requested_limit_w
    if state.senses.inverter is None or (asked_w is not None and abs(limit_w - asked_w) < LIMIT_STEP_W):
        return state, ()
    following = replace(state, requested_limit_w=limit_w, requested_limit_ns=now_ns)
    return following, (DischargeLimitRequest(limit_w),)
