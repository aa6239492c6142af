"""The clocks that the islanding machine's guards read: since when contacts, bus, gate and inverter have been as they are."""

from __future__ import annotations

from v2h_console.core import guards, lockouts, mode_commands, parallel, street_side
from v2h_console.core.frozen import replace
from v2h_console.core.mid_proof import Position
from v2h_console.core.senses import HOUSE_FAST_LIMIT_MS, INVERTER_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NS_PER_S
from v2h_console.core.since import since
from v2h_console.core.state import IslandingState, Mode, State
from v2h_drivers.capabilities.fast_readings import InverterFast, InverterMode

#: Under this no motor runs, whatever ghost of voltage there is.
UNLIT_PU = 0.5
#: Beside the grid an inverter that had a fault rests for so long.
FAILED_NS = 60 * NS_PER_S


def observe(state: State, now_ns: int) -> State:
    """Keep the clocks that the guards read: contact closed, bus dead, proof held in a fault, MID first heard."""
    islanding = state.islanding
    position = state.proof.position
    closed = position is Position.CLOSED
    dead = guards.bus_is_dead(state, now_ns)
    in_fault = islanding.mode is Mode.FAULT_OPEN and state.proof.proven
    heard = position is not Position.UNKNOWN
    inverter = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    stays = inverter is not None and inverter.gate_on and not mode_commands.of_mode(state).gate
    stays = stays or parallel.gate_against_orders(state.parallel, now_ns)
    off_since_ns = since(islanding.gate_off_since_ns, not mode_commands.of_mode(state).gate, now_ns)
    rivals = (
        islanding.mode is Mode.TIED
        and closed
        and inverter is not None
        and inverter.mode is InverterMode.FORMING
    )
    kept = replace(
        islanding,
        closed_since_ns=since(islanding.closed_since_ns, closed, now_ns),
        dead_since_ns=since(islanding.dead_since_ns, dead, now_ns),
        unlit_since_ns=_unlit_since_ns(islanding, state.senses, now_ns),
        proven_in_fault_since_ns=since(islanding.proven_in_fault_since_ns, in_fault, now_ns),
        heard_mid_since_ns=since(islanding.heard_mid_since_ns, heard, now_ns),
        gate_stays_since_ns=since(islanding.gate_stays_since_ns, stays, now_ns),
        inverter_failed_ns=_failed_ns(islanding, inverter, now_ns),
        rivals_since_ns=since(islanding.rivals_since_ns, rivals, now_ns),
        gate_off_since_ns=off_since_ns,
        gives_since_ns=since(
            islanding.gives_since_ns, lockouts.gives(state, off_since_ns, inverter, now_ns), now_ns
        ),
    )
    return replace(state, islanding=street_side.observe(state, kept, now_ns))


def _unlit_since_ns(machine: IslandingState, senses: Senses, now_ns: int) -> int | None:
    house = fresh(senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    if house is None or house.l1_pu is None or house.l2_pu is None:
        return machine.unlit_since_ns
    return since(machine.unlit_since_ns, max(house.l1_pu, house.l2_pu) < UNLIT_PU, now_ns)


def _failed_ns(machine: IslandingState, inverter: InverterFast | None, now_ns: int) -> int | None:
    """When the inverter last had a fault beside the grid; forgotten after a minute, so that its gate does not flutter."""
    if machine.mode is not Mode.TIED:
        return None
    if inverter is not None and (inverter.fault or inverter.mode is InverterMode.FAULT):
        return now_ns
    since_ns = machine.inverter_failed_ns
    return since_ns if since_ns is not None and now_ns - since_ns < FAILED_NS else None
