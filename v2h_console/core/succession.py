"""Who makes the frequency after a primary that is lost: never while the house is lit, and only from a bus that is dead.

A primary that is silent for 60 ms ends the island: all gates off, the bus dead for 100 ms, then the next in rank forms.
The first time it does so at once; after that the ladder of failed starts counts, whoever failed, and between two
elections lie some seconds. A primary that has failed to form twice makes way for the next one though it reports no fault.
"""

from __future__ import annotations

from v2h_console.core import car_reserve, parallel
from v2h_console.core.car_reserve import CarState
from v2h_console.core.discharge_limit import LEAST_W
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.parallel import ParallelState, Unit
from v2h_console.core.senses import fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, CarSettings, Settings
from v2h_console.core.state import State

DEAD_BUS_NS = 100 * NS_PER_MS
#: A primary gets so long to show what it can before the next may be elected for its car's or its own state.
BETWEEN_NS = 5 * NS_PER_S
#: So many failed starts in a row, and it is another's turn.
FAILED_STARTS = 2


def elect(settings: Settings, car: CarSettings, state: State, now_ns: int) -> tuple[State, Event | None]:
    """In a dark house: the primary, or its car, cannot; the next in rank does, once the bus has been dead for 100 ms.

    ``car``: within what a car's word counts, which is longer after a hand-over.
    """
    units = state.parallel
    primary, tries = units.units[units.primary], state.islanding.form_tries
    failed = tries >= FAILED_STARTS and tries > units.elected_tries
    if state.islanding.lk_form or (
        parallel.healthy(primary, now_ns) and not state.car.refusal and not failed
    ):
        return state, None
    if units.elected_ns is not None and now_ns - units.elected_ns < BETWEEN_NS:
        return state, None
    index = next_in_rank(units, car, now_ns)
    if index is None:
        return state, None
    text = f"{settings.parallel.units[index].name} is the primary now."
    event = Event(now_ns, "PRIMARY_CHANGED", Severity.WARNING, text)
    return _with_primary(settings, state, index, now_ns), event


def next_in_rank(state: ParallelState, car: CarSettings, now_ns: int) -> int | None:
    """Who forms after the primary is lost: the next healthy unit whose car can; ``None`` = nobody, or not yet."""
    if state.dead_since_ns is None or now_ns - state.dead_since_ns < DEAD_BUS_NS:
        return None
    return heir(state, car, now_ns)


def heir(state: ParallelState, car: CarSettings, now_ns: int) -> int | None:
    """Who could form in the primary's place, whatever the bus does now; ``None`` = nobody."""
    count = len(state.units)
    for step in range(1, count):
        index = (state.primary + step) % count
        unit = state.units[index]
        limit_a = None if unit.reading is None else unit.reading.limit_a
        if limit_a is not None and limit_a * 2.0 * NOMINAL_V < LEAST_W:
            continue
        if parallel.healthy(unit, now_ns) and _can_feed(unit, car, now_ns):
            return index
    return None


def _can_feed(unit: Unit, settings: CarSettings, now_ns: int) -> bool:
    car = fresh(unit.car, now_ns, settings.fresh_ms)
    return (
        car is not None
        and car.soc_pct is not None
        and unit.soc.believed_pct >= settings.stop_soc_pct
        and car.dc_voltage_v is not None
        and settings.dc_lo_v <= car.dc_voltage_v <= settings.dc_hi_v
    )


def _with_primary(settings: Settings, state: State, index: int, now_ns: int) -> State:
    """Unit ``index`` is the primary from now on, and what the core takes for its inverter and car.

    What was counted, doubted and averaged of the lost one's car says nothing of this one's, and is kept for its return.
    """
    units = list(state.parallel.units)
    old, new = units[state.parallel.primary], units[index]
    assert new.reading is not None
    units[state.parallel.primary] = replace(old, kept=state.car, soc=state.car.soc)
    senses = replace(state.senses, inverter_fast=parallel.as_primary(new.reading), car=new.car, inverter=None)
    known = CarState() if new.kept is None else new.kept
    known = replace(known, session=state.car.session, soc=new.soc, judged_at_ns=None)
    machine = state.islanding
    # What the first one owed is not the next one's debt; an inverter after inverter that fails climbs the ladder. Contacts
    # that are on their way are everybody's.
    owed_ns = machine.form_not_before_ns if machine.form_tries >= FAILED_STARTS else now_ns
    return replace(
        state,
        parallel=replace(
            state.parallel,
            primary=index,
            mask=1 << index,
            units=tuple(units),
            dead_since_ns=None,
            elected_ns=now_ns,
            elected_tries=machine.form_tries,
        ),
        senses=senses,
        car=car_reserve.update(settings.car, known, senses, now_ns),
        islanding=replace(
            machine,
            form_not_before_ns=max(owed_ns, machine.contact_grace_until_ns),
            emptied=known.ended_pct is not None,
        ),
        # It was asked for nothing yet.
        requested_limit_w=None,
        limit_doubted_ns=None,
        limit_ignored="",
        limit_tries=0,
    )
