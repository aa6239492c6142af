"""What people ask of the core: each order counts once, while it is young, and only as far as the rules allow (I16).

The owner has checked who asks. What is checked here does not depend on the owner: a replayed nonce, an expiry that
lies too far ahead to end anything, and a value that is no value change nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from v2h_console.core import alarms, guards, load_holds, load_state, parallel, sense_plausibility, tariff
from v2h_console.core.commands import Command
from v2h_console.core.events import Event, Severity
from v2h_console.core.frozen import replace
from v2h_console.core.load_overload import CIRCUIT_LIMIT_MS, DRAWS_W
from v2h_console.core.load_state import CircuitState
from v2h_console.core.mid_proof import Position
from v2h_console.core.observation import CoreOrder, OrderKind
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.requests import RelayRequest

#: An order that would still count after this long could press a key when nobody stands there any more.
LONGEST_LIFE_NS = 10 * NS_PER_S
#: More orders than these within one life are no person's. Opening is always heard.
MOST_REMEMBERED = 256

#: Two polls of the load centre and a try more: an older word does not say whether a circuit is on.
RELAYS_LIMIT_MS = 3_000.0
TURN = "it was switched on, and waits for room"

#: Until the contact, which may not come, it is the car that starts what is switched on.
_ISLAND_MODES = (Mode.ISLANDED, Mode.SYNCING, Mode.CLOSING_SYNC)
_CLOSED_MODES = (Mode.TIED, Mode.CLOSING_SYNC, Mode.CLOSING_DEAD, Mode.HANDBACK)


@dataclass(slots=True)
class Taken:
    """What the orders of one step came to. ``opens``: the MID was ordered open; ``resets``: the lockouts, reset."""

    state: State
    commands: list[Command]
    events: list[Event]
    opens: bool = False
    resets: bool = False


def take(settings: Settings, state: State, orders: tuple[CoreOrder, ...], now_ns: int) -> Taken:
    """Carry out what people ask."""
    young = tuple(one for one in state.nonces if one[1] >= now_ns) if orders else state.nonces
    taken = Taken(replace(state, nonces=young), [], [])
    for order in orders:
        refusal = _stale(taken.state, order, now_ns)
        if refusal:
            _say(taken, now_ns, "ORDER_EXPIRED", Severity.WARNING, f"{refusal}: {order.kind.value}.")
            continue
        _remember(taken, order)
        _carry_out(settings, taken, order, now_ns)
    return taken


def _stale(state: State, order: CoreOrder, now_ns: int) -> str:
    if order.expires_at_ns < now_ns:
        return "Too old, dropped"
    if order.expires_at_ns - now_ns > LONGEST_LIFE_NS:
        return "Would count for too long, dropped"
    if any(nonce == order.nonce for nonce, _ in state.nonces):
        return "Given already, dropped"
    if len(state.nonces) >= MOST_REMEMBERED and order.kind is not OrderKind.OPEN_MID:
        return "Too many orders at once, dropped"
    return ""


def _remember(taken: Taken, order: CoreOrder) -> None:
    """A nonce is kept for as long as its order could still count; none that could gives way to another."""
    nonces = taken.state.nonces
    if len(nonces) < MOST_REMEMBERED:
        taken.state = replace(taken.state, nonces=(*nonces, (order.nonce, order.expires_at_ns)))
    # Else it is an opening, and said twice it opens what is open.


def _say(taken: Taken, now_ns: int, code: str, severity: Severity, text: str) -> None:
    taken.events.append(Event(now_ns, code, severity, text))


def _carry_out(settings: Settings, taken: Taken, order: CoreOrder, now_ns: int) -> None:
    state = taken.state
    match order.kind:
        case OrderKind.OPEN_MID:
            _open(taken, now_ns)
        case OrderKind.ISLAND:
            refusal = guards.islanding_refusal(settings, state, now_ns)
            if refusal:
                _say(taken, now_ns, "ISLANDING_REFUSED", Severity.WARNING, f"Not islanded: {refusal}.")
            else:
                _open(taken, now_ns)
        case OrderKind.CLOSE_MID:
            if state.islanding.operator_hold:
                taken.state = replace(state, islanding=replace(state.islanding, operator_hold=False))
                text = "The MID may close again once the grid has served its delay."
                _say(taken, now_ns, "MID_HOLD_RELEASED", Severity.INFO, text)
        case OrderKind.RESET_LOCKOUT:
            taken.resets = True
            _reset_lockouts(taken, now_ns)
        case OrderKind.SET_DISCHARGE_LIMIT:
            _limit(settings, taken, order, now_ns)
        case OrderKind.ACKNOWLEDGE:
            taken.state = alarms.acknowledge(state, order.name)
        case OrderKind.LOAD_ON | OrderKind.LOAD_OFF:
            _switch(settings, taken, order, now_ns)


def _open(taken: Taken, now_ns: int) -> None:
    """Idempotent: what is open stays open, and is held from now on."""
    state, taken.opens = taken.state, True
    if state.islanding.operator_hold:
        return
    taken.state = replace(state, islanding=replace(state.islanding, operator_hold=True))
    if state.islanding.mode not in _CLOSED_MODES:
        _say(taken, now_ns, "MID_HELD_OPEN", Severity.INFO, "MID held open until closed by hand.")


def _limit(settings: Settings, taken: Taken, order: CoreOrder, now_ns: int) -> None:
    if not math.isfinite(order.value_w) or order.value_w < 0.0:
        text = "Discharge limit not changed: what was asked for is no power."
        _say(taken, now_ns, "DISCHARGE_LIMIT_REFUSED", Severity.WARNING, text)
        return
    limit_w = min(order.value_w, settings.inverter.rated_w)
    taken.state = replace(taken.state, operator_limit_w=limit_w)
    text = f"Discharge limit asked for: {limit_w / 1000:.1f} kW."
    _say(taken, now_ns, "DISCHARGE_LIMIT_SET", Severity.INFO, text)


def _reset_lockouts(taken: Taken, now_ns: int) -> None:
    state = taken.state
    contradicted = state.proof.position is Position.DISAGREE
    if contradicted or (not state.proof.proven and state.islanding.mode is not Mode.TIED):
        text = f"Not reset: {state.proof.doubt}."
        _say(taken, now_ns, "LOCKOUT_RESET_REFUSED", Severity.WARNING, text)
        return
    state = replace(state, plausibility=sense_plausibility.forget(state.plausibility))
    cleared = replace(
        state.islanding,
        lk_form="",
        lk_close="",
        form_tries=0,
        soft_stops=0,
        form_not_before_ns=0,
        close_tries=0,
        gate_in_tied=True,
    )
    if cleared != state.islanding:
        _say(taken, now_ns, "LOCKOUT_RESET", Severity.INFO, "Lockouts reset by a person.")
    loads = load_holds.reset_culprits(state.loads, now_ns)
    if loads is not state.loads:
        _say(
            taken, now_ns, "LOAD_RESET", Severity.INFO, "Locked-out loads reset by a person: they may return."
        )
    taken.state = replace(
        state,
        islanding=cleared,
        parallel=parallel.reset(state.parallel),
        loads=loads,
        tariff=tariff.reset(state.tariff, now_ns),
    )


def _switch(settings: Settings, taken: Taken, order: CoreOrder, now_ns: int) -> None:
    for index, circuit in enumerate(settings.loads.circuits):
        if circuit.id == order.name:
            on = order.kind is OrderKind.LOAD_ON
            taken.commands.append(RelayRequest(index, on))
            if not on:
                _told_off(taken, index, now_ns)
            elif taken.state.islanding.mode in _ISLAND_MODES:
                _let_in_by_turn(taken, index, circuit.name, now_ns)
            return


def _told_off(taken: Taken, index: int, now_ns: int) -> None:
    loads = taken.state.loads
    told = replace(loads.circuits[index], told_off_ns=now_ns)
    taken.state = replace(
        taken.state, loads=replace(loads, circuits=load_state.with_circuit(loads, index, told))
    )


def _let_in_by_turn(taken: Taken, index: int, name: str, now_ns: int) -> None:
    """On the island nothing starts past the admission (I8): held off here, it returns when it fits."""
    loads = taken.state.loads
    held = loads.circuits[index]
    if held.shed or _runs(taken.state.senses, held, index, now_ns):
        return
    circuits = load_state.with_circuit(loads, index, load_state.hold(held, TURN, now_ns, now_ns))
    taken.state = replace(taken.state, loads=replace(loads, circuits=circuits))
    _say(taken, now_ns, "LOAD_WAITS", Severity.INFO, f"{name}: starts when there is room for it.")


def _runs(senses: Senses, held: CircuitState, index: int, now_ns: int) -> bool:
    """Whether the circuit is on already: by its relay, where that was read after a person last had it switched off, else
    by its meter."""
    told_off_ns = held.told_off_ns or 0
    relays = fresh(senses.relays, now_ns, RELAYS_LIMIT_MS)
    if relays is not None and relays.at_ns > told_off_ns:
        return bool(relays.closed_mask >> index & 1)
    meter = fresh(senses.circuits[index], now_ns, CIRCUIT_LIMIT_MS) if index < len(senses.circuits) else None
    return (
        meter is not None
        and meter.at_ns > told_off_ns
        and meter.power_w is not None
        and abs(meter.power_w) > DRAWS_W
    )
