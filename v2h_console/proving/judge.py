"""The independent judge: reads the twin's truth, never the core's beliefs, with literals of its own.

Give it every event of the truth with the scene at that very instant (``saw``), and now and then a scene between events
(``look``). What it finds stands in ``violations``. It knows the invariants, not the program that must keep them.
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
PHASE_LIMIT_DEG = 20.0
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
# I5, I6: from the last valid command, which is at most one period before the owner's end.
OPEN_WITHOUT_OWNER_NS = 250 * MS
GATE_WITHOUT_OWNER_NS = 105 * MS
# I7
FLOOR_SOC_PCT = 20.0
FLOOR_TOLERANCE_PCT = 0.1
FLOOR_PATIENCE_NS = 2 * S
# I9
DC_WINDOW_V = (350.0, 900.0)
DC_PATIENCE_NS = 110 * MS
# I10
HEAVY = ("hvac", "range", "evse", "well_pump")
HEAVY_HOLD_NS = 59 * S
# I11: derating begins at 45 °C; 2 to 3 % a kelvin of 10 kW, and nothing from 80 °C on.
RATED_W = 10_000.0
DERATE_FROM_C = 46.0
DERATE_PER_K = 0.02
STOP_C = 81.0
HEAT_PATIENCE_NS = 15 * S


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
    _dc_out: _Since = field(default_factory=_Since)
    _hot: _Since = field(default_factory=_Since)
    _closed_ns: int | None = None
    _commanded_close: bool = False
    _ownerless_ns: int | None = None
    _island_ns: int | None = None
    _faults: set[str] = field(default_factory=set)
    _ever: set[str] = field(default_factory=set)
    _said: set[tuple[str, str]] = field(default_factory=set)

    def owner_ended(self, at_ns: int) -> None:
        """The console's process is gone, or stands still, from here on."""
        self._ownerless_ns = at_ns

    def owner_began(self) -> None:
        """It is there again."""
        self._ownerless_ns = None

    def saw(self, truth: Truth, scene: Scene) -> None:
        """An event, and how the house stands with it."""
        self._track(scene)
        name, at_ns = truth.truth, scene.at_ns
        match name:
            case "fault.injected":
                self._faults.add(str(truth.detail.get("fault")))
                self._ever.add(str(truth.detail.get("fault")))
            case "fault.cleared":
                self._faults.discard(str(truth.detail.get("fault")))
            case "coil.on":
                self._commanded_close = True
                self._judge_close(scene)
            case "coil.off":
                self._commanded_close = False
            case "mid.pole_closed":
                if self._closed_ns is None:
                    self._closed_ns = at_ns
                    self._judge_contact(scene)
            case "mid.opened":
                self._closed_ns = None
            case "form.on":
                self._judge_form(scene)
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

    # ------------------------------------------------------------ I1

    def _judge_close(self, scene: Scene) -> None:
        if self._in_window.at_ns is None:
            text = f"close commanded onto {scene.grid_pu[0]:.3f}/{scene.grid_pu[1]:.3f} pu, {scene.grid_hz:.2f} Hz"
            self._violate("I1", scene.at_ns, text)
            return
        served_s = (scene.at_ns - self._in_window.at_ns) / S
        long_ago = self.settled and self._in_window.at_ns == 0
        if not long_ago and served_s < DELAY_SHARE * self.delay_s:
            text = f"close commanded after {served_s:.2f} s in the window, the delay is {self.delay_s:g} s"
            self._violate("I1", scene.at_ns, text)

    def _judge_contact(self, scene: Scene) -> None:
        if not self._commanded_close:
            return
        dead = self._dead.at_ns is not None and scene.at_ns - self._dead.at_ns >= DEAD_HOLD_NS
        # The house bus takes the street's voltage with the contact itself; before it, it was dead.
        if dead or scene.phase_deg is None:
            return
        if scene.mode == "forming" and abs(scene.phase_deg) > PHASE_LIMIT_DEG:
            self._violate("I1", scene.at_ns, f"contacts met at {scene.phase_deg:.1f} degrees")

    # ------------------------------------------------------------ I2

    def _judge_form(self, scene: Scene) -> None:
        if any(scene.poles):
            self._violate("I2b", scene.at_ns, "forming enabled with a pole conducting")
        elif (
            self._contacts_open.at_ns is None or scene.at_ns - self._contacts_open.at_ns < PROOF_NS
        ) and scene.at_ns > PROOF_NS:
            self._violate("I2b", scene.at_ns, "forming enabled before 12 ms of agreeing contacts")

    # ------------------------------------------------------------ I10

    def _judge_heavy(self, circuit: str, scene: Scene) -> None:
        if circuit not in HEAVY or "load.switch_stuck" in self._ever or scene.mode != "forming":
            return
        if self._island_ns is not None and not any(scene.poles):
            stood_ns = scene.at_ns - self._island_ns
            if stood_ns < HEAVY_HOLD_NS:
                self._violate("I10", scene.at_ns, f"{circuit} came on {stood_ns / S:.1f} s into the island")

    # ------------------------------------------------------------ always

    def _check(self, scene: Scene) -> None:
        now_ns = scene.at_ns
        self._check_street(scene)
        if self._ownerless_ns is not None:
            gone_ns = now_ns - self._ownerless_ns
            if gone_ns > GATE_WITHOUT_OWNER_NS and scene.gate_on:
                self._violate("I6", now_ns, f"the gate is on {gone_ns / MS:.0f} ms after the last command")
            stuck = self._ever & {"mid.welded", "mid.slow", "mid.uncommanded_close"}
            if gone_ns > OPEN_WITHOUT_OWNER_NS and any(scene.poles) and not stuck:
                self._violate(
                    "I5", now_ns, f"the MID is closed {gone_ns / MS:.0f} ms after the heartbeat ended"
                )
        discharging = scene.mode in ("forming", "following") and scene.dc_current_a > 0.5
        low = discharging and scene.soc_pct < FLOOR_SOC_PCT - FLOOR_TOLERANCE_PCT
        if self._below_floor.update(low, now_ns) > FLOOR_PATIENCE_NS:
            self._violate("I7", now_ns, f"discharging at {scene.soc_pct:.2f} %")
        out = scene.mode == "forming" and not DC_WINDOW_V[0] <= scene.dc_voltage_v <= DC_WINDOW_V[1]
        if self._dc_out.update(out, now_ns) > DC_PATIENCE_NS:
            self._violate("I9", now_ns, f"forming from {scene.dc_voltage_v:.0f} V")
        allowed_w = RATED_W * max(0.0, 1.0 - DERATE_PER_K * (scene.heatsink_c - DERATE_FROM_C)) + 500.0
        hot = scene.heatsink_c > DERATE_FROM_C and (
            scene.power_w > allowed_w or (scene.heatsink_c > STOP_C and scene.mode == "forming")
        )
        if self._hot.update(hot, now_ns) > HEAT_PATIENCE_NS:
            self._violate("I11", now_ns, f"{scene.power_w:.0f} W at {scene.heatsink_c:.1f} °C")

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
                self._violate("I2a", now_ns, "forming more than 100 ms after the close")
        elif "mid.uncommanded_close" in self._ever:
            if held_ns > UNBIDDEN_NS:
                self._violate("I2a", now_ns, f"forming {held_ns / MS:.0f} ms into an unbidden close")
        elif self._closed_ns is not None and now_ns - self._closed_ns < HANDBACK_NS:
            # Ordered open again in the hand-back: the gate goes with the same command.
            if held_ns > HANDBACK_NS:
                self._violate("I2a", now_ns, "forming while a close is being taken back")
        else:
            self._violate("I2a", now_ns, "forming with a pole conducting")

    def _violate(self, invariant: str, at_ns: int, detail: str) -> None:
        """Each kind once a run: a broken rule that stays broken is one finding."""
        kind = (invariant, detail.split(" ")[0])
        if kind not in self._said:
            self._said.add(kind)
            self.violations.append(Violation(invariant, at_ns, detail))
