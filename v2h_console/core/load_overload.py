"""What must go, and when: any window over its limit sheds within 100 ms, the continuous one after a motor's start.

One unit lost of several is no overload to be found first: what has to go with the largest is computed ahead, and sent
in the step that finds it lost.
"""

from __future__ import annotations

from v2h_console.core.frozen import replace
from v2h_console.core.load_limits import PATHS, PathsVa, continuous_va, limits, on_leg_va
from v2h_console.core.load_shedding import smallest_set
from v2h_console.core.load_state import CULPRIT, CULPRIT_TRIPS, CircuitState, LoadState, hold, known
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Circuit, Settings
from v2h_drivers.capabilities.slow_readings import CircuitReading

#: A shed for overload is tried again after this, with headroom.
READMIT_NS = 60 * NS_PER_S
#: The wait doubles with every trip, to this at the most.
READMIT_MOST_NS = 1_800 * NS_PER_S
#: Over the continuous limit, but within the 10 s one, for this long before anything is shed: a motor may start.
OVERLOAD_HOLD_NS = 2 * NS_PER_S
#: Over the 10 s limit for this long: what passes sooner belongs to the 100 ms window. It also lets a shed take effect
#: before the next: frame 25 ms, switch 15 ms, half cycle 8 ms.
SURGE_HOLD_NS = 60 * NS_PER_MS
#: More than this much of what a circuit usually draws, and a bit, is unusual: a locked rotor draws six times as much.
UNUSUAL_SHARE, UNUSUAL_VA = 1.5, 200.0
#: After so long the end of an overload says nothing of a shed.
JUDGED_NS = 500 * NS_PER_MS
#: For so long after a limit fell, what is too much is its doing; a second fall within it belongs to the first.
FALL_NS = 500 * NS_PER_MS
#: A circuit's meter is polled; older than this it says nothing.
CIRCUIT_LIMIT_MS = 10_000.0
#: What a meter says beyond this is no stand-by.
DRAWS_W = 20.0
#: Drawing this much beyond its ceiling, a circuit that has one goes.
CEILING_SHARE = 1.05
UNSEEN = "its meter is silent, and it has a ceiling while islanded"


def shed(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    loads_va: PathsVa,
    limit_w: float,
    units: int,
    now_ns: int,
    *,
    hold_ns: int,
) -> LoadState:
    """Shed what must go now, or note since when a window has been over. The same object when there is nothing to do.

    ``hold_ns``: for how long an excess over the continuous limit alone is left to pass.
    """
    if limit_w != state.limit_w or units != state.units:
        lost = units < state.units and state.units > 1
        if limit_w < state.limit_w:
            higher = not _falls(state, now_ns) or state.limit_w > state.fell_from_w
            from_w, from_units = (
                (state.limit_w, state.units) if higher else (state.fell_from_w, state.fell_from_units)
            )
            state = replace(state, fell_ns=now_ns, fell_from_w=from_w, fell_from_units=from_units)
        state = replace(state, limit_w=limit_w, units=units)
        if lost and state.spare_mask:
            return _shed_spare(state, now_ns)
    bounds = continuous_va(settings, limit_w, units)
    state = _convict(state, loads_va, now_ns)
    if not _over(loads_va, bounds):
        return replace(state, over_since_ns=None, surge_since_ns=None, helpless_since_ns=None)
    rows = limits(settings, limit_w / units, units=units).planned_va
    share = settings.loads.planning_share
    peak, surge = (_over(loads_va, (row[0] / share, row[1] / share, row[2] / share)) for row in rows[:2])
    over_since_ns = now_ns if state.over_since_ns is None else state.over_since_ns
    surge_since_ns = None
    if surge:
        surge_since_ns = now_ns if state.surge_since_ns is None else state.surge_since_ns
    # The load was within the limit until the limit fell: no motor starts here.
    fell = (
        _falls(state, now_ns)
        and limit_w < state.fell_from_w
        and not _over(loads_va, continuous_va(settings, state.fell_from_w, state.fell_from_units))
    )
    due = (
        peak
        or fell
        or now_ns - over_since_ns >= hold_ns
        or (surge_since_ns is not None and now_ns - surge_since_ns >= SURGE_HOLD_NS)
    )
    helpless_ns = state.helpless_since_ns
    if due and now_ns - state.shed_at_ns >= SURGE_HOLD_NS:
        following = shed_excess(
            settings, state, senses, loads_va, bounds, now_ns, its_doing=not fell, urgent=peak
        )
        if following is not state:
            return following
        helpless_ns = now_ns if helpless_ns is None else helpless_ns
    return replace(
        state, over_since_ns=over_since_ns, surge_since_ns=surge_since_ns, helpless_since_ns=helpless_ns
    )


def _falls(state: LoadState, now_ns: int) -> bool:
    return state.fell_ns is not None and now_ns - state.fell_ns < FALL_NS


def _over(va: PathsVa, limit_va: PathsVa) -> bool:
    return va[0] > limit_va[0] or va[1] > limit_va[1] or va[2] > limit_va[2]


def deadlines_ns(state: LoadState) -> list[int]:
    """When a hold ends."""
    ends = []
    if state.over_since_ns is not None:
        ends += [state.over_since_ns + OVERLOAD_HOLD_NS, state.shed_at_ns + SURGE_HOLD_NS]
    if state.surge_since_ns is not None:
        ends.append(state.surge_since_ns + SURGE_HOLD_NS)
    return ends


def shed_excess(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    loads_va: PathsVa,
    bounds: PathsVa,
    now_ns: int,
    *,
    its_doing: bool = True,
    urgent: bool = False,
) -> LoadState:
    """Shed what brings every path under what it carries for ever, in one command; who is to blame shows when they are
    gone. ``urgent``: there is no time to look first whether one that seems to rest is to blame.

    Not ``its_doing``: the limit fell, and no circuit is to blame for that.
    Since when it has been too much stays: what is still over after this shed has taken effect has had its time.
    """
    circuits = list(state.circuits)
    chosen = excess(settings, state, senses, loads_va, bounds, now_ns)
    if not urgent:
        chosen = _resting_first(settings, state, senses, chosen, now_ns)
    for index, path in chosen:
        reason = f"{PATHS[path]} was over its {bounds[path]:.0f} VA"
        circuits[index] = hold(circuits[index], reason, now_ns + READMIT_NS, now_ns)
    if tuple(circuits) == state.circuits:
        return state
    return replace(
        state,
        circuits=tuple(circuits),
        start=None,
        helpless_since_ns=None,
        shed_at_ns=now_ns,
        suspects=sum(1 << index for index, _ in chosen) if its_doing else 0,
        shed_from_va=loads_va[0] + loads_va[1],
        shed_usual_va=sum(_usual_va(settings, state, senses, index, now_ns) for index, _ in chosen),
    )


def _usual_va(settings: Settings, state: LoadState, senses: Senses, index: int, now_ns: int) -> float:
    """What this circuit draws when nothing is wrong: by the table, or less by its meter."""
    table_va = known(settings.loads.circuits[index], state.circuits[index]).running_va
    metered = metered_va(state, senses, index, now_ns)
    return table_va if metered is None else min(table_va, metered)


def _convict(state: LoadState, loads_va: PathsVa, now_ns: int) -> LoadState:
    """Whether more went with the circuits than they usually draw: then it was their doing, and the wait doubles. Where
    only their usual part went, something else was too much, and they had to make room for it."""
    since_ns = now_ns - state.shed_at_ns
    if not state.suspects or since_ns < SURGE_HOLD_NS:
        return state
    circuits = state.circuits
    gone_va = state.shed_from_va - loads_va[0] - loads_va[1]
    if gone_va > UNUSUAL_SHARE * state.shed_usual_va + UNUSUAL_VA and since_ns < JUDGED_NS:
        circuits = tuple(
            tripped(replace(held, shed=False), held.reason, state.shed_at_ns)
            if state.suspects >> index & 1 and held.shed
            else held
            for index, held in enumerate(circuits)
        )
    return replace(state, circuits=circuits, suspects=0)


def excess(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    loads_va: PathsVa,
    bounds: PathsVa,
    now_ns: int,
) -> list[tuple[int, int]]:
    """(circuit, path that it clears) of all that must go: leg 1, leg 2, then the neutral, which carries one leg's own."""
    drawing = [
        (index, _drawn(state, senses, index, known(circuit, held), now_ns))
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if not held.shed and draws(state, senses, index, now_ns)
    ]
    gone: dict[int, int] = {}
    for path in (0, 1, 2):
        leg = path if path < 2 else int(loads_va[1] > loads_va[0])
        able = [one for one in drawing if one[0] not in gone and (path < 2 or one[1].legs != "L12")]
        cleared_va = sum(
            on_leg_va(circuit, leg)
            for index, circuit in drawing
            if index in gone and (path < 2 or circuit.legs != "L12")
        )
        for index in smallest_set(able, leg, loads_va[path] - bounds[path] - cleared_va):
            gone[index] = path
    return sorted(gone.items())


def _resting_first(
    settings: Settings, state: LoadState, senses: Senses, chosen: list[tuple[int, int]], now_ns: int
) -> list[tuple[int, int]]:
    """Before the lowest tier goes, what is connected above it and rests by its meter: a meter that lies hides what is too
    much, and what truly rests loses nothing by waiting. If it was not that, the next shed comes ``SURGE_HOLD_NS`` later."""
    lowest = min((settings.loads.circuits[index].tier for index, _ in chosen), default=0)
    paths = sorted({path for _, path in chosen})
    resting = [
        (index, next(path for path in paths if path == 2 or on_leg_va(circuit, path) > 0.0))
        for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True))
        if circuit.tier > lowest
        and not held.shed
        and not draws(state, senses, index, now_ns)
        and any(path == 2 or on_leg_va(circuit, path) > 0.0 for path in paths)
    ]
    if not resting:
        return chosen
    return sorted([one for one in chosen if settings.loads.circuits[one[0]].tier > lowest] + resting)


def _drawn(state: LoadState, senses: Senses, index: int, circuit: Circuit, now_ns: int) -> Circuit:
    """The circuit as it draws now, where its meter says more than the table."""
    va = metered_va(state, senses, index, now_ns)
    return circuit if va is None or va <= circuit.running_va else replace(circuit, running_va=va)


def metered_va(state: LoadState, senses: Senses, index: int, now_ns: int) -> float | None:
    """What the circuit's own meter says; ``None`` = it says nothing."""
    meter = _meter(state, senses, index, now_ns)
    if meter is None or meter.voltage_v is None or meter.current_a is None:
        return None
    return abs(meter.voltage_v * meter.current_a)


def draws(state: LoadState, senses: Senses, index: int, now_ns: int) -> bool:
    """Unknown counts as drawing: a silent meter must not protect a circuit from being shed."""
    meter = _meter(state, senses, index, now_ns)
    # A meter that was wired the wrong way round counts backwards.
    return meter is None or meter.power_w is None or abs(meter.power_w) > DRAWS_W


def _meter(state: LoadState, senses: Senses, index: int, now_ns: int) -> CircuitReading | None:
    """Its newest reading. One from before the circuit had voltage reads 0 W, and would protect it for a whole poll."""
    held = senses.circuits[index] if index < len(senses.circuits) else None
    meter = fresh(held, now_ns, CIRCUIT_LIMIT_MS)
    return None if meter is None or meter.at_ns < state.live_since_ns(index) else meter


def tripped(held: CircuitState, reason: str, now_ns: int) -> CircuitState:
    """Shed for what it did: the third time is the last until a person resets it."""
    trips = held.trips + 1
    off = hold(held, reason, now_ns + min(READMIT_MOST_NS, READMIT_NS << (trips - 1)), now_ns)
    if trips >= CULPRIT_TRIPS:
        return replace(off, trips=trips, reason=CULPRIT, until_ns=None)
    return replace(off, trips=trips)


def keep_ceilings(settings: Settings, state: LoadState, senses: Senses, now_ns: int) -> LoadState:
    """Shed what draws more than it may while islanded, by its own meter."""
    circuits = list(state.circuits)
    for index, (circuit, held) in enumerate(zip(settings.loads.circuits, state.circuits, strict=True)):
        if circuit.island_ceiling_va is None or held.shed:
            continue
        if ceiling_unseen(circuit, senses, index, now_ns):
            circuits[index] = hold(held, UNSEEN, now_ns + READMIT_NS, now_ns)
            continue
        va = metered_va(state, senses, index, now_ns)
        if va is not None and va > CEILING_SHARE * circuit.island_ceiling_va:
            reason = f"drew {va:.0f} VA, its ceiling while islanded is {circuit.island_ceiling_va:.0f} VA"
            circuits[index] = tripped(held, reason, now_ns)
    return state if tuple(circuits) == state.circuits else replace(state, circuits=tuple(circuits))


def ceiling_unseen(circuit: Circuit, senses: Senses, index: int, now_ns: int) -> bool:
    """Whether this circuit has a ceiling and a meter that has fallen silent: it may draw anything. One that was never
    heard is not there; then the ceiling is the setting of the charging station itself."""
    if circuit.island_ceiling_va is None or index >= len(senses.circuits):
        return False
    heard = senses.circuits[index]
    if heard is None:
        return False
    return (
        fresh(heard, now_ns, CIRCUIT_LIMIT_MS) is None or heard.voltage_v is None or heard.current_a is None
    )


def plan_spare(
    settings: Settings,
    state: LoadState,
    senses: Senses,
    loads_va: PathsVa,
    spare_w: float,
    now_ns: int,
) -> LoadState:
    """Which circuits go when the largest inverter does and ``spare_w`` is left."""
    bounds = continuous_va(settings, spare_w, state.units - 1)
    mask = sum(1 << index for index, _ in excess(settings, state, senses, loads_va, bounds, now_ns))
    return state if mask == state.spare_mask else replace(state, spare_mask=mask)


def _shed_spare(state: LoadState, now_ns: int) -> LoadState:
    circuits = tuple(
        hold(held, "an inverter was lost", now_ns + READMIT_NS, now_ns)
        if state.spare_mask >> index & 1
        else held
        for index, held in enumerate(state.circuits)
    )
    return replace(
        state,
        circuits=circuits,
        start=None,
        spare_mask=0,
        over_since_ns=None,
        surge_since_ns=None,
        helpless_since_ns=None,
        shed_at_ns=now_ns,
        # What ends with these was not the overload that was shed for before.
        suspects=0,
    )
