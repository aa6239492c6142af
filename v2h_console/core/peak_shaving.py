"""Peak shaving within the core: what it may look at, when it must yield, what it says."""

from __future__ import annotations

from v2h_console.core import discharge_limit, tariff, wall_clock
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.grid_monitor import GridCondition
from v2h_console.core.mid_proof import Position
from v2h_console.core.senses import CURRENTS_LIMIT_MS, INVERTER_LIMIT_MS, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_console.core.tariff import Seen, TariffState
from v2h_drivers.capabilities.fast_readings import InverterMode

#: Three polls of the slowest polled device that counts here (solar, 0.5 s).
POLLED_LIMIT_MS = 1_500.0
#: The house has been on the grid for so long: the inverter's hand-back is over.
SETTLED_NS = 10 * NS_PER_S
#: A clock that is not believed so long after the start is an alarm: watching it takes most of that.
START_NS = wall_clock.STEADY_NS + 10 * NS_PER_S


def keep(settings: Settings, state: State, now_ns: int) -> tuple[State, tuple[Event, ...]]:
    """One look, after the islanding machine has decided: a step that opens the MID asks for no power any more."""
    if state.tariff.goes_on and state.islanding.gate_in_tied:
        # What obeys no setpoint may still obey its gate; only a person gives it back.
        state = replace(state, islanding=replace(state.islanding, gate_in_tied=False))
    before = state.tariff
    senses = state.senses
    at_rest = not before.engaged and before.ending_since_ns is None
    nothing_new = senses.wall_clock == before.clock.reading and senses.inverter == before.status
    if at_rest and not settings.tariff.windows:
        # What an owner with a tariff began is ended by one that has none, and then forgotten.
        over = before.clock.reading is not None
        return (replace(state, tariff=TariffState(goes_on=before.goes_on)) if over else state), ()
    if nothing_new and at_rest:
        return state, ()
    after = tariff.update(settings.tariff, before, _seen(settings, state, now_ns), senses.wall_clock, now_ns)
    if not after.engaged and after.status != senses.inverter:
        after = replace(after, status=senses.inverter)
    if state.islanding.mode is not Mode.TIED and after.ending_since_ns is not None:
        # Beside no grid it is the house that takes what the inverter gives.
        after = replace(after, ending_since_ns=None)
    state = replace(state, tariff=after)
    if after.goes_on and not before.goes_on:
        state = replace(state, islanding=replace(state.islanding, gate_in_tied=False))
    return state, _told(before, after, now_ns)


def _seen(settings: Settings, state: State, now_ns: int) -> Seen:
    senses = state.senses
    currents = fresh(senses.currents, now_ns, CURRENTS_LIMIT_MS)
    load_va = None
    if currents is not None and currents.l1_a is not None and currents.l2_a is not None:
        load_va = (currents.l1_a + currents.l2_a) * NOMINAL_V
    # A roof that has not been heard yet, or not for long, may give anything.
    solar_w: float | None = 0.0
    if settings.solar.polled or senses.solar is not None:
        solar = fresh(senses.solar, now_ns, POLLED_LIMIT_MS)
        solar_w = None if solar is None else solar.power_w
    return Seen(
        refusal=refusal(settings, state, now_ns),
        soc_pct=state.car.known_soc_pct,
        load_va=load_va,
        solar_w=solar_w,
        limit_w=discharge_limit.allowed_power_w(settings, state)[0],
        status=fresh(senses.inverter, now_ns, POLLED_LIMIT_MS),
    )


def refusal(settings: Settings, state: State, now_ns: int) -> str:
    """Why nothing may be given to the house on the grid, apart from tariff and charge; unknown refuses."""
    machine = state.islanding
    if machine.mode is not Mode.TIED or state.proof.position is not Position.CLOSED:
        return "the house is not on the grid"
    if machine.lk_form:
        return f"forming is locked out: {machine.lk_form}"
    if state.grid.loss is not None or state.grid.condition is not GridCondition.IN_WINDOW:
        return "the grid is not in its window"
    if now_ns - machine.since_ns < SETTLED_NS:
        return "the house has just come back to the grid"
    if state.plausibility.drift or state.plausibility.stuck:
        return "the grid's sensing is in doubt"
    if settings.parallel.units:
        return "it is for sites with one inverter"
    if state.car.refusal:
        return state.car.refusal
    if state.car.soc.doubted_since_ns is not None:
        return "the car's charge is in doubt"
    if state.thermal.stopped or state.thermal.blind:
        return "the inverter is hot, or nobody knows"
    if state.supply.stop:
        return state.supply.reason
    if state.parallel.second_master:
        return state.parallel.second_master
    inverter = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    if inverter is None or inverter.fault or inverter.mode is not InverterMode.FOLLOWING:
        return "the inverter does not follow the grid"
    if state.loads.blind:
        return "the house's load is unknown"
    if state.export.recent_w(now_ns) is None:
        return "the site's export is unknown"
    return ""


def _told(before: tariff.TariffState, after: tariff.TariffState, now_ns: int) -> tuple[Event, ...]:
    events = []
    if after.clock.steps != before.clock.steps:
        text = (
            f"The wall clock stepped by {after.clock.stepped_s:+.0f} s: no peak shaving until it runs evenly."
        )
        events.append(Event(now_ns, "CLOCK_STEPPED", Severity.WARNING, text))
    if after.failed and not before.failed:
        text = f"Peak shaving given up until the tariff changes: {after.failed}."
        events.append(Event(now_ns, "PEAK_SHAVING_FAILED", Severity.WARNING, text))
    elif before.engaged and not after.engaged:
        why = after.refusal or "the high tariff is over"
        events.append(Event(now_ns, "PEAK_SHAVING_ENDED", Severity.INFO, f"Peak shaving ended: {why}."))
    if after.engaged and not before.engaged:
        text = f"High tariff {after.window}: the car carries part of the house."
        events.append(Event(now_ns, "PEAK_SHAVING_BEGAN", Severity.INFO, text))
    return tuple(events)


def clock_missing(settings: Settings, state: State, now_ns: int) -> str:
    """Why the tariff does not know the time, for the alarm; "" = it does, or has not had the time to."""
    if not settings.tariff.windows or now_ns - state.started_ns < START_NS:
        return ""
    return state.tariff.clock.doubt


def deadlines_ns(state: State) -> tuple[int, ...]:
    """When time alone changes something: the clock's trust, and the age of what shaving stands on."""
    ends = wall_clock.deadlines_ns(state.tariff.clock)
    ending_ns = state.tariff.ending_since_ns
    if ending_ns is not None and not state.tariff.goes_on:
        ends = (*ends, ending_ns + tariff.CONFIRM_NS)
    if not state.tariff.engaged:
        return ends
    polled = [one.at_ns for one in (state.senses.inverter, state.senses.solar) if one is not None]
    return (*ends, *(at_ns + int(POLLED_LIMIT_MS * NS_PER_MS) + 1 for at_ns in polled))
