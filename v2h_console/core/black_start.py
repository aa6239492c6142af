"""Starting a dark house: what a failed start costs, when the next try is, and what ends the tries.

Two kinds of ends are told apart. A start that failed, or an inverter that stopped by itself, climbs the ladder: 2, 10
and 60 s, a tier less each time, then LK_FORM, which only a person ends. A source that went away for a reason that can
end by itself (the car unplugged or empty, heat, the controller's supply) climbs nothing: nobody may be there when the
car is plugged in again, and the house must light up then by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import house_watch, load_holds, overdraw
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_S, Settings
from v2h_console.core.state import State

#: Waits before the next try to form after the first, second and third failure; then LK_FORM.
FORM_RETRY_S = (2, 10, 60)
#: An island that stood this long forgets earlier failed starts.
FORGET_TRIES_S = 60
#: A stop that ends by itself waits this long, so that a plug that chatters starts nothing; twice as long each time that
#: the island then did not stand for a minute, up to the most.
SOFT_RETRY_S = 2
SOFT_RETRY_MOST_S = 60
#: A car that was stopped at the reserve starts again only this much above it: the last digit must not light a house.
RESTART_MARGIN_PCT = 1.0
#: What ends LK_FORM, for the person who reads the lockout.
RESET_CONDITION = "find the cause, then reset with R; the grid's return does not end it"


@dataclass(frozen=True, slots=True)
class Failure:
    """The state after a failed start and what to tell."""

    state: State
    event: Event


def failed(settings: Settings, state: State, now_ns: int) -> Failure:
    """One rung up: gates are off already; shed a tier, and try again later or not at all."""
    tries = state.islanding.form_tries + 1
    if tries > len(FORM_RETRY_S):
        reason = f"{tries} starts failed: {RESET_CONDITION}"
        islanding = replace(state.islanding, form_tries=tries, lk_form=reason)
        text = f"Forming is locked out after {tries} failed starts: {RESET_CONDITION}."
        event = Event(now_ns, "FORMING_LOCKED_OUT", Severity.LOCKOUT, text)
    else:
        wait_s = FORM_RETRY_S[tries - 1]
        islanding = replace(state.islanding, form_tries=tries, form_not_before_ns=now_ns + wait_s * NS_PER_S)
        text = f"No voltage within 200 ms. Next try in {wait_s} s."
        event = Event(now_ns, "INVERTER_DID_NOT_FORM", Severity.ALARM, text)
    loads = replace(state.loads, drop_more_tiers=min(3, tries))
    loads = load_holds.drop_for_forming(settings, loads, state.car.shed, now_ns, dark=True)
    return Failure(replace(state, islanding=islanding, loads=loads), event)


def island_lost(settings: Settings, state: State, stood_ns: int, now_ns: int) -> Failure:
    """A lit island went dark after ``stood_ns``; gates are off already."""
    # What the car does not allow now it may allow later, and what was drawn may have gone.
    soft = soft_cause(settings, state) or overdraw.reason(state.loads, state.senses, now_ns)
    high = house_watch.too_high(state.house, now_ns)
    why = soft or ("a leg had more than appliances bear" if high else "the inverter stopped")
    event = Event(now_ns, "HOUSE_DARK", Severity.ALARM, f"House dark: {why}.")
    if stood_ns >= FORGET_TRIES_S * NS_PER_S:
        state = replace(
            state,
            islanding=replace(state.islanding, form_tries=0, soft_stops=0),
            loads=replace(state.loads, drop_more_tiers=0),
        )
    if soft:
        stops = state.islanding.soft_stops
        wait_s = min(SOFT_RETRY_S << stops, SOFT_RETRY_MOST_S)
        state = replace(
            state,
            islanding=replace(
                state.islanding,
                form_not_before_ns=now_ns + wait_s * NS_PER_S,
                soft_stops=stops + 1 if wait_s < SOFT_RETRY_MOST_S else stops,
                emptied=state.islanding.emptied or state.car.stop,
            ),
        )
    else:
        state = failed(settings, state, now_ns).state
    loads = load_holds.drop_for_forming(settings, state.loads, state.car.shed, now_ns, dark=True)
    return Failure(replace(state, loads=loads), event)


def soft_cause(settings: Settings, state: State) -> str:
    """Why the source went away, if that can end by itself; "" = the inverter's own doing."""
    if state.supply.stop:
        return state.supply.reason
    if state.parallel.second_master:
        return state.parallel.second_master
    if state.car.refusal:
        return state.car.refusal
    if state.thermal.stopped:
        return f"the heatsink is over {settings.thermal.stop_c:.0f} °C"
    return ""


def energy_refusal(settings: Settings, state: State) -> str:
    """Why the charge does not suffice for a start; "" = it does.

    What is left between the floor and the stop is kept: it starts a house once, for whoever needs it, not over and
    over by itself.
    """
    if not state.islanding.emptied:
        return ""
    soc_pct = state.car.known_soc_pct
    needed_pct = settings.car.stop_soc_pct + RESTART_MARGIN_PCT
    if soc_pct is not None and soc_pct >= needed_pct:
        return ""
    shown = "unknown" if soc_pct is None else f"at {soc_pct:.0f} %"
    return f"the car is {shown} after it was emptied; a start needs {needed_pct:.0f} %"
