"""What the first two minutes of an island would look like, and how long the car lasts: the very rules, on paper.

The load manager itself is stepped against a house made of the load table; there is no second admission.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from v2h_console.core import load_admission, load_energy, load_holds, load_manager, load_state
from v2h_console.core.frozen import replace
from v2h_console.core.load_limits import PathsVa, limits, running_va, start_multiple
from v2h_console.core.load_manager import Source
from v2h_console.core.load_state import LoadState
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, Circuit, Settings
from v2h_drivers.capabilities.fast_readings import LegCurrents, LoadFeedback
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus, CircuitReading

SPAN_S = 120
_STEP_NS = 100 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class StartConditions:
    """``wanted``: ids of the circuits whose appliance wants to run; ``soc_pct`` and ``capacity_wh`` of the car;
    ``limit_w``: what the inverter that forms may give. ``joined``: what feeds the house once every inverter has joined,
    with ``joined_w`` of all together (``None`` = ``limit_w``); ``status``: the car's last word, ``None`` = its volts
    refuse nothing."""

    wanted: frozenset[str]
    soc_pct: float
    capacity_wh: float
    limit_w: float
    shed_reserve: bool = False
    joined: Source = Source()
    joined_w: float | None = None
    status: CarStatus | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline: ``kind`` is "held", "starts", "shed" or "refused", ``va`` what the paths carry then."""

    at_s: float
    circuit: str
    kind: str
    reason: str
    va: PathsVa


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that leg 1, leg 2 and the neutral carried in one window, starts included, against what is planned."""

    va: PathsVa
    limit_va: PathsVa


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``curve``: (second, VA per path), one a second; ``peaks``: 100 ms, 10 s, continuous; ``runtime_h``: hours down
    to the floor with tier 1, tiers 1-2, 1-3, of those that want to run; ``None`` = nothing draws. ``spare``: ids that
    go at once if the largest inverter is lost at the end."""

    moments: tuple[Moment, ...]
    curve: tuple[tuple[int, PathsVa], ...]
    peaks: tuple[Peak, Peak, Peak]
    runtime_h: tuple[float | None, float | None, float | None]
    spare: tuple[str, ...] = ()


def what_if(settings: Settings, table: tuple[Circuit, ...], start: StartConditions) -> WhatIf:
    """Play the first ``SPAN_S`` seconds after the grid falls with this load table in place of the settings' own."""
    settings = replace(settings, loads=replace(settings.loads, circuits=table))
    state = replace(load_state.initial(settings), start_w=start.limit_w)
    state = load_holds.drop_for_forming(settings, state, start.shed_reserve, 0)
    wanted = [circuit.id in start.wanted for circuit in table]
    moments = [
        Moment(0.0, circuit.id, "held", held.reason, load_admission.NOTHING)
        for circuit, held in zip(table, state.circuits, strict=True)
        if held.shed
    ]
    state = load_holds.begin_island(settings, state, 0)
    units = start.joined.units if start.joined_w is not None else 1
    whole_w = start.limit_w if start.joined_w is None else start.joined_w
    bounds = limits(settings, whole_w / units, units=units)
    peaks = [load_admission.NOTHING] * len(bounds.planned_va)
    curve: list[tuple[int, PathsVa]] = []
    came_on = {index: 0 for index, held in enumerate(state.circuits) if wanted[index] and not held.shed}
    told: dict[int, str] = {}
    for now_ns in range(0, SPAN_S * NS_PER_S + 1, _STEP_NS):
        flowing = _paths_va(table, came_on, 0, now_ns)
        for horizon in range(len(peaks)):
            seen = _paths_va(table, came_on, horizon, now_ns) if horizon else flowing
            peaks[horizon] = _larger(peaks[horizon], seen)
        if now_ns % NS_PER_S == 0:
            curve.append((now_ns // NS_PER_S, flowing))
        limit_w, source = _fed(settings, start, flowing, now_ns)
        resting = [index for index in range(len(table)) if index not in came_on]
        senses = _senses(state, _car(start, source, flowing, now_ns), resting, flowing, now_ns)
        before = state
        shed_from = 2 if start.shed_reserve else 0
        state = load_manager.update_island(settings, state, senses, limit_w, shed_from, now_ns, source=source)
        for index, (was, held) in enumerate(zip(before.circuits, state.circuits, strict=True)):
            at_s, name = now_ns / NS_PER_S, table[index].id
            if was.shed and not held.shed:
                moments.append(Moment(at_s, name, "starts", "", flowing))
                if wanted[index]:
                    came_on[index] = now_ns
            elif held.shed and not was.shed:
                moments.append(Moment(at_s, name, "shed", held.reason, flowing))
                came_on.pop(index, None)
        if now_ns % NS_PER_S == 0:
            waiting = load_manager.refusals(settings, state, senses, limit_w, now_ns, source)
            for index, reason in waiting.items():
                if index not in told:
                    told[index] = reason
                    moments.append(Moment(now_ns / NS_PER_S, table[index].id, "refused", reason, flowing))
    return WhatIf(
        tuple(moments),
        tuple(curve),
        (
            Peak(peaks[0], bounds.planned_va[0]),
            Peak(peaks[1], bounds.planned_va[1]),
            Peak(peaks[2], bounds.planned_va[2]),
        ),
        (
            _runtime_h(settings, table, start, 1),
            _runtime_h(settings, table, start, 2),
            _runtime_h(settings, table, start, 3),
        ),
        tuple(circuit.id for index, circuit in enumerate(table) if state.spare_mask >> index & 1),
    )


def _fed(settings: Settings, start: StartConditions, flowing: PathsVa, now_ns: int) -> tuple[float, Source]:
    """What feeds the house by now, and what it may give: one inverter forms, the others join it one by one."""
    source, limit_w, parallel = start.joined, start.limit_w, settings.parallel
    if start.joined_w is not None and source.units > 1:
        joined_s = parallel.settle_s + parallel.between_joins_s * (source.units - 2)
        if now_ns < joined_s * NS_PER_S:
            source = replace(source, units=1, spare_w=0.0)
        else:
            limit_w = start.joined_w
    if source.car is None:
        return limit_w, source
    # What ends the car's runtime on the grid says nothing of an island.
    drawn_w = (flowing[0] + flowing[1]) / source.units
    return limit_w, replace(source, car=replace(source.car, mean_w=drawn_w, runtime_s=None))


def _car(start: StartConditions, source: Source, flowing: PathsVa, now_ns: int) -> CarStatus | None:
    """What the car would say with this on it: at rest, less what its resistance takes. Volt-amperes count as watts."""
    status, car = start.status, source.car
    if status is None:
        return None
    if car is None or not status.dc_voltage_v:
        return replace(status, at_ns=now_ns)
    ohm = car.pack.resistance_ohm if car.pack.resistance_ohm is not None else load_energy.USUAL_OHM
    rest_v = status.dc_voltage_v + ohm * (status.dc_current_a or 0.0)
    amps = (flowing[0] + flowing[1]) / source.units / rest_v
    volts = rest_v - ohm * amps
    return replace(status, at_ns=now_ns, dc_voltage_v=volts, dc_current_a=amps, dc_power_w=volts * amps)


def _paths_va(table: tuple[Circuit, ...], came_on: dict[int, int], horizon: int, now_ns: int) -> PathsVa:
    """Of what is on; a start counts for as long as it lasts. The neutral carries the worse leg's alone."""
    legs, single = [0.0, 0.0], [0.0, 0.0]
    for index, since_ns in came_on.items():
        circuit = table[index]
        starting = now_ns - since_ns <= circuit.inrush_s * NS_PER_S
        multiple = start_multiple(circuit, horizon) if starting else 1.0
        running = running_va(circuit)
        for leg in (0, 1):
            legs[leg] += running[leg] * multiple
            if running[2]:
                single[leg] += running[leg] * multiple
    return legs[0], legs[1], max(single)


def _larger(one: PathsVa, two: PathsVa) -> PathsVa:
    return max(one[0], two[0]), max(one[1], two[1]), max(one[2], two[2])


def _senses(
    state: LoadState, car: CarStatus | None, resting: Sequence[int], flowing: PathsVa, now_ns: int
) -> Senses:
    amps = [va / NOMINAL_V for va in flowing]
    closed = ((1 << len(state.circuits)) - 1) & ~state.mask
    meters: list[CircuitReading | None] = [None] * len(state.circuits)
    for index in resting:
        meters[index] = CircuitReading(now_ns, Quality.GOOD, "", index, NOMINAL_V, 0.0, 0.0, None)
    return Senses(
        currents=LegCurrents(now_ns, Quality.GOOD, amps[0], amps[1], amps[2]),
        load_feedback=LoadFeedback(now_ns, Quality.GOOD, closed),
        car=car,
        circuits=tuple(meters),
    )


def _runtime_h(
    settings: Settings, table: tuple[Circuit, ...], start: StartConditions, worst_tier: int
) -> float | None:
    """Volt-amperes count as watts: the sooner end of what may be."""
    drawn_va = sum(
        circuit.running_va for circuit in table if circuit.tier <= worst_tier and circuit.id in start.wanted
    )
    if drawn_va <= 0.0:
        return None
    usable_pct = max(0.0, start.soc_pct - settings.car.stop_soc_pct)
    # Each inverter has its car, and one is known: the others count like it.
    return start.joined.units * start.capacity_wh * usable_pct / 100.0 / drawn_va
