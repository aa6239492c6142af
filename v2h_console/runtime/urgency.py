"""How long a reading may wait for a step: what asks for something is stepped on at once, the rest rides along.

A quiet house is looked at 25 times a second: what a step costs is most of what the owner costs. So that nothing waits
for that which the house may have to act on, each kind of reading says here what about it is out of the ordinary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from v2h_console.core.grid_loss import IMPLAUSIBLE_PU
from v2h_console.core.guards import LIT_PU, NEUTRAL_SHIFT_PU
from v2h_console.core.sense_plausibility import NEUTRAL_APART_V
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import (
    CarSession,
    GridFast,
    HouseFast,
    InverterFast,
    LoadFeedback,
    MidState,
    Side,
    SideCycle,
    UnitFast,
)
from v2h_drivers.capabilities.quality import Quality

#: Readings that bring nothing urgent ride along with the next step, at latest after this.
TICK_NS = 5 * NS_PER_MS
#: In a house in which nothing is under way.
QUIET_TICK_NS = 40 * NS_PER_MS
#: In a house that has been alone for a while the bus is read in turns: waking for each of 1,500 frames a second was half
#: of what the owner cost. What matters then waits for its turn; on the grid a loss may not.
TURN_NS = 10 * NS_PER_MS

#: A dark house is not among them: what closes it onto the grid asks for a voltage of the last 20 ms.
_APART = (Mode.ISLANDED, Mode.FAULT_OPEN)
_QUIET_MODES = (Mode.TIED, Mode.DARK, *_APART)
#: A low grid asks for something at once only while a pole may be closed, or is about to be.
_ON_THE_GRID = (Mode.TIED, Mode.SYNCING, Mode.CLOSING_SYNC, Mode.CLOSING_DEAD, Mode.HANDBACK)
_LIT_ALONE = (Mode.ISLANDED, Mode.SYNCING)
_CHANGING = (Mode.FORMING, Mode.DARK, Mode.PROVING)
#: Within these a street or a house on its own asks for nothing: the tightest windows of the trip tables lie outside.
_CALM_V = (0.9 * NOMINAL_V, 1.05 * NOMINAL_V)
_CALM_HZ = (59.3, 60.5)
_CALM_MOST_PU = 1.1
#: As much as this in a pole that says it is open is a current and no noise of its transformer.
_POLE_A = 0.5
_UNIT_DEG = 10.0


def tick_of(state: State) -> int:
    """How long readings that do not matter by themselves may wait for a step."""
    quiet = state.islanding.mode in _QUIET_MODES and state.transfer is None
    return QUIET_TICK_NS if quiet else TICK_NS


def turn_of(state: State) -> int:
    """How long what comes in may wait to be read, in ns; 0: it is read as it comes."""
    apart = state.islanding.mode in _APART and state.transfer is None
    return TURN_NS if apart else 0


def matters(reading: Reading, state: State) -> bool:
    """Whether this reading must be acted on at once rather than with the next tick."""
    if reading.quality is not Quality.GOOD:
        return True
    asks = _ASKS.get(type(reading))
    return asks is not None and asks(reading, state)


def _grid_fast(reading: GridFast, state: State) -> bool:
    return state.islanding.mode in _ON_THE_GRID and (
        bool(reading.below_088_ms or reading.below_050_ms)
        or reading.l1_pu is None
        or reading.l2_pu is None
        or max(reading.l1_pu, reading.l2_pu) > IMPLAUSIBLE_PU
    )


def _side_cycle(reading: SideCycle, state: State) -> bool:
    if state.islanding.mode not in (_ON_THE_GRID if reading.side is Side.GRID else _LIT_ALONE):
        return False
    l1_v, l2_v, hertz = reading.l1_v, reading.l2_v, reading.frequency_hz
    if l1_v is None or l2_v is None or hertz is None:
        return True
    lowest_v, highest_v = _CALM_V
    return (
        min(l1_v, l2_v) < lowest_v
        or max(l1_v, l2_v) > highest_v
        or abs(l1_v - l2_v) > NEUTRAL_APART_V
        or (reading.side is Side.GRID and not _CALM_HZ[0] <= hertz <= _CALM_HZ[1])
    )


def _house_fast(reading: HouseFast, state: State) -> bool:
    mode = state.islanding.mode
    if mode in _CHANGING:
        return True
    if mode not in _LIT_ALONE:
        return False
    l1_pu, l2_pu, shift_pu = reading.l1_pu, reading.l2_pu, reading.neutral_shift_pu
    return (
        l1_pu is None
        or l2_pu is None
        or min(l1_pu, l2_pu) < LIT_PU
        or max(l1_pu, l2_pu) > _CALM_MOST_PU
        or (shift_pu is not None and abs(shift_pu) > NEUTRAL_SHIFT_PU)
    )


def _inverter(reading: InverterFast, state: State) -> bool:
    known = state.senses.inverter_fast
    return (
        known is None
        or (known.mode, known.gate_on, known.fault) != (reading.mode, reading.gate_on, reading.fault)
        or known.limit_a != reading.limit_a
        or (
            reading.current_a is not None
            and reading.limit_a is not None
            and reading.current_a > reading.limit_a
        )
    )


def _unit(reading: UnitFast, state: State) -> bool:
    units = state.parallel.units
    if not 0 < reading.unit <= len(units):
        return False
    known = units[reading.unit - 1].reading
    return (
        known is None
        or (known.mode, known.gate_on, known.fault) != (reading.mode, reading.gate_on, reading.fault)
        or (reading.gate_on and (reading.phase_deg is None or abs(reading.phase_deg) > _UNIT_DEG))
    )


def _car_session(reading: CarSession, state: State) -> bool:
    known = state.senses.car_session
    return known is None or (
        (known.stage, known.positive_closed, known.negative_closed, known.limit_a)
        != (reading.stage, reading.positive_closed, reading.negative_closed, reading.limit_a)
    )


def _mid(reading: MidState, state: State) -> bool:
    known = state.senses.mid
    return (
        known is None
        or (known.nc_mirror_closed, known.no_contact_closed, known.bond_closed, known.interlock_ok)
        != (
            reading.nc_mirror_closed,
            reading.no_contact_closed,
            reading.bond_closed,
            reading.interlock_ok,
        )
        or (
            reading.nc_mirror_closed
            and not reading.no_contact_closed
            and (reading.pole_current_a or 0.0) > _POLE_A
        )
    )


def _load_feedback(reading: LoadFeedback, state: State) -> bool:
    known = state.senses.load_feedback
    return known is None or known.closed_mask != reading.closed_mask


#: Each takes readings of its own kind.
_ASKS: dict[type, Callable[[Any, State], bool]] = {
    GridFast: _grid_fast,
    SideCycle: _side_cycle,
    HouseFast: _house_fast,
    InverterFast: _inverter,
    UnitFast: _unit,
    CarSession: _car_session,
    MidState: _mid,
    LoadFeedback: _load_feedback,
}
