"""The independent judge: reads the twin's truth, never the core's beliefs, with literals of its own.

Give it every event of the truth with the scene at that very instant (``saw``), and now and then a scene between events
(``look``). What it finds stands in ``violations``. It knows the invariants, not the program that must keep them.

I12 (nothing blocks the tick) and I15 (monotonic time) leave no trace in the truth of the house: the real-time
benchmark and the replay tests show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from v2h_console.twin.scene import Scene
from v2h_console.twin.truth import Truth

MS = 1_000_000
S = 1_000_000_000

# I1: the enter-service window (IEEE 1547-2018, 4.10), with the 1 % that its measurement is allowed.
WINDOW_PU = (0.917 * 0.99, 1.05 * 1.01)
WINDOW_HZ = (59.49, 60.11)
#: No export before 98.5 % of the delay (IEEE 1547.1-2020, 5.6).
DELAY_SHARE = 0.985
# Synchronisation limits for 0 to 500 kVA.
PHASE_LIMIT_DEG = 20.0
#: A jump this shortly before the contacts meet cannot be undone: a cycle to measure it, a frame, the relay's own inertia.
UNSTOPPABLE_NS = 25 * MS
VOLTAGE_LIMIT_PU = 0.10
DEAD_PU = 0.05
DEAD_HOLD_NS = 299 * MS
# I14: a follower joins in phase; 5 degrees, and what its angle is measured to.
JOIN_DEG = 6.0
# I2: the house made by the inverter must not reach the street.
FORMED_PU = 0.15
HANDBACK_NS = 100 * MS
#: An unbidden closing is met by the logic controller within 20 ms; the contact's own bounce beside it.
UNBIDDEN_NS = 25 * MS
PROOF_NS = 12 * MS - 50_000
#: Faults that move a contact, or seem to, under a forming inverter: then the controller's own stop is what must come.
MOVING_CONTACTS = frozenset(
    ("mid.uncommanded_close", "mid.aux_wrong", "mid.chatter", "mid.welded", "mid.slow")
)
# I3: a start opens; an opening of a MID that has carried the house for this long counts as one.
OPEN_AT_START_NS = 250 * MS
CARRIED_NS = 1 * S
ORDERED_OPEN_NS = 200 * MS
# I4: a sense that has lied for this long has been found out.
LIAR_NS = 1 * S
#: One that stands still at a value that could be true is found by two windows of two minutes, and a limit's way.
STILL_NS = 243 * S
BLIND_LIMIT_W = 1_001.0
HALF_LIMIT_W = 3_801.0
LIMIT_PATIENCE_NS = 3 * S
# I5, I6: from the last valid command, which is at most one period before the owner's end.
OPEN_WITHOUT_OWNER_NS = 250 * MS
GATE_WITHOUT_OWNER_NS = 105 * MS
# I7
FLOOR_SOC_PCT = 20.0
FLOOR_TOLERANCE_PCT = 0.1
FLOOR_PATIENCE_NS = 2 * S
STOP_SOC_PCT = 20.8
SHED_SOC_PCT = 21.8
SOC_PATIENCE_NS = 5 * S
#: What is shed at the reserve's first rung: everything that need not run.
NOT_MUST_RUN = ("hvac", "range", "evse", "garage_door", "well_pump")
#: What the demo's schedule keeps in the car on the grid, less what a poll and a pack's rounding take.
TARIFF_SOC_PCT = 49.7
SHAVING_W = 150.0
# I8: the surge anchors of the inverter: 9 kVA for ever, 16 kVA for 10 s. A shed takes 100 ms, its frame and its switch
# 40 ms more.
SURGE_VA = 16_000.0
SURGE_PATIENCE_NS = 140 * MS
CONTINUOUS_VA = 9_450.0
CONTINUOUS_PATIENCE_NS = 11 * S
# I9
DC_WINDOW_V = (350.0, 900.0)
DC_PATIENCE_NS = 110 * MS
#: A polled car has said so by then; the inverter's own protection acts long before.
DC_KNOWN_NS = 1 * S
# I10
HEAVY = ("hvac", "range", "evse", "well_pump")
HEAVY_HOLD_NS = 59 * S
#: SHED within 25 ms of the opening; its switch takes up to 15 ms.
HEAVY_DROP_NS = 45 * MS
#: The next may start once the last one's inrush is over and it draws what was expected of it: 1 s at the earliest.
STAGGER_NS = 950 * MS
# I11: derating begins at 45 °C; 2 to 3 % a kelvin of 10 kW, and nothing from 80 °C on.
RATED_W = 10_000.0
DERATE_FROM_C = 46.0
DERATE_PER_K = 0.02
STOP_C = 81.0
HEAT_PATIENCE_NS = 15 * S
# I16: what breaks this soon after an order was broken by it.
ORDER_REACH_NS = 5 * S

#: While these are there the owner's word reaches nobody, or nobody's word reaches the owner.
DEAF = frozenset(("can.bus_off", "can.frames_lost", "lc.frozen"))
#: While these are there a limit may not get through to the inverter.
UNREACHABLE = frozenset(
    ("modbus.timeout", "modbus.garbage", "modbus.unit_conflict", "modbus.write_ignored", *DEAF)
)
#: A MID that these have touched does not follow its coil.
DISOBEDIENT = frozenset(("mid.welded", "mid.slow", "mid.uncommanded_close", "mid.chatter"))


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant."""

    invariant: str
    at_ns: int
    detail: str


@dataclass(slots=True)
class _Since:
    """Since when a condition has held without a break."""

    at_ns: int | None = None

    def update(self, holds: bool, now_ns: int) -> int:
        """How long it has held."""
        if not holds:
            self.at_ns = None
            return 0
        if self.at_ns is None:
            self.at_ns = now_ns
        return now_ns - self.at_ns


@dataclass(slots=True)
class Judge:
    """``delay_s``: the site's enter-service delay. ``settled``: the run starts on the grid, qualified long ago."""

    delay_s: float
    settled: bool = False
    violations: list[Violation] = field(default_factory=list)
    _in_window: _Since = field(default_factory=_Since)
    _dead: _Since = field(default_factory=_Since)
    _backfeeding: _Since = field(default_factory=_Since)
    _contacts_open: _Since = field(default_factory=_Since)
    _below_floor: _Since = field(default_factory=_Since)
    _below_tariff: _Since = field(default_factory=_Since)
    _below_stop: _Since = field(default_factory=_Since)
    _below_shed: _Since = field(default_factory=_Since)
    _surge: _Since = field(default_factory=_Since)
    _over: _Since = field(default_factory=_Since)
    _blind: _Since = field(default_factory=_Since)
    _dc_out: _Since = field(default_factory=_Since)
    _dc_bad: _Since = field(default_factory=_Since)
    _hot: _Since = field(default_factory=_Since)
    _hot_limit: _Since = field(default_factory=_Since)
    _closed_ns: int | None = None
    _opened_ns: int | None = None
    _heavy_due_ns: int | None = None
    _heavy_closed_ns: int | None = None
    _commanded_close: bool = False
    _away_ns: int | None = None
    _back_ns: int | None = None
    _boot_ns: int | None = None
    _boot_open: bool = False
    _open_ordered_ns: int | None = None
    _order: tuple[str, int] = ("", -1)
    _latch_clear: bool = False
    _held_on_disk: bool = False
    _island_ns: int | None = None
    _faults: dict[str, int] = field(default_factory=dict)
    _ever: set[str] = field(default_factory=set)
    _jumped_ns: int | None = None
    _said: set[tuple[str, str]] = field(default_factory=set)

    # ------------------------------------------------------------ what is told from outside the house

    def owner_ended(self, at_ns: int, back_ns: int | None = None) -> None:
        """The console's process is gone, or stands still, from here on (until ``back_ns``)."""
        self._away_ns, self._back_ns = at_ns, back_ns

    def owner_began(self, at_ns: int) -> None:
        """It has been started again."""
        self._away_ns = self._back_ns = None
        self._boot_ns, self._boot_open = at_ns, False
        # An order that had not reached the disk dies with the owner that heard it; one that had does not.
        if not self._held_on_disk:
            self._open_ordered_ns = None

    def ordered(self, order: str, at_ns: int) -> None:
        """An operator's order reached the owner."""
        self._order = (order, at_ns)
        if order == "operator.open_mid":
            self._open_ordered_ns = at_ns
        elif order == "operator.close_mid":
            self._open_ordered_ns = None

    # ------------------------------------------------------------ what happens in the house

    def saw(self, truth: Truth, scene: Scene) -> None:
        """An event, and how the house stands with it."""
        self._track(scene)
        name, at_ns = truth.truth, scene.at_ns
        match name:
            case "fault.injected":
                fault = str(truth.detail.get("fault"))
                still = truth.detail.get("reads") == "last"
                self._faults.setdefault(fault, at_ns + STILL_NS if still else at_ns)
                self._ever.add(fault)
            case "fault.cleared":
                self._faults.pop(str(truth.detail.get("fault")), None)
            case "latch.written":
                self._latch_clear = not truth.detail.get("locked")
                self._held_on_disk = bool(truth.detail.get("held"))
            case "coil.on":
                self._commanded_close = True
                self._judge_close(scene)
                self._judge_latch(scene)
                self._judge_replay("close", scene)
            case "coil.off":
                self._commanded_close = False
                self._opening(scene)
            case "mid.pole_closed":
                if self._closed_ns is None:
                    self._closed_ns = at_ns
                    self._judge_contact(scene)
            case "grid.phase_jumped":
                self._jumped_ns = at_ns
            case "mid.opened":
                self._closed_ns = None
            case "form.on":
                self._judge_form(scene)
                self._judge_replay("forming", scene)
            case "lc.form_received":
                if any(scene.poles):
                    self._violate("I2b", at_ns, "forming asked for with a pole conducting")
            case "lc.forming_stopped":
                # An owner that is held up while the contacts meet cannot hand back: this is what the controller is for.
                if not self._ever & MOVING_CONTACTS and "control.tick_overrun" not in self._ever:
                    self._violate("I2a", at_ns, "the controller itself had to stop the forming")
            case "gate.on":
                self._judge_replay("gate", scene)
            case "inverter.mode":
                forming = truth.detail.get("mode") == "forming"
                self._island_ns = at_ns if forming else None
            case "circuit.energised":
                self._judge_heavy(str(truth.detail.get("circuit")), scene)
            case "unit.gate_on":
                angle = truth.detail.get("phase_deg")
                alone = scene.mode == "forming" and not any(scene.poles)
                if alone and (not isinstance(angle, float) or abs(angle) > JOIN_DEG):
                    self._violate("I14", at_ns, f"an inverter joined at {angle} degrees")
            case "circuit.switch_closed":
                self._judge_stagger(str(truth.detail.get("circuit")), scene)
            case "inverter.tripped":
                if truth.detail.get("fault") == "overload":
                    self._violate("I8", at_ns, "the inverter tripped on overload")
        self._check(scene)

    def look(self, scene: Scene) -> None:
        """The house between events."""
        self._track(scene)
        self._check(scene)

    # ------------------------------------------------------------ what is followed

    def _track(self, scene: Scene) -> None:
        now_ns = scene.at_ns
        in_window = (
            WINDOW_PU[0] <= min(scene.grid_pu)
            and max(scene.grid_pu) <= WINDOW_PU[1]
            and WINDOW_HZ[0] <= scene.grid_hz <= WINDOW_HZ[1]
        )
        self._in_window.update(in_window, now_ns)
        self._dead.update(max(scene.house_pu) < DEAD_PU and not scene.gate_on, now_ns)
        self._contacts_open.update(scene.contacts_open, now_ns)

    def _away_for(self, now_ns: int) -> int:
        """For how long no command has reached the controller; 0 = they do."""
        away: list[int] = []
        if self._away_ns is not None and not (self._back_ns is not None and now_ns >= self._back_ns):
            away.append(self._away_ns)
        if "can.bus_off" in self._faults:
            away.append(self._faults["can.bus_off"])
        return now_ns - min(away) if away else 0

    def _lied_for(self, now_ns: int, *faults: str) -> int:
        """For how long one of these faults has been there."""
        since = [self._faults[fault] for fault in faults if fault in self._faults]
        return now_ns - min(since) if since else 0

    def _opening(self, scene: Scene) -> None:
        """The coil was let go: an opening, if the MID had carried the house."""
        now_ns = scene.at_ns
        if scene.contacts_open and not any(scene.poles):
            return  # a close that never came about ends an island as little as it began one
        if self._closed_ns is not None and now_ns - self._closed_ns < CARRIED_NS:
            return
        if any(scene.poles):
            self._opened_ns = now_ns
        if not self._away_for(now_ns) and not self._faults.keys() & DEAF:
            self._heavy_due_ns = now_ns + HEAVY_DROP_NS

    # ------------------------------------------------------------ I1, I3, I4: closing

    def _judge_close(self, scene: Scene) -> None:
        now_ns = scene.at_ns
        if self._lied_for(now_ns, "grid_sense.off", "grid_sense.garbage", "grid_sense.stuck") > LIAR_NS:
            self._violate("I4", now_ns, "close commanded with a blind grid sense")
        if self._in_window.at_ns is None:
            text = f"close commanded onto {scene.grid_pu[0]:.3f}/{scene.grid_pu[1]:.3f} pu, {scene.grid_hz:.2f} Hz"
            self._violate("I1", now_ns, text)
            return
        began = [self._in_window.at_ns]
        began += [at_ns for at_ns in (self._boot_ns, self._opened_ns) if at_ns is not None]
        served_s = (now_ns - max(began)) / S
        long_ago = self.settled and max(began) == 0
        if not long_ago and served_s < DELAY_SHARE * self.delay_s:
            text = f"close commanded after {served_s:.2f} s in the window, the delay is {self.delay_s:g} s"
            self._violate("I1", now_ns, text)

    def _judge_contact(self, scene: Scene) -> None:
        if not self._commanded_close:
            return
        dead = self._dead.at_ns is not None and scene.at_ns - self._dead.at_ns >= DEAD_HOLD_NS
        # The house bus takes the street's voltage with the contact itself; before it, it was dead.
        if dead or scene.phase_deg is None or scene.mode != "forming":
            return
        if self._jumped_ns is not None and scene.at_ns - self._jumped_ns < UNSTOPPABLE_NS:
            return
        if abs(scene.phase_deg) > PHASE_LIMIT_DEG:
            self._violate("I1", scene.at_ns, f"contacts met at {scene.phase_deg:.1f} degrees")

    def _judge_latch(self, scene: Scene) -> None:
        """I3: the clearing is written ahead; a person's opening holds until a person ends it."""
        if not self._latch_clear:
            self._violate("I3", scene.at_ns, "close commanded with the latch not cleared on disk")
        if self._open_ordered_ns is not None:
            self._violate("I3", scene.at_ns, "close commanded against a person's opening")

    def _judge_replay(self, what: str, scene: Scene) -> None:
        """I13: nothing takes effect that nobody commands any more."""
        if self._away_for(scene.at_ns) > GATE_WITHOUT_OWNER_NS:
            self._violate("I13", scene.at_ns, f"{what} came on with nobody to command it")

    # ------------------------------------------------------------ I2

    def _judge_form(self, scene: Scene) -> None:
        if any(scene.poles):
            self._violate("I2b", scene.at_ns, "forming enabled with a pole conducting")
        elif (
            self._contacts_open.at_ns is None or scene.at_ns - self._contacts_open.at_ns < PROOF_NS
        ) and scene.at_ns > PROOF_NS:
            self._violate("I2b", scene.at_ns, "forming enabled before 12 ms of agreeing contacts")
        bad_ns = self._dc_bad.at_ns
        if bad_ns is not None and scene.at_ns - bad_ns > DC_KNOWN_NS:
            self._violate("I9", scene.at_ns, f"forming enabled on {scene.dc_voltage_v:.0f} V")
        if "load.switch_stuck" not in self._ever:
            on = [circuit for circuit in HEAVY if circuit in scene.switched_on]
            if on:
                self._violate("I10", scene.at_ns, f"{on[0]} is not off as forming is enabled")

    # ------------------------------------------------------------ I10

    def _judge_heavy(self, circuit: str, scene: Scene) -> None:
        if circuit not in HEAVY or "load.switch_stuck" in self._ever or scene.mode != "forming":
            return
        if self._island_ns is not None and not any(scene.poles):
            stood_ns = scene.at_ns - self._island_ns
            if stood_ns < HEAVY_HOLD_NS:
                self._violate("I10", scene.at_ns, f"{circuit} came on {stood_ns / S:.1f} s into the island")

    def _judge_stagger(self, circuit: str, scene: Scene) -> None:
        if circuit not in HEAVY or scene.mode != "forming" or any(scene.poles):
            return
        before_ns, self._heavy_closed_ns = self._heavy_closed_ns, scene.at_ns
        if before_ns is not None and scene.at_ns - before_ns < STAGGER_NS:
            apart_s = (scene.at_ns - before_ns) / S
            self._violate("I10", scene.at_ns, f"{circuit} returned {apart_s:.2f} s after another heavy load")

    def _check_heavy_dropped(self, scene: Scene) -> None:
        if self._heavy_due_ns is None or scene.at_ns < self._heavy_due_ns:
            return
        self._heavy_due_ns = None
        # A controller without power opens by itself and hears no SHED; forming is judged by itself.
        if (
            self._ever & {"load.switch_stuck", "aux_supply.low"}
            or scene.coil_on
            or self._away_for(scene.at_ns)
        ):
            return
        on = [circuit for circuit in HEAVY if circuit in scene.switched_on]
        if on:
            self._violate("I10", scene.at_ns, f"{on[0]} not dropped with the opening")

    # ------------------------------------------------------------ always

    def _check(self, scene: Scene) -> None:
        self._check_street(scene)
        self._check_owner(scene)
        self._check_heavy_dropped(scene)
        self._check_reserve(scene)
        self._check_load(scene)
        self._check_limits(scene)
        now_ns = scene.at_ns
        out = scene.mode == "forming" and not DC_WINDOW_V[0] <= scene.dc_voltage_v <= DC_WINDOW_V[1]
        low_v, high_v = DC_WINDOW_V
        self._dc_bad.update(not low_v <= scene.dc_voltage_v <= high_v, now_ns)
        if self._dc_out.update(out, now_ns) > DC_PATIENCE_NS:
            self._violate("I9", now_ns, f"forming from {scene.dc_voltage_v:.0f} V")

    def _check_owner(self, scene: Scene) -> None:
        """I5, I6, and I3's open start."""
        now_ns = scene.at_ns
        gone_ns = self._away_for(now_ns)
        obeys = not self._ever & DISOBEDIENT
        if gone_ns > GATE_WITHOUT_OWNER_NS and scene.gate_on:
            self._violate("I6", now_ns, f"the gate is on {gone_ns / MS:.0f} ms after the last command")
        if gone_ns > OPEN_WITHOUT_OWNER_NS and any(scene.poles) and obeys:
            self._violate("I5", now_ns, f"the MID is closed {gone_ns / MS:.0f} ms after the heartbeat ended")
        if not any(scene.poles):
            self._boot_open = True
        if self._commanded_close or not any(scene.poles) or not obeys or gone_ns:
            return
        if self._boot_ns is not None and not self._boot_open and now_ns - self._boot_ns > OPEN_AT_START_NS:
            self._violate("I3", now_ns, f"still closed {(now_ns - self._boot_ns) / MS:.0f} ms after a start")
        ordered_ns = self._open_ordered_ns
        if (
            ordered_ns is not None
            and now_ns - ordered_ns > ORDERED_OPEN_NS
            and not self._faults.keys() & DEAF
        ):
            text = f"closed {(now_ns - ordered_ns) / MS:.0f} ms after a person opened it"
            self._violate("I3", now_ns, text)

    def _check_reserve(self, scene: Scene) -> None:
        """I7 on the true charge."""
        now_ns = scene.at_ns
        discharging = scene.mode in ("forming", "following") and scene.dc_current_a > 0.5
        low = discharging and scene.soc_pct < FLOOR_SOC_PCT - FLOOR_TOLERANCE_PCT
        if self._below_floor.update(low, now_ns) > FLOOR_PATIENCE_NS:
            self._violate("I7", now_ns, f"discharging at {scene.soc_pct:.2f} %")
        shaving = scene.mode == "following" and scene.power_w > SHAVING_W
        below = shaving and scene.soc_pct < TARIFF_SOC_PCT and "ev.soc_jumps" not in self._ever
        if self._below_tariff.update(below, now_ns) > FLOOR_PATIENCE_NS:
            self._violate("I7", now_ns, f"shaving the peak at {scene.soc_pct:.2f} %")
        if "ev.soc_jumps" in self._ever:
            return  # the rungs hang on what the car says; the floor does not
        forming = scene.mode == "forming"
        stop = forming and discharging and scene.soc_pct < STOP_SOC_PCT
        if self._below_stop.update(stop, now_ns) > SOC_PATIENCE_NS:
            self._violate("I7", now_ns, f"forming still at {scene.soc_pct:.2f} %")
        extra = [circuit for circuit in NOT_MUST_RUN if circuit in scene.running]
        shed = (
            forming and scene.soc_pct < SHED_SOC_PCT and bool(extra) and "load.switch_stuck" not in self._ever
        )
        if self._below_shed.update(shed, now_ns) > SOC_PATIENCE_NS:
            self._violate("I7", now_ns, f"carrying {extra[0]} at {scene.soc_pct:.2f} %")

    def _check_load(self, scene: Scene) -> None:
        """I8: what is too much is shed in time, as long as there is something to shed."""
        now_ns = scene.at_ns
        can_shed = scene.mode == "forming" and bool(set(scene.running) - {"fridge", "furnace_fan", "lights"})
        can_shed = can_shed and "load.switch_stuck" not in self._ever
        units = 1 + scene.followers
        if self._surge.update(can_shed and scene.apparent_va > units * SURGE_VA, now_ns) > SURGE_PATIENCE_NS:
            self._violate("I8", now_ns, f"carrying {scene.apparent_va:.0f} VA, nothing shed")
        if (
            self._over.update(can_shed and scene.apparent_va > units * CONTINUOUS_VA, now_ns)
            > CONTINUOUS_PATIENCE_NS
        ):
            self._violate("I8", now_ns, f"carrying {scene.apparent_va:.0f} VA for more than 10 s")

    def _check_limits(self, scene: Scene) -> None:
        """I4 and I11: what a blind or hot inverter may still give."""
        now_ns = scene.at_ns
        reachable = not self._faults.keys() & UNREACHABLE and not self._away_for(now_ns)
        most_w: float | None = None
        if self._lied_for(now_ns, "inverter_temp.stuck") > LIAR_NS:
            most_w = BLIND_LIMIT_W
        elif self._lied_for(now_ns, "ct.off") > LIAR_NS:
            most_w = HALF_LIMIT_W
        blind = reachable and most_w is not None and scene.limit_w > most_w
        if self._blind.update(blind, now_ns) > LIMIT_PATIENCE_NS:
            self._violate("I4", now_ns, f"{scene.limit_w:.0f} W allowed on a blind sensor")
        silent_ns = self._lied_for(now_ns, "ev.silent")
        if silent_ns > LIAR_NS and scene.mode == "forming":
            self._violate("I4", now_ns, f"forming {silent_ns / S:.1f} s into a silent car")
        allowed_w = RATED_W * max(0.0, 1.0 - DERATE_PER_K * (scene.heatsink_c - DERATE_FROM_C)) + 500.0
        above = scene.heatsink_c > DERATE_FROM_C
        hot = above and (scene.power_w > allowed_w or (scene.heatsink_c > STOP_C and scene.mode == "forming"))
        if self._hot.update(hot, now_ns) > HEAT_PATIENCE_NS:
            self._violate("I11", now_ns, f"{scene.power_w:.0f} W at {scene.heatsink_c:.1f} °C")
        lenient = above and reachable and scene.limit_w > allowed_w
        if self._hot_limit.update(lenient, now_ns) > HEAT_PATIENCE_NS:
            self._violate("I11", now_ns, f"limit of {scene.limit_w:.0f} W at {scene.heatsink_c:.1f} °C")

    def _check_street(self, scene: Scene) -> None:
        """I2a and I14: forming with a conducting pole, beyond the hand-back after a commanded close."""
        now_ns = scene.at_ns
        conducting = scene.mode == "forming" and scene.raising and any(scene.poles)
        feeding = conducting and max(scene.house_pu) > FORMED_PU
        held_ns = self._backfeeding.update(feeding, now_ns)
        if not feeding:
            return
        if self._commanded_close:
            if self._closed_ns is not None and now_ns - self._closed_ns > HANDBACK_NS + 20 * MS:
                self._feeds(scene, "forming more than 100 ms after the close")
        elif "mid.uncommanded_close" in self._ever:
            if held_ns > UNBIDDEN_NS:
                self._feeds(scene, f"forming {held_ns / MS:.0f} ms into an unbidden close")
        elif self._closed_ns is not None and now_ns - self._closed_ns < HANDBACK_NS:
            # Ordered open again in the hand-back: the gate goes with the same command.
            if held_ns > HANDBACK_NS:
                self._feeds(scene, "forming while a close is being taken back")
        else:
            self._feeds(scene, "forming with a pole conducting")

    def _feeds(self, scene: Scene, detail: str) -> None:
        """Into the street; where the street has a source of its own, there are two that set the frequency."""
        self._violate("I2a", scene.at_ns, detail)
        if any(pole and not lost for pole, lost in zip(scene.poles, scene.grid_lost, strict=True)):
            self._violate("I14", scene.at_ns, detail)

    def _violate(self, invariant: str, at_ns: int, detail: str) -> None:
        """Each kind once a run: a broken rule that stays broken is one finding."""
        kind = (invariant, detail.split(" ")[0])
        if kind in self._said:
            return
        self._said.add(kind)
        self.violations.append(Violation(invariant, at_ns, detail))
        order, ordered_ns = self._order
        if order and invariant in ("I1", "I2a", "I2b", "I3", "I7") and at_ns - ordered_ns < ORDER_REACH_NS:
            self._violate("I16", at_ns, f"{order} was followed by: {detail}")
