"""The core's State as people and tools see it: one pure function from State to Snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from v2h_console.core import guards
from v2h_console.core.alarms_state import Alarm
from v2h_console.core.discharge_limit import allowed_power_w
from v2h_console.core.mid_proof import Position
from v2h_console.core.parallel import UNIT_LIMIT_MS
from v2h_console.core.senses import CYCLE_LIMIT_MS, INVERTER_LIMIT_MS, TEMPERATURES_LIMIT_MS, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_console.core.supply import SUPPLY_LIMIT_MS
from v2h_console.core.transfer import UNCERTAINTY_MS, Transfer
from v2h_console.runtime.sentence import sentence
from v2h_console.runtime.what_to_do import advice
from v2h_console.session.snapshot import (
    AlarmView,
    CarView,
    DeviceView,
    EventView,
    GridView,
    InverterView,
    LaneView,
    LegView,
    Limits,
    LoadView,
    MidView,
    OutletView,
    SideView,
    Snapshot,
    SupplyView,
    TariffView,
    TransferView,
    UnitView,
    Value,
)
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import SideCycle
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import LinkState

#: Polled readings (1 s and slower) are late after three polls.
SLOW_LIMIT_MS = 3_000.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the picture needs beside the State."""

    sequence: int
    at_ns: int
    wall_s: float
    twin: bool
    helm: str
    lane: LaneView
    events: Sequence[EventView]
    outlets: tuple[OutletView, ...] = ()
    what_if: Callable[[Settings, State, tuple[LoadView, ...], int], tuple[str, ...]] | None = None

    def wall_of(self, at_ns: int) -> float:
        """The wall clock's time of a monotonic instant: informs only."""
        return self.wall_s - (self.at_ns - at_ns) / NS_PER_S


def build(settings: Settings, state: State, around: Surroundings) -> Snapshot:
    """The whole picture at ``around.at_ns``."""
    now_ns = around.at_ns
    islanding = state.islanding
    loads = _loads(settings, state, now_ns)
    locked = bool(islanding.lk_close or islanding.lk_form) or islanding.mode is Mode.FAULT_OPEN
    return Snapshot(
        sequence=around.sequence,
        at_ns=now_ns,
        wall_s=around.wall_s,
        site=settings.site,
        twin=around.twin,
        owner_ready=True,
        mode=islanding.mode.value if state.senses.heartbeat is not None else "unknown",
        mode_since_ms=(now_ns - islanding.since_ns) / NS_PER_MS,
        house_dark=_house_dark(state, now_ns),
        locked_out=locked,
        sentence=sentence(settings, state, now_ns),
        helm=around.helm,
        grid=_grid(settings, state, now_ns),
        house=_side(state.senses.house_cycle, now_ns, _inverter_volts(state, now_ns)),
        mid=_mid(state, around),
        legs=_legs(settings, state, now_ns),
        inverter=_inverter(settings, state, now_ns),
        car=_car(settings, state, now_ns),
        solar_w=_value(state.senses.solar, "power_w", now_ns, SLOW_LIMIT_MS),
        solar_state=_solar_state(state),
        supply=SupplyView(
            volts=_value(state.senses.supply, "supply_v", now_ns, SUPPLY_LIMIT_MS),
            hold_up_min=_value(state.senses.supply, "hold_up_min", now_ns, SUPPLY_LIMIT_MS),
            stopped=state.supply.stop,
            reason=state.supply.reason,
        ),
        tariff=_tariff(settings, state),
        units=_units(settings, state, now_ns),
        loads=loads,
        what_if=() if around.what_if is None else around.what_if(settings, state, loads, now_ns),
        last_transfer=_transfer(state.last_transfer, around),
        transfers=state.transfers,
        alarms=tuple(_alarm(alarm, around) for alarm in state.alarms),
        events=tuple(around.events),
        devices=_devices(state, now_ns),
        outlets=around.outlets,
        lane=around.lane,
        limits=_limits(settings),
    )


def _units(settings: Settings, state: State, now_ns: int) -> tuple[UnitView, ...]:
    """Each of several inverters; none where there is one."""
    views = []
    for index, (one, unit) in enumerate(zip(settings.parallel.units, state.parallel.units, strict=True)):
        role = "primary" if index == state.parallel.primary else "shares" if unit.joined else "out"
        heard = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
        views.append(
            UnitView(
                name=one.name,
                role=role,
                mode="silent" if heard is None else heard.mode.value,
                phase_deg=_value(unit.reading, "phase_deg", now_ns, UNIT_LIMIT_MS),
                current_a=_value(unit.reading, "current_a", now_ns, UNIT_LIMIT_MS),
                soc_pct=_value(unit.car, "soc_pct", now_ns, SLOW_LIMIT_MS),
                reason=unit.reason if role == "out" else "",
            )
        )
    return tuple(views)


def _tariff(settings: Settings, state: State) -> TariffView:
    tariff = state.tariff
    return TariffView(
        configured=bool(settings.tariff.windows),
        window=tariff.window,
        power_w=tariff.power_w if tariff.engaged else None,
        confirmed=tariff.engaged and tariff.confirmed,
        reason=tariff.refusal if tariff.window or tariff.clock.doubt else "",
        reserve_pct=settings.tariff.disengage_at_soc_pct,
    )


def _solar_state(state: State) -> str:
    """ "" = nothing to say; curtailed: held back by frequency; kept off: told to leave."""
    if state.solar.kept_off:
        return "kept off"
    return "curtailed" if state.solar.curtailed else ""


def _house_dark(state: State, now_ns: int) -> bool | None:
    cycle = fresh(state.senses.house_cycle, now_ns, CYCLE_LIMIT_MS)
    if cycle is None or cycle.l1_v is None or cycle.l2_v is None:
        return None
    return min(cycle.l1_v, cycle.l2_v) < guards.LIT_PU * NOMINAL_V


def _value(reading: Reading | None, field: str, now_ns: int, limit_ms: float, *, scale: float = 1.0) -> Value:
    """A reading's field: its value while GOOD and fresh, its age, never an old value as if new."""
    if reading is None:
        return Value()
    age_ms = (now_ns - reading.at_ns) / NS_PER_MS
    number = getattr(reading, field)
    if reading.quality is Quality.BAD or number is None or age_ms > limit_ms:
        return Value(None, age_ms)
    return Value(float(number) * scale, age_ms)


def _inverter_volts(state: State, now_ns: int) -> dict[str, Value]:
    """The house side as the inverter reads it over its own link: shown, named, never a proof."""
    status = state.senses.inverter
    if status is None:
        return {}
    fields = {"l1_v": "l1_v", "l2_v": "l2_v", "l1l2_v": "l1l2_v", "frequency_hz": "frequency_hz"}
    values = {name: _value(status, field, now_ns, SLOW_LIMIT_MS) for name, field in fields.items()}
    return {
        name: Value(value.value, value.age_ms, "inv")
        for name, value in values.items()
        if value.value is not None
    }


def _side(cycle: SideCycle | None, now_ns: int, borrowed: dict[str, Value]) -> SideView:
    def pick(field: str) -> Value:
        own = _value(cycle, field, now_ns, CYCLE_LIMIT_MS)
        if own.value is None and (cycle is None or now_ns - cycle.at_ns > CYCLE_LIMIT_MS * NS_PER_MS):
            return borrowed.get(field, own)
        return own

    return SideView(pick("l1_v"), pick("l2_v"), pick("l1l2_v"), pick("frequency_hz"), Value())


def _grid(settings: Settings, state: State, now_ns: int) -> GridView:
    grid = state.grid
    return GridView(
        sides=_side(state.senses.grid_cycle, now_ns, {}),
        condition=grid.condition.value,
        since_ms=(now_ns - grid.since_ns) / NS_PER_MS if grid.since_ns else 0.0,
        qualified_s=grid.ok_for_ns(now_ns) / NS_PER_S,
        delay_s=settings.grid.enter_service.delay_s,
        reason=grid.reason,
    )


def _mid(state: State, around: Surroundings) -> MidView:
    proof = state.proof
    position = proof.position.value if proof.position in (Position.OPEN, Position.CLOSED) else "unknown"
    kind = "none"
    if position == "open":
        kind = "aux+volts" if proof.by_volts else "aux"
    elif position == "closed":
        kind = "aux+volts" if _level(state, around.at_ns) else "aux"
    known = proof.last_known is not Position.UNKNOWN
    return MidView(
        position=position,
        proof=kind,
        last_known=proof.last_known.value if known else "",
        last_known_wall_s=around.wall_of(proof.last_known_at_ns) if known else None,
        last_open_ms=state.relay.last_ms,
        worst_open_ms=state.relay.worst_ms,
        openings=state.relay.count,
        latched_open=state.latch.wanted_locked and state.islanding.mode is not Mode.TIED,
    )


def _level(state: State, now_ns: int) -> bool:
    """A closed MID shows the same live voltage on both sides."""
    grid = fresh(state.senses.grid_fast, now_ns, 60.0)
    house = fresh(state.senses.house_fast, now_ns, 60.0)
    if grid is None or house is None:
        return False
    pairs = ((grid.l1_pu, house.l1_pu), (grid.l2_pu, house.l2_pu))
    return all(
        street is not None and inside is not None and street > 0.5 and abs(street - inside) < 0.03
        for street, inside in pairs
    )


def _legs(settings: Settings, state: State, now_ns: int) -> tuple[LegView, LegView]:
    limit_w, _ = allowed_power_w(settings, state)
    limit_a = limit_w / 2.0 / NOMINAL_V
    currents = state.senses.currents
    return (
        LegView(_value(currents, "l1_a", now_ns, 200.0), limit_a),
        LegView(_value(currents, "l2_a", now_ns, 200.0), limit_a),
    )


def _inverter(settings: Settings, state: State, now_ns: int) -> InverterView:
    fast = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    heartbeat = fresh(state.senses.heartbeat, now_ns, 100.0)
    limit_w, binding = allowed_power_w(settings, state)
    temperatures = state.senses.temperatures
    fan_rpm = _value(temperatures, "fan_rpm", now_ns, TEMPERATURES_LIMIT_MS)
    stopped = ""
    if state.islanding.mode in (Mode.FAULT_OPEN, Mode.DARK, Mode.BOOT_OPEN, Mode.OPENING, Mode.PROVING):
        stopped = "gate off by us"
    return InverterView(
        mode=fast.mode.value if fast is not None else "unknown",
        heartbeat_ok=heartbeat is not None,
        power_w=_value(state.senses.inverter, "power_w", now_ns, SLOW_LIMIT_MS),
        set_w=limit_w,
        holds_w=_holds_w(state, now_ns),
        rated_w=settings.inverter.rated_w,
        binding_limit=binding,
        heatsink_c=_value(temperatures, "heatsink_c", now_ns, TEMPERATURES_LIMIT_MS),
        ambient_c=_value(temperatures, "ambient_c", now_ns, TEMPERATURES_LIMIT_MS),
        fan_on=None if fan_rpm.value is None else fan_rpm.value > 100.0,
        fan_rpm=fan_rpm,
        fan_on_above_c=settings.thermal.fan_on_c,
        derate_from_c=settings.thermal.derate_from_c,
        efficiency_pct=state.thermal.efficiency.percent(),
        stopped_reason=stopped,
    )


def _holds_w(state: State, now_ns: int) -> Value:
    """Of a GOOD reading alone: somebody relies on it that a limit is in force."""
    status = state.senses.inverter
    held = _value(status, "max_discharge_w", now_ns, SLOW_LIMIT_MS)
    return held if status is None or status.quality is Quality.GOOD else Value(None, held.age_ms)


def _car(settings: Settings, state: State, now_ns: int) -> CarView:
    car = state.senses.car
    power = _value(car, "dc_power_w", now_ns, SLOW_LIMIT_MS)
    return CarView(
        soc_pct=_value(car, "soc_pct", now_ns, SLOW_LIMIT_MS),
        floor_pct=settings.car.floor_soc_pct,
        dc_v=_value(car, "dc_voltage_v", now_ns, SLOW_LIMIT_MS),
        dc_a=_value(car, "dc_current_a", now_ns, SLOW_LIMIT_MS),
        power_w=power,
        runtime_s=state.car.runtime_s,
        ends_by=state.car.ends_by,
        pack_ohm=state.car.pack.resistance_ohm,
        planned_s=state.car.planned_s,
        limit_w=state.car.session.limit_w,
        insulation_ohm_per_v=state.car.session.insulation_ohm_per_v,
        session=state.car.session.refusal,
        discharging=power.value is not None and power.value > 50.0,
    )


_UNHEARD_OFF = "told to be off; its switch is not heard"


def _loads(settings: Settings, state: State, now_ns: int) -> tuple[LoadView, ...]:
    feedback = fresh(state.senses.load_feedback, now_ns, 200.0)
    views = []
    for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.loads.circuits, strict=True)):
        reading = state.senses.circuits[index] if index < len(state.senses.circuits) else None
        power = _value(reading, "power_w", now_ns, 10_000.0)
        hold_s, reason = None, held.reason
        if feedback is None:
            # What was asked of a switch is not what it does.
            word, reason = "unknown", _UNHEARD_OFF if held.shed else ""
        elif held.shed:
            word = "held" if held.until_ns is not None and held.until_ns > now_ns else "shed"
            hold_s = (
                (held.until_ns - now_ns) / NS_PER_S if word == "held" and held.until_ns is not None else None
            )
            if feedback.closed_mask >> index & 1:
                word = "fault"
        elif not feedback.closed_mask >> index & 1:
            word = "off"
        else:
            word = "on" if power.value is None or power.value > 5.0 else "off"
        views.append(
            LoadView(circuit.id, circuit.name, circuit.legs, circuit.tier, word, power, hold_s, reason)
        )
    return tuple(views)


def _transfer(record: Transfer | None, around: Surroundings) -> TransferView | None:
    if record is None:
        return None
    detect_ms, open_ms, prove_ms, form_ms = record.parts_ms()
    total_ms = record.total_ms
    return TransferView(
        wall_s=around.wall_of(record.fell_ns),
        transfer_class=record.transfer_class,
        cause=record.cause,
        detect_ms=detect_ms,
        open_ms=open_ms,
        prove_ms=prove_ms,
        form_ms=form_ms,
        total_ms=total_ms,
        budget_ms=record.budget_ms,
        uncertainty_ms=UNCERTAINTY_MS,
        ok=None if total_ms is None else total_ms <= record.budget_ms,
    )


def _alarm(alarm: Alarm, around: Surroundings) -> AlarmView:
    return AlarmView(
        code=alarm.code,
        severity=alarm.severity.value,
        text=alarm.text,
        since_wall_s=around.wall_of(alarm.since_ns),
        acknowledged=alarm.acknowledged,
        what_to_do=advice(alarm.code),
    )


def _devices(state: State, now_ns: int) -> tuple[DeviceView, ...]:
    identities = {identity.device: identity for identity in state.senses.identities}
    views = []
    for link in sorted(state.senses.links, key=lambda link: link.device):
        identity = identities.get(link.device)
        age_ms = None if link.answered_at_ns is None else (now_ns - link.answered_at_ns) / NS_PER_MS
        # The driver itself says how it is; when even it has gone quiet, nothing is known.
        silent = now_ns - link.at_ns > SLOW_LIMIT_MS * NS_PER_MS
        views.append(
            DeviceView(
                name=link.device,
                protocol=link.protocol,
                address=link.address,
                state=LinkState.LOST.value if silent else link.state.value,
                reason="its driver is silent" if silent else link.reason,
                last_age_ms=age_ms,
                good=link.good,
                bad=link.bad,
                round_trip_ms=link.round_trip_ms,
                identity=f"{identity.manufacturer} {identity.model} {identity.serial}".strip()
                if identity
                else "",
            )
        )
    return tuple(views)


def _limits(settings: Settings) -> Limits:
    window = settings.grid.enter_service
    return Limits(
        enter_v_lo=window.v_lo_pu * NOMINAL_V,
        enter_v_hi=window.v_hi_pu * NOMINAL_V,
        enter_ll_lo=2 * window.v_lo_pu * NOMINAL_V,
        enter_ll_hi=2 * window.v_hi_pu * NOMINAL_V,
        enter_f_lo=window.f_lo_hz,
        enter_f_hi=window.f_hi_hz,
    )
