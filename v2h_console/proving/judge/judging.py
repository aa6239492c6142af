"""The independent judge: reads the twin's truth, never the core's beliefs, with literals of its own.

Give it every event of the truth with the scene at that very instant (``saw``), and now and then a scene between events
(``look``). What it finds stands in ``violations``. It knows the invariants, not the program that must keep them.

I12 (nothing blocks the tick) and I15 (monotonic time) leave no trace in the truth of the house: the real-time
benchmark and the replay tests show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from v2h_console.proving.judge.energy import EnergyJudge
from v2h_console.proving.judge.limits import (
    CARRIED_NS,
    DC_KNOWN_NS,
    DC_PATIENCE_NS,
    DC_WINDOW_V,
    DEAD_HOLD_NS,
    DEAD_PU,
    DEAF,
    DELAY_SHARE,
    DISOBEDIENT,
    FED_PAST_NS,
    FORMED_PU,
    GATE_WITHOUT_OWNER_NS,
    HANDBACK_LOST,
    HANDBACK_NS,
    HEAVY,
    HEAVY_DROP_NS,
    HEAVY_HOLD_NS,
    JOIN_DEG,
    LIAR_NS,
    MOVING_CONTACTS,
    MS,
    OPEN_AT_START_NS,
    OPEN_WITHOUT_OWNER_NS,
    ORDER_REACH_NS,
    ORDERED_OPEN_NS,
    PHASE_LIMIT_DEG,
    PROOF_NS,
    STAGGER_NS,
    TOLD_NS,
    UNBIDDEN_NS,
    UNREACHABLE,
    UNSTOPPABLE_NS,
    WINDOW_HZ,
    WINDOW_PU,
    WIRE_NS,
    S,
)
from v2h_console.proving.judge.memory import Circumstances, Since
from v2h_console.proving.judge.violation import Violation
from v2h_console.twin.scene import Scene
from v2h_console.twin.truth import Truth


@dataclass(slots=True)
class Judge:
    """``delay_s``: the site's enter-service delay. ``settled``: the run starts on the grid, qualified long ago."""

    delay_s: float
    settled: bool = False
    violations: list[Violation] = field(default_factory=list)
    _in_window: Since = field(default_factory=Since)
    #: The last stretch in the window: from when, until when.
    _was_in_window: tuple[int, int] | None = None
    _dead: Since = field(default_factory=Since)
    _backfeeding: Since = field(default_factory=Since)
    _fed_past: Since = field(default_factory=Since)
    _contacts_open: Since = field(default_factory=Since)
    _contacts_apart: Since = field(default_factory=Since)
    _dc_out: Since = field(default_factory=Since)
    _dc_bad: Since = field(default_factory=Since)
    _closed_ns: int | None = None
    _opened_ns: int | None = None
    _heavy_due_ns: int | None = None
    _heavy_closed_ns: int | None = None
    _commanded_close: bool = False
    _close_bidden: bool = False
    _boot_ns: int | None = None
    _boot_open: bool = False
    _open_ordered_ns: int | None = None
    _order: tuple[str, int] = ("", -1)
    _latch_clear: bool = False
    _held_on_disk: bool = False
    _island_ns: int | None = None
    _jumped_ns: int | None = None
    _said: set[tuple[str, str]] = field(default_factory=set)
    _around: Circumstances = field(default_factory=Circumstances)
    _energy: EnergyJudge = field(init=False)

    def __post_init__(self) -> None:
        self._energy = EnergyJudge(self._around, self._violate)

    # ------------------------------------------------------------ what is told from outside the house

    def owner_ended(self, at_ns: int, back_ns: int | None = None) -> None:
        """The console's process is gone, or stands still, from here on (until ``back_ns``)."""
        self._around.away_ns, self._around.back_ns = at_ns, back_ns

    def owner_began(self, at_ns: int) -> None:
        """It has been started again."""
        self._around.away_ns = self._around.back_ns = None
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

    def unlit_for(self, now_ns: int) -> int:
        """For how long a house without a street has been dark, although nothing is wrong and its car could light it."""
        since_ns = self._energy.unlit.at_ns
        return 0 if since_ns is None else now_ns - since_ns

    # ------------------------------------------------------------ what happens in the house

    def saw(self, truth: Truth, scene: Scene) -> None:
        """An event, and how the house stands with it."""
        self._track(scene)
        name, at_ns = truth.truth, scene.at_ns
        match name:
            case "fault.injected":
                self._around.injected(truth)
            case "fault.cleared":
                self._around.cleared(truth)
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
                    self._closed_ns, self._close_bidden = at_ns, self._commanded_close
                    self._judge_contact(scene)
            case "grid.phase_jumped":
                self._jumped_ns = at_ns
            case "mid.opened":
                self._closed_ns = None
            case "form.on":
                self._judge_form(scene)
                self._judge_replay("forming", scene)
            case "lc.form_received":
                # A contact that moves by itself is told 2 ms later, and heard of with the next step.
                moved_ns = self._contacts_apart.at_ns
                told = moved_ns is None or at_ns - moved_ns > TOLD_NS
                if any(scene.poles) and (told or not self._around.ever & MOVING_CONTACTS):
                    self._violate("I2b", at_ns, "forming asked for with a pole conducting")
            case "lc.forming_stopped":
                # An owner that is held up, or that nobody hears, while the contacts meet cannot hand back: this is what
                # the controller is for.
                if not self._around.ever & HANDBACK_LOST and not self._ownerless(at_ns):
                    self._violate("I2a", at_ns, "the controller itself had to stop the forming")
            case "form.off" if not any(scene.poles):
                self._energy.let_go(scene)
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
                if truth.detail.get("fault") == "overload" and self._energy.could_shed:
                    self._violate("I8", at_ns, "the inverter tripped on overload")
            case "car.stopped":
                deaf = self._around.ever & (DEAF | UNREACHABLE) or self._around.away_for(at_ns)
                if truth.detail.get("reason") == "overdrawn" and not deaf:
                    self._violate("I8", at_ns, "the car opened its contactors under too much load")
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
        if self._in_window.at_ns is not None:
            self._was_in_window = (self._in_window.at_ns, now_ns)
        self._in_window.update(in_window, now_ns)
        self._dead.update(max(scene.house_pu) < DEAD_PU and not scene.gate_on, now_ns)
        self._contacts_open.update(scene.contacts_open, now_ns)
        self._contacts_apart.update(not scene.contacts_open, now_ns)

    def _ownerless(self, now_ns: int) -> bool:
        """Whether no owner is there, or one began so lately that what the last one closed is still the controller's."""
        began_ns = self._boot_ns
        return bool(self._around.away_for(now_ns)) or (
            began_ns is not None and now_ns - began_ns < OPEN_AT_START_NS
        )

    def _opening(self, scene: Scene) -> None:
        """The coil was let go: an opening, if the MID had carried the house."""
        now_ns = scene.at_ns
        if scene.contacts_open and not any(scene.poles):
            return  # a close that never came about ends an island as little as it began one
        if self._closed_ns is not None and now_ns - self._closed_ns < CARRIED_NS:
            return
        if any(scene.poles):
            self._opened_ns = now_ns
        if not self._around.away_for(now_ns) and not self._around.faults.keys() & DEAF:
            self._heavy_due_ns = now_ns + HEAVY_DROP_NS

    # ------------------------------------------------------------ I1, I3, I4: closing

    def _judge_close(self, scene: Scene) -> None:
        now_ns = scene.at_ns
        if (
            self._around.lied_for(now_ns, "grid_sense.off", "grid_sense.garbage", "grid_sense.stuck")
            > LIAR_NS
        ):
            self._violate("I4", now_ns, "close commanded with a blind grid sense")
        in_window_ns = self._in_window.at_ns
        if in_window_ns is None and self._was_in_window is not None:
            # What the grid does while the command is on the wire nobody can know.
            since_ns, until_ns = self._was_in_window
            in_window_ns = since_ns if now_ns - until_ns <= WIRE_NS else None
        if in_window_ns is None:
            text = f"close commanded onto {scene.grid_pu[0]:.3f}/{scene.grid_pu[1]:.3f} pu, {scene.grid_hz:.2f} Hz"
            self._violate("I1", now_ns, text)
            return
        began = [in_window_ns]
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
        if dead or scene.phase_deg is None:
            return
        if self._jumped_ns is not None and scene.at_ns - self._jumped_ns < UNSTOPPABLE_NS:
            return
        if abs(scene.phase_deg) > PHASE_LIMIT_DEG:
            self._violate("I1", scene.at_ns, f"contacts met at {scene.phase_deg:.1f} degrees")

    def _judge_latch(self, scene: Scene) -> None:
        """I3: the clearing is written ahead; a person's opening holds until a person ends it."""
        if not self._latch_clear:
            self._violate("I3", scene.at_ns, "close commanded with the latch not cleared on disk")
        ordered_ns = self._open_ordered_ns
        if ordered_ns is not None and scene.at_ns - ordered_ns > WIRE_NS:
            self._violate("I3", scene.at_ns, "close commanded against a person's opening")

    def _judge_replay(self, what: str, scene: Scene) -> None:
        """I13: nothing takes effect that nobody commands any more."""
        if self._around.silent_for(scene.at_ns) > GATE_WITHOUT_OWNER_NS:
            self._violate("I13", scene.at_ns, f"{what} came on with nobody to command it")

    # ------------------------------------------------------------ I2

    def _judge_form(self, scene: Scene) -> None:
        if any(scene.poles):
            self._violate("I2b", scene.at_ns, "forming enabled with a pole conducting")
        elif (
            self._contacts_open.at_ns is None or scene.at_ns - self._contacts_open.at_ns < PROOF_NS
        ) and scene.at_ns > PROOF_NS:
            self._violate("I2b", scene.at_ns, "forming enabled before 12 ms of agreeing contacts")
        if scene.followers and not any(scene.poles):
            self._violate("I14", scene.at_ns, "forming enabled with another inverter's gate on")
        bad_ns = self._dc_bad.at_ns
        if bad_ns is not None and scene.at_ns - bad_ns > DC_KNOWN_NS:
            self._violate("I9", scene.at_ns, f"forming enabled on {scene.dc_voltage_v:.0f} V")
        if "load.switch_stuck" not in self._around.ever:
            on = [circuit for circuit in HEAVY if circuit in scene.switched_on]
            if on:
                self._violate("I10", scene.at_ns, f"{on[0]} is not off as forming is enabled")

    # ------------------------------------------------------------ I10

    def _judge_heavy(self, circuit: str, scene: Scene) -> None:
        if circuit not in HEAVY or "load.switch_stuck" in self._around.ever or scene.mode != "forming":
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
            self._around.ever & {"load.switch_stuck", "aux_supply.low"}
            or scene.coil_on
            or self._around.away_for(scene.at_ns)
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
        self._energy.check(scene)
        now_ns = scene.at_ns
        out = scene.mode == "forming" and not DC_WINDOW_V[0] <= scene.dc_voltage_v <= DC_WINDOW_V[1]
        low_v, high_v = DC_WINDOW_V
        self._dc_bad.update(not low_v <= scene.dc_voltage_v <= high_v, now_ns)
        if self._dc_out.update(out, now_ns) > DC_PATIENCE_NS:
            self._violate("I9", now_ns, f"forming from {scene.dc_voltage_v:.0f} V")

    def _check_owner(self, scene: Scene) -> None:
        """I5, I6, and I3's open start."""
        now_ns = scene.at_ns
        gone_ns = self._around.silent_for(now_ns)
        obeys = not self._around.ever & DISOBEDIENT
        if gone_ns > GATE_WITHOUT_OWNER_NS and scene.gate_on:
            self._violate("I6", now_ns, f"the gate is on {gone_ns / MS:.0f} ms after the last command")
        if gone_ns > OPEN_WITHOUT_OWNER_NS and any(scene.poles) and obeys:
            self._violate("I5", now_ns, f"the MID is closed {gone_ns / MS:.0f} ms after the heartbeat ended")
        if not any(scene.poles):
            self._boot_open = True
        if self._commanded_close or not any(scene.poles) or not obeys or self._around.away_for(now_ns):
            return
        if self._boot_ns is not None and not self._boot_open and now_ns - self._boot_ns > OPEN_AT_START_NS:
            self._violate("I3", now_ns, f"still closed {(now_ns - self._boot_ns) / MS:.0f} ms after a start")
        ordered_ns = self._open_ordered_ns
        if (
            ordered_ns is not None
            and now_ns - ordered_ns > ORDERED_OPEN_NS
            and not self._around.faults.keys() & DEAF
        ):
            text = f"closed {(now_ns - ordered_ns) / MS:.0f} ms after a person opened it"
            self._violate("I3", now_ns, text)

    def _check_street(self, scene: Scene) -> None:
        """I2a and I14: forming with a conducting pole, beyond the hand-back after a commanded close."""
        now_ns = scene.at_ns
        raising = scene.mode == "forming" and scene.raising
        conducting = raising and any(scene.poles)
        past = raising and not conducting and _is_fed(scene)
        if self._fed_past.update(past, now_ns) > FED_PAST_NS:
            self._violate("I2a", now_ns, "a dead street fed past the open MID for more than 1 s")
        feeding = conducting and max(scene.house_pu) > FORMED_PU
        held_ns = self._backfeeding.update(feeding, now_ns)
        if not feeding:
            return
        if self._commanded_close:
            if self._closed_ns is not None and now_ns - self._closed_ns > HANDBACK_NS + 20 * MS:
                self._feeds(scene, "forming more than 100 ms after the close")
        elif "mid.uncommanded_close" in self._around.ever and not self._close_bidden:
            if held_ns > UNBIDDEN_NS:
                self._feeds(scene, f"forming {held_ns / MS:.0f} ms into an unbidden close")
        elif self._closed_ns is not None and now_ns - self._closed_ns < HANDBACK_NS:
            # Ordered open again in the hand-back, or let go by the controller: the gate goes with the same command.
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


def _is_fed(scene: Scene) -> bool:
    """A street leg without a source of its own has voltage."""
    return any(lost and pu > FORMED_PU for lost, pu in zip(scene.grid_lost, scene.grid_pu, strict=True))
