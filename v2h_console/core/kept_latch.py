"""What the latch record must say now, and what the last run's record says to this one (I3).

A lockout and an MID that a person opened outlive the process: else a restart would close what a line worker opened.
So do a circuit that overloaded the island again and again and a switch that does not open: else the first outage after
a restart would find them out anew, with the house. So does a doubt about the car's charge: else a restart would take
the report that had emptied the car. So do the discharge limit that a person set, and a drift of the
grid's sense: else a restart closes by a voltage that is not the street's; and a roof that was told to leave, which
nobody else would ever let in again; and an inverter that went on giving after peak shaving. So do the tries of an MID that does not close: else an owner that ends between two of
them tries for ever.
FAULT_OPEN itself is a mode, and every start is BOOT_OPEN; a cause that only a person ends is kept as a lockout.
"""

from __future__ import annotations

from v2h_console.core import car_reserve, guards, latch, soc, solar, street_side
from v2h_console.core.commands import PersistLatch
from v2h_console.core.effects import CLOSE_RETRY_S, CLOSE_TRIES
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.load_state import LoadState, remembered, with_remembered
from v2h_console.core.observation import Kept, LatchReceipt
from v2h_console.core.parallel import ParallelState
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.since import since
from v2h_console.core.state import FaultCause, Mode, State

#: Causes of FAULT_OPEN that a person must look into, and what a later run says of them.
_LASTING = {
    FaultCause.DISAGREEMENT: "the MID's contacts contradicted each other",
    FaultCause.UNBIDDEN: "a contact closed unbidden",
    FaultCause.BACKFEED: street_side.BACKFEED,
}


def take_receipts(
    settings: Settings, state: State, receipts: tuple[LatchReceipt, ...], now_ns: int
) -> tuple[State, tuple[Event, ...]]:
    """Believe the storage; the first receipt brings back what the last run kept."""
    if not receipts:
        return state, ()
    first = not state.latch.found
    state = replace(state, latch=latch.take_receipts(state.latch, receipts))
    readable = bool(state.latch.durable_sequence)
    if first and not readable:
        # The close tokens hang on these numbers, and the controller may remember those of a record that is lost: anywhere
        # in the circle is as good as at its beginning, and not where the last one began.
        begins_at = state.started_ns // NS_PER_MS % latch.NUMBERS
        state = replace(state, latch=replace(state.latch, sequence=begins_at, durable_sequence=begins_at))
    kept = state.latch.durable_kept
    if not first or kept == Kept():
        return state, ()
    islanding = replace(
        state.islanding,
        lk_form=state.islanding.lk_form or kept.lk_form,
        lk_close=state.islanding.lk_close or kept.lk_close,
        operator_hold=state.islanding.operator_hold or kept.held_open,
        close_tries=kept.close_tries,
        # When the last try was nobody knows any more.
        close_not_before_ns=now_ns + CLOSE_RETRY_S * NS_PER_S if kept.close_tries else 0,
    )
    # What was found is what is wanted until something changes it: nothing has to be written for it. A record that could
    # not be read is replaced by one that can, so that the next start knows of it too.
    wanted = state.latch
    if readable:
        wanted = replace(wanted, wanted_kept=kept)
    loads = with_remembered(settings, state.loads, kept.culprits, kept.doubted)
    car = car_reserve.with_doubt(state.car, _primary_doubt(settings, state.parallel, kept))
    parallel = _with_doubts(settings, state.parallel, kept)
    limit_w = kept.operator_limit_w if state.operator_limit_w is None else state.operator_limit_w
    plausibility = state.plausibility
    if kept.drift:
        plausibility = replace(plausibility, drift=plausibility.drift or kept.drift)
    if kept.goes_on:
        state = replace(state, tariff=replace(state.tariff, goes_on=kept.goes_on))
    if kept.roof_off:
        state = replace(state, solar=solar.restored(now_ns), solar_permitted=False)
    state = replace(
        state,
        islanding=islanding,
        latch=wanted,
        loads=loads,
        car=car,
        parallel=parallel,
        operator_limit_w=limit_w,
        plausibility=plausibility,
    )
    said = _said(settings, replace(kept, culprits=(), doubted=()), loads)
    if not said:
        # All of it was about circuits that the load table no longer has.
        return state, ()
    return state, (Event(now_ns, "LATCH_KEPT", Severity.WARNING, f"From before the start: {said}."),)


def _primary_doubt(settings: Settings, units: ParallelState, kept: Kept) -> int | None:
    if not settings.parallel.units:
        return kept.doubted_soc_pct
    return dict(kept.doubted_cars).get(settings.parallel.units[units.primary].name)


def _with_doubts(settings: Settings, units: ParallelState, kept: Kept) -> ParallelState:
    """Each further car's charge, as far as it was doubted."""
    doubted = dict(kept.doubted_cars)
    following = tuple(
        replace(unit, soc=soc.remembered(float(doubted[one.name]))) if one.name in doubted else unit
        for one, unit in zip(settings.parallel.units, units.units, strict=True)
    )
    return units if following == units.units else replace(units, units=following)


def _doubts(settings: Settings, state: State) -> tuple[tuple[str, int], ...]:
    found = []
    for index, (one, unit) in enumerate(zip(settings.parallel.units, state.parallel.units, strict=True)):
        charge = state.car.soc if index == state.parallel.primary else unit.soc
        if charge.doubted_pct is not None:
            found.append((one.name, charge.doubted_pct))
    return tuple(found)


def _said(settings: Settings, kept: Kept, loads: LoadState) -> str:
    culprits, doubted = (
        ", ".join(circuit.name for circuit in settings.loads.circuits if circuit.id in ids)
        for ids in remembered(settings, loads)
    )
    soc_pct = kept.doubted_soc_pct
    return "; ".join(
        text
        for text in (
            kept.lk_form and f"forming is locked out ({kept.lk_form})",
            kept.lk_close and f"closing is locked out ({kept.lk_close})",
            "the MID was opened by hand" if kept.held_open else "",
            culprits and f"off while islanded for their overloads: {culprits} (R resets)",
            doubted and f"switches that did not open: {doubted}",
            ""
            if soc_pct is None
            else f"the car's charge is doubted, and counts as {soc_pct} % until it has settled on the grid",
            ""
            if kept.operator_limit_w is None
            else f"the discharge limit was set to {kept.operator_limit_w / 1000:.1f} kW",
            f"the MID did not close (try {kept.close_tries} of {CLOSE_TRIES})"
            if kept.close_tries and not kept.lk_close
            else "",
            kept.drift and f"closing is held (grid sensing: {kept.drift})",
            "the roof was told to leave" if kept.roof_off else "",
            kept.goes_on and f"the inverter's gate is held off (peak shaving: {kept.goes_on})",
            *(
                f"the charge of {name}'s car is doubted, and counts as {pct} % until it has settled on the grid"
                for name, pct in kept.doubted_cars
            ),
        )
        if text
    )


def kept_of(settings: Settings, state: State) -> Kept:
    """What a restart must not forget."""
    islanding = state.islanding
    cause = _LASTING.get(islanding.fault_cause, "") if islanding.mode is Mode.FAULT_OPEN else ""
    return Kept(
        islanding.lk_form or cause,
        islanding.lk_close or cause,
        islanding.operator_hold,
        *remembered(settings, state.loads),
        None if settings.parallel.units else state.car.doubted_pct,
        state.operator_limit_w,
        state.plausibility.drift,
        not state.solar_permitted,
        _doubts(settings, state),
        islanding.close_tries,
        state.tariff.goes_on,
    )


def keep(settings: Settings, state: State, now_ns: int) -> tuple[State, PersistLatch | None]:
    """Ask the storage for what must stand on disk, where it does not stand there yet."""
    if not state.latch.found:
        # Written now, it would replace what has not been read.
        return state, None
    locked = not _clear_wanted(settings, state, now_ns)
    reason = state.islanding.mode.value if locked else "grid requalified"
    following, persist = latch.want(state.latch, locked, reason, kept_of(settings, state))
    waits = following.durable_sequence != following.sequence
    following = replace(following, wanted_since_ns=since(following.wanted_since_ns, waits, now_ns))
    return (state if following is state.latch else replace(state, latch=following)), persist


def _clear_wanted(settings: Settings, state: State, now_ns: int) -> bool:
    """Whether the latch may be clear: only between a requalified grid and the close that follows."""
    mode = state.islanding.mode
    if mode in (Mode.CLOSING_SYNC, Mode.CLOSING_DEAD, Mode.HANDBACK):
        return not state.latch.wanted_locked
    if mode in (Mode.ISLANDED, Mode.SYNCING) or (
        mode is Mode.DARK and state.islanding.dead_since_ns is not None
    ):
        return not guards.closing_refusal(settings, state, now_ns)
    return False
