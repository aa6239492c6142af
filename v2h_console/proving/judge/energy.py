"""What car, inverter and loads may be asked for: I7, I8, I11, and I4 where a sensor is blind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from v2h_console.proving.judge.limits import (
    AT_REST_A,
    BLIND_LIMIT_W,
    CONTINUOUS_PATIENCE_NS,
    CONTINUOUS_VA,
    DERATE_FROM_C,
    DERATE_PER_K,
    FILL_BELIEVED_NS,
    FILLED_PCT,
    FLOOR_PATIENCE_NS,
    FLOOR_SOC_PCT,
    FLOOR_TOLERANCE_PCT,
    HALF_LIMIT_W,
    HEAT_PATIENCE_NS,
    LIAR_NS,
    LIGHTS_C,
    LIGHTS_SOC_PCT,
    LIGHTS_W,
    LIMIT_PATIENCE_NS,
    NOT_MUST_RUN,
    RATED_W,
    SHAVING_W,
    SHED_FOR_CAR_NS,
    SHED_SOC_PCT,
    SOC_PATIENCE_NS,
    STOP_C,
    STOP_SOC_PCT,
    SURGE_PATIENCE_NS,
    SURGE_VA,
    TARIFF_SOC_PCT,
    TOLD_AT_REST_NS,
    UNLIT_PU,
    UNREACHABLE,
    S,
)
from v2h_console.proving.judge.memory import FILLED_CAR, LYING_CAR, Circumstances, Since
from v2h_console.twin.scene import Scene


@dataclass(slots=True)
class EnergyJudge:
    """A part of the judge; ``violate`` takes the invariant, the time and what is broken."""

    _around: Circumstances
    _violate: Callable[[str, int, str], None]
    #: On the grid and at rest beside a car that lies, and whether that has made it believed.
    _told_at_rest: Since = field(default_factory=Since)
    _lie_believed: bool = False
    #: The charge at the last look, and how much of it a fault filled in at once, until that may be believed.
    _before_pct: float | None = None
    _filled_pct: float = 0.0
    _rests: Since = field(default_factory=Since)
    _below_floor: Since = field(default_factory=Since)
    _other_below: Since = field(default_factory=Since)
    _below_tariff: Since = field(default_factory=Since)
    _below_stop: Since = field(default_factory=Since)
    _below_shed: Since = field(default_factory=Since)
    _over_car: Since = field(default_factory=Since)
    _helpless: Since = field(default_factory=Since)
    _surge: Since = field(default_factory=Since)
    _over: Since = field(default_factory=Since)
    _blind: Since = field(default_factory=Since)
    _hot: Since = field(default_factory=Since)
    _hot_limit: Since = field(default_factory=Since)
    #: Dark without a street, although nothing is wrong and the car could light it.
    unlit: Since = field(default_factory=Since)

    def check(self, scene: Scene) -> None:
        """The house as it stands."""
        self._follow_charge(scene)
        self._check_reserve(scene)
        self._check_load(scene)
        self._check_limits(scene)
        self.unlit.update(max(scene.house_pu) < UNLIT_PU and self._could_light(scene), scene.at_ns)

    def _could_light(self, scene: Scene) -> bool:
        """Whether nothing but the core itself stands between car and house."""
        return (
            all(scene.grid_lost)
            and not self._around.faults
            and not self._around.away_for(scene.at_ns)
            and scene.car_connected
            and scene.soc_pct - self._filled_pct >= LIGHTS_SOC_PCT
            and scene.car_limit_w >= LIGHTS_W
            and scene.heatsink_c < LIGHTS_C
        )

    def _follow_charge(self, scene: Scene) -> None:
        """No pack fills in a moment, and nothing in a dark house fills one at all: a core that does not believe it is right."""
        before_pct, self._before_pct = self._before_pct, scene.soc_pct
        leap_pct = 0.0 if before_pct is None else scene.soc_pct - before_pct
        if leap_pct > FILLED_PCT and FILLED_CAR in self._around.ever:
            self._filled_pct += leap_pct
        # Emptied in a moment while its car says more than there is: that its report fell too makes it no less believable.
        self._lie_believed = self._lie_believed or (leap_pct < -FILLED_PCT and self._lies)
        rests = all(scene.poles) and scene.dc_current_a < AT_REST_A
        if self._rests.update(rests, scene.at_ns) > FILL_BELIEVED_NS:
            self._filled_pct = 0.0

    @property
    def _lies(self) -> bool:
        return LYING_CAR in self._around.faults and self._around.told_more

    def _check_reserve(self, scene: Scene) -> None:
        """I7 on the true charge."""
        now_ns = scene.at_ns
        discharging = scene.mode in ("forming", "following") and scene.dc_current_a > 0.1
        lies = self._lies
        told_ns = self._told_at_rest.update(
            lies and all(scene.poles) and scene.dc_current_a < AT_REST_A, now_ns
        )
        self._lie_believed = lies and (self._lie_believed or told_ns > TOLD_AT_REST_NS)
        low = discharging and scene.soc_pct < FLOOR_SOC_PCT - FLOOR_TOLERANCE_PCT and not self._lie_believed
        if self._below_floor.update(low, now_ns) > FLOOR_PATIENCE_NS:
            self._violate("I7", now_ns, f"discharging at {scene.soc_pct:.2f} %")
        empty = min((soc_pct for soc_pct, drawn_a in scene.followers if drawn_a > 0.1), default=100.0)
        other = empty < FLOOR_SOC_PCT - FLOOR_TOLERANCE_PCT
        if self._other_below.update(other, now_ns) > FLOOR_PATIENCE_NS:
            self._violate("I7", now_ns, f"a further car discharges at {empty:.2f} %")
        shaving = scene.mode == "following" and scene.power_w > SHAVING_W
        below = shaving and scene.soc_pct < TARIFF_SOC_PCT and LYING_CAR not in self._around.ever
        if self._below_tariff.update(below, now_ns) > FLOOR_PATIENCE_NS:
            self._violate("I7", now_ns, f"shaving the peak at {scene.soc_pct:.2f} %")
        if LYING_CAR in self._around.ever:
            return  # the rungs hang on what the car says; the floor does not
        forming = scene.mode == "forming"
        stop = forming and discharging and scene.soc_pct < STOP_SOC_PCT
        if self._below_stop.update(stop, now_ns) > SOC_PATIENCE_NS:
            self._violate("I7", now_ns, f"forming still at {scene.soc_pct:.2f} %")
        extra = [circuit for circuit in NOT_MUST_RUN if circuit in scene.running]
        shed = (
            forming
            and scene.soc_pct < SHED_SOC_PCT
            and bool(extra)
            and "load.switch_stuck" not in self._around.ever
        )
        if self._below_shed.update(shed, now_ns) > SOC_PATIENCE_NS:
            self._violate("I7", now_ns, f"carrying {extra[0]} at {scene.soc_pct:.2f} %")

    def _check_load(self, scene: Scene) -> None:
        """I8: what is too much is shed in time, as long as there is something to shed."""
        now_ns = scene.at_ns
        able = scene.mode == "forming" and "load.switch_stuck" not in self._around.ever
        left_va = scene.unsheddable_va
        # What is too much with all gone that may go is nobody's to lighten.
        can_shed = able and left_va <= CONTINUOUS_VA
        self._helpless.update(not can_shed, now_ns)
        over_car = able and scene.power_w > scene.car_limit_w > left_va
        self._over_car.update(over_car, now_ns)
        surge = able and scene.apparent_va > SURGE_VA > left_va
        if self._surge.update(surge, now_ns) > SURGE_PATIENCE_NS:
            self._violate("I8", now_ns, f"carrying {scene.apparent_va:.0f} VA, nothing shed")
        over = can_shed and scene.apparent_va > CONTINUOUS_VA
        if self._over.update(over, now_ns) > CONTINUOUS_PATIENCE_NS:
            self._violate("I8", now_ns, f"carrying {scene.apparent_va:.0f} VA for more than 10 s")

    def let_go(self, scene: Scene) -> None:
        """The house was given up: not for a load that could have been lightened all the while."""
        began_ns = self._over_car.at_ns
        if began_ns is not None and scene.at_ns - began_ns > SHED_FOR_CAR_NS:
            self._violate("I8", scene.at_ns, "let go under too much load, with something left to shed")

    @property
    def could_shed(self) -> bool:
        """Whether there is something to shed: a trip of what nobody could lighten breaks no rule."""
        return self._helpless.at_ns is None

    def _check_limits(self, scene: Scene) -> None:
        """I4 and I11: what a blind or hot inverter may still give."""
        now_ns = scene.at_ns
        reachable = not self._around.faults.keys() & UNREACHABLE and not self._around.away_for(now_ns)
        most_w: float | None = None
        if self._around.lied_for(now_ns, "inverter_temp.stuck") > LIAR_NS:
            most_w = BLIND_LIMIT_W
        elif self._around.lied_for(now_ns, "ct.off") > LIAR_NS:
            most_w = HALF_LIMIT_W
        # With its gate off it gives nothing, and what it is not heard by cannot set its limit.
        blind = reachable and scene.gate_on and most_w is not None and scene.limit_w > most_w
        if self._blind.update(blind, now_ns) > LIMIT_PATIENCE_NS:
            self._violate("I4", now_ns, f"{scene.limit_w:.0f} W allowed on a blind sensor")
        silent_ns = self._around.lied_for(now_ns, "ev.silent")
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
