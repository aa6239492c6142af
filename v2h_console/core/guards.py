"""What must be true before the house may be formed or the MID closed: each refusal in words for the screen.

"" means allowed. Every guard reads fresh, GOOD readings only; unknown refuses.
"""

from __future__ import annotations

from v2h_console.core import black_start, discharge_limit, parallel, solar, storage, street_trial, supply
from v2h_console.core.grid_monitor import DEAD_PU, GridCondition
from v2h_console.core.load_switches import cold_pickup_refusal, confirmed_off
from v2h_console.core.mid_proof import Position
from v2h_console.core.senses import (
    HOUSE_FAST_LIMIT_MS,
    INVERTER_LIMIT_MS,
    MID_LIMIT_MS,
    fresh,
)
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.fast_readings import InverterMode

#: Above this on the house bus something else still feeds it: form only with a flying start.
RESIDUAL_PU = 0.25
#: The house counts as lit from here (half cycle), as back from FORMED_PU (SOGI, after its rise).
LIT_PU = 0.88
#: The controller turns gates off 100 ms after the last command that wants them on.
GATES_OFF_NS = 120 * NS_PER_MS
FORMED_PU = 0.9
#: The most for a source of up to 500 kVA.
MOST_PHASE_DEG = 20.0
#: Beyond this the legs have no common neutral any more: 12 % of a leg is no load's doing.
NEUTRAL_SHIFT_PU = 0.12
#: A rising leg passes this only where its return is gone.
LEG_HIGH_PU = 1.15
DEAD_BUS_NS = 300 * NS_PER_MS


def _inverter_refusal(state: State, now_ns: int) -> str:
    """Why the inverter could not form, whatever the MID does."""
    inverter = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    if inverter is None:
        return "the inverter is not heard"
    if inverter.fault or inverter.mode in (InverterMode.FAULT, InverterMode.OFF):
        return "the inverter reports a fault" if inverter.fault else f"the inverter is {inverter.mode.value}"
    return ""


def source_refusal(settings: Settings, state: State, now_ns: int) -> str:
    """Why car and inverter could not feed the house now, whatever the MID does."""
    if state.islanding.lk_form:
        return f"forming is locked out: {state.islanding.lk_form}"
    if state.car.refusal:
        return state.car.refusal
    if state.supply.stop:
        return supply.refusal(state.supply)
    if state.thermal.stopped:
        return f"the heatsink is over {settings.thermal.stop_c:.0f} °C"
    return discharge_limit.refusal(settings, state) or _inverter_refusal(state, now_ns)


def forming_refusal(settings: Settings, state: State, now_ns: int) -> str:
    """Why the inverter may not form now."""
    islanding = state.islanding
    if not state.proof.proven:
        return f"the MID is not proven open: {state.proof.doubt}"
    if not state.latch.lock_is_durable:
        return "the open latch is not on disk yet"
    if now_ns < islanding.form_not_before_ns:
        left_s = (islanding.form_not_before_ns - now_ns) / NS_PER_S
        return f"next try to form in {left_s:.0f} s"
    unready = source_refusal(settings, state, now_ns) or black_start.energy_refusal(settings, state)
    if unready:
        return unready
    inverter = state.senses.inverter_fast
    if inverter is not None and inverter.gate_on:
        # Else the voltage that an earlier start left behind would pass for this one's.
        return "the gate is not confirmed off"
    if not parallel.gates_off(state.parallel, now_ns, told_off=_told_off(state, now_ns)):
        return "another inverter's gate is not confirmed off"
    if not confirmed_off(state.loads, state.senses, now_ns):
        return "heavy loads are not confirmed off"
    stuck = cold_pickup_refusal(settings, state.loads)
    if stuck:
        return stuck
    mid = fresh(state.senses.mid, now_ns, MID_LIMIT_MS)
    if mid is None or not mid.interlock_ok:
        return "the interlock is open"
    if settings.mid.poles == 3 and not mid.bond_closed:
        return "the neutral-ground bond is missing"
    if settings.mid.poles == 2 and mid.bond_closed:
        return "there is a second neutral-ground bond"
    if state.solar.foreign_pu is not None:
        return solar.refusal(state.solar)
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    if house is None or house.l1_pu is None or house.l2_pu is None:
        return "the house side's voltage is unknown"
    # Motors that run down may be caught as they fly; what holds the house's full voltage is no motor.
    most_pu = LIT_PU if settings.inverter.flying_start else RESIDUAL_PU
    if max(house.l1_pu, house.l2_pu) >= most_pu:
        return "something still feeds the house bus"
    return ""


def islanding_refusal(settings: Settings, state: State, now_ns: int) -> str:
    """Why the house should not be taken off a healthy grid by choice: it would go dark, or could not come back.

    What only an open MID can show (proof, latch, gate, dead bus) is judged when it is open.
    """
    islanding = state.islanding
    if islanding.mode is not Mode.TIED:
        return f"the house is not on the grid ({islanding.mode.value})"
    if islanding.lk_form:
        return f"forming is locked out: {islanding.lk_form}"
    if islanding.lk_close:
        return f"it could not come back, closing is locked out: {islanding.lk_close}"
    if storage.latch_fails(state.senses.storage):
        return "it could not come back, the open latch cannot be written"
    if state.plausibility.drift:
        return f"it could not come back, {state.plausibility.drift}; check it, then reset (R)"
    if state.car.refusal:
        return state.car.refusal
    if state.car.shed:
        return "the car's charge is too low to leave the grid by choice"
    if state.supply.stop:
        return supply.refusal(state.supply)
    if state.thermal.stopped:
        return f"the heatsink is over {settings.thermal.stop_c:.0f} °C"
    unready = discharge_limit.refusal(settings, state) or _inverter_refusal(state, now_ns)
    if unready:
        return unready
    mid = fresh(state.senses.mid, now_ns, MID_LIMIT_MS)
    if mid is None or not mid.interlock_ok:
        return "the interlock is open"
    return ""


def closing_refusal(settings: Settings, state: State, now_ns: int) -> str:
    """Why the MID may not be closed onto the grid now, apart from the angle."""
    islanding = state.islanding
    if islanding.lk_close:
        return f"closing is locked out: {islanding.lk_close}"
    if state.supply.stop:
        return supply.refusal(state.supply)
    if storage.latch_fails(state.senses.storage):
        return "the open latch cannot be written"
    if islanding.operator_hold:
        return "the MID was opened by hand; close it by hand (c)"
    if state.grid.condition is not GridCondition.IN_WINDOW or state.grid.ok_since_ns is None:
        return "the grid is not in its window"
    if state.plausibility.drift:
        return f"{state.plausibility.drift}; check it, then reset (R)"
    if state.street.since_ns is not None:
        return street_trial.UNTOLD
    delay_ns = int(settings.grid.enter_service.delay_s * NS_PER_S)
    if state.grid.ok_for_ns(now_ns) < delay_ns:
        return "the enter-service delay runs"
    if now_ns < islanding.close_not_before_ns:
        return f"next try to close in {(islanding.close_not_before_ns - now_ns) / NS_PER_S:.0f} s"
    if fresh(state.senses.mid, now_ns, MID_LIMIT_MS) is None:
        return "the MID is not heard"
    return solar.PARTS_FIRST if state.solar.parts_first(now_ns) else ""


def grid_is_fresh(settings: Settings, state: State, now_ns: int) -> bool:
    """Whether the grid's voltage is young enough to close on (I1: 20 ms)."""
    return fresh(state.senses.grid_fast, now_ns, settings.sync.max_age_ms) is not None


def bus_is_dead(state: State, now_ns: int) -> bool:
    """Both house legs under 0.05 pu and every gate confirmed off, at this instant."""
    told_off = _told_off(state, now_ns)
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    inverter = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    return (
        house is not None
        and house.l1_pu is not None
        and house.l2_pu is not None
        and max(house.l1_pu, house.l2_pu) < DEAD_PU
        # One that is silent has long been told so, and the controller's own hand is on its gate.
        and (told_off if inverter is None else not inverter.gate_on)
        and parallel.gates_off(state.parallel, now_ns, told_off=told_off)
    )


def _told_off(state: State, now_ns: int) -> bool:
    """Whether every gate has been told off for longer than it takes."""
    machine = state.islanding
    return machine.mode is Mode.CLOSING_DEAD or (
        machine.mode is Mode.DARK and now_ns - machine.since_ns >= GATES_OFF_NS
    )


def neutral_lost(state: State, now_ns: int) -> bool:
    """The neutral former has dropped out (its contact is in the interlock), or its neutral has wandered off."""
    if _interlock_open(state, now_ns):
        return True
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    if house is None:
        return False
    shift = house.neutral_shift_pu
    if shift is None and house.l1_pu is not None and house.l2_pu is not None:
        # Both legs together stay where they are: what one gains the other loses.
        shift = (house.l1_pu - house.l2_pu) / 2.0
    return shift is not None and abs(shift) > NEUTRAL_SHIFT_PU


def neutral_lost_in_the_rise(state: State, now_ns: int) -> bool:
    """The same while the voltage rises, when the legs may differ for a cycle: the interlock's word, or a leg that is
    above what it shall ever be beside one that is not."""
    if _interlock_open(state, now_ns):
        return True
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    if house is None or house.l1_pu is None or house.l2_pu is None:
        return False
    return max(house.l1_pu, house.l2_pu) > LEG_HIGH_PU and neutral_lost(state, now_ns)


def _interlock_open(state: State, now_ns: int) -> bool:
    mid = fresh(state.senses.mid, now_ns, MID_LIMIT_MS)
    return mid is not None and not mid.interlock_ok


def house_formed(state: State, now_ns: int) -> bool:
    """Both house legs at 0.9 pu or more."""
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    return (
        house is not None
        and house.l1_pu is not None
        and house.l2_pu is not None
        and min(house.l1_pu, house.l2_pu) >= FORMED_PU
    )


def formed(state: State, now_ns: int) -> bool:
    """The same by what was measured since the inverter was told to form, and with its gate on: a voltage from before is
    somebody else's."""
    house = state.senses.house_fast
    since_ns = state.islanding.since_ns
    return (
        house is not None
        and house.at_ns > since_ns
        and house_formed(state, now_ns)
        and gate_is_on(state, now_ns)
    )


def gate_is_on(state: State, now_ns: int) -> bool:
    """The inverter is heard, and its gate is on."""
    inverter = fresh(state.senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    return inverter is not None and inverter.gate_on


def out_of_phase(settings: Settings, state: State, since_ns: int, now_ns: int) -> bool:
    """An angle measured after ``since_ns`` lies beyond what contacts may meet at (IEEE 1547-2018, 4.10.4)."""
    sync = fresh(state.senses.sync, now_ns, settings.sync.max_age_ms)
    return (
        sync is not None
        and sync.at_ns > since_ns
        and sync.phase_deg is not None
        and abs(sync.phase_deg) > MOST_PHASE_DEG
    )


def house_lost(state: State, now_ns: int) -> bool:
    """A house leg is known to be under half its voltage."""
    house = fresh(state.senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    return (
        house is not None
        and house.l1_pu is not None
        and house.l2_pu is not None
        and min(house.l1_pu, house.l2_pu) < 0.5
    )


def contacts_closed(state: State) -> bool:
    """Both auxiliary contacts say closed."""
    return state.proof.position is Position.CLOSED
