"""How much the inverter may give now: every limit that stands, by name, and the one that binds (S31)."""

from __future__ import annotations

from v2h_console.core.car_session import EFFICIENCY, IDLE_W
from v2h_console.core.commands import Command
from v2h_console.core.frozen import replace
from v2h_console.core.senses import INVERTER_LIMIT_MS, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import State
from v2h_drivers.capabilities.requests import DischargeLimitRequest

#: A new limit is asked for only when it differs by this much, so that heat does not write registers all day.
LIMIT_STEP_W = 50.0
#: Two polls of the inverter: a limit that does not show by then is ignored (fault class 36).
CONFIRM_NS = 600 * NS_PER_MS
#: An ignored limit is asked for again so long after the last time, and then no more: only another value is.
RETRY_AFTER_NS = (2 * NS_PER_S, 10 * NS_PER_S, 60 * NS_PER_S)
#: What the registers round, and what the current limit on the bus does.
SHOWN_WITHIN_W, SHOWN_WITHIN = 100.0, 0.02
EFFECT_WITHIN_W, EFFECT_WITHIN = 240.0, 0.03
_OWN, _CAR = "inverter", "car"
#: With less than this no house is formed: it is what the inverter itself takes.
LEAST_W = 100.0


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
        limits.append((state.car.session.limit_w, _CAR))
    most_a = settings.car.max_discharge_a
    if most_a is not None:
        # While the voltage is unknown the lowest that is allowed counts: it gives the fewest watts.
        volts = state.car.dc_voltage_v
        dc_w = most_a * (settings.car.dc_lo_v if volts is None else volts)
        limits.append((max(0.0, EFFICIENCY * dc_w - IDLE_W), "amps"))
    shown_w = _shown_w(state)
    if state.limit_ignored and shown_w is not None:
        # What it was asked for is not what it will give: never more than it says itself.
        limits.append((shown_w, _OWN))
    return limits


def allowed_power_w(settings: Settings, state: State) -> tuple[float, str]:
    """Most power that the inverter may give now, and the limit that binds."""
    return min(limits_w(settings, state))


def may_start_w(settings: Settings, state: State) -> float:
    """With what a house may be lit; a car that refuses altogether lights none, and what it will allow is not known yet."""
    limits = limits_w(settings, state)
    return min(limit for limit, name in limits if name != _CAR or not state.car.session.refusal)


def refusal(settings: Settings, state: State) -> str:
    """Why no house can be fed under the limit that binds; "" = one can."""
    limit_w, name = allowed_power_w(settings, state)
    return "" if limit_w >= LEAST_W else f"the discharge limit is {limit_w / 1000:.1f} kW ({name})"


def watch(state: State, now_ns: int) -> State:
    """Whether the inverter took the last limit: by what it reads back, and by the current limit on the bus."""
    doubt = _doubt(state, now_ns)
    if not doubt:
        return replace(state, limit_doubted_ns=None, limit_ignored="", limit_tries=0)
    since_ns = now_ns if state.limit_doubted_ns is None else state.limit_doubted_ns
    return replace(
        state, limit_doubted_ns=since_ns, limit_ignored=doubt if now_ns - since_ns >= CONFIRM_NS else ""
    )


def _doubt(state: State, now_ns: int) -> str:
    asked_w, shown_w = state.requested_limit_w, _shown_w(state)
    if asked_w is None:
        return ""
    if shown_w is not None and abs(shown_w - asked_w) > max(SHOWN_WITHIN_W, SHOWN_WITHIN * asked_w):
        return f"asked {asked_w / 1000:.1f} kW, it says {shown_w / 1000:.1f} kW"
    fast = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    if fast is not None and fast.limit_a is not None:
        # Its own heat may lower it further; above what was asked it has no business.
        effect_w = 2.0 * NOMINAL_V * fast.limit_a
        if effect_w > asked_w + max(EFFECT_WITHIN_W, EFFECT_WITHIN * asked_w):
            return f"asked {asked_w / 1000:.1f} kW, it would give {effect_w / 1000:.1f} kW"
    return ""


def _shown_w(state: State) -> float | None:
    status = state.senses.inverter
    return None if status is None else status.max_discharge_w


def ask(settings: Settings, state: State, now_ns: int) -> tuple[State, tuple[Command, ...]]:
    """Ask the inverter for a new limit when it has changed, and it is there to be asked; again when it ignores one."""
    limit_w = min(limit for limit, name in limits_w(settings, state) if name != _OWN)
    asked_w = state.requested_limit_w
    if state.senses.inverter is None:
        return state, ()
    tries = 0
    if asked_w is not None and abs(limit_w - asked_w) < LIMIT_STEP_W:
        retry_ns = _retry_ns(state)
        if retry_ns is None or now_ns < retry_ns:
            return state, ()
        tries = state.limit_tries + 1
    following = replace(state, requested_limit_w=limit_w, requested_limit_ns=now_ns, limit_tries=tries)
    return following, (DischargeLimitRequest(limit_w),)


def _retry_ns(state: State) -> int | None:
    if not state.limit_ignored or state.limit_tries >= len(RETRY_AFTER_NS):
        return None
    return state.requested_limit_ns + RETRY_AFTER_NS[state.limit_tries]


def deadlines_ns(state: State) -> tuple[int, ...]:
    """When a limit counts as ignored, and when it is asked for again."""
    ends = []
    if state.limit_doubted_ns is not None and not state.limit_ignored:
        ends.append(state.limit_doubted_ns + CONFIRM_NS)
    retry_ns = _retry_ns(state)
    if retry_ns is not None:
        ends.append(retry_ns)
    return tuple(ends)
