"""Which circuits are held off, and why: heavy loads drop before forming, wait a minute, and return one by one (I10).

Whether one may start is asked of ``load_admission``, what must go of ``load_shedding``; here is when. The mask's bit
is the circuit's index in the load table.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import load_admission
from v2h_console.core.frozen import replace
from v2h_console.core.load_limits import Limits, PathsVa, limits, on_leg_va
from v2h_console.core.load_shedding import smallest_set
from v2h_console.core.senses import LOAD_FEEDBACK_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_S, Circuit, Settings

#: A shed for overload is tried again after this, with headroom.
READMIT_NS = 60 * NS_PER_S
#: The wait doubles with every trip, to this at the most.
READMIT_MOST_NS = 1_800 * NS_PER_S
#: Share of the limits that one which has been shed for overload may plan with.
READMIT_SHARE = 0.85
#: Shed for overload this often in one island, it is the culprit and stays off until the grid is back.
CULPRIT_TRIPS = 3
#: The next may start once the last one draws what the table says, give or take this share.
SETTLED_SHARE = 0.15
#: Not before the start's inrush is over.
SETTLE_LEAST_NS = NS_PER_S
#: A circuit that draws this much more than the table says raises the table.
LEARN_SHARE = 1.2
#: A switch that has not followed by then is at fault (fault class 49).
FOLLOW_NS = 1 * NS_PER_S
#: A circuit's meter is polled; older than this it says nothing.
CIRCUIT_LIMIT_MS = 10_000.0
#: Over the limit for this long before anything is shed: an inrush within the inverter's 10 s rating is no overload.
OVERLOAD_HOLD_NS = 2 * NS_PER_S
RESERVE_IS_LOW = "the car's reserve is low"


@dataclass(frozen=True, slots=True)
class CircuitState:
    """``shed``: held off by us; ``stuck``: its switch did not follow, so it counts as on; ``reason`` in words;
    ``until_ns``: earliest return, ``None`` = not by time; ``trips``: overloads it was shed for in this island;
    ``learned_va``: what it has been seen to draw beyond the table, 0 = nothing."""

    shed: bool = False
    stuck: bool = False
    reason: str = ""
    until_ns: int | None = None
    off_since_ns: int | None = None
    trips: int = 0
    learned_va: float = 0.0

    @property
    def culprit(self) -> bool:
        """Whether it has overloaded the island too often to be tried again."""
        return self.trips >= CULPRIT_TRIPS


@dataclass(frozen=True, slots=True)
class Start:
    """The one that is starting: circuit index, when it was let in, and what each leg should then carry."""

    index: int
    at_ns: int
    expected_va: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LoadState:
    """One entry a circuit; ``next_admission_ns`` staggers the returns."""

    circuits: tuple[CircuitState, ...] = ()
    next_admission_ns: int = 0
    over_since_ns: int | None = None
    drop_more_tiers: int = 0
    blind: bool = False
    start: Start | None = None

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
    following = _drop_cold_pickup(settings, following, now_ns)
    return replace(state, circuits=tuple(following), start=None)


def _drop_cold_pickup(settings: Settings, circuits: list[CircuitState], now_ns: int) -> list[CircuitState]:
    """What is still connected starts with the house: what the inverter cannot start joins the held ones."""
    bounds = limits(settings, settings.inverter.max_discharge_w)
    staying = [index for index, held in enumerate(circuits) if not held.shed]
    table = [known(settings.loads.circuits[index], circuits[index]) for index in staying]
    for place in load_admission.cold_pickup(table, bounds):
        index = staying[place]
        circuits[index] = _hold(circuits[index], "the inverter cannot start it with the house", None, now_ns)
    return circuits


def known(circuit: Circuit, held: CircuitState) -> Circuit:
    """The table's line, raised to what has been seen; never lowered."""
    if held.learned_va <= circuit.running_va:
        return circuit
    return replace(circuit, running_va=held.learned_va)


def begin_island(settings: Settings, state: LoadState, now_ns: int) -> LoadState:
    """The house is lit: the holds start to count."""
    hold_ns = int(settings.loads.heavy_hold_s * NS_PER_S)
    circuits = tuple(
        replace(held, until_ns=now_ns + max(hold_ns, int(circuit.hold_s * NS_PER_S)))
        if held.shed and circuit.tier < 4 and not held.culprit
        else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return replace(state, circuits=circuits, next_admission_ns=now_ns + hold_ns, over_since_ns=None)


def release_all(state: LoadState) -> LoadState:
    """Back on the grid: nothing is held off, no trip counts any more; what was learned stays."""
    if not state.mask and not state.drop_more_tiers and all(one.trips == 0 for one in state.circuits):
        return state
    return LoadState(
        circuits=tuple(CircuitState(learned_va=one.learned_va) for one in state.circuits), blind=state.blind
    )


def update_island(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    limit_w: float,
    shed_from: int,
    now_ns: int,
    *,
    hold_ns: int = OVERLOAD_HOLD_NS,
) -> LoadState:
    """While islanded: shed what is too much, return what may come back, one at a time.

    Without believable currents the table speaks for them; ``limit_w`` is then half (fault class 10). ``shed_from``:
    circuits of this tier and above are off for the reserve, 0 = none. ``hold_ns``: for how long an excess that the
    inverter's surge rating bears is left to pass.
    """
    state = _return_to(settings, state, shed_from, now_ns)
    measured = _measured_va(senses, now_ns)
    on = _believed_on(settings, state, senses, now_ns)
    loads_va = load_admission.table_sum(on) if measured is None else measured
    leg_limit_va = limit_w / 2.0
    if shed_from and any(
        circuit.tier >= shed_from and not held.shed
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    ):
        return _shed_tiers_from(settings, state, shed_from, RESERVE_IS_LOW, now_ns)
    worst_va = max(loads_va[0], loads_va[1])
    if worst_va > leg_limit_va:
        since = state.over_since_ns if state.over_since_ns is not None else now_ns
        if now_ns - since < hold_ns and worst_va <= settings.inverter.surge_10s_va / 2.0:
            return state if state.over_since_ns == since else replace(state, over_since_ns=since)
        return _shed_excess(
            settings, replace(state, over_since_ns=None), senses, loads_va, leg_limit_va, now_ns
        )
    if state.over_since_ns is not None:
        state = replace(state, over_since_ns=None)
    if state.start is not None:
        state = _follow_start(settings, state, state.start, senses, measured, now_ns)
    if state.start is not None or now_ns < state.next_admission_ns or not state.mask:
        return state
    bounds = limits(settings, limit_w)
    return _admit_one(settings, state, measured, on, bounds, shed_from, now_ns)


def _return_to(settings: Settings, state: LoadState, shed_from: int, now_ns: int) -> LoadState:
    """What was shed for the reserve alone waits for its turn again once the reserve allows it."""
    circuits = tuple(
        replace(held, until_ns=now_ns)
        if held.shed
        and held.until_ns is None
        and held.reason == RESERVE_IS_LOW
        and circuit.tier < 4
        and not (shed_from and circuit.tier >= shed_from)
        else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return state if circuits == state.circuits else replace(state, circuits=circuits)


def is_blind(senses: Senses, now_ns: int) -> bool:
    """Whether the load currents, once heard, are unknown now."""
    return senses.currents is not None and _measured_va(senses, now_ns) is None


def _measured_va(senses: Senses, now_ns: int) -> PathsVa | None:
    currents = fresh(senses.currents, now_ns, 200.0)
    if currents is None or currents.l1_a is None or currents.l2_a is None:
        return None
    one, two = abs(currents.l1_a) * NOMINAL_V, abs(currents.l2_a) * NOMINAL_V
    # An unknown neutral carries the worse leg whole.
    return one, two, max(one, two) if currents.n_a is None else abs(currents.n_a) * NOMINAL_V


def _believed_on(settings: Settings, state: LoadState, senses: Senses, now_ns: int) -> list[Circuit]:
    """Connected, or stuck, and not known to rest."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    on = []
    for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True)):
        if held.shed and not held.stuck:
            continue
        if feedback is not None and not held.stuck and not feedback.closed_mask >> index & 1:
            continue
        if _draws(senses, index, now_ns):
            on.append(known(circuit, held))
    return on


def _follow_start(
    settings: Settings,
    state: LoadState,
    start: Start,
    senses: Senses,
    measured: PathsVa | None,
    now_ns: int,
) -> LoadState:
    """Let the next one come once this one draws what was expected, or after the stagger; learn from what it draws."""
    elapsed_ns = now_ns - start.at_ns
    if elapsed_ns < SETTLE_LEAST_NS:
        return state
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    relays = fresh(senses.relays, now_ns, CIRCUIT_LIMIT_MS)
    asked = relays is not None and relays.closed_mask >> start.index & 1
    if feedback is not None and asked and not feedback.closed_mask >> start.index & 1:
        held = CircuitState(
            True, reason="its switch did not close", off_since_ns=now_ns,
            trips=state.circuits[start.index].trips, learned_va=state.circuits[start.index].learned_va,
        )  # fmt: skip
        return replace(state, circuits=_with(state, start.index, held), start=None)
    settled = measured is not None and all(
        abs(va - expected) <= SETTLED_SHARE * max(expected, 1.0)
        for va, expected in zip(measured[:2], start.expected_va, strict=True)
    )
    if not settled and elapsed_ns < int(settings.loads.stagger_s * NS_PER_S):
        return state
    return replace(_learn(settings, state, start, senses, now_ns), start=None, next_admission_ns=now_ns)


def _learn(settings: Settings, state: LoadState, start: Start, senses: Senses, now_ns: int) -> LoadState:
    """Raise the table's value to what the circuit's own meter has seen since the start; never lower it."""
    reading = senses.circuits[start.index] if start.index < len(senses.circuits) else None
    meter = fresh(reading, now_ns, CIRCUIT_LIMIT_MS)
    if meter is None or meter.at_ns < start.at_ns + SETTLE_LEAST_NS:
        return state
    if meter.voltage_v is None or meter.current_a is None:
        return state
    held = state.circuits[start.index]
    seen_va = abs(meter.voltage_v * meter.current_a)
    if seen_va <= LEARN_SHARE * known(settings.loads.circuits[start.index], held).running_va:
        return state
    return replace(state, circuits=_with(state, start.index, replace(held, learned_va=seen_va)))


def _with(state: LoadState, index: int, held: CircuitState) -> tuple[CircuitState, ...]:
    return (*state.circuits[:index], held, *state.circuits[index + 1 :])


def confirmed_off(state: LoadState, senses: Senses, now_ns: int) -> bool:
    """Whether the controller's feedback shows every held circuit's switch open (I13)."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    return feedback is not None and feedback.closed_mask & state.mask & ~state.stuck_mask == 0


def look(state: LoadState, senses: Senses, now_ns: int) -> LoadState:
    """What the sensors say of loads and switches now, in every mode. Returns the same object when nothing changed."""
    blind = is_blind(senses, now_ns)
    if blind != state.blind:
        state = replace(state, blind=blind)
    return find_stuck(state, senses, now_ns)


def find_stuck(state: LoadState, senses: Senses, now_ns: int) -> LoadState:
    """A switch that has not followed SHED within a second is at fault: its circuit counts as on from now on."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    if feedback is None or not (feedback.closed_mask & state.mask or state.stuck_mask):
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
    if stuck and load_admission.cold_pickup(stuck, limits(settings, limit_w)):
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
    if state.start is not None:
        ends.append(state.start.at_ns + SETTLE_LEAST_NS)
    return ends


def _hold(held: CircuitState, reason: str, until_ns: int | None, now_ns: int) -> CircuitState:
    if held.shed:
        return held
    return CircuitState(True, False, reason, until_ns, now_ns, held.trips, held.learned_va)


def _shed_tiers_from(settings: Settings, state: LoadState, tier: int, reason: str, now_ns: int) -> LoadState:
    circuits = tuple(
        _hold(held, reason, None, now_ns) if circuit.tier >= tier else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    return replace(state, circuits=circuits)


def _shed_excess(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    loads_va: PathsVa,
    leg_limit_va: float,
    now_ns: int,
) -> LoadState:
    """Shed what clears each overloaded leg, in one command; the waits double, and the third trip is the last."""
    circuits = list(state.circuits)
    for leg in (0, 1):
        candidates = [
            (index, known(circuit, held))
            for index, (circuit, held) in enumerate(zip(settings.loads.circuits, circuits, strict=True))
            if not held.shed and _draws(senses, index, now_ns)
        ]
        gone_va = sum(
            on_leg_va(settings.loads.circuits[index], leg)
            for index, (before, after) in enumerate(zip(state.circuits, circuits, strict=True))
            if after.shed and not before.shed
        )
        for index in smallest_set(candidates, leg, loads_va[leg] - leg_limit_va - gone_va):
            circuits[index] = _tripped(circuits[index], leg, leg_limit_va, now_ns)
    if tuple(circuits) == state.circuits:
        return state
    return replace(state, circuits=tuple(circuits), start=None)


def _tripped(held: CircuitState, leg: int, leg_limit_va: float, now_ns: int) -> CircuitState:
    trips = held.trips + 1
    if trips >= CULPRIT_TRIPS:
        reason = f"overloaded the island {trips} times: off until the grid is back"
        return CircuitState(True, False, reason, None, now_ns, trips, held.learned_va)
    until_ns = now_ns + min(READMIT_MOST_NS, READMIT_NS << (trips - 1))
    reason = f"leg {leg + 1} was over its {leg_limit_va:.0f} VA"
    return CircuitState(True, False, reason, until_ns, now_ns, trips, held.learned_va)


def _draws(senses: Senses, index: int, now_ns: int) -> bool:
    """Unknown counts as drawing: a silent meter must not protect a circuit from being shed."""
    held = senses.circuits[index] if index < len(senses.circuits) else None
    reading = fresh(held, now_ns, CIRCUIT_LIMIT_MS)
    return reading is None or reading.power_w is None or reading.power_w > 20.0


def _admit_one(
    settings: Settings,
    state: LoadState,
    measured: PathsVa | None,
    on: list[Circuit],
    bounds: Limits,
    shed_from: int,
    now_ns: int,
) -> LoadState:
    """The first of those that wait, by tier, longest waiting, id, that fits."""
    base_va = load_admission.base(measured, on)
    for index in _waiting(settings, state, shed_from, now_ns):
        held = state.circuits[index]
        circuit = known(settings.loads.circuits[index], held)
        share = READMIT_SHARE if held.trips else 1.0
        if not load_admission.refusal(circuit, base_va, on, bounds, share):
            expected = (base_va[0] + on_leg_va(circuit, 0), base_va[1] + on_leg_va(circuit, 1))
            back = CircuitState(trips=held.trips, learned_va=held.learned_va)
            return replace(
                state,
                circuits=_with(state, index, back),
                next_admission_ns=now_ns + int(settings.loads.stagger_s * NS_PER_S),
                start=Start(index, now_ns, expected),
            )
    return state


def _waiting(settings: Settings, state: LoadState, shed_from: int, now_ns: int) -> list[int]:
    """Those whose hold and rest are over, by tier, longest waiting, id."""
    waiting = sorted(
        (circuit.tier, held.off_since_ns or 0, circuit.id, index)
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if held.shed
        and not held.stuck
        and not held.culprit
        and held.until_ns is not None
        and now_ns >= held.until_ns
        and now_ns - (held.off_since_ns or 0) >= circuit.min_off_s * NS_PER_S
        and not (shed_from and circuit.tier >= shed_from)
    )
    return [entry[-1] for entry in waiting]


def refusals(
    settings: Settings, state: LoadState, senses: Senses, limit_w: float, now_ns: int
) -> dict[int, str]:
    """Why each one that waits, its hold over, may not start now, by circuit index. For the screen, not the step."""
    measured = _measured_va(senses, now_ns)
    on = _believed_on(settings, state, senses, now_ns)
    base_va = load_admission.base(measured, on)
    bounds = limits(settings, limit_w)
    found = {}
    for index in _waiting(settings, state, 0, now_ns):
        held = state.circuits[index]
        share = READMIT_SHARE if held.trips else 1.0
        reason = load_admission.refusal(
            known(settings.loads.circuits[index], held), base_va, on, bounds, share
        )
        if reason:
            found[index] = reason
    return found
