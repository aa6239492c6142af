"""The conditions that stand: each a code, a severity and one sentence, raised and cleared by what is true now.

Only changes become events. An acknowledged alarm stays listed until it clears.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2h_console.core import (
    discharge_limit,
    house_watch,
    load_switches,
    lockouts,
    peak_shaving,
    relay_times,
    solar,
    storage,
)
from v2h_console.core.alarms_state import Alarm
from v2h_console.core.car_reserve import CarState
from v2h_console.core.car_session import LEAKS, LEAST_OHM_PER_V
from v2h_console.core.events import SEVERITY_RANK, Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.grid_monitor import GridCondition
from v2h_console.core.reserve_end import LATE_S, RUNG_NONE, RUNG_SOON, SOON_S
from v2h_console.core.senses import CYCLE_LIMIT_MS, HEARTBEAT_LIMIT_MS, MID_LIMIT_MS, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.slow_readings import LinkState

#: Devices are still connecting in the first seconds; saying so as an alarm would only teach to ignore alarms.
START_GRACE_NS = 3 * NS_PER_S
#: An inverter that has said nothing for so long is silent; the core acts on it long before.
SILENT_MS = 500.0
#: A record that takes longer to reach the disk than a slow card's worst second.
LATCH_WAITS_NS = 5 * NS_PER_S
#: A derating is said from this much on, and until it is quite over.
DERATED_BY_W = 200.0
#: A grid that was too high is so until it is this much below the limit.
HIGH_CLEARS_PU = 0.002

#: What is said of the car's charge: one of them at a time.
CHARGE_CODES = ("SOC_STOP", "SOC_SHED", "SOC_LOW")
#: What comes at the end of the runtime.
_END = {
    "charge": "the floor",
    "volts": "the pack's least voltage",
    "limit": "the car's own limit",
    "": "its end",
}

Condition = tuple[str, Severity, str]


def standing(settings: Settings, state: State, now_ns: int) -> Iterator[Condition]:
    """Every condition that holds now."""
    settled = now_ns - state.started_ns >= START_GRACE_NS
    islanding = state.islanding
    if settled and fresh(state.senses.heartbeat, now_ns, HEARTBEAT_LIMIT_MS) is None:
        yield (
            "CONTROLLER_SILENT",
            Severity.ALARM,
            "Logic controller silent. Treat MID, grid and house as LIVE.",
        )
    if islanding.mode is Mode.FAULT_OPEN:
        text = f"MID not proven open: {state.proof.doubt}."
        if not state.proof.doubt:
            text = "MID not to be trusted although its proof of open holds now: a person must look, then reset (R)."
        yield "MID_NOT_PROVEN_OPEN", Severity.LOCKOUT, text
    elif lockouts.contacts_contradict(state, now_ns):
        yield "MID_CONTACTS_DISAGREE", Severity.ALARM, "The MID's two contacts contradict each other."
    if islanding.lk_close:
        yield "CLOSING_LOCKED_OUT", Severity.LOCKOUT, f"Closing is locked out: {islanding.lk_close}."
    if islanding.lk_form:
        yield "FORMING_LOCKED_OUT", Severity.LOCKOUT, f"Forming is locked out: {islanding.lk_form}."
    if state.relay.last_ms is not None and state.relay.last_ms > settings.mid.alarm_open_ms:
        took = f"{state.relay.last_ms:.0f} ms, alarm at {settings.mid.alarm_open_ms:.0f} ms"
        yield "MID_SLOW", Severity.WARNING, f"The MID's last opening took {took}."
    elif relay_times.wears(settings.mid, state.relay):
        trend = f"{relay_times.slope_ms(state.relay):+.1f} ms an opening, the last took {state.relay.last_ms:.0f} ms"
        yield "MID_WEARS", Severity.WARNING, f"The MID opens more slowly each time: {trend}."
    yield from _bond(settings, state, now_ns)
    yield from _house(state, now_ns)
    yield from _kept_waiting(settings, state, now_ns)
    yield from _circuits(settings, state, now_ns)
    yield from _sources(settings, state, now_ns, settled)
    yield from _grid(settings, state, now_ns)
    yield from _car(settings, state, settled)
    yield from _inverter(settings, state, now_ns, settled)
    yield from storage.standing(state.senses.storage)
    for link in state.senses.links:
        if settled and link.state is LinkState.LOST and link.device != settings.controller_device:
            yield (
                f"{_device_code(settings, link.device)}_LOST",
                Severity.WARNING,
                f"{link.device}: {link.reason}.",
            )


def _bond(settings: Settings, state: State, now_ns: int) -> Iterator[Condition]:
    """Exactly one neutral-ground bond on the island; without it no breaker trips on a fault to ground."""
    mid = fresh(state.senses.mid, now_ns, MID_LIMIT_MS)
    stood_ns = now_ns - state.islanding.since_ns
    if mid is None or state.islanding.mode is not Mode.ISLANDED or stood_ns < NS_PER_S:
        return
    if settings.mid.poles == 3 and not mid.bond_closed:
        text = "The island has no neutral-ground bond: its relay has opened. A fault to ground trips nothing."
        yield "BOND_MISSING", Severity.ALARM, text
    elif settings.mid.poles == 2 and mid.bond_closed:
        text = "The island has a second neutral-ground bond: current flows on the grounding conductor."
        yield "BOND_DOUBLED", Severity.ALARM, text


def _house(state: State, now_ns: int) -> Iterator[Condition]:
    watch, senses = state.house, state.senses
    if why := house_watch.poor_volts(watch, senses, now_ns):
        yield "HOUSE_VOLTAGE_POOR", Severity.ALARM, f"The island's voltage: {why}."
    if why := house_watch.poor_hertz(watch, senses, now_ns):
        yield "HOUSE_FREQUENCY_POOR", Severity.ALARM, f"The island's frequency: {why}."
    if house_watch.blind(watch, now_ns):
        text = "The house is lit, and nobody knows with what voltage: its sensing says nothing."
        yield "HOUSE_SENSE_SILENT", Severity.ALARM, text
    if house_watch.unfed(watch, now_ns):
        text = "The MID says closed and the grid is there, but a leg of the house has no voltage."
        yield "HOUSE_NOT_FED", Severity.ALARM, text


def _kept_waiting(settings: Settings, state: State, now_ns: int) -> Iterator[Condition]:
    """What the next close, or the next start, has waited for too long."""
    if state.islanding.sync_tries and state.islanding.mode in (Mode.ISLANDED, Mode.SYNCING):
        limit_s = settings.sync.timeout_s
        text = f"The house could not be brought in phase with the street within {limit_s:.0f} s: it stays on the car."
        yield "NOT_IN_PHASE", Severity.WARNING, text
    waits_ns = state.latch.wanted_since_ns
    if waits_ns is not None and now_ns - waits_ns >= LATCH_WAITS_NS:
        text = "The latch's record is not on disk yet: until it is, nothing forms and nothing closes."
        yield "LATCH_WAITS", Severity.ALARM, text


def _circuits(settings: Settings, state: State, now_ns: int) -> Iterator[Condition]:
    for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.loads.circuits, strict=True)):
        if held.stuck:
            text = f"{circuit.name}: its switch does not follow; counted as on."
            yield f"LOAD_SWITCH_STUCK_{code_of(circuit.id)}", Severity.ALARM, text
        drawn_w = load_switches.still_drawn_w(state.loads, state.senses, index, now_ns)
        if drawn_w is not None:
            text = (
                f"{circuit.name} is held off and its switch says open, but its meter reads {drawn_w:.0f} W."
            )
            yield f"LOAD_STILL_DRAWS_{code_of(circuit.id)}", Severity.ALARM, text
        if held.culprit:
            text = f"{circuit.name} overloaded the island three times: off while islanded."
            yield f"LOAD_LOCKED_OUT_{code_of(circuit.id)}", Severity.LOCKOUT, text


def _sources(settings: Settings, state: State, now_ns: int, settled: bool) -> Iterator[Condition]:
    if state.supply.stop:
        yield "AUX_SUPPLY_STOP", Severity.ALARM, f"Stopped in order: {state.supply.reason}."
    elif state.supply.low:
        yield "AUX_SUPPLY_LOW", Severity.WARNING, f"Controller supply: {state.supply.reason}."
    elif settled and not state.supply.heard and state.senses.heartbeat is not None:
        yield "AUX_SUPPLY_UNKNOWN", Severity.WARNING, "The controller has not said how its supply is."
    if state.parallel.second_master:
        yield "SECOND_MASTER", Severity.LOCKOUT, f"Standing by: {state.parallel.second_master}."
    for one, unit in zip(settings.parallel.units, state.parallel.units, strict=True):
        if unit.drops and not unit.joined:
            yield (
                f"{_device_code(settings, one.name)}_DROPPED",
                Severity.WARNING,
                f"{one.name} left the others: {unit.reason}.",
            )
    if state.solar.foreign_pu is not None:
        yield "HOUSE_BUS_FED", Severity.ALARM, f"Not forming: {solar.refusal(state.solar)}."
    if state.solar.kept_off:
        yield (
            "SOLAR_KEPT_OFF",
            Severity.WARNING,
            "Solar told to leave: house and car cannot take what it gives.",
        )
    elif state.solar.curtailed:
        hertz = settings.inverter.nominal_hz + settings.solar.raise_most_hz
        text = f"Solar held back: the house's frequency is raised towards {hertz:.0f} Hz."
        yield "SOLAR_CURTAILED", Severity.INFO, text
    missing = peak_shaving.clock_missing(settings, state, now_ns)
    if state.tariff.goes_on:
        text = f"Peak shaving: {state.tariff.goes_on}. Its gate is held off: look at the inverter, then reset (R)."
        yield "PEAK_SHAVING_GOES_ON", Severity.ALARM, text
    if missing:
        yield "CLOCK_DOUBTED", Severity.WARNING, f"No peak shaving: {missing}."
    if stays := solar.will_not_leave(state.solar, state.senses, now_ns):
        yield "SOLAR_WILL_NOT_LEAVE", Severity.ALARM, stays


def _grid(settings: Settings, state: State, now_ns: int) -> Iterator[Condition]:
    if state.plausibility.drift:
        text = f"Grid sensing: {state.plausibility.drift}. Closing is held."
        yield "GRID_SENSE_DRIFTS", Severity.ALARM, text
    if state.plausibility.angle_false:
        text = f"The angle between house and street is false: {state.plausibility.angle_false}. No close in phase."
        yield "ANGLE_FALSE", Severity.ALARM, text
    if state.grid.ride_through:
        text = f"No quick backup: {state.grid.ride_through}. The house follows the grid's own ride-through."
        yield "RIDE_THROUGH", Severity.INFO, text
    cycle = fresh(state.senses.grid_cycle, now_ns, CYCLE_LIMIT_MS)
    if cycle is None or state.grid.condition is GridCondition.UNKNOWN:
        return
    if state.plausibility.apart:
        return  # one leg high and the other low is a neutral's doing, and has its own name in four half cycles
    highest_pu = max(
        (volts / NOMINAL_V for volts in (cycle.l1_v, cycle.l2_v) if volts is not None), default=0.0
    )
    limit_pu = settings.grid.enter_service.v_hi_pu
    # A grid that rests on the limit must not ring with each half cycle of its noise.
    said = any(alarm.code == "GRID_SENSE_VOLTAGE_HIGH" for alarm in state.alarms)
    if highest_pu > limit_pu - (HIGH_CLEARS_PU if said else 0.0):
        volts_text = f"{highest_pu * NOMINAL_V:.1f} V, reconnection limit {limit_pu * NOMINAL_V:.1f} V"
        yield "GRID_SENSE_VOLTAGE_HIGH", Severity.ALARM, f"Grid voltage too high to reconnect: {volts_text}."


def _car(settings: Settings, state: State, settled: bool) -> Iterator[Condition]:
    car = state.car
    # What a car said of its charge that is no longer heard is no news of the one that is missing.
    heard = car.judged_at_ns is not None
    if settled and car.refusal and not (car.stop and heard):
        yield "CAR_NOT_READY", Severity.WARNING, f"No backup: {car.refusal}."
    elif settled and (refusal := discharge_limit.refusal(settings, state)):
        yield "NO_POWER_ALLOWED", Severity.WARNING, f"No backup: {refusal}."
    if car.soc.doubted_since_ns is not None:
        text = "The car's charge leapt, or rose or stood still under load: the lower of report and count is taken."
        yield "SOC_IMPLAUSIBLE", Severity.WARNING, text
    if car.pack.high:
        text = f"The pack's resistance is {car.pack.resistance_ohm:.2f} ohm, usual is 0.05 to 0.15."
        yield "PACK_RESISTANCE_HIGH", Severity.WARNING, text
    yield from _dc_side(car)
    soc = f"{car.known_soc_pct:.0f} %" if car.known_soc_pct is not None else "unknown"
    if car.ended_pct is not None:
        text = f"Stopped in order at {car.ended_pct:.0f} %: the pack was within a minute of its end."
        yield "RUNTIME_STOP", Severity.ALARM, text
    elif car.rung.rung != RUNG_NONE:
        soon = car.rung.rung >= RUNG_SOON
        text = f"Less than {SOON_S / 60 if soon else LATE_S / 60:.0f} min left at this load, then {_END[car.ends_by]}."
        kept = "only must-run circuits stay on" if soon else "late circuits are off"
        yield (
            "RUNTIME_SHED" if soon else "RUNTIME_SHORT",
            Severity.ALARM if soon else Severity.WARNING,
            f"{text[:-1]}: {kept}.",
        )
    if not heard:
        # A gap of the link is neither a charge nor a lower one; with the plug out the car is no longer there.
        for alarm in state.alarms:
            if alarm.code in CHARGE_CODES and not car.unplugged:
                yield alarm.code, alarm.severity, alarm.text
        return
    if car.below_stop:
        yield (
            "SOC_STOP",
            Severity.ALARM,
            f"The car is at {soc}: discharge stopped, the rest is for the restart.",
        )
    elif car.short_of_charge:
        tied = state.islanding.mode is Mode.TIED
        kept = "a backup would carry must-run circuits alone" if tied else "only must-run circuits stay on"
        yield "SOC_SHED", Severity.ALARM, f"The car is at {soc}: {kept}."
    elif car.low:
        yield (
            "SOC_LOW",
            Severity.WARNING,
            f"The car is at {soc}: shedding begins at {settings.car.shed_soc_pct:.0f} %.",
        )


def _dc_side(car: CarState) -> Iterator[Condition]:
    session = car.session
    if session.welded:
        text = "The car's contactors are welded: the plug is live. Do not pull it."
        yield "CONTACTOR_WELDED", Severity.LOCKOUT, text
    if session.insulation_low:
        text = f"{LEAKS[0].upper()}{LEAKS[1:]}: less than {LEAST_OHM_PER_V:.0f} ohm/V. No session may run."
        yield "INSULATION_LOW", Severity.LOCKOUT, text
    if session.precharge_failed:
        text = "The precharge does not match the pack: the car's contactors stay open; its link tries again."
        yield "PRECHARGE_FAILED", Severity.ALARM, text


def _inverter(settings: Settings, state: State, now_ns: int, settled: bool) -> Iterator[Condition]:
    inverter = state.senses.inverter_fast
    if lockouts.gate_stays(state, now_ns):
        text = "The inverter was told to stop and has not: switch it off at its own disconnect."
        yield "INVERTER_DOES_NOT_STOP", Severity.LOCKOUT, text
    elif lockouts.gives_against_orders(state, now_ns):
        text = (
            "The inverter says that its gate is off, and it still gives: switch it off at its own disconnect."
        )
        yield "INVERTER_STILL_GIVES", Severity.ALARM, text
    lives = fresh(state.senses.heartbeat, now_ns, HEARTBEAT_LIMIT_MS) is not None
    if settled and lives and fresh(inverter, now_ns, SILENT_MS) is None:
        text = "The inverter is not heard, though the controller is: no backup, and its state is unknown."
        yield "INVERTER_SILENT", Severity.ALARM, text
    if inverter is not None and inverter.fault:
        yield "INVERTER_FAULT", Severity.ALARM, "The inverter reports a fault."
    if not state.islanding.gate_in_tied:
        yield "INVERTER_STANDS_BY", Severity.WARNING, "The inverter stands by: its gate is held off."
    if settled and state.thermal.blind:
        yield (
            "INVERTER_TEMPERATURE_UNKNOWN",
            Severity.ALARM,
            "Heatsink temperature does not move: taken as hot, 1 kW at most."
            if state.thermal.still.stuck
            else "Heatsink temperature unknown: taken as hot, 1 kW at most.",
        )
    if state.thermal.fan_dead:
        yield (
            "FAN_DEAD",
            Severity.WARNING,
            "The fan was told to turn and does not: derating begins 5 K earlier."
            if state.thermal.tachometer_still
            else "The fan says that it turns, but the heat stays: no air. Derating begins 5 K earlier.",
        )
    lost = state.thermal.efficiency
    if lost.high:
        text = "The inverter loses more than half as much again as its curve says."
        yield "EFFICIENCY_LOW", Severity.WARNING, text
    car_w, set_w = state.car.session.limit_w, settings.inverter.max_discharge_w
    # A car near the setting must not ring at each volt of its pack.
    said = any(alarm.code == "CAR_LIMITS" for alarm in state.alarms)
    if car_w is not None and car_w < set_w - (0.0 if said else DERATED_BY_W):
        text = f"The car allows {car_w / 1000:.1f} kW (cold, hot, or nearly empty), the setting is {set_w / 1000:.1f} kW."
        yield "CAR_LIMITS", Severity.WARNING, text
    limit_w = state.thermal.limit_w
    # Noise of a tenth of a kelvin is 25 W: it must not ring the bell.
    held = any(alarm.code == "INVERTER_DERATED" for alarm in state.alarms)
    bound_w = settings.inverter.max_discharge_w - (0.0 if held else DERATED_BY_W)
    if not state.thermal.blind and limit_w is not None and limit_w < bound_w:
        yield "INVERTER_DERATED", Severity.WARNING, f"Heat limits the inverter to {limit_w / 1000:.1f} kW."
    if state.limit_ignored:
        text = f"The inverter did not take the limit: {state.limit_ignored}."
        yield "DISCHARGE_LIMIT_IGNORED", Severity.ALARM, text


def update(settings: Settings, state: State, now_ns: int) -> tuple[State, tuple[Event, ...]]:
    """Raise, keep and clear; worst first, then oldest."""
    held = {alarm.code: alarm for alarm in state.alarms}
    current: list[Alarm] = []
    events: list[Event] = []
    said: set[str] = set()
    for code, severity, text in standing(settings, state, now_ns):
        if code in said:
            continue  # two of a code would be raised and cleared by turns, one event a step
        said.add(code)
        known = held.pop(code, None)
        if known is None:
            current.append(Alarm(code, severity, text, now_ns))
            events.append(Event(now_ns, code, severity, text))
        elif known.text == text and known.severity is severity:
            current.append(known)
        else:
            current.append(replace(known, text=text, severity=severity))
    events.extend(
        Event(now_ns, f"{gone.code}_CLEARED", Severity.INFO, f"Over: {gone.text}") for gone in held.values()
    )
    current.sort(key=lambda alarm: (-SEVERITY_RANK[alarm.severity], alarm.since_ns))
    alarms = tuple(current)
    return (state if alarms == state.alarms else replace(state, alarms=alarms)), tuple(events)


def acknowledge(state: State, code: str) -> State:
    """Quiet one alarm, or all with an empty code."""
    alarms = tuple(
        replace(alarm, acknowledged=True) if code in ("", alarm.code) else alarm for alarm in state.alarms
    )
    return replace(state, alarms=alarms)


def code_of(device: str) -> str:
    """A name as it stands in a code."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in device.upper())


def _device_code(settings: Settings, device: str) -> str:
    return dict(settings.device_codes).get(device) or code_of(device)
