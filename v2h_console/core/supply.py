"""The controller's own supply: watched, said early, and an orderly stop before it takes the controller down.

A logic controller that dies lets the MID spring open and the gates go by itself; that is the last line, not the plan.
So a supply that sags, or a buffer that is nearly empty while nothing charges it, opens the MID and turns the gates off
while the latch can still be written and the screen can still say why. Silence of the SUPPLY frame is not health: it is
said, but it stops nothing, because the heartbeat tells by itself whether the controller lives.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, SupplySettings
from v2h_console.core.since import since
from v2h_drivers.capabilities.fast_readings import Supply

#: Fifteen periods of the SUPPLY frame.
SUPPLY_LIMIT_MS = 1_500.0
#: After so long in a house that is lit again the charger must show.
CHARGES_NS = 10 * NS_PER_S
WARN_CLEARS_V = 0.3


@dataclass(frozen=True, slots=True)
class SupplyState:
    """``low``: warned of; ``stop``: nothing may be tied, formed or closed; ``reason`` in words, "" while all is well.

    ``failing_since_ns``/``good_since_ns``: since when the newest readings say so.
    """

    reading: Supply | None = None
    heard: bool = False
    low: bool = False
    stop: bool = False
    reason: str = ""
    failing_since_ns: int | None = None
    good_since_ns: int | None = None
    #: The house, which charges the buffer, has no voltage; and when it was lit again, until its charger has shown itself.
    dark: bool = False
    relit_ns: int | None = None


def update(
    settings: SupplySettings, state: SupplyState, senses: Senses, now_ns: int, *, lit: bool = True
) -> SupplyState:
    """Judge the newest reading. Returns the same object while nothing new was said and no time runs. ``lit``: the house has
    voltage. In a dark one the buffer runs down, and nothing would be gained by not lighting it."""
    state = _follow_house(state, now_ns, lit)
    reading = fresh(senses.supply, now_ns, SUPPLY_LIMIT_MS)
    if reading is None or reading.supply_v is None:
        if senses.supply is None:
            return state
        why = "the controller does not say how its supply is"
        return replace(state, reading=None, low=True, reason=state.reason if state.stop else why)
    if state.relit_ns is not None and not _excused(state, now_ns):
        state = replace(state, relit_ns=None, reading=None)
    waiting = (state.failing_since_ns is not None) != state.stop or (
        state.stop and state.good_since_ns is not None
    )
    if not waiting and (reading is state.reading or reading == state.reading):
        return state
    volts, minutes = reading.supply_v, reading.hold_up_min
    on_battery = volts < settings.mains_v
    failing = volts < settings.stop_v or (
        on_battery
        and not _excused(state, now_ns)
        and minutes is not None
        and minutes < settings.stop_hold_up_min
    )
    # The last digit of a supply that rests on the threshold must not ring.
    warn_v = settings.warn_v + (WARN_CLEARS_V if state.low else 0.0)
    low = failing or volts < warn_v or minutes is None or minutes < settings.warn_hold_up_min
    good = volts >= settings.recovered_v and not failing
    failing_since = since(state.failing_since_ns, failing, now_ns)
    good_since = since(state.good_since_ns, good, now_ns)
    stop = state.stop
    if failing_since is not None and now_ns - failing_since >= settings.confirm_ms * NS_PER_MS:
        stop = True
    elif stop and good_since is not None and now_ns - good_since >= settings.recover_s * NS_PER_S:
        stop = False
    return SupplyState(
        reading=reading,
        heard=True,
        low=low,
        stop=stop,
        reason=_words(settings, volts, minutes, warn_v=warn_v, failing=failing, low=low, stop=stop),
        failing_since_ns=failing_since,
        good_since_ns=good_since,
        dark=state.dark,
        relit_ns=state.relit_ns,
    )


def _follow_house(state: SupplyState, now_ns: int, lit: bool) -> SupplyState:
    if lit is not state.dark:
        return state
    return replace(state, dark=not lit, relit_ns=now_ns if lit else None)


def _excused(state: SupplyState, now_ns: int) -> bool:
    """Whether a buffer that runs down says nothing of its charger; once it has stopped a lit house, it does."""
    if state.stop:
        return False
    return state.dark or (state.relit_ns is not None and now_ns - state.relit_ns < CHARGES_NS)


def _words(
    settings: SupplySettings,
    volts: float,
    minutes: float | None,
    *,
    warn_v: float,
    failing: bool,
    low: bool,
    stop: bool,
) -> str:
    if volts < warn_v or (stop and not failing):
        return f"the controller's supply is at {volts:.1f} V, it needs {settings.recovered_v:.1f} V"
    if minutes is None:
        return "how long the controller's battery lasts is unknown"
    if low:
        return f"the controller's battery lasts {minutes:.0f} min"
    return ""


def refusal(state: SupplyState) -> str:
    """Why nothing may be formed or closed with this supply; "" = it may."""
    return state.reason if state.stop else ""


def deadlines_ns(settings: SupplySettings, state: SupplyState) -> tuple[int, ...]:
    """When time alone stops, or ends the stop."""
    ends = []
    if state.failing_since_ns is not None and not state.stop:
        ends.append(state.failing_since_ns + int(settings.confirm_ms * NS_PER_MS))
    if state.stop and state.good_since_ns is not None:
        ends.append(state.good_since_ns + int(settings.recover_s * NS_PER_S))
    if state.relit_ns is not None:
        ends.append(state.relit_ns + CHARGES_NS)
    return tuple(ends)
