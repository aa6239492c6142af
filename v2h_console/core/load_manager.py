"""The loads of a lit island: what has to go, and what returns, one by one (I10).

Whether one may start is asked of ``load_admission``, what must go of ``load_shedding``; here is when. What the house's own
course holds off is in ``load_holds``. The mask's bit is the circuit's index in the load table.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import car_session, load_admission, load_energy, load_overload, load_peaks
from v2h_console.core.car_reserve import CarState
from v2h_console.core.frozen import replace
from v2h_console.core.load_limits import PathsVa, limits, on_leg_va
from v2h_console.core.load_overload import CIRCUIT_LIMIT_MS
from v2h_console.core.load_peaks import LegsVa
from v2h_console.core.load_state import CircuitState, LoadState, Start, hold, known, with_circuit
from v2h_console.core.senses import INVERTER_LIMIT_MS, LOAD_FEEDBACK_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_S, Circuit, Settings

#: Share of the limits that one which has been shed for overload may plan with.
READMIT_SHARE = 0.85
#: The next may start once the last one draws what the table says, give or take this share.
SETTLED_SHARE = 0.15
#: Not before the start's inrush is over.
SETTLE_LEAST_NS = NS_PER_S
#: A circuit that draws this much more than the table says raises the table.
LEARN_SHARE = 1.2
#: An inverter's power is polled; older than this it says nothing of what is drawn now.
POWER_LIMIT_MS = 1_500.0
#: The inverters must give by so much more than the current sensors see before these are not believed.
WITNESS_SHARE = 1.25
WITNESS_VA = 1_000.0
RESERVE_IS_LOW = "the car's reserve is low"


@dataclass(frozen=True, slots=True)
class Source:
    """What feeds the island: inverters that run, what is left of their limits without the largest, for how long
    an excess over the continuous limit is left to pass, and the car (``None`` = it refuses nothing). ``car_va``: what the
    cars allow, where that is not the limit in force but known."""

    units: int = 1
    spare_w: float = 0.0
    hold_ns: int = load_overload.OVERLOAD_HOLD_NS
    car: CarState | None = None
    car_va: float | None = None

    def hold_ns_for(self, loads_va: PathsVa) -> int:
        """For how long this load may go on: a car opens its contactors after 2 s of too much, whichever limit is in force."""
        if self.car_va is None or loads_va[0] + loads_va[1] <= self.car_va:
            return self.hold_ns
        return min(self.hold_ns, car_session.HOLD_NS)


def update_island(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    limit_w: float,
    shed_from: int,
    now_ns: int,
    *,
    source: Source = Source(),
) -> LoadState:
    """While islanded: shed what is too much, return what may come back, one at a time.

    Without believable currents the table speaks for them; ``limit_w``, of all inverters, is then half (class 10).
    ``shed_from``: circuits of this tier and above are off for the reserve, 0 = none.
    """
    state = _return_to(settings, state, shed_from, now_ns)
    measured = _measured_va(senses, now_ns)
    if shed_from and any(
        circuit.tier >= shed_from and not held.shed
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    ):
        return _shed_tiers_from(settings, state, shed_from, RESERVE_IS_LOW, now_ns)
    loads_va = measured
    if measured is not None:
        state = _keep_peaks(settings, state, senses, measured, source, now_ns)
    if loads_va is not None:
        loads_va = _witnessed(loads_va, senses, source.units, now_ns)
    else:
        table_va = load_admission.table_sum(_believed_on(settings, state, senses, now_ns))
        loads_va = _at_least(table_va, senses, source.units, now_ns)
    before = state.circuits
    state = load_overload.shed(
        settings,
        state,
        senses,
        loads_va,
        limit_w,
        source.units,
        now_ns,
        hold_ns=source.hold_ns_for(loads_va),
    )
    if state.over_since_ns is not None or state.circuits is not before:
        return state
    if state.start is not None:
        state = _follow_start(settings, state, state.start, senses, measured, now_ns)
    if state.start is not None or now_ns < state.next_admission_ns or not state.mask:
        return state
    waiting = _waiting(settings, state, shed_from, now_ns)
    return _admit_one(settings, state, senses, source, waiting, now_ns) if waiting else state


def _return_to(settings: Settings, state: LoadState, shed_from: int, now_ns: int) -> LoadState:
    """What was shed for the reserve alone waits for its turn again once the reserve allows it."""
    if not any(held.reason == RESERVE_IS_LOW for held in state.circuits):
        return state
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


def _keep_peaks(
    settings: Settings, state: LoadState, senses: Senses, measured: PathsVa, source: Source, now_ns: int
) -> LoadState:
    """What has been measured; once a second what hangs on it: ceilings, and what would go with an inverter."""
    peaks = load_peaks.update(
        state.peaks, measured, lambda: _controlled_va(settings, state, senses, now_ns), now_ns
    )
    if peaks is state.peaks:
        return state
    rolled = peaks.second != state.peaks.second
    state = replace(state, peaks=peaks)
    if not rolled:
        return state
    state = load_overload.keep_ceilings(settings, state, senses, now_ns)
    if source.units < 2:
        return state
    return load_overload.plan_spare(
        settings, replace(state, units=source.units), senses, peaks.over(1), source.spare_w, now_ns
    )


def _controlled_va(settings: Settings, state: LoadState, senses: Senses, now_ns: int) -> LegsVa:
    """What the switched circuits draw per leg: by their meters, else by the table."""
    one = two = 0.0
    for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True)):
        va = load_overload.metered_va(state, senses, index, now_ns)
        if va is None:
            if held.shed and not held.stuck:
                continue
            va = known(circuit, held).running_va
        if circuit.legs == "L12":
            one, two = one + va / 2.0, two + va / 2.0
        elif circuit.legs == "L1":
            one += va
        else:
            two += va
    return one, two


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


def _witnessed(measured: PathsVa, senses: Senses, units: int, now_ns: int) -> PathsVa:
    """What the current sensors say, raised to what the inverters give where two of their own words say more: a sensor that
    has slipped off its wire hides the load that opens the car's contactors."""
    status = fresh(senses.inverter, now_ns, POWER_LIMIT_MS)
    fast = fresh(senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    if status is None or status.power_w is None or fast is None or fast.current_a is None:
        return measured
    # The power has a sign and is old; the current has none and is of now: while a roof charges the car neither counts.
    given_va = min(status.power_w, 2.0 * NOMINAL_V * fast.current_a) * units
    seen_va = measured[0] + measured[1]
    if given_va <= WITNESS_SHARE * seen_va + WITNESS_VA:
        return measured
    missing_va = (given_va - seen_va) / 2.0
    return measured[0] + missing_va, measured[1] + missing_va, measured[2]


def _at_least(table_va: PathsVa, senses: Senses, units: int, now_ns: int) -> PathsVa:
    """The table's sum, raised to what the inverters say that they give: where no current is known, that much is."""
    inverter = fresh(senses.inverter, now_ns, POWER_LIMIT_MS)
    if inverter is None or inverter.power_w is None:
        return table_va
    given_w, listed_va = inverter.power_w * units, table_va[0] + table_va[1]
    if given_w <= listed_va:
        return table_va
    if listed_va <= 0.0:
        # Nothing that the table knows is on: which leg carries it nobody says.
        return given_w / 2.0, given_w / 2.0, 0.0
    share = given_w / listed_va
    return table_va[0] * share, table_va[1] * share, table_va[2] * share


def _believed_on(settings: Settings, state: LoadState, senses: Senses, now_ns: int) -> list[Circuit]:
    """Connected, or stuck, and not known to rest."""
    feedback = fresh(senses.load_feedback, now_ns, LOAD_FEEDBACK_LIMIT_MS)
    on = []
    for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True)):
        if held.shed and not held.stuck:
            continue
        if feedback is not None and not held.stuck and not feedback.closed_mask >> index & 1:
            continue
        if load_overload.draws(state, senses, index, now_ns):
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
        again_ns = now_ns + load_overload.READMIT_NS
        held = hold(state.circuits[start.index], "its switch did not close", again_ns, now_ns)
        return replace(state, circuits=with_circuit(state, start.index, held), start=None)
    settled = measured is not None and all(
        abs(va - expected) <= SETTLED_SHARE * max(expected, 1.0)
        for va, expected in zip(measured[:2], start.expected_va, strict=True)
    )
    if not settled and elapsed_ns < int(settings.loads.stagger_s * NS_PER_S):
        return state
    learned = _learn(settings, state, start, senses, measured, now_ns)
    return replace(learned, start=None, next_admission_ns=now_ns)


def _learn(
    settings: Settings,
    state: LoadState,
    start: Start,
    senses: Senses,
    measured: PathsVa | None,
    now_ns: int,
) -> LoadState:
    """Raise the table's value to what the circuit's own meter has seen since the start; never lower it.

    A meter that says more than its legs carry altogether is wrong, and would keep its circuit off for good.
    """
    reading = senses.circuits[start.index] if start.index < len(senses.circuits) else None
    meter = fresh(reading, now_ns, CIRCUIT_LIMIT_MS)
    if meter is None or meter.at_ns < start.at_ns + SETTLE_LEAST_NS:
        return state
    if meter.voltage_v is None or meter.current_a is None:
        return state
    held = state.circuits[start.index]
    seen_va = abs(meter.voltage_v * meter.current_a)
    legs = settings.loads.circuits[start.index].legs
    if measured is None:
        return state
    carried_va = sum(va for leg, va in zip(("L1", "L2"), measured[:2], strict=True) if legs in (leg, "L12"))
    if seen_va > LEARN_SHARE * carried_va:
        return state
    if seen_va <= LEARN_SHARE * known(settings.loads.circuits[start.index], held).running_va:
        return state
    return replace(state, circuits=with_circuit(state, start.index, replace(held, learned_va=seen_va)))


def deadlines_ns(state: LoadState) -> list[int]:
    """When holds end, and when the next one may return."""
    ends = [held.until_ns for held in state.circuits if held.until_ns is not None]
    if ends:
        ends.append(state.next_admission_ns)
    ends += load_overload.deadlines_ns(state)
    if state.start is not None:
        ends.append(state.start.at_ns + SETTLE_LEAST_NS)
    return ends


def _shed_tiers_from(settings: Settings, state: LoadState, tier: int, reason: str, now_ns: int) -> LoadState:
    circuits = tuple(
        hold(held, reason, None, now_ns) if circuit.tier >= tier else held
        for circuit, held in zip(settings.loads.circuits, state.circuits, strict=True)
    )
    if circuits == state.circuits:
        return state
    # What ends with these was not the overload that was shed for before.
    return replace(state, circuits=circuits, suspects=0)


def _admit_one(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    source: Source,
    waiting: list[int],
    now_ns: int,
) -> LoadState:
    """The first of those that wait that fits."""
    admission = _Admission(settings, state, senses, source, now_ns)
    for index in waiting:
        if not admission.refusal(index):
            held = state.circuits[index]
            circuit = known(settings.loads.circuits[index], held)
            now_va = admission.base_va[-1]
            back = CircuitState(trips=held.trips, learned_va=held.learned_va, doubted=held.doubted)
            return replace(
                state,
                circuits=with_circuit(state, index, back),
                next_admission_ns=now_ns + int(settings.loads.stagger_s * NS_PER_S),
                start=Start(
                    index, now_ns, (now_va[0] + on_leg_va(circuit, 0), now_va[1] + on_leg_va(circuit, 1))
                ),
            )
    return state


class _Admission:
    """Who may start now: what is there already, looked at once for all that ask."""

    def __init__(
        self, settings: Settings, state: LoadState, senses: Senses, source: Source, now_ns: int
    ) -> None:
        self._settings, self._state, self._senses = settings, state, senses
        self._source, self._now_ns = source, now_ns
        self._on = _believed_on(settings, state, senses, now_ns)
        self._bounds = limits(settings, state.limit_w / source.units, units=source.units)
        self.base_va = load_admission.base(_measured_va(senses, now_ns), self._on, state.peaks)

    def refusal(self, index: int) -> str:
        """Why this circuit may not start now, "" when it may."""
        held = self._state.circuits[index]
        circuit = known(self._settings.loads.circuits[index], held)
        share = READMIT_SHARE if held.trips else 1.0
        found = load_admission.refusal(circuit, self.base_va, self._on, self._bounds, share)
        if not found and load_overload.ceiling_unseen(circuit, self._senses, index, self._now_ns):
            found = load_overload.UNSEEN
        car = self._source.car
        if found or car is None:
            return found
        return load_energy.refusal(
            self._settings.car, car, self._senses, circuit, self._source.units, self._now_ns
        )


def _waiting(settings: Settings, state: LoadState, shed_from: int, now_ns: int) -> list[int]:
    """Those whose hold and rest are over, by tier, longest waiting, id."""
    waiting = sorted(
        (circuit.tier, held.off_since_ns or 0, circuit.id, index)
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if held.shed
        and circuit.tier < 4
        and not held.stuck
        and not held.culprit
        and held.until_ns is not None
        and now_ns >= held.until_ns
        and now_ns - (held.off_since_ns or 0) >= circuit.min_off_s * NS_PER_S
        and not (shed_from and circuit.tier >= shed_from)
    )
    return [entry[-1] for entry in waiting]


def refusals(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    limit_w: float,
    now_ns: int,
    source: Source = Source(),
) -> dict[int, str]:
    """Why each one that waits, its hold over, may not start now, by circuit index. For the screen, not the step."""
    admission = _Admission(settings, replace(state, limit_w=limit_w), senses, source, now_ns)
    found = {index: admission.refusal(index) for index in _waiting(settings, state, 0, now_ns)}
    return {index: reason for index, reason in found.items() if reason}
