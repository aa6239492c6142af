"""The one plain line that says what the system waits for, or the worst alarm."""

from __future__ import annotations

from v2h_console.core import discharge_limit, guards
from v2h_console.core.grid_monitor import GridCondition
from v2h_console.core.settings import NS_PER_S, Settings
from v2h_console.core.state import Mode, State


def sentence(settings: Settings, state: State, now_ns: int) -> str:
    """What the system waits for, or the worst alarm, as one plain line."""
    for alarm in state.alarms:
        if alarm.severity.value not in ("alarm", "lockout") or alarm.acknowledged:
            continue
        if alarm.code == "INVERTER_FAULT" and state.car.session.refusal:
            # An inverter without its car's voltage reports a fault: the cause is said, not what follows from it.
            continue
        return alarm.text
    islanding = state.islanding
    match islanding.mode:
        case Mode.TIED:
            if no_backup := state.car.refusal or discharge_limit.refusal(settings, state):
                return f"On the grid. No backup: {no_backup}."
            if state.tariff.window and state.tariff.refusal:
                return f"On the grid. Backup ready. No peak shaving: {state.tariff.refusal}."
            return "On the grid. Backup ready."
        case Mode.BOOT_OPEN:
            if state.senses.heartbeat is None:
                return "Waiting for the logic controller."
            return f"Starting: {state.proof.doubt or 'MID proven open'}."
        case Mode.OPENING:
            return "Opening the MID."
        case Mode.PROVING:
            return f"Proving the MID open: {state.proof.doubt or 'proven'}."
        case Mode.FORMING:
            return "The inverter forms the house's voltage."
        case Mode.DARK:
            return f"House dark: {guards.forming_refusal(settings, state, now_ns) or 'forming'}."
        case Mode.ISLANDED:
            return _waiting_for_grid(settings, state, now_ns)
        case Mode.SYNCING:
            reason = state.sync.reason or "in phase, holding 0.5 s"
            return f"Bringing the house in phase: {reason}."
        case Mode.CLOSING_SYNC | Mode.CLOSING_DEAD:
            return "Closing the MID."
        case Mode.HANDBACK:
            return "Handing the house back to the grid."
        case Mode.FAULT_OPEN:
            if not state.proof.doubt:
                return "MID locked open, though its proof holds now: find the cause, then reset (R)."
            return f"MID not proven open: {state.proof.doubt}."


def _waiting_for_grid(settings: Settings, state: State, now_ns: int) -> str:
    delay_s = settings.grid.enter_service.delay_s
    islanding = state.islanding
    if islanding.lk_close or islanding.operator_hold:
        return _sentence_case(guards.closing_refusal(settings, state, now_ns))
    if state.grid.condition is not GridCondition.IN_WINDOW:
        words = "Waiting for the grid" if state.grid.condition is GridCondition.DEAD else "Grid not good"
        return f"{words}; then {delay_s:.0f} s in window, then a synchronised close."
    left_s = max(0.0, delay_s - state.grid.ok_for_ns(now_ns) / NS_PER_S)
    if left_s > 0:
        return f"Grid in window; synchronised close in {left_s:.0f} s at the earliest."
    return _sentence_case(
        guards.closing_refusal(settings, state, now_ns) or "grid requalified; clearing the latch"
    )


def _sentence_case(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
