"""What each fault class must lead to, and within which time: judged on the twin's truth after the fault's onset.

The bounds are those of the fault table, plus what lies between the core and the truth: one period of the command
frame where the logic controller's own time-out is what reacts. A class whose precondition does not hold at its onset
(a blind sensor on an island that nobody wants to close) must only break no invariant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from v2h_console.twin.scene import Scene
from v2h_console.twin.truth import Truth

MS = 1_000_000
S = 1_000_000_000
#: The clock is looked at once in so long; after a step it must run evenly for about so long.
CLOCK_LOOK_S = 0.5
CLOCK_STEADY_S = 28.0
#: One poll; how long the drivers wait for an answer, and the poll before it; within what a unit id is given up.
POLL_MS = 300.0
TIMEOUT_MS = 1_400.0
CONFLICT_MS = 5_000.0

#: Milliseconds from the onset to the reaction; ``None`` = it has not come.
Reaction = Callable[[int, Scene, Sequence[Truth]], float | None]


#: What ends a surplus, or begins to.
_NO_SURPLUS = ("solar.no_surplus", "solar.curtailed", "solar.disconnected", "mid.closed", "gate.off")

#: Two commands at once turn the enable on and off until the third voice is heard for what it is.
YIELD_NS = 500 * MS


@dataclass(frozen=True, slots=True)
class Expected:
    """``applies`` to the scene at the onset; then ``reaction`` within ``within_ms``."""

    applies: Callable[[Scene], bool]
    reaction: Reaction
    within_ms: float


def _tied(scene: Scene) -> bool:
    return all(scene.poles) and scene.mode != "forming"


def _held_closed(scene: Scene) -> bool:
    """Tied, and nobody has told it to open: a contact that says "open" a moment before it is so hides nothing."""
    return _tied(scene) and scene.coil_on


def _can_leave(scene: Scene) -> bool:
    """And the gate is on: there is a car that could light the house. Without one the trip elements alone open."""
    return _held_closed(scene) and scene.gate_on


def _islanded(scene: Scene) -> bool:
    # A contact that bounces as it closes is open now and then, and the street's all the same.
    touching = scene.coil_on and not scene.contacts_open
    return scene.mode == "forming" and not any(scene.poles) and not touching and min(scene.house_pu) > 0.8


def _on_its_own(scene: Scene) -> bool:
    """Islanded, and no close on its way: on the grid the street's neutral holds."""
    return _islanded(scene) and not scene.coil_on


def _gives_up(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Every enable that brings no voltage is taken back; the longest took so long."""
    enabled_ns: int | None = None
    worst_ms = 0.0
    for truth in after:
        if truth.truth == "fault.cleared":
            break
        if truth.truth == "form.on":
            enabled_ns = truth.at_ns
        elif truth.truth in ("form.off", "gate.off") and enabled_ns is not None:
            worst_ms = max(worst_ms, (truth.at_ns - enabled_ns) / MS)
            enabled_ns = None
    return worst_ms


def _shared(scene: Scene) -> bool:
    """A follower runs beside the one that forms."""
    return _on_its_own(scene) and bool(scene.followers)


def _working(scene: Scene) -> bool:
    return scene.gate_on and scene.mode in ("following", "forming")


def _always(_scene: Scene) -> bool:
    return True


def _never(_scene: Scene) -> bool:
    return False


def _first(*names: str) -> Reaction:
    """The first of these truths."""

    def reaction(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
        for truth in after:
            if truth.truth in names:
                return (truth.at_ns - onset_ns) / MS
        return None

    return reaction


def _none_of(*names: str) -> Reaction:
    """None of these may come at all: the reaction is at once, or fails."""

    def reaction(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
        return None if any(truth.truth in names for truth in after) else 0.0

    return reaction


def _forms_on_no_weld(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Nothing forms, unless the poles come apart after all: they were on their way, and only the arc was left."""
    for truth in after:
        if truth.truth == "mid.opened":
            break
        if truth.truth == "form.on":
            return None
    return 0.0


def _nothing_forms(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Until a person resets the lockout: what forms after that is judged by the contacts themselves (I2b)."""
    for truth in after:
        if truth.truth == "order.given" and truth.detail.get("order") == "operator.reset_lockout":
            break
        if truth.truth == "form.on":
            return None
    return 0.0


def _undisturbed(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Nothing is moved because of it, for as long as nothing else gives a reason."""
    for truth in after:
        if truth.truth in ("grid.lost", "grid.returned", "fault.cleared", "order.given", "grid.recovered"):
            return 0.0
        if truth.truth in ("coil.off", "coil.on"):
            return None
    return 0.0


def _limit_below(watts: float) -> Reaction:
    """The inverter's discharge limit is set under this."""

    def reaction(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
        if scene.limit_w <= watts:
            return 0.0
        for truth in after:
            limit = truth.detail.get("power_w")
            if truth.truth == "inverter.limit" and isinstance(limit, float) and limit <= watts:
                return (truth.at_ns - onset_ns) / MS
        return None

    return reaction


def _shaving(scene: Scene) -> bool:
    """On the grid, and the car carries part of the house."""
    return _held_closed(scene) and scene.mode == "following" and scene.power_w > 200.0


def _waits_for_the_clock(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """The discharge ends with the next look at the clock, and does not come back before it has run evenly."""
    asked = [
        ((truth.at_ns - onset_ns) / S, truth.detail["power_w"])
        for truth in after
        if truth.truth == "inverter.power_asked"
    ]
    if not asked or asked[0][1] != 0.0 or asked[0][0] > CLOCK_LOOK_S:
        return None
    return 0.0 if all(since_s > CLOCK_STEADY_S for since_s, _ in asked[1:]) else None


def _no_overload(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """The inverter's own overload trip never has to act."""
    tripped = any(t.truth == "inverter.tripped" and t.detail.get("fault") == "overload" for t in after)
    return None if tripped else 0.0


def _closes_at_most(times: int) -> Reaction:
    def reaction(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
        tries = 0
        for truth in after:
            if truth.truth == "order.given" and truth.detail.get("order") == "operator.reset_lockout":
                # A person has looked: it may try again.
                tries = 0
            tries += truth.truth == "coil.on"
            if tries > times:
                return None
        return 0.0

    return reaction


def _surplus_met(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """The first surplus is over within the time: held back, gone, or taken by the street. A bright roof on a house that
    takes it all asks for nothing."""
    given_ns: int | None = None
    for truth in after:
        if truth.truth == "solar.surplus":
            given_ns = truth.at_ns
        elif given_ns is not None and truth.truth in _NO_SURPLUS:
            return (truth.at_ns - given_ns) / MS
    return 0.0 if given_ns is None else None


def _meets_the_limit(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """A load above what the car allows is shed, and the car never has to open its contactors on it."""
    limit_w = 0.0
    for truth in after:
        if truth.truth == "car.stopped" and truth.detail.get("reason") == "overdrawn":
            return None
        watts = truth.detail.get("power_w")
        if truth.truth == "car.limit" and truth.at_ns == onset_ns and isinstance(watts, float):
            limit_w = watts
    if scene.power_w <= limit_w:
        return 0.0
    return _first("circuit.switch_opened", "gate.off")(onset_ns, scene, after)


def _stops_for_good(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """The inverter stops, and nothing forms while the fault is there, unless another inverter with another car does."""
    for truth in after:
        if truth.truth in ("fault.cleared", "unit.primary"):
            break
        if truth.truth == "form.on":
            return None
    return _GATE(onset_ns, scene, after)


def _never_too_hot(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Derating, and the stop before the inverter's own, keep it from tripping on its heat."""
    tripped = any(t.truth == "inverter.tripped" and t.detail.get("fault") == "overtemperature" for t in after)
    return None if tripped else 0.0


def _believes_the_lower(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """A report that leaps below the reserve ends the discharge, once it has stood; up, it changes nothing here (I7 judges it).

    The message that leaps is met at once by holding the count, which leaves no trace in the house.
    """
    for truth in after:
        pct = truth.detail.get("pct")
        if (
            truth.detail.get("fault") == "ev.soc_jumps"
            and isinstance(pct, float)
            and scene.soc_pct + pct >= _RESERVE_PCT
        ):
            return 0.0
    ended_ms = _GATE_OR_GRID(onset_ns, scene, after)
    return 0.0 if ended_ms is not None and ended_ms <= _STOOD_MS else ended_ms


_RESERVE_PCT = 20.5
#: Half a second for which the report must stand, a poll before and one after, and a command's way.
_STOOD_MS = 1_125.0


def _rejects(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Nothing of it is believed, and it is said: at once, or where only silence shows it, when the time-out is over."""
    tampered_ns: int | None = None
    for truth in after:
        if truth.truth == "modbus.believed":
            return None
        if truth.truth == "modbus.tampered" and tampered_ns is None:
            tampered_ns = truth.at_ns
        elif truth.truth == "modbus.refused" and tampered_ns is not None:
            said_ms = (truth.at_ns - tampered_ns) / MS
            return said_ms if said_ms <= POLL_MS else 0.0 if said_ms <= TIMEOUT_MS else None
        elif truth.truth == "fault.cleared":
            break
    # Cleared, or something else began, before it had to be said.
    lasted_ms = 0.0 if tampered_ns is None or not after else (after[-1].at_ns - tampered_ns) / MS
    return 0.0 if lasted_ms <= TIMEOUT_MS else None


def _disowns(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """It is said that the unit is not one device's, and from then on nothing of it is believed nor written to it.

    An owner that is started meanwhile knows nothing of it yet, and has the same time to find out.
    """
    refused_after_ns: int | None = None
    begun_ns = onset_ns
    for truth in after:
        if truth.truth == "owner.started":
            begun_ns = truth.at_ns
        if truth.truth == "fault.cleared":
            break
        if truth.truth == "modbus.refused" and refused_after_ns is None:
            refused_after_ns = truth.at_ns - begun_ns
        used = truth.truth in ("modbus.believed", "modbus.wrote") and truth.detail.get("unit") == 1.0
        if used and truth.at_ns - begun_ns > CONFLICT_MS * MS:
            return None
    if refused_after_ns is None:
        return 0.0 if not after or after[-1].at_ns - begun_ns <= CONFLICT_MS * MS else None
    return refused_after_ns / MS


def _says_ignored(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """From the first write that was confirmed and not taken to the driver's word that it does not show."""
    tampered_ns: int | None = None
    for truth in after:
        if truth.truth == "modbus.tampered" and tampered_ns is None:
            tampered_ns = truth.at_ns
        elif truth.truth == "modbus.refused" and tampered_ns is not None:
            return (truth.at_ns - tampered_ns) / MS
    return 0.0 if tampered_ns is None else None


_OPENS = _first("coil.off", "mid.opened")


def _cannot_see(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """Opens where the grid is not seen any more; what goes missing by chance, or beside it, breaks no invariant."""
    told = after[0].detail if after else {}
    blind = told.get("how", "checksum") == "checksum" or told.get("frame") == "grid_fast"
    return _OPENS(onset_ns, scene, after) if blind else 0.0


def _stays_locked(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """After a record that cannot be read nothing closes until a person has allowed it."""
    if after and after[0].detail.get("how") == "older":
        return 0.0
    for truth in after:
        if truth.truth == "order.given":
            return 0.0
        if truth.truth == "coil.on":
            return None
    return 0.0


_GATE = _first("gate.off", "inverter.tripped")


def _stands_by(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Our own enable goes, and does not come back while the other commands. What the gate does is the other's doing. A
    person who resets the lockout has the same again from then on."""
    gone_ns: int | None = None
    since_ns = onset_ns
    for truth in after:
        if truth.truth == "fault.cleared":
            break
        if truth.truth == "order.given" and truth.detail.get("order") == "operator.reset_lockout":
            since_ns = truth.at_ns
        elif truth.truth in ("gate.off", "form.off", "inverter.tripped") and gone_ns is None:
            gone_ns = since_ns = truth.at_ns
        elif truth.truth == "form.on" and gone_ns is not None and truth.at_ns - since_ns > YIELD_NS:
            return None
    return None if gone_ns is None else (gone_ns - onset_ns) / MS


#: The island that needed the car has ended either way.
_GATE_OR_GRID = _first("gate.off", "inverter.tripped", "mid.closed")

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
    "grid_sense.off": Expected(_held_closed, _OPENS, 100.0),
    "grid_sense.stuck": Expected(_held_closed, _OPENS, 200.0),
    "grid_sense.drift": Expected(_held_closed, _none_of("coil.on"), 0.0),
    "grid_sense.noise": Expected(_held_closed, _undisturbed, 0.0),
    "house.open_neutral": Expected(_held_closed, _OPENS, 100.0),
    "grid.sag_edge": Expected(_held_closed, _undisturbed, 0.0),
    "grid.balanced_island": Expected(_held_closed, _OPENS, 2_000.0),
    "grid_sense.garbage": Expected(_held_closed, _OPENS, 25.0),
    "grid.leg_lost": Expected(_can_leave, _OPENS, 100.0),
    "grid.brownout": Expected(_can_leave, _OPENS, 81.0),
    "grid.motor_backfeed": Expected(_can_leave, _OPENS, 85.0),
    "grid.flaps": Expected(_never, _OPENS, 0.0),
    "grid.out_of_phase": Expected(_never, _OPENS, 0.0),
    "grid.overvoltage": Expected(_never, _OPENS, 0.0),
    "ct.off": Expected(_always, _limit_below(3_801.0), 500.0),
    "inverter_temp.stuck": Expected(_always, _limit_below(1_001.0), 1_000.0),
    "mid.welded": Expected(_tied, _forms_on_no_weld, 0.0),
    "mid.slow": Expected(_never, _OPENS, 0.0),
    "mid.chatter": Expected(_held_closed, _OPENS, 200.0),
    "mid.fails_to_close": Expected(_islanded, _closes_at_most(3), 0.0),
    "mid.aux_wrong": Expected(_held_closed, _nothing_forms, 0.0),
    "mid.uncommanded_close": Expected(_on_its_own, _GATE, 25.0),
    "inverter.trips": Expected(_islanded, _GATE, 100.0),
    "inverter.wont_form": Expected(_always, _gives_up, 225.0),
    "load.switch_stuck": Expected(_tied, _no_overload, 0.0),
    "load.locked_rotor": Expected(_islanded, _no_overload, 0.0),
    "load.uncontrolled": Expected(_islanded, _no_overload, 0.0),
    "fan.dead": Expected(_always, _never_too_hot, 0.0),
    "dc_bus.out_of_range": Expected(_islanded, _GATE, 100.0),
    "ev.silent": Expected(_islanded, _GATE_OR_GRID, 500.0),
    "ev.ends_session": Expected(_islanded, _GATE_OR_GRID, 500.0),
    "ev.limit_drops": Expected(_on_its_own, _meets_the_limit, 125.0),
    "precharge.fails": Expected(_working, _stops_for_good, 10_000.0),
    "ev.contactor_welded": Expected(_working, _stops_for_good, 2_000.0),
    "ev.insulation_low": Expected(_working, _stops_for_good, 40_000.0),
    "ev.soc_low": Expected(_islanded, _GATE_OR_GRID, 1_000.0),
    "ev.soc_jumps": Expected(_islanded, _believes_the_lower, 325.0),
    "can.bus_off": Expected(_islanded, _GATE, 105.0),
    "can.frames_lost": Expected(_held_closed, _cannot_see, 85.0),
    "lc.frozen": Expected(_held_closed, _OPENS, 100.0),
    "modbus.garbage": Expected(_always, _rejects, 300.0),
    "modbus.unit_conflict": Expected(_always, _disowns, 5_000.0),
    "modbus.write_ignored": Expected(_always, _says_ignored, 600.0),
    "modbus.timeout": Expected(_islanded, _GATE_OR_GRID, 1_025.0),
    "control.tick_overrun": Expected(_held_closed, _OPENS, 200.0),
    "storage.torn_write": Expected(_always, _stays_locked, 0.0),
    "storage.full": Expected(_islanded, _none_of("coil.on"), 0.0),
    "aux_supply.low": Expected(_working, _first("gate.off", "inverter.tripped"), 1_000.0),
    "pv.surplus": Expected(_islanded, _surplus_met, 2_000.0),
    "control.second_master": Expected(_working, _stands_by, 1_000.0),
    "parallel.primary_lost": Expected(_islanded, _first("gate.off"), 85.0),
    "parallel.phase_error": Expected(_shared, _first("unit.gate_off", "unit.tripped"), 100.0),
    "clock.steps": Expected(_shaving, _waits_for_the_clock, 0.0),
    "neutral_former.trips": Expected(_on_its_own, _GATE, 100.0),
}
