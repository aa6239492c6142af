"""The control step: an Observation in, Commands and Events out. Pure, deterministic, replayable.

Integer nanoseconds of monotonic time only. The same stream of observations gives the same commands, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import (
    alarms,
    car_reserve,
    contact_watch,
    discharge_limit,
    effects,
    export,
    follower,
    grid_monitor,
    guards,
    house_watch,
    islanding,
    kept_latch,
    load_holds,
    load_manager,
    load_overload,
    load_switches,
    lockouts,
    machine_clocks,
    mid_proof,
    mode_commands,
    orders,
    parallel,
    peak_shaving,
    planned_load,
    relay_times,
    sense_plausibility,
    sharing,
    solar,
    street_trial,
    succession,
    supply,
    synchronism,
    thermal,
    transfer,
)
from v2h_console.core.commands import Command
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.islanding import View
from v2h_console.core.load_state import LoadState
from v2h_console.core.mid_proof import Position
from v2h_console.core.observation import Observation
from v2h_console.core.senses import absorb, screen
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import Side, SideCycle
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import FanRequest, InverterSetpoint, ShedRequest, SolarPermitRequest

#: More edges than this in one step would be a loop in the table.
MAX_EDGES = 8
#: After a start, the owner before may still be heard for so long.
HANDOVER_NS = 500 * NS_PER_MS
#: A next owner connects to the polled devices, which takes longer than one may be silent otherwise. Once, after a
#: planned hand-over; the inverter, the DC side and the house's voltage are heard on the fast bus all the while.
TAKE_UP_MS = 3_000.0
HALF_CYCLE_NS = 8_333_333
#: A compressor has come to a stand after so long without voltage; before that it runs on.
STANDS_NS = NS_PER_S

#: In these the MID stays as it is; for so long after a change of mode its contacts may still be on their way.
_STEADY = (Mode.TIED, Mode.DARK, Mode.FORMING, Mode.ISLANDED, Mode.SYNCING)
BIDDEN_NS = 50 * NS_PER_MS
_ISLAND_MODES = (Mode.ISLANDED, Mode.SYNCING)
#: The house has a voltage of ours.
_LIT_MODES = (*_ISLAND_MODES, Mode.CLOSING_SYNC, Mode.HANDBACK)
#: The MID opens or is open, and the house has no voltage of ours yet.
_UNLIT_MODES = (Mode.BOOT_OPEN, Mode.OPENING, Mode.PROVING, Mode.DARK, Mode.FAULT_OPEN)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step gives. ``wake_at_ns``: step again by then, frames or not. ``deadline_ns``: when time alone will
    change something although every frame stays as it is; ``None`` = nothing is pending."""

    state: State
    commands: tuple[Command, ...]
    events: tuple[Event, ...]
    wake_at_ns: int
    deadline_ns: int | None


def step(settings: Settings, state: State, observation: Observation, now_ns: int) -> Step:
    """One step of the whole core. Never raises on any content of the observation."""
    events: list[Event] = []
    commands: list[Command] = []
    observation = replace(observation, readings=screen(observation.readings))
    observation, state = _hear_units(settings, state, observation)
    state = _sense(settings, state, observation, now_ns)
    state, kept_events = kept_latch.take_receipts(settings, state, observation.receipts, now_ns)
    events.extend(kept_events)
    taken = orders.take(settings, state, observation.orders, now_ns)
    events.extend(taken.events)
    commands.extend(taken.commands)
    open_ordered, reset_ordered = taken.opens, taken.resets
    state = lockouts.update(machine_clocks.observe(taken.state, now_ns), now_ns)
    state = lockouts.dc_side(state, now_ns)
    state = _keep_units(settings, state, now_ns, events)
    for _ in range(MAX_EDGES):
        view = View(settings, state, now_ns, open_ordered, reset_ordered)
        edge = islanding.next_edge(view)
        if edge is None:
            break
        outcome = effects.take(edge, view)
        state = machine_clocks.observe(outcome.state, now_ns)
        events.extend(outcome.events)
        open_ordered = open_ordered and edge.event != "operator"
    state, transfer_events = _time_transfer(state, observation.readings, now_ns)
    events.extend(transfer_events)
    state = _manage_loads(settings, state, now_ns, events)
    state, persist = kept_latch.keep(settings, state, now_ns)
    if persist is not None:
        commands.append(persist)
    state, shaving_events = peak_shaving.keep(settings, state, now_ns)
    events.extend(shaving_events)
    state = discharge_limit.watch(state, now_ns)
    state, alarm_events = alarms.update(settings, state, now_ns)
    # What an edge has said already need not be said again by the alarm that it raised.
    said = {event.code for event in events}
    events.extend(event for event in alarm_events if event.code not in said)
    state, limit = discharge_limit.ask(settings, state, now_ns)
    commands.extend(limit)
    commands.extend(_fast_requests(settings, state, now_ns))
    state, permit = _keep_solar(settings, state, now_ns)
    commands.extend(permit)
    deadline_ns = _deadline_ns(settings, state, now_ns)
    wake_ns = _wake_at_ns(settings, state, deadline_ns, now_ns)
    return Step(state, tuple(commands), tuple(events), wake_ns, deadline_ns)


def _hear_units(settings: Settings, state: State, observation: Observation) -> tuple[Observation, State]:
    """With several inverters, what the rest of the core sees is the primary; with one, nothing changes."""
    if not settings.parallel.units:
        return observation, state
    heard, readings = parallel.sense(settings.parallel, state.parallel, observation.readings)
    return replace(observation, readings=readings), replace(state, parallel=heard)


def _keep_units(settings: Settings, state: State, now_ns: int, events: list[Event]) -> State:
    """Who may run beside the primary, and who follows a primary that is lost."""
    machine = state.islanding
    if settings.parallel.units:
        stood_ns = now_ns - machine.since_ns
        patience_ms = _use_of_car(settings, state, now_ns).patience_ms
        car = replace(settings.car, fresh_ms=settings.car.fresh_ms + patience_ms)
        kept = sharing.update(
            settings.parallel,
            car,
            state.parallel,
            state.senses,
            lit=machine.mode in _LIT_MODES,
            tied=machine.mode is Mode.TIED,
            started=now_ns - state.started_ns < HANDOVER_NS,
            settled=machine.mode is Mode.ISLANDED and stood_ns >= settings.parallel.settle_s * NS_PER_S,
            gated=mode_commands.of_mode(state).gate,
            unit_limit_w=discharge_limit.allowed_power_w(settings, state)[0],
            now_ns=now_ns,
        )
        events.extend(_unit_events(settings, state.parallel, kept, now_ns))
        if kept.elected_tries and not machine.form_tries:
            kept = replace(kept, elected_tries=0)
        state = replace(state, parallel=kept)
        if machine.mode is Mode.DARK:
            state, elected = succession.elect(settings, car, state, now_ns)
            if elected is not None:
                events.append(elected)
    # An owner that hands over speaks until the next one does: only what is heard later is a second master.
    settled = now_ns - state.started_ns >= HANDOVER_NS
    # Not by identity: a state that was handed over holds equal values, and other objects.
    if settled and state.senses.foreign_command != state.parallel.foreign:
        state = replace(state, parallel=parallel.hear_foreign(state.parallel, state.senses.foreign_command))
    return lockouts.second_master(state)


def _unit_events(
    settings: Settings, before: parallel.ParallelState, after: parallel.ParallelState, now_ns: int
) -> list[Event]:
    found = []
    for one, old, new in zip(settings.parallel.units, before.units, after.units, strict=True):
        if new.joined and not old.joined:
            found.append(Event(now_ns, "INVERTER_JOINED", Severity.INFO, f"{one.name} shares the load."))
        elif new.drops > old.drops:
            text = f"{one.name} left the others: {new.reason}."
            found.append(Event(now_ns, "INVERTER_DROPPED", Severity.ALARM, text))
    return found


def _sense(settings: Settings, state: State, observation: Observation, now_ns: int) -> State:
    senses = absorb(state.senses, observation.readings)
    mode = state.islanding.mode
    tied = mode is Mode.TIED and state.proof.position is Position.CLOSED
    plausibility = sense_plausibility.update(
        state.plausibility, senses, observation.readings, tied=tied, now_ns=now_ns
    )
    senses = replace(senses, sync=sense_plausibility.believed(plausibility, senses.sync))
    roof = settings.solar.polled
    exported = export.update(state.export, senses, now_ns, roof=roof) if tied else export.ExportState()
    followed = follower.update(
        state.follower, senses, tied=tied and mode_commands.follows_in_tied(state), now_ns=now_ns
    )
    seen = grid_monitor.Seen(
        senses,
        plausibility,
        exported,
        followed.gave_up_ns,
        tied=mode is Mode.TIED,
        sourceless=_sourceless(settings, replace(state, senses=senses), now_ns),
    )
    return replace(
        state,
        senses=senses,
        plausibility=plausibility,
        export=exported,
        follower=followed,
        grid=grid_monitor.update(settings, state.grid, seen, observation.readings, now_ns),
        proof=mid_proof.update(settings.mid, state.proof, senses, now_ns),
        sync=synchronism.update(
            settings.sync,
            relay_times.closing_time_ms(settings.mid, state.relay),
            state.sync,
            senses,
            now_ns,
        ),
        contacts=contact_watch.update(
            settings.mid,
            state.contacts,
            observation.readings,
            bidden=mode not in _STEADY or now_ns - state.islanding.since_ns < BIDDEN_NS,
            now_ns=now_ns,
        ),
        thermal=thermal.update(
            settings.thermal, settings.inverter, state.thermal, senses, state.started_ns, now_ns
        ),
        car=car_reserve.update(settings.car, state.car, senses, now_ns, _use_of_car(settings, state, now_ns)),
        street=street_trial.update(
            state.street, senses, raising=mode is Mode.FORMING, lit=mode in _ISLAND_MODES, now_ns=now_ns
        ),
        house=house_watch.update(state.house, senses, lit=mode in _ISLAND_MODES, closed=tied, now_ns=now_ns),
        supply=supply.update(settings.supply, state.supply, senses, now_ns, lit=mode not in _UNLIT_MODES),
    )


def _sourceless(settings: Settings, state: State, now_ns: int) -> str:
    """Why nothing could light the house now; another inverter whose car can is something."""
    why = guards.source_refusal(settings, state, now_ns)
    if not why or not settings.parallel.units:
        return why
    barred = state.islanding.lk_form or state.supply.stop or state.thermal.stopped
    return why if barred or succession.heir(state.parallel, settings.car, now_ns) is None else ""


def _use_of_car(settings: Settings, state: State, now_ns: int) -> car_reserve.Use:
    mode = state.islanding.mode
    taken_up_ns = state.taken_up_ns
    recent = taken_up_ns is not None and now_ns - taken_up_ns < TAKE_UP_MS * NS_PER_MS
    patience_ms = TAKE_UP_MS if recent else 0.0
    if mode not in _ISLAND_MODES:
        return car_reserve.Use(tied=mode is Mode.TIED, patience_ms=patience_ms)
    held_w = planned_load.held_w(settings.loads, state.loads)
    return car_reserve.Use(lit=True, held_w=held_w, patience_ms=patience_ms)


def _time_transfer(
    state: State, readings: tuple[Reading, ...], now_ns: int
) -> tuple[State, tuple[Event, ...]]:
    """End the running transfer with the first half cycle in which both legs are back."""
    record = state.transfer
    if record is None or record.proven_ns is None:
        return state, ()
    for reading in readings:
        if (
            not isinstance(reading, SideCycle)
            or reading.side is not Side.HOUSE
            or reading.quality is not Quality.GOOD
        ):
            continue
        if reading.l1_v is None or reading.l2_v is None or reading.at_ns <= record.proven_ns:
            continue
        if min(reading.l1_v, reading.l2_v) >= guards.LIT_PU * NOMINAL_V:
            done = transfer.formed(record, reading.at_ns - HALF_CYCLE_NS)
            if done is None or done.total_ms is None:
                return state, ()
            late = done.total_ms > done.budget_ms
            event = Event(
                now_ns,
                "TRANSFER_LATE" if late else "TRANSFER_DONE",
                Severity.WARNING if late else Severity.INFO,
                transfer.said(done, done.total_ms),
            )
            following = replace(state, transfer=None, last_transfer=done, transfers=state.transfers + 1)
            return following, (event,)
    return state, ()


def _manage_loads(settings: Settings, state: State, now_ns: int, events: list[Event]) -> State:
    dark = state.islanding.mode in _UNLIT_MODES
    start_w = discharge_limit.may_start_w(settings, state) if dark else None
    looked = load_switches.look(settings, state.loads, state.senses, start_w=start_w, now_ns=now_ns)
    unlit_ns = state.islanding.unlit_since_ns
    if dark and unlit_ns is not None and now_ns - unlit_ns >= STANDS_NS:
        looked = load_holds.rest(settings, looked, unlit_ns, now_ns)
    if looked is not state.loads:
        state = replace(state, loads=looked)
    if state.islanding.mode is Mode.TIED:
        return _with_loads(settings, state, load_holds.update_tied(state.loads, now_ns), now_ns, events)
    if state.islanding.mode not in _ISLAND_MODES:
        return state
    limit_w, binding = discharge_limit.allowed_power_w(settings, state)
    whole_w, spare_w = sharing.capacity_w(settings.parallel, state.parallel, limit_w)
    session, units = state.car.session, state.parallel.units_running
    hold_ns = session.hold_ns(now_ns) if binding == "car" else load_overload.OVERLOAD_HOLD_NS
    car_va = None if session.limit_w is None else session.limit_w * units
    source = load_manager.Source(units, spare_w, hold_ns, state.car, car_va)
    loads = load_manager.update_island(
        settings, state.loads, state.senses, whole_w, state.car.shed_from, now_ns, source=source
    )
    return _with_loads(settings, state, loads, now_ns, events)


def _with_loads(
    settings: Settings, state: State, loads: LoadState, now_ns: int, events: list[Event]
) -> State:
    """What was shed and what has returned is told."""
    if loads is state.loads:
        return state
    for circuit, before, after in zip(
        settings.loads.circuits, state.loads.circuits, loads.circuits, strict=True
    ):
        if after.shed and not before.shed:
            events.append(
                Event(now_ns, "LOAD_SHED", Severity.WARNING, f"{circuit.name} shed: {after.reason}.")
            )
        elif before.shed and not after.shed:
            events.append(Event(now_ns, "LOAD_RETURNED", Severity.INFO, f"{circuit.name} returned."))
    return replace(state, loads=loads)


def _keep_solar(settings: Settings, state: State, now_ns: int) -> tuple[State, tuple[Command, ...]]:
    """Follow the roof's surplus; tell it to leave, or that it may come back, once for each change."""
    mode = state.islanding.mode
    closing = (
        mode in _ISLAND_MODES
        and (state.solar.curtailed or state.solar.kept_off)
        and guards.closing_refusal(settings, state, now_ns) in ("", solar.PARTS_FIRST)
    )
    followed = solar.update(
        settings.solar,
        state.solar,
        state.senses,
        state.car.fullest_pct,
        lit=mode in _ISLAND_MODES,
        tied=mode is Mode.TIED,
        dark=mode is Mode.DARK,
        closing=closing,
        now_ns=now_ns,
    )
    permitted = not followed.kept_off
    if permitted == state.solar_permitted:
        return replace(state, solar=followed), ()
    return replace(state, solar=followed, solar_permitted=permitted), (SolarPermitRequest(permitted),)


def _fast_requests(settings: Settings, state: State, now_ns: int) -> tuple[Command, ...]:
    """The levels in force: given every step, so that the driver knows that the core lives."""
    if state.islanding.mode is Mode.CLOSING_SYNC and state.sync.aim is not None:
        # The contact was foretold for this course: nothing that the street does meanwhile may turn the house from it.
        setpoint = state.sync.aim
    elif state.islanding.mode in (Mode.SYNCING, Mode.CLOSING_SYNC):
        setpoint = synchronism.aim(settings, state.senses, now_ns)
    else:
        raised_hz = settings.inverter.nominal_hz + state.solar.raised_hz + state.street.turn_hz
        # Only beside the grid does the inverter obey a power; in the island it gives what the loads take.
        shaved_w = state.tariff.power_w if state.islanding.mode is Mode.TIED else 0.0
        setpoint = InverterSetpoint(raised_hz, settings.inverter.nominal_v, shaved_w)
    return (
        mode_commands.request(state),
        ShedRequest(state.loads.mask),
        setpoint,
        FanRequest(100 if state.thermal.fan_on else 0),
    )


def _deadline_ns(settings: Settings, state: State, now_ns: int) -> int | None:
    """The earliest instant at which time alone changes something, even while every frame stays the same."""
    machine = state.islanding
    ends = [*grid_monitor.deadlines_ns(settings.grid, state.grid), *load_manager.deadlines_ns(state.loads)]
    ends += supply.deadlines_ns(settings.supply, state.supply)
    ends += peak_shaving.deadlines_ns(state)
    ends += discharge_limit.deadlines_ns(state)
    ends += house_watch.deadlines_ns(state.house)
    ends += street_trial.deadlines_ns(state.street)
    for since_ns, hold_ns in (
        (machine.dead_since_ns, guards.DEAD_BUS_NS),
        (machine.unlit_since_ns, STANDS_NS),
        (machine.closed_since_ns, islanding.CLOSED_HOLD_MS * NS_PER_MS),
        (machine.proven_in_fault_since_ns, islanding.FAULT_PROOF_NS),
        (machine.rivals_since_ns, lockouts.RIVALS_NS),
        (machine.gives_since_ns, lockouts.GIVES_NS),
        (machine.inverter_failed_ns, machine_clocks.FAILED_NS),
        (state.sync.ok_since_ns, int(settings.sync.hold_ms * NS_PER_MS)),
        (mid_proof.ripe_ns(settings.mid, state.proof), 0),
        (islanding.deadline_ns(settings, state), 0),
        (machine.form_not_before_ns or None, 0),
        (solar.deadline_ns(state.solar), 0),
        (machine.close_not_before_ns or None, 0),
    ):
        if since_ns is not None:
            ends.append(since_ns + hold_ns)
    return min((end for end in ends if end > now_ns), default=None)


def _wake_at_ns(settings: Settings, state: State, deadline_ns: int | None, now_ns: int) -> int:
    """When to step again even if no frame comes: at the next deadline, and in time to notice silence."""
    wakes = [now_ns + 50 * NS_PER_MS]
    silences = (grid_monitor.silence_ns(state.senses), car_reserve.silence_ns(settings.car, state.senses))
    wakes += [silence_ns for silence_ns in silences if silence_ns is not None and silence_ns > now_ns]
    if deadline_ns is not None:
        wakes.append(deadline_ns)
    # A wake time that has come asks for the next millisecond, never for a busy loop.
    return max(now_ns + NS_PER_MS, min(wakes))
