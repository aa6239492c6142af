"""What each mode of the islanding machine commands of the MID, the gates and the forming."""

from __future__ import annotations

from v2h_console.core.frozen import replace
from v2h_console.core.state import Mode, State
from v2h_drivers.capabilities.requests import ControlRequest


def request(state: State) -> ControlRequest:
    """What the mode commands, of the units that may run."""
    asked = of_mode(state)
    units = state.parallel
    if not units.units:
        return asked
    return replace(asked, inverter_mask=units.mask, primary=units.primary)


def follows_in_tied(state: State) -> bool:
    """Whether the inverter runs beside the grid: not while it stands by, not from a car that is at its stop, not heard or
    allows nothing, which its own loss would go on emptying, and not for a minute after a fault, which ends with the gate off
    alone."""
    if not state.islanding.gate_in_tied or state.car.spared or state.car.refusal:
        return False
    return state.islanding.inverter_failed_ns is None


def of_mode(state: State) -> ControlRequest:
    """The same whichever inverters there are."""
    islanding = state.islanding
    match islanding.mode:
        case Mode.TIED:
            return ControlRequest(open_mid=False, close_mid=False, gate=follows_in_tied(state), form=False)
        case Mode.FORMING | Mode.ISLANDED | Mode.SYNCING:
            return ControlRequest(open_mid=True, close_mid=False, gate=True, form=True)
        case Mode.CLOSING_SYNC:
            return ControlRequest(
                open_mid=False, close_mid=True, gate=True, form=True, close_token=islanding.close_token
            )
        case Mode.HANDBACK:
            return ControlRequest(open_mid=False, close_mid=False, gate=True, form=False)
        case Mode.CLOSING_DEAD:
            return ControlRequest(
                open_mid=False, close_mid=True, gate=False, form=False, close_token=islanding.close_token
            )
        case _:
            return ControlRequest(open_mid=True, close_mid=False, gate=False, form=False)
