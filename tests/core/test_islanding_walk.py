"""Anything may happen in any order: a walk over the islanding table by grid, relay, inverter, car, people and restarts.

What is looked at is the plant's truth beside what the core commands, never what the core believes.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.core.houses import SETTINGS, House
from tests.core.moments import bad
from v2h_console.core import guards
from v2h_console.core.observation import OrderKind
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import (
    ControllerHeartbeat,
    GridFast,
    HouseFast,
    InverterFast,
    InverterMode,
    MidState,
    SideCycle,
    Sync,
    Temperatures,
)
from v2h_drivers.capabilities.slow_readings import CarStatus

KINDS = (
    CarStatus, ControllerHeartbeat, GridFast, HouseFast, InverterFast, MidState, SideCycle, Sync, Temperatures,
)  # fmt: skip
DELAY_NS = int(SETTINGS.grid.enter_service.delay_s * 1e9)
WINDOW = SETTINGS.grid.enter_service


class Walk(RuleBasedStateMachine):
    """One house through one story."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.in_window_ns: int | None = None
        self.blind_ns: int | None = None
        self.low_ns: int | None = None
        self.open_since_ns: int | None = None
        self.gone_ns: int | None = None
        self.sourceless_ns = 0
        self.held = self.held_on_disk = False
        self.formed = False
        self.lied = False

    @initialize(begins=st.sampled_from(["tied", "islanded", "booting"]))
    def begin(self, begins: str) -> None:
        self.house = {"tied": House.tied, "islanded": House.islanded, "booting": House.booting}[begins]()
        self.formed = self.house.mode is Mode.ISLANDED

    # -------------------------------------------------------------------------------------------- what may happen

    @rule(pu=st.sampled_from([0.0, 0.3, 0.7, 0.9, 1.2]))
    def the_grid_goes(self, pu: float) -> None:
        self.house.plant.grid_falls(self.house.now_ns, pu)

    @rule(hz=st.sampled_from([60.0, 60.0, 60.0, 59.0, 61.5]))
    def the_grid_comes_back(self, hz: float) -> None:
        self.house.plant.grid_returns()
        self.house.plant.grid_hz = hz

    @rule(
        phase_deg=st.sampled_from([0.0, 0.0, 3.0, 15.0, 120.0]), slip_mhz=st.sampled_from([0.0, 20.0, 300.0])
    )
    def the_angle_is(self, phase_deg: float, slip_mhz: float) -> None:
        self.house.plant.phase_deg, self.house.plant.slip_mhz = phase_deg, slip_mhz

    @rule(how=st.sampled_from(["sound", "sound", "welded", "will_not_close", "slow"]))
    def the_relay_is(self, how: str) -> None:
        plant = self.house.plant
        plant.welded = how == "welded"
        plant.will_not_close = how == "will_not_close"
        plant.open_ms = 140.0 if how == "slow" else 15.0

    @rule(contacts=st.sampled_from([None, None, (True, True), (False, False)]))
    def an_auxiliary_contact_lies(self, contacts: tuple[bool, bool] | None) -> None:
        self.house.plant.stuck_contacts = contacts

    @rule(amperes=st.sampled_from([0.0, 0.0, 0.5]))
    def a_pole_carries(self, amperes: float) -> None:
        self.house.plant.pole_a = amperes

    @rule(how=st.sampled_from(["sound", "sound", "will_not_form", "will_not_follow", "fault"]))
    def the_inverter_is(self, how: str) -> None:
        plant = self.house.plant
        plant.will_not_form, plant.will_not_follow = how == "will_not_form", how == "will_not_follow"
        plant.inverter_fault = how == "fault"

    @rule(
        soc_pct=st.sampled_from([62.0, 62.0, 24.0, 20.5, 12.0, None]),
        dc_v=st.sampled_from([400.0, 300.0, None]),
    )
    def the_car_is(self, soc_pct: float | None, dc_v: float | None) -> None:
        self.house.plant.soc_pct, self.house.plant.dc_v = soc_pct, dc_v

    @rule(kind=st.sampled_from(KINDS), how=st.sampled_from(["heard", "silent", "bad"]))
    def a_sense_is(self, kind: type, how: str) -> None:
        plant = self.house.plant
        plant.silent = plant.silent - {kind} if how != "silent" else plant.silent | {kind}
        plant.twist.pop(kind, None)
        if how == "bad":
            plant.twist[kind] = bad

    @rule()
    def everything_heals(self) -> None:
        plant = self.house.plant
        plant.silent, plant.stuck_contacts, plant.pole_a = frozenset(), None, 0.0
        plant.twist.clear()
        plant.welded = plant.will_not_close = plant.will_not_form = plant.will_not_follow = False
        plant.inverter_fault = False
        plant.open_ms, plant.soc_pct, plant.dc_v = 15.0, 62.0, 400.0

    @rule(ok=st.booleans())
    def the_disk_is(self, ok: bool) -> None:
        self.house.disk_ok = ok

    @rule(
        order=st.sampled_from(
            [OrderKind.OPEN_MID, OrderKind.ISLAND, OrderKind.CLOSE_MID, OrderKind.RESET_LOCKOUT]
        )
    )
    def a_person_orders(self, order: OrderKind) -> None:
        if order is OrderKind.CLOSE_MID:
            self.held = self.held_on_disk = False
        if order is OrderKind.OPEN_MID:
            self.held = True
        self._tick(order)

    @rule()
    def the_console_restarts(self) -> None:
        self.house.restart()
        # Only what had reached the disk outlives the process.
        self.held = self.held_on_disk

    @rule()
    def a_line_worker_comes_and_the_console_restarts(self) -> None:
        self.a_person_orders(OrderKind.OPEN_MID)
        self.time_passes(10, 5.0)
        self.the_console_restarts()
        self.everything_heals()
        self.a_good_grid_stands_for_a_while()

    @rule()
    def a_good_grid_stands_for_a_while(self) -> None:
        self.the_grid_comes_back(60.0)
        self.the_angle_is(0.0, 0.0)
        self.time_passes(300, 9.0)

    @rule(ticks=st.sampled_from([1, 3, 10, 30, 100, 300]), tick_ms=st.sampled_from([1.0, 5.0, 9.0]))
    def time_passes(self, ticks: int, tick_ms: float) -> None:
        for _ in range(ticks):
            self._tick(after_ms=tick_ms)

    # ------------------------------------------------------------------------------------------ what must never be

    def _tick(self, *orders: OrderKind, after_ms: float = 5.0) -> None:
        house = self.house
        plant = house.plant
        was_forming = self.formed
        was_gate = plant.gate
        house.tick(*orders, after_ms=after_ms)
        now_ns, control = house.now_ns, house.control
        self.held_on_disk = self.held_on_disk or (self.held and house.disk_ok)
        # (the grid as it was when the step was taken: nothing moves it in between)
        good = all(WINDOW.v_lo_pu <= pu <= WINDOW.v_hi_pu for pu in plant.grid_pu) and plant.grid_hz == 60.0
        self.in_window_ns = (self.in_window_ns if self.in_window_ns is not None else now_ns) if good else None
        deaf = {GridFast, SideCycle} & (plant.silent | plant.twist.keys())
        self.blind_ns = (self.blind_ns if self.blind_ns is not None else now_ns) if deaf else None
        low = plant.soc_pct is None or plant.soc_pct < 20.0
        self.low_ns = (self.low_ns if self.low_ns is not None else now_ns) if low else None
        is_open = not plant.closed and plant.stuck_contacts is None and plant.pole_a < 0.2
        self.open_since_ns = (
            (self.open_since_ns if self.open_since_ns is not None else now_ns) if is_open else None
        )
        gone = plant.closed and max(plant.grid_pu) < 0.5
        self.gone_ns = (self.gone_ns if self.gone_ns is not None else now_ns) if gone else None
        # A house that nothing could light stays for as long as the grid code's own elements let it: dark either way.
        if guards.source_refusal(house.settings, house.state, now_ns):
            self.sourceless_ns = now_ns
        assert not (control.open_mid and control.close_mid)
        if control.close_mid:
            self._closing_is_allowed(was_gate)
        if control.form and not was_forming:
            assert not plant.closed, "I2b: forming enabled onto a closed MID"
            assert self.open_since_ns is not None, "I2b: forming enabled on contacts that lie or conduct"
        if control.form:
            assert control.gate
        if control.gate and self.low_ns is not None and control.form:
            assert now_ns - self.low_ns <= 2_000 * NS_PER_MS, "I7: forming on under the floor"
        if self.gone_ns is not None and not plant.welded:
            overdue = now_ns - max(self.gone_ns, self.sourceless_ns) > 250 * NS_PER_MS
            if overdue or now_ns - self.gone_ns > 2_250 * NS_PER_MS:
                assert control.open_mid, "a dead grid, and the MID is not told to open"
        self.formed = control.form

    def _closing_is_allowed(self, was_gate: bool) -> None:
        house, plant, now_ns = self.house, self.house.plant, self.house.now_ns
        if house.mode not in (Mode.CLOSING_SYNC, Mode.CLOSING_DEAD):
            raise AssertionError(f"close commanded in {house.mode.value}")
        if house.state.islanding.since_ns != now_ns:
            return  # a close under way: what ends it is judged by the modes that follow
        assert not self.held, "I3: closed against a person's opening"
        assert self.in_window_ns is not None, "I1: closed onto a grid out of its window"
        assert now_ns - self.in_window_ns >= DELAY_NS - 20 * NS_PER_MS, "I1: the delay was not served"
        assert self.blind_ns is None or now_ns - self.blind_ns <= 120 * NS_PER_MS, "I4: closed blind"
        if house.mode is Mode.CLOSING_SYNC:
            assert abs(plant.phase_deg) <= 10.5, "I1: closed out of phase"
        else:
            assert max(plant.house_pu) < 0.05, "I1: closed dead onto a live house"
            assert not was_gate, "I1: closed dead with a gate on"

    @invariant()
    def the_mode_and_the_command_agree(self) -> None:
        if self.house.last is None or self.house.mode is not Mode.FAULT_OPEN:
            return
        control = self.house.control
        assert control.open_mid
        assert not control.gate

    @invariant()
    def an_island_is_fed_by_nobody_else(self) -> None:
        plant = self.house.plant
        if plant.mode is InverterMode.FORMING:
            assert not plant.closed

    def teardown(self) -> None:
        """Whatever happened: healed, reset and given its time, the house is on the grid again."""
        if self.house.last is None:
            return
        self.everything_heals()
        self.the_disk_is(True)
        self.house.plant.grid_returns()
        self.house.plant.grid_hz = 60.0
        # Two sources that happen to be in phase prove nothing about a contact; no two stay so.
        self.the_angle_is(40.0, 0.0)
        for _ in range(3):
            self.time_passes(300, 5.0)
            self.a_person_orders(OrderKind.RESET_LOCKOUT)
            self.a_person_orders(OrderKind.CLOSE_MID)
        self.the_angle_is(0.0, 0.0)
        for _ in range(40):
            if self.house.mode is Mode.TIED:
                return
            self.time_passes(300, 9.0)
        raise AssertionError(f"a sound house stays {self.house.mode.value}: {self.house.events[-5:]}")


Walk.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestIslandingWalk = Walk.TestCase
