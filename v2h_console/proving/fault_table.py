"""The fault classes, by number and name, with the time within which each must be reacted to.

``within_ms`` counts from the onset; ``None``: the class names no time (as measured, always, at the next start). Where a
class cannot be shown by a run in virtual time, ``elsewhere`` says where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What lies between the core's reaction and the truth of the house: one period of the command frame and one tick.
COMMAND_MS = 25.0
#: One tick of the fast lane.
TICK_MS = 5.0
#: A polled device is heard of once in so long.
POLL_MS = 300.0

_STEP = "the commissioning step fails"


@dataclass(frozen=True, slots=True)
class FaultClass:
    """One class of the table."""

    number: int
    name: str
    within_ms: float | None
    elsewhere: str = ""


FAULT_CLASSES: tuple[FaultClass, ...] = (
    FaultClass(1, "grid_sense.off", 100.0),
    FaultClass(2, "grid_sense.stuck", 200.0),
    FaultClass(3, "grid_sense.garbage", TICK_MS),
    FaultClass(4, "grid_sense.drift", 1_000.0),
    FaultClass(5, "grid_sense.noise", None),
    FaultClass(6, "grid.leg_lost", 100.0),
    FaultClass(7, "house.open_neutral", 100.0),
    FaultClass(8, "grid.sag_edge", None),
    FaultClass(9, "ct.reversed", None, _STEP),
    FaultClass(10, "ct.off", 500.0),
    FaultClass(11, "inverter_temp.stuck", 1_000.0),
    FaultClass(12, "mid.welded", 100.0),
    FaultClass(13, "mid.slow", None),
    FaultClass(14, "mid.fails_to_close", 1_000.0),
    FaultClass(15, "mid.aux_wrong", 100.0),
    FaultClass(16, "mid.chatter", 200.0),
    FaultClass(17, "mid.uncommanded_close", 20.0),
    FaultClass(18, "grid.out_of_phase", None),
    FaultClass(19, "grid.flaps", 50.0),
    FaultClass(20, "grid.brownout", 56.0),
    FaultClass(21, "grid.motor_backfeed", 60.0),
    FaultClass(22, "inverter.trips", 100.0),
    FaultClass(23, "load.locked_rotor", 100.0),
    FaultClass(24, "fan.dead", None),
    FaultClass(25, "dc_bus.out_of_range", 100.0),
    FaultClass(26, "ev.silent", 500.0),
    FaultClass(27, "ev.ends_session", 500.0),
    FaultClass(28, "ev.soc_jumps", POLL_MS),
    FaultClass(29, "ev.soc_low", 1_000.0),
    FaultClass(30, "can.bus_off", 100.0),
    FaultClass(31, "can.frames_lost", 60.0),
    FaultClass(32, "modbus.timeout", 1_000.0),
    FaultClass(33, "modbus.garbage", POLL_MS),
    FaultClass(34, "modbus.unit_conflict", 5_000.0),
    FaultClass(35, "modbus.wrong_scale", None, _STEP),
    FaultClass(36, "modbus.write_ignored", 2.0 * POLL_MS),
    FaultClass(37, "control.second_master", 1_000.0),
    FaultClass(38, "clock.steps", None),
    FaultClass(39, "control.tick_overrun", 200.0),
    FaultClass(40, "storage.torn_write", None),
    FaultClass(41, "storage.full", TICK_MS),
    FaultClass(
        42, "config.corrupt", None, "the site reader's tests: no process starts with it, so the MID is open"
    ),
    FaultClass(
        43, "mqtt.down", TICK_MS, "the outlets' tests and the busy benchmark: nothing comes in through them"
    ),
    FaultClass(44, "screen.hangup", None, "the screens' tests: the core shares no thread with a screen"),
    FaultClass(45, "text.escape_codes", None, "the screens' tests of inert text"),
    FaultClass(46, "audit.altered", None, "the record's tests"),
    FaultClass(47, "grid.overvoltage", None),
    FaultClass(48, "grid.balanced_island", 2_000.0),
    FaultClass(49, "load.switch_stuck", 1_000.0),
    FaultClass(50, "load.uncontrolled", 100.0),
    FaultClass(51, "pv.surplus", 2_000.0),
    FaultClass(52, "neutral_former.trips", 100.0),
    FaultClass(53, "bond.missing", None, _STEP),
    FaultClass(54, "bond.double", None, _STEP),
    FaultClass(55, "aux_supply.low", 1_000.0),
    FaultClass(56, "precharge.fails", 10_000.0),
    FaultClass(57, "ev.contactor_welded", 2_000.0),
    FaultClass(58, "ev.insulation_low", 40_000.0),
    FaultClass(59, "ev.limit_drops", 100.0),
    FaultClass(60, "inverter.wont_form", 200.0),
    FaultClass(61, "parallel.primary_lost", 60.0),
    FaultClass(62, "parallel.phase_error", 100.0),
    FaultClass(63, "lc.frozen", 100.0),
)

BY_NAME = {one.name: one for one in FAULT_CLASSES}
