"""What each fault class must lead to, and within which time: judged on the twin's truth after the fault's onset.

The bounds are those of the fault table, plus what lies between the core and the truth: one period of the command
frame where the logic controller's own time-out is what reacts. A class whose precondition does not hold at its onset
(a blind sensor on an island that nobody wants to close) must only break no invariant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from v2h_console.proving import onsets, reactions
from v2h_console.twin.scene import Scene

#: An owner that starts anew counts its commands anew, and the controller takes none of them before its own time-out (I6).
UNHEARD_MS = 105.0


@dataclass(frozen=True, slots=True)
class Expected:
    """``applies`` to the scene at the onset; then ``reaction`` within ``within_ms``."""

    applies: Callable[[Scene], bool]
    reaction: reactions.Reaction
    within_ms: float

    def bound_ms(self, begun_ms: float | None) -> float:
        """``within_ms``; where an owner has begun ``begun_ms`` before the onset, after one that had ended, not before the
        controller lets go of what that one commanded last."""
        return self.within_ms if begun_ms is None else max(self.within_ms, UNHEARD_MS - begun_ms)


#: While one of these is there, the reaction to another fault may not get through, or need not.
MASKING = frozenset(
    (
        "can.bus_off",
        "can.frames_lost",
        "lc.frozen",
        "modbus.timeout",
        "modbus.garbage",
        "modbus.unit_conflict",
        "modbus.write_ignored",
        "control.tick_overrun",
        "control.second_master",
        "grid_sense.off",
        "grid_sense.stuck",
        "grid_sense.garbage",
        "grid_sense.drift",
        "house.open_neutral",
        "mid.welded",
        "mid.slow",
        "mid.aux_wrong",
        "inverter.trips",
    )
)
#: What this one asks for is hidden by those: a pack that empties behind a car that says more.
MASKED_BY = {"ev.soc_low": frozenset(("ev.soc_jumps",))}


#: The beginnings of the codes that name a fault; what is not listed has no code of its own.
NAMED_BY: dict[str, tuple[str, ...]] = {
    "mid.welded": ("MID_DID_NOT_OPEN", "MID_CONTACTS_DISAGREE", "MID_NOT_PROVEN_OPEN"),
    "mid.slow": ("MID_SLOW", "MID_DID_NOT_OPEN"),
    "mid.chatter": ("MID_CHATTERS",),
    "mid.fails_to_close": ("MID_CLOSE_FAILED", "MID_DOES_NOT_CLOSE"),
    "mid.aux_wrong": ("MID_CONTACTS_DISAGREE",),
    "mid.uncommanded_close": ("MID_CLOSED_UNBIDDEN",),
    "inverter.trips": ("INVERTER_FAULT", "HOUSE_DARK"),
    "inverter.wont_form": ("INVERTER_DID_NOT_FORM",),
    "inverter_temp.stuck": ("INVERTER_TEMPERATURE_UNKNOWN",),
    "load.switch_stuck": ("LOAD_SWITCH_STUCK",),
    "ev.limit_drops": ("CAR_LIMITS", "LOAD_SHED"),
    "modbus.write_ignored": ("DISCHARGE_LIMIT_IGNORED",),
    "ev.silent": ("CAR_NOT_READY", "HOUSE_DARK"),
    "precharge.fails": ("CAR_NOT_READY", "HOUSE_DARK", "INVERTER_FAULT"),
    "ev.contactor_welded": ("CONTACTOR_WELDED", "CAR_NOT_READY", "HOUSE_DARK"),
    "ev.insulation_low": ("INSULATION_LOW", "CAR_NOT_READY", "HOUSE_DARK"),
    "lc.frozen": ("CONTROLLER_SILENT",),
    "grid.overvoltage": ("GRID_SENSE_VOLTAGE_HIGH",),
    "grid_sense.off": ("GRID_NOT_SENSED",),
    "grid_sense.stuck": ("GRID_NOT_SENSED",),
    "grid_sense.garbage": ("GRID_NOT_SENSED",),
    "grid_sense.drift": ("GRID_SENSE_DRIFTS",),
    "house.open_neutral": ("GRID_REJECTED",),
    "clock.steps": ("CLOCK_STEPPED", "CLOCK_DOUBTED"),
    "storage.full": ("STORAGE_FAILED",),
    "grid.leg_lost": ("GRID_LOST",),
}


#: By the names of the fault table.
EXPECTED: dict[str, Expected] = {
    "grid_sense.off": Expected(onsets.held_closed, reactions.OPENS, 100.0),
    "grid_sense.stuck": Expected(onsets.held_closed, reactions.OPENS, 200.0),
    "grid_sense.drift": Expected(onsets.held_closed, reactions.none_of("coil.on"), 0.0),
    "grid_sense.noise": Expected(onsets.held_closed, reactions.undisturbed, 0.0),
    "house.open_neutral": Expected(onsets.held_closed, reactions.OPENS, 100.0),
    "grid.sag_edge": Expected(onsets.held_closed, reactions.undisturbed, 0.0),
    "grid.balanced_island": Expected(onsets.can_leave, reactions.OPENS, 2_000.0),
    "grid_sense.garbage": Expected(onsets.held_closed, reactions.OPENS, 25.0),
    "grid.leg_lost": Expected(onsets.can_leave, reactions.OPENS, 100.0),
    "grid.brownout": Expected(onsets.can_leave, reactions.OPENS, 81.0),
    "grid.motor_backfeed": Expected(onsets.can_leave, reactions.OPENS, 85.0),
    "grid.flaps": Expected(onsets.never, reactions.OPENS, 0.0),
    "grid.out_of_phase": Expected(onsets.never, reactions.OPENS, 0.0),
    "grid.overvoltage": Expected(onsets.never, reactions.OPENS, 0.0),
    "ct.off": Expected(onsets.always, reactions.limit_below(3_801.0), 500.0),
    "inverter_temp.stuck": Expected(onsets.always, reactions.limit_below(1_001.0), 1_000.0),
    "mid.welded": Expected(onsets.tied, reactions.forms_on_no_weld, 0.0),
    "mid.slow": Expected(onsets.never, reactions.OPENS, 0.0),
    "mid.chatter": Expected(onsets.held_closed, reactions.OPENS, 200.0),
    "mid.fails_to_close": Expected(onsets.islanded, reactions.closes_at_most(3), 0.0),
    "mid.aux_wrong": Expected(onsets.held_closed, reactions.nothing_forms, 0.0),
    "mid.uncommanded_close": Expected(onsets.on_its_own, reactions.GATE, 25.0),
    "inverter.trips": Expected(onsets.islanded, reactions.GATE, 100.0),
    "inverter.wont_form": Expected(onsets.always, reactions.gives_up, 225.0),
    "load.switch_stuck": Expected(onsets.tied, reactions.no_overload, 0.0),
    "load.locked_rotor": Expected(onsets.islanded, reactions.no_overload, 0.0),
    "load.uncontrolled": Expected(onsets.islanded, reactions.no_overload, 0.0),
    "fan.dead": Expected(onsets.always, reactions.never_too_hot, 0.0),
    "dc_bus.out_of_range": Expected(onsets.islanded, reactions.GATE, 100.0),
    "ev.silent": Expected(onsets.islanded, reactions.GATE_OR_GRID, 500.0),
    "ev.ends_session": Expected(onsets.islanded, reactions.GATE_OR_GRID, 500.0),
    "ev.limit_drops": Expected(onsets.on_its_own, reactions.meets_the_limit, 125.0),
    "precharge.fails": Expected(onsets.working, reactions.stops_for_good, 10_000.0),
    "ev.contactor_welded": Expected(onsets.working, reactions.stops_for_good, 2_000.0),
    "ev.insulation_low": Expected(onsets.working, reactions.stops_for_good, 40_000.0),
    "ev.soc_low": Expected(onsets.islanded, reactions.GATE_OR_GRID, 1_000.0),
    "ev.soc_jumps": Expected(onsets.islanded, reactions.believes_the_lower, 325.0),
    "can.bus_off": Expected(onsets.islanded, reactions.GATE, 105.0),
    "can.frames_lost": Expected(onsets.held_closed, reactions.cannot_see, 85.0),
    "lc.frozen": Expected(onsets.held_closed, reactions.OPENS, 100.0),
    "modbus.garbage": Expected(onsets.always, reactions.rejects, 300.0),
    "modbus.unit_conflict": Expected(onsets.always, reactions.disowns, 5_000.0),
    "modbus.write_ignored": Expected(onsets.always, reactions.says_ignored, 600.0),
    "modbus.timeout": Expected(onsets.islanded, reactions.GATE_OR_GRID, 1_025.0),
    "control.tick_overrun": Expected(onsets.held_closed, reactions.OPENS, 200.0),
    "storage.torn_write": Expected(onsets.always, reactions.stays_locked, 0.0),
    "storage.full": Expected(onsets.islanded, reactions.none_of("coil.on"), 0.0),
    "aux_supply.low": Expected(onsets.working, reactions.first("gate.off", "inverter.tripped"), 1_000.0),
    "pv.surplus": Expected(onsets.islanded, reactions.surplus_met, 2_000.0),
    "control.second_master": Expected(onsets.working, reactions.stands_by, 1_000.0),
    "parallel.primary_lost": Expected(onsets.islanded, reactions.first("gate.off"), 85.0),
    "parallel.phase_error": Expected(onsets.shared, reactions.first("unit.gate_off", "unit.tripped"), 100.0),
    "clock.steps": Expected(onsets.shaving, reactions.waits_for_the_clock, 0.0),
    "neutral_former.trips": Expected(onsets.on_its_own, reactions.GATE, 100.0),
}
