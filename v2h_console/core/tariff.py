"""Peak shaving: in the high tariff the car carries part of the house while it is on the grid, down to a reserve (S32).

Every rule here only ever lowers the power at once; raising it takes the confirmation, by the power that the inverter
says it gives, of what was asked before. Whoever stopped it, it begins again after ``PAUSE_NS`` at the earliest: no
flapping input makes it flap. A clock that nobody can believe stops it like an unknown car does.

The grid always keeps a share of the load. A house that the discharge balances would hide the grid's loss from its
voltage, and one that exports would lose its right to separate quickly.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import wall_clock
from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, TariffSettings, TariffWindow
from v2h_console.core.wall_clock import ClockState
from v2h_drivers.capabilities.slow_readings import InverterStatus, WallClock

#: Of the load's volt-amperes, less the roof's watts: at a power factor of 0.8 the grid still gives a sixteenth.
LOAD_SHARE = 0.75
GRID_KEEPS_W = 100.0
STEP_W = 50.0
#: Down when it is this much too much, which the grid's share covers; up by ``RAISE_W`` at a time for a gain of
#: ``WORTH_W``; below ``LEAST_W`` the losses eat it.
LOWER_W = 100.0
RAISE_W = 2_000.0
WORTH_W = 200.0
LEAST_W = 200.0
#: A status says what the inverter does with the power asked for so long ago; by ``CONFIRM_NS`` it must be confirmed.
EFFECT_NS = 500 * NS_PER_MS
CONFIRM_NS = 5 * NS_PER_S
CONFIRM_W = 150.0
CONFIRM_SHARE = 0.1
PAUSE_NS = 60 * NS_PER_S
#: After the reserve was reached the charge must be so much above it.
SOC_HYSTERESIS_PCT = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What shaving looks at. ``refusal``: why nothing may be given to a house on the grid now, "" = it may.

    ``soc_pct`` the believed charge, ``load_va`` and ``solar_w`` of the house (``None`` = unknown), ``limit_w`` the most
    that the inverter may give; ``status`` the inverter's newest word, ``None`` when stale.
    """

    refusal: str
    soc_pct: float | None
    load_va: float | None
    solar_w: float | None
    limit_w: float
    status: InverterStatus | None


@dataclass(frozen=True, slots=True)
class TariffState:
    """``power_w`` asked of the inverter since ``asked_ns``; ``confirmed``: it gives that. ``window``: the high tariff
    that runs now, "" = none or unknown. ``refusal``: why nothing is given in it.

    ``engaged``: begun and not stopped, be the power nothing for a moment. ``ending_since_ns``: since when it has been stopped
    and the inverter has not shown that it gives nothing any more; ``goes_on``: what it went on giving, in words, once that
    has lasted, until a person resets it. ``spent``: the reserve was reached; ``failed``: the inverter did not follow,
    nothing more in this window.
    """

    clock: ClockState = ClockState()
    window: str = ""
    refusal: str = ""
    engaged: bool = False
    power_w: float = 0.0
    asked_ns: int = 0
    confirmed: bool = False
    unconfirmed_since_ns: int | None = None
    status: InverterStatus | None = None
    not_before_ns: int = 0
    ending_since_ns: int | None = None
    goes_on: str = ""
    spent: bool = False
    failed: str = ""


def window_at(settings: TariffSettings, clock: WallClock) -> TariffWindow | None:
    """The high tariff at this local time; one that passes midnight belongs to the day on which it began."""
    minute, today = clock.second_of_day // 60, clock.weekday
    return next((window for window in settings.windows if _covers(window, minute, today)), None)


def _covers(window: TariffWindow, minute: int, today: int) -> bool:
    begun_today = today in window.weekdays and minute >= window.begins_min
    if window.begins_min < window.ends_min:
        return begun_today and minute < window.ends_min
    return begun_today or ((today - 1) % 7 in window.weekdays and minute < window.ends_min)


def words(window: TariffWindow) -> str:
    """ "16:00-21:00"."""
    return f"{_clock(window.begins_min)}-{_clock(window.ends_min)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def update(
    settings: TariffSettings, state: TariffState, seen: Seen, clock: WallClock | None, now_ns: int
) -> TariffState:
    """Judge the clock, the window and the power. Returns the same object while nothing changes."""
    watched = wall_clock.update(state.clock, clock, now_ns)
    state = replace(state, clock=watched)
    window = None
    if not watched.doubt and clock is not None:
        window = window_at(settings, clock)
        if window is None and state.failed:
            state = replace(state, failed="")
    state = _ending(_reserve(settings, state, seen.soc_pct), seen.status, now_ns)
    refusal = watched.doubt or _refusal(settings, state, seen, now_ns)
    state = replace(state, window="" if window is None else words(window), refusal=refusal)
    if window is None or refusal:
        return _stop(state, now_ns)
    return _follow(settings, state, seen, now_ns)


def _reserve(settings: TariffSettings, state: TariffState, soc_pct: float | None) -> TariffState:
    if soc_pct is None:
        return state
    back_pct = settings.disengage_at_soc_pct + (SOC_HYSTERESIS_PCT if state.spent else 0.0)
    spent = soc_pct < back_pct if state.spent else soc_pct <= back_pct
    return state if spent is state.spent else replace(state, spent=spent)


def _refusal(settings: TariffSettings, state: TariffState, seen: Seen, now_ns: int) -> str:
    if seen.refusal:
        return seen.refusal
    if state.failed or state.goes_on:
        return state.failed or state.goes_on
    if seen.soc_pct is None:
        return "the car's charge is unknown"
    if state.spent:
        return f"the car is kept at {settings.disengage_at_soc_pct:.0f} % for the house and the road"
    if seen.load_va is None:
        return "the house's load is unknown"
    if seen.solar_w is None:
        return "the roof's power is unknown"
    if seen.status is None or seen.status.power_w is None:
        return "the inverter's power is unknown"
    if now_ns < state.not_before_ns:
        return f"it was stopped less than {PAUSE_NS // NS_PER_S} s ago"
    return ""


def _stop(state: TariffState, now_ns: int) -> TariffState:
    if not state.engaged:
        return state
    return replace(
        state,
        engaged=False,
        power_w=0.0,
        asked_ns=now_ns,
        confirmed=False,
        unconfirmed_since_ns=None,
        not_before_ns=now_ns + PAUSE_NS,
        ending_since_ns=now_ns,
    )


def _ending(state: TariffState, status: InverterStatus | None, now_ns: int) -> TariffState:
    """Whether the inverter has stopped giving, once it was told to: ordered is not done."""
    since_ns = state.ending_since_ns
    if since_ns is None or status is None or status.power_w is None or status.at_ns - since_ns < EFFECT_NS:
        return state
    if status.power_w <= CONFIRM_W:
        return replace(state, ending_since_ns=None)
    if state.goes_on or now_ns - since_ns < CONFIRM_NS:
        return state
    return replace(
        state, goes_on=f"it was ended, and the inverter went on giving {status.power_w / 1000:.1f} kW"
    )


def _follow(settings: TariffSettings, state: TariffState, seen: Seen, now_ns: int) -> TariffState:
    """Once for each answer of the inverter, so that the result does not depend on how often the core is stepped."""
    status = seen.status
    if status is None or status.power_w is None or status == state.status:
        return state
    given_w = status.power_w
    close_w = max(CONFIRM_W, CONFIRM_SHARE * state.power_w)
    confirmed = status.at_ns - state.asked_ns >= EFFECT_NS and abs(given_w - state.power_w) <= close_w
    since_ns = None if confirmed else state.unconfirmed_since_ns
    if not confirmed and since_ns is None:
        since_ns = now_ns
    state = replace(state, status=status, confirmed=confirmed, unconfirmed_since_ns=since_ns)
    if state.engaged and since_ns is not None and now_ns - since_ns >= CONFIRM_NS:
        text = (
            f"the inverter gives {given_w / 1000:.1f} kW where {state.power_w / 1000:.1f} kW were asked for"
        )
        return _stop(replace(state, failed=text, refusal=text), now_ns)
    wanted_w = _wanted_w(settings, seen)
    if wanted_w <= state.power_w - LOWER_W:
        lowered_w = wanted_w if wanted_w >= LEAST_W else 0.0
        return replace(state, power_w=lowered_w, asked_ns=now_ns, confirmed=False, unconfirmed_since_ns=None)
    if confirmed and wanted_w - state.power_w >= WORTH_W and wanted_w >= LEAST_W:
        raised_w = min(wanted_w, state.power_w + RAISE_W)
        return replace(state, engaged=True, power_w=raised_w, asked_ns=now_ns, confirmed=False)
    return state


def _wanted_w(settings: TariffSettings, seen: Seen) -> float:
    """What the house takes less what the grid keeps, within every limit, in whole steps."""
    assert seen.load_va is not None
    assert seen.solar_w is not None
    wanted_w = min(LOAD_SHARE * seen.load_va - seen.solar_w - GRID_KEEPS_W, seen.limit_w)
    if settings.most_w is not None:
        wanted_w = min(wanted_w, settings.most_w)
    return max(0.0, wanted_w // STEP_W * STEP_W)


def reset(state: TariffState, now_ns: int) -> TariffState:
    """A person has looked at an inverter that went on giving: it has to show anew that it gives nothing."""
    return replace(state, goes_on="", ending_since_ns=now_ns) if state.goes_on else state
