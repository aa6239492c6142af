"""A small house for the core's tests: a logic controller's readings of it, and the core stepped against it.

No physics beyond what an event needs: contacts that travel, an inverter that obeys, a grid that falls. Everything
can be made to lie (``twist``), fall silent (``silent``) or not obey. Time is counted, never waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from v2h_console.core import load_holds
from v2h_console.core.commands import Command, PersistLatch
from v2h_console.core.events import Event
from v2h_console.core.observation import CoreOrder, LatchReceipt, Observation, OrderKind
from v2h_console.core.settings import (
    NOMINAL_V,
    NS_PER_MS,
    NS_PER_S,
    Circuit,
    EnterService,
    GridSettings,
    LoadSettings,
    Separation,
    Settings,
)
from v2h_console.core.state import Mode, State, boot
from v2h_console.core.step import Step, step
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import (
    CarSession,
    CarStage,
    ControllerHeartbeat,
    GridFast,
    HouseFast,
    InverterFast,
    InverterMode,
    LegCurrents,
    LoadFeedback,
    MidState,
    Side,
    SideCycle,
    Supply,
    Sync,
    Temperatures,
)
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import ControlRequest, InverterSetpoint, ShedRequest
from v2h_drivers.capabilities.slow_readings import CarStatus, InverterStatus

START_NS = 1_000 * NS_PER_S
GOOD = Quality.GOOD

FRIDGE, LIGHTS, HEAT_PUMP, DRYER = range(4)
CIRCUITS = (
    Circuit("fridge", "Fridge", "L1", 1, 200.0, inrush_multiple=3.0, inrush_s=0.3),
    Circuit("lights", "Lights", "L2", 2, 300.0),
    Circuit("heat_pump", "Heat pump", "L12", 3, 3_000.0, inrush_multiple=2.0, inrush_s=0.4, min_off_s=180.0),
    Circuit("dryer", "Dryer", "L12", 4, 5_000.0),
)

#: A utility preset of one second, so that a test need not step through 300.
SETTINGS = Settings(
    site="test house",
    grid=GridSettings(enter_service=EnterService(delay_s=1.0), separation=Separation.PERMITTED),
    loads=LoadSettings(circuits=CIRCUITS),
)

Twist = Callable[[Reading], Reading]


def changed(reading: Reading, **changes: object) -> Reading:
    """The same reading with other words in it, by field name."""
    return replace(reading, **changes)  # type: ignore[arg-type]  # names are the reading's own


def grid_fast(at_ns: int, pu: float | None = 1.0, **changes: object) -> GridFast:
    """Both legs at ``pu``, healthy timers."""
    return replace(GridFast(at_ns, GOOD, pu, pu, 0.0, 0.0), **changes)  # type: ignore[arg-type]  # field names


def _alive(pu: float | None, now_ns: int) -> float | None:
    return None if pu is None else pu + 0.0005 * (now_ns // NS_PER_MS * 2_654_435_761 >> 16 & 1)


def house_fast(at_ns: int, pu: float | None = 1.0, **changes: object) -> HouseFast:
    """Both legs at ``pu``."""
    return replace(HouseFast(at_ns, GOOD, pu, pu, 0.0), **changes)  # type: ignore[arg-type]  # field names


def grid_cycle(at_ns: int, pu: float = 1.0, hz: float | None = 60.0, **changes: object) -> SideCycle:
    """A half cycle of the grid, both legs at ``pu``."""
    cycle = SideCycle(at_ns, GOOD, Side.GRID, pu * NOMINAL_V, pu * NOMINAL_V, pu * 2 * NOMINAL_V, hz)
    return replace(cycle, **changes)  # type: ignore[arg-type]  # field names


def mid_state(
    at_ns: int, *, is_open: bool, since_edge_ms: float | None = 6553.4, **changes: object
) -> MidState:
    """The MID with both contacts in agreement, no current, interlock made, no bond."""
    mid = MidState(at_ns, GOOD, is_open, not is_open, not is_open, False, True, since_edge_ms, 0.0, 0)
    return replace(mid, **changes)  # type: ignore[arg-type]  # field names


def inverter_fast(at_ns: int, mode: InverterMode = InverterMode.STANDBY, **changes: object) -> InverterFast:
    """The inverter as the controller sees it."""
    active = mode in (InverterMode.FOLLOWING, InverterMode.FORMING)
    inverter = InverterFast(
        at_ns, GOOD, mode, active, mode is InverterMode.FORMING, False, 120.0, 60.0, 5.0, 31.5
    )
    return replace(inverter, **changes)  # type: ignore[arg-type]  # field names


def sync(at_ns: int, phase_deg: float | None = 0.0, **changes: object) -> Sync:
    """House against grid: no slip, equal volts."""
    return replace(Sync(at_ns, GOOD, phase_deg, 0.0, 0.0, at_ns // NS_PER_MS), **changes)  # type: ignore[arg-type]  # field names


def car(at_ns: int, soc_pct: float | None = 62.0, **changes: object) -> CarStatus:
    """The car's battery, 60 kWh at 400 V."""
    status = CarStatus(at_ns, GOOD, "Inverter", soc_pct, 97.0, 60_000.0, 400.0, 5.0, 2_000.0)
    return replace(status, **changes)  # type: ignore[arg-type]  # field names


def car_session(at_ns: int, **changes: object) -> CarSession:
    """Energised, dry, 25 A allowed."""
    session = CarSession(at_ns, GOOD, CarStage.ENERGISED, True, True, True, 400.0, 400.0, 1_500.0, 25.0)
    return replace(session, **changes)  # type: ignore[arg-type]  # field names


def temperatures(at_ns: int, heatsink_c: float | None = 30.0) -> Temperatures:
    """The inverter's heatsink."""
    return Temperatures(at_ns, GOOD, heatsink_c, 20.0, 0.0)


def currents(at_ns: int, l1_a: float | None = 3.0, l2_a: float | None = 3.0) -> LegCurrents:
    """The house's load per leg."""
    return LegCurrents(at_ns, GOOD, l1_a, l2_a, 0.0)


def heartbeat(at_ns: int) -> ControllerHeartbeat:
    """The logic controller lives."""
    return ControllerHeartbeat(at_ns, GOOD, 7, 100, False, 0)


def inverter_status(at_ns: int, max_discharge_w: float | None = 7_600.0) -> InverterStatus:
    """The inverter over SunSpec."""
    return InverterStatus(
        at_ns, GOOD, "Inverter", 2_000.0, 1_000.0, 1_000.0, 120.0, 120.0, 240.0, 60.0, 30.0, 10_000.0,
        max_discharge_w, False, True, 0,
    )  # fmt: skip


@dataclass
class Plant:
    """The house itself. ``stuck_contacts`` (NC, NO) overrides what the contacts say; ``twist`` what any reading says.
    ``slip_mhz`` is the house's at its nominal frequency; ``bypassed``: house and street are one beside the open MID."""

    grid_pu: tuple[float, float] = (1.0, 1.0)
    grid_hz: float = 60.0
    fell_ns: int | None = None
    closed: bool = False
    edge_ns: int = START_NS - 10 * NS_PER_S
    travel_to: bool | None = None
    travel_done_ns: int = 0
    open_ms: float = 15.0
    close_ms: float = 31.0
    welded: bool = False
    will_not_close: bool = False
    stuck_contacts: tuple[bool, bool] | None = None
    pole_a: float = 0.0
    bond: bool = False
    interlock: bool = True
    inverter_w: float = 2_000.0
    gate: bool = False
    form: bool = False
    will_not_form: bool = False
    will_not_follow: bool = False
    inverter_fault: bool = False
    residual_pu: float = 0.0
    phase_deg: float = 0.0
    slip_mhz: float = 0.0
    set_hz: float = 60.0
    bypassed: bool = False
    difference_pct: float = 0.0
    soc_pct: float | None = 62.0
    dc_v: float | None = 400.0
    dc_side: dict[str, object] = field(default_factory=dict)
    heatsink_c: float | None = 30.0
    leg_a: tuple[float, float] = (3.0, 3.0)
    shed_mask: int = 0
    relay_stuck_mask: int = 0
    last_token: int = 0
    silent: frozenset[type] = frozenset()
    twist: dict[type, Twist] = field(default_factory=dict)

    def grid_falls(self, now_ns: int, pu: float = 0.0) -> None:
        """The grid drops to ``pu`` on both legs at this instant."""
        self.grid_pu = (pu, pu)
        self.fell_ns = now_ns

    def grid_returns(self) -> None:
        """Nominal volts on both legs."""
        self.grid_pu = (1.0, 1.0)
        self.fell_ns = None

    @property
    def mode(self) -> InverterMode:
        """What the inverter does, given its gate and what it sees."""
        if self.inverter_fault:
            return InverterMode.FAULT
        if not self.gate:
            return InverterMode.STANDBY
        if self.form and not self.closed and not self.will_not_form:
            return InverterMode.FORMING
        live = self.closed and min(self.grid_pu) >= 0.88
        return InverterMode.FOLLOWING if live and not self.will_not_follow else InverterMode.STANDBY

    @property
    def house_pu(self) -> tuple[float, float]:
        """Volts on the house bus."""
        if self.closed:
            return self.grid_pu
        formed = 1.0 if self.mode is InverterMode.FORMING else self.residual_pu
        return formed, formed

    def move(self, now_ns: int) -> None:
        """Let a travelling contact arrive."""
        if self.travel_to is not None and now_ns >= self.travel_done_ns:
            self.closed, self.edge_ns, self.travel_to = self.travel_to, self.travel_done_ns, None

    def obey(self, commands: tuple[Command, ...], now_ns: int) -> None:
        """Take the commands as the logic controller would."""
        for command in commands:
            if isinstance(command, ShedRequest):
                self.shed_mask = command.mask
            elif isinstance(command, InverterSetpoint):
                self.set_hz = command.frequency_hz
            elif isinstance(command, ControlRequest):
                self.gate, self.form = command.gate, command.form
                if command.open_mid:
                    if self.travel_to:
                        self.travel_to = None
                    if self.closed and self.travel_to is None and not self.welded:
                        self.travel_to, self.travel_done_ns = False, now_ns + int(self.open_ms * NS_PER_MS)
                elif command.close_mid and command.close_token != self.last_token:
                    self.last_token = command.close_token
                    if not self.closed and not self.will_not_close:
                        self.travel_to, self.travel_done_ns = True, now_ns + int(self.close_ms * NS_PER_MS)

    def readings(self, now_ns: int) -> tuple[Reading, ...]:
        """Everything that the devices would have said by now, all of this instant."""
        self.move(now_ns)
        grid_l1, grid_l2 = self.grid_pu
        house_l1, house_l2 = self.house_pu
        low_ms = 0.0 if self.fell_ns is None else (now_ns - self.fell_ns) / NS_PER_MS
        both_live = min(*self.grid_pu, *self.house_pu) > 0.5
        one = self.closed or self.bypassed
        house_hz = self.grid_hz if self.closed else self.set_hz
        street_hz = house_hz if one else self.grid_hz
        slip_mhz = 0.0 if one else self.slip_mhz + 1_000.0 * (self.set_hz - self.grid_hz)
        nc, no = self.stuck_contacts or (not self.closed, self.closed)
        edge_ms = min(6553.4, (now_ns - self.edge_ns) / NS_PER_MS)
        everything: tuple[Reading, ...] = (
            heartbeat(now_ns),
            GridFast(
                # A live channel's noise moves its last digit; one that stands still is a frozen sensor.
                now_ns, GOOD, _alive(grid_l1, now_ns), _alive(grid_l2, now_ns),
                low_ms if min(self.grid_pu) < 0.5 else 0.0, low_ms if min(self.grid_pu) < 0.88 else 0.0,
            ),
            HouseFast(now_ns, GOOD, house_l1, house_l2, 0.0),
            MidState(now_ns, GOOD, nc, no, self.closed, self.bond, self.interlock, edge_ms, self.pole_a, 0),
            inverter_fast(now_ns, self.mode, fault=self.inverter_fault, gate_on=self.gate),
            Sync(
                now_ns, GOOD,
                (0.0 if self.closed else self.phase_deg) if both_live else None,
                slip_mhz if both_live else None,
                self.difference_pct if both_live else None, now_ns // NS_PER_MS,
            ),
            grid_cycle(
                now_ns, 1.0, street_hz if max(self.grid_pu) > 0.2 else None,
                l1_v=grid_l1 * NOMINAL_V, l2_v=grid_l2 * NOMINAL_V, l1l2_v=(grid_l1 + grid_l2) * NOMINAL_V,
            ),
            SideCycle(
                now_ns, GOOD, Side.HOUSE, house_l1 * NOMINAL_V, house_l2 * NOMINAL_V,
                (house_l1 + house_l2) * NOMINAL_V, house_hz if house_l1 > 0.2 else None,
            ),
            currents(now_ns, *self.leg_a),
            LoadFeedback(now_ns, GOOD, 0b1111 & ~self.shed_mask | self.relay_stuck_mask),
            temperatures(now_ns, self.heatsink_c),
            Supply(now_ns, GOOD, 24.1, 45.0),
            car(
                now_ns,
                self.soc_pct,
                dc_voltage_v=self.dc_v,
                dc_current_a=5.0 if self.gate else 0.1,
                dc_power_w=2_000.0 if self.gate else 40.0,
            ),
            car_session(now_ns, **self.dc_side),
            changed(inverter_status(now_ns), power_w=self.inverter_w),
        )  # fmt: skip
        return tuple(
            self.twist[type(reading)](reading) if type(reading) in self.twist else reading
            for reading in everything
            if type(reading) not in self.silent
        )


@dataclass
class House:
    """The core beside a plant and a disk. ``disk_ok`` False = a write gives no receipt."""

    settings: Settings = SETTINGS
    plant: Plant = field(default_factory=Plant)
    now_ns: int = START_NS
    state: State = State()
    last: Step | None = None
    disk_ok: bool = True
    unwritten: PersistLatch | None = None
    disk: LatchReceipt = LatchReceipt(0, locked=True)
    receipts: list[LatchReceipt] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sequence: int = 0

    @staticmethod
    def booting(settings: Settings = SETTINGS) -> House:
        """Not stepped yet; the disk says "locked"."""
        return House(settings, state=boot(settings, START_NS), receipts=[LatchReceipt(0, locked=True)])

    def restart(self) -> None:
        """The process ends and a new one starts at once: all that it knows is what the disk holds."""
        self.state = boot(self.settings, self.now_ns)
        self.receipts, self.unwritten = [self.disk], None

    @staticmethod
    def islanded(settings: Settings = SETTINGS) -> House:
        """Lit from the car, the grid dead."""
        return _islanded(settings)._copy()

    @staticmethod
    def tied(settings: Settings = SETTINGS) -> House:
        """On the grid, settled."""
        return _tied(settings)._copy()

    def rest(self) -> None:
        """The compressors have rested."""
        loads = load_holds.update_tied(self.state.loads, self.now_ns + 1_000 * NS_PER_S)
        self.state = replace(self.state, loads=loads)

    @property
    def mode(self) -> Mode:
        """The islanding machine's state."""
        return self.state.islanding.mode

    @property
    def control(self) -> ControlRequest:
        """What the last step commanded of MID and gates."""
        assert self.last is not None
        return next(command for command in self.last.commands if isinstance(command, ControlRequest))

    def must_be(self, *modes: Mode) -> None:
        """Fail unless the machine is in one of these."""
        assert self.mode in modes, f"{self.mode.value}, not {' or '.join(mode.value for mode in modes)}"

    def codes(self) -> list[str]:
        """The codes of all events so far."""
        return [event.code for event in self.events]

    def tick(self, *orders: OrderKind, after_ms: float = 5.0) -> Step:
        """Step once, ``after_ms`` later, with everything that the devices say then."""
        self.now_ns += int(after_ms * NS_PER_MS)
        asked = tuple(
            CoreOrder(kind, f"{kind.value} {self.sequence}", self.now_ns + NS_PER_S) for kind in orders
        )
        return self.observe(self.plant.readings(self.now_ns), asked)

    def observe(self, readings: tuple[Reading, ...], orders: tuple[CoreOrder, ...] = ()) -> Step:
        """Step at the present instant with just these."""
        self.sequence += 1
        observation = Observation(self.sequence, readings, orders, tuple(self.receipts))
        self.receipts = []
        self.last = step(self.settings, self.state, observation, self.now_ns)
        self.state = self.last.state
        self.events.extend(self.last.events)
        self.plant.obey(self.last.commands, self.now_ns)
        for command in self.last.commands:
            if isinstance(command, PersistLatch):
                self.unwritten = command
        if self.unwritten is not None and self.disk_ok:
            # A record that could not be written is tried again until it is, as the writer does.
            self.disk = LatchReceipt(self.unwritten.sequence, self.unwritten.locked, self.unwritten.kept)
            self.receipts.append(self.disk)
            self.unwritten = None
        return self.last

    def run_ms(self, total_ms: float, tick_ms: float = 5.0) -> None:
        """Step on for this long."""
        for _ in range(round(total_ms / tick_ms)):
            self.tick(after_ms=tick_ms)

    def until(self, mode: Mode, within_ms: float = 5_000.0, tick_ms: float = 5.0) -> float:
        """Step until the machine is in ``mode``; returns the milliseconds that it took. Fails when it does not come."""
        started_ns = self.now_ns
        while self.now_ns - started_ns < within_ms * NS_PER_MS:
            self.tick(after_ms=tick_ms)
            if self.mode is mode:
                return (self.now_ns - started_ns) / NS_PER_MS
        raise AssertionError(f"{mode.value} not reached in {within_ms:g} ms; it is {self.mode.value}")

    def _copy(self) -> House:
        return replace(
            self,
            plant=replace(self.plant, twist=dict(self.plant.twist), dc_side=dict(self.plant.dc_side)),
            receipts=list(self.receipts),
            events=[],
        )


@cache
def _islanded(settings: Settings) -> House:
    house = House.booting(settings)
    house.plant.grid_falls(START_NS - NS_PER_S)
    house.until(Mode.ISLANDED)
    house.run_ms(200)
    assert house.mode is Mode.ISLANDED
    return house


@cache
def _tied(settings: Settings) -> House:
    house = House.booting(settings)
    house.until(Mode.TIED)
    house.rest()
    house.run_ms(200)
    assert house.mode is Mode.TIED
    return house
