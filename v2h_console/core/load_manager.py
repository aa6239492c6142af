"""Which circuits are held off, and why: heavy loads drop before forming, wait a minute, and return one by one (I10).

Planned per leg in VA against the inverter's limit, with the inrush of the one that is next. The mask's bit is the
circuit's index in the load table.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import LOAD_FEEDBACK_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_S, Circuit, Settings
from v2h_drivers.capabilities import LegCurrents

#: A shed for overload is tried again after this, with headroom.
READMIT_NS = 60 * NS_PER_S
#: A switch that has not followed by then is at fault (fault class 49).
FOLLOW_NS = 1 * NS_PER_S
#: Over the limit for this long before anything is shed: an inrush within the inverter's 10 s rating is no overload.
OVERLOAD_HOLD_NS = 2 * NS_PER_S


@dataclass(frozen=True, slots=True)
class CircuitState:
    """``shed``: held off by us; ``stuck``: its switch did not follow, so it counts as on; ``reason`` in words;
    ``until_ns``: earliest return, ``None`` = not by time."""

    shed: bool = False
    stuck: bool = False
    reason: str = ""
    until_ns: int | None = None
    off_since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class LoadState:
    """One entry a circuit; ``next_admission_ns`` staggers the returns."""

    circuits: tuple[CircuitState, ...] = ()
    next_admission_ns: int = 0
    over_since_ns: int | None = None
    drop_more_tiers: int = 0

    @property
    def stuck_mask(self) -> int:
        """Bit = circuit whose switch did not follow."""
        return sum(1 << index for index, circuit in enumerate(self.circuits) if circuit.stuck)

    @property
    def mask(self) -> int:
        """SHED as it goes to the controller."""
        return sum(1 << index for index, circuit in enumerate(self.circuits) if circuit.shed)


def initial(settings: Settings) -> LoadState:
    """Nothing held off."""
    return LoadState(circuits=tuple(CircuitState() for _ in settings.loads.circuits))


def drop_for_forming(settings: Settings, state: LoadState, shed_reserve: bool, now_ns: int) -> LoadState:
    """Before the inverter forms: heavy loads and tier 4 off, more tiers after each failed start."""
    worst_tier = 4 - state.drop_more_tiers
    following = []
    for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True):
        if circuit.heavy or circuit.tier >= worst_tier or (shed_reserve and circuit.tier >= 2):
            reason = (
                "not carried while islanded"
                if circuit.tier >= 4
                else "held for the first minute of islanding"
            )
            following.append(_hold(held, reason, None, now_ns))
        else:
            following.append(held)
    return replace(state, circuits=tuple(following))


def begin_island(settings: Settings, state: LoadState, now_ns: int) -> LoadState:
    """The house is lit: the holds start to count."""
    hold_ns = int(settings.loads.heavy_hold_s * NS_PER_S)
    circuits = tuple(
        replace(held, until_ns=now_ns + max(hold_ns, int(circuit.hold_s * NS_PER_S)))
        if held.shed and circuit.tier < 4
        else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return replace(state, circuits=circuits, next_admission_ns=now_ns + hold_ns, over_since_ns=None)


def release_all(state: LoadState) -> LoadState:
    """Back on the grid: nothing is held off."""
    if not state.mask and not state.drop_more_tiers:
        return state
    return LoadState(circuits=tuple(CircuitState() for _ in state.circuits))


def update_island(
    settings: Settings, state: LoadState, senses: Senses, limit_w: float, shed_reserve: bool, now_ns: int
) -> LoadState:
    """While islanded: shed what is too much, return what may come back, one at a time."""
    currents = fresh(senses.currents, now_ns, 200.0)
    if currents is None or currents.l1_a is None or currents.l2_a is None:
        return replace(state, over_since_ns=None)  # blind: nobody returns, nothing is guessed away
    leg_limit_va = limit_w / 2.0
    legs_va = (abs(currents.l1_a) * NOMINAL_V, abs(currents.l2_a) * NOMINAL_V)
    if shed_reserve and any(
        circuit.tier >= 2 and not held.shed
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    ):
        return _shed_tiers_from(settings, state, 2, "the car's reserve is low", now_ns)
    if max(legs_va) > leg_limit_va:
        since = state.over_since_ns if state.over_since_ns is not None else now_ns
        if now_ns - since < OVERLOAD_HOLD_NS and max(legs_va) <= settings.inverter.surge_10s_va / 2.0:
            return replace(state, over_since_ns=since)
        return _shed_one(settings, replace(state, over_since_ns=None), senses, legs_va, leg_limit_va, now_ns)
    state = replace(state, over_since_ns=None)
    if now_ns < state.next_admission_ns:
        return state
    return _admit_one(settings, state, currents, leg_limit_va, shed_reserve, now_ns)


def confirmed_off(state: LoadState, senses: Senses, now_ns: int) -> bool:
    """Whether the controller's feedback shows every held circuit's switch open (I13)."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    return feedback is not None and feedback.closed_mask & state.mask & ~state.stuck_mask == 0


def find_stuck(state: LoadState, senses: Senses, now_ns: int) -> LoadState:
    """A switch that has not followed SHED within a second is at fault: its circuit counts as on from now on."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    if feedback is None or not state.mask:
        return state
    circuits = tuple(
        replace(held, stuck=_does_not_follow(held, feedback.closed_mask >> index & 1, now_ns))
        for index, held in enumerate(state.circuits)
    )
    return state if circuits == state.circuits else replace(state, circuits=circuits)


def _does_not_follow(held: CircuitState, closed: int, now_ns: int) -> bool:
    if not held.shed or not closed:
        return False
    return held.stuck or (held.off_since_ns is not None and now_ns - held.off_since_ns >= FOLLOW_NS)


def cold_pickup_refusal(settings: Settings, state: LoadState, limit_w: float) -> str:
    """Why the circuits that could not be dropped may not be started with the house; "" when they may."""
    stuck = [
        circuit for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True) if held.stuck
    ]
    for leg in (0, 1):
        running_va = sum(_leg_va(circuit, leg) for circuit in stuck)
        if running_va > limit_w / 2.0 * settings.loads.planning_share:
            names = ", ".join(circuit.name for circuit in stuck)
            return f"the switch of {names} does not open, and the inverter cannot start it"
    return ""


def deadlines_ns(state: LoadState) -> list[int]:
    """When holds end, and when the next one may return."""
    ends = [held.until_ns for held in state.circuits if held.until_ns is not None]
    if ends:
        ends.append(state.next_admission_ns)
    if state.over_since_ns is not None:
        ends.append(state.over_since_ns + OVERLOAD_HOLD_NS)
    return ends


def _hold(held: CircuitState, reason: str, until_ns: int | None, now_ns: int) -> CircuitState:
    if held.shed:
        return held
    return CircuitState(True, False, reason, until_ns, now_ns)


def _shed_tiers_from(settings: Settings, state: LoadState, tier: int, reason: str, now_ns: int) -> LoadState:
    circuits = tuple(
        _hold(held, reason, None, now_ns) if circuit.tier >= tier else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return replace(state, circuits=circuits)


def _shed_one(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    legs_va: tuple[float, float],
    leg_limit_va: float,
    now_ns: int,
) -> LoadState:
    """Shed from the lowest tier the smallest circuit that clears the excess on the worse leg, else the largest."""
    leg = 0 if legs_va[0] >= legs_va[1] else 1
    excess_va = legs_va[leg] - leg_limit_va
    candidates = [
        (circuit.tier, _leg_va(circuit, leg), index)
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if not held.shed and _leg_va(circuit, leg) > 0 and _draws(senses, index)
    ]
    if not candidates:
        return state
    tier = max(candidate[0] for candidate in candidates)
    lowest = sorted(candidate for candidate in candidates if candidate[0] == tier)
    enough = [candidate for candidate in lowest if candidate[1] >= excess_va]
    index = (enough[0] if enough else lowest[-1])[2]
    circuits = list(state.circuits)
    reason = f"leg {leg + 1} was over its {leg_limit_va:.0f} VA"
    circuits[index] = CircuitState(True, False, reason, now_ns + READMIT_NS, now_ns)
    return replace(state, circuits=tuple(circuits))


def _draws(senses: Senses, index: int) -> bool:
    """Unknown counts as drawing: a silent meter must not protect a circuit from being shed."""
    reading = senses.circuits[index] if index < len(senses.circuits) else None
    return reading is None or reading.power_w is None or reading.power_w > 20.0


def _admit_one(
    settings: Settings,
    state: LoadState,
    currents: LegCurrents,
    leg_limit_va: float,
    shed_reserve: bool,
    now_ns: int,
) -> LoadState:
    waiting = sorted(
        (circuit.tier, held.off_since_ns or 0, index)
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if held.shed
        and held.until_ns is not None
        and now_ns >= held.until_ns
        and now_ns - (held.off_since_ns or 0) >= circuit.min_off_s * NS_PER_S
        and not (shed_reserve and circuit.tier >= 2)
    )
    for _tier, _since, index in waiting:
        circuit = settings.loads.circuits[index]
        if _fits(settings, circuit, currents, leg_limit_va):
            circuits = list(state.circuits)
            circuits[index] = CircuitState()
            stagger_ns = int(settings.loads.stagger_s * NS_PER_S)
            return replace(state, circuits=tuple(circuits), next_admission_ns=now_ns + stagger_ns)
    return state


def _fits(settings: Settings, circuit: Circuit, currents: LegCurrents, leg_limit_va: float) -> bool:
    surge_limit_va = settings.inverter.surge_10s_va / 2.0
    share = settings.loads.planning_share
    for leg, amps in enumerate((currents.l1_a, currents.l2_a)):
        base_va = abs(amps or 0.0) * NOMINAL_V
        added_va = _leg_va(circuit, leg)
        if base_va + added_va > leg_limit_va * share:
            return False
        if base_va + added_va * max(1.0, circuit.inrush_multiple) > surge_limit_va * share:
            return False
    return True


def _leg_va(circuit: Circuit, leg: int) -> float:
    if circuit.legs == "L12":
        return circuit.running_va / 2.0
    return circuit.running_va if circuit.legs == ("L1", "L2")[leg] else 0.0
