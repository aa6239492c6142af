"""How long it took until the house shows that a fault was met: read off the twin's truth after the fault's onset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
#: Two commands at once turn the enable on and off until the third voice is heard for what it is.
YIELD_NS = 500 * MS
#: The reserve, and a report's last digit.
RESERVE_PCT = 20.5
#: Half a second for which the report must stand, a poll before and one after, and a command's way.
STOOD_MS = 1_125.0
#: What was commanded before the fault began may be on the wire for so long.
WIRE_NS = 1 * MS
#: What ends a surplus, or begins to.
NO_SURPLUS = ("solar.no_surplus", "solar.curtailed", "solar.disconnected", "mid.closed", "gate.off")

#: Milliseconds from the onset to the reaction; ``None`` = it has not come.
Reaction = Callable[[int, Scene, Sequence[Truth]], float | None]


def gives_up(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
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


def first(*names: str) -> Reaction:
    """The first of these truths."""

    def reaction(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
        for truth in after:
            if truth.truth in names:
                return (truth.at_ns - onset_ns) / MS
        return None

    return reaction


def none_of(*names: str) -> Reaction:
    """None of these may come at all: the reaction is at once, or fails."""

    def reaction(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
        return None if any(truth.truth in names for truth in after) else 0.0

    return reaction


def forms_on_no_weld(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Nothing forms, unless the poles come apart after all: they were on their way, and only the arc was left."""
    for truth in after:
        if truth.truth == "mid.opened":
            break
        if truth.truth == "form.on":
            return None
    return 0.0


def nothing_forms(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Until a person resets the lockout: what forms after that is judged by the contacts themselves (I2b)."""
    for truth in after:
        if truth.truth == "order.given" and truth.detail.get("order") == "operator.reset_lockout":
            break
        if truth.truth == "form.on":
            return None
    return 0.0


def undisturbed(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Nothing is moved because of it, for as long as nothing else gives a reason."""
    for truth in after:
        if truth.truth in ("grid.lost", "grid.returned", "fault.cleared", "order.given", "grid.recovered"):
            return 0.0
        if truth.truth in ("coil.off", "coil.on") and truth.at_ns - onset_ns > WIRE_NS:
            return None
    return 0.0


def limit_below(watts: float) -> Reaction:
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


def waits_for_the_clock(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """The discharge ends with the next look at the clock, and does not come back before it has run evenly."""
    asked = [
        ((truth.at_ns - onset_ns) / S, truth.detail["power_w"])
        for truth in after
        if truth.truth == "inverter.power_asked"
    ]
    if not asked or asked[0][1] != 0.0 or asked[0][0] > CLOCK_LOOK_S:
        return None
    return 0.0 if all(since_s > CLOCK_STEADY_S for since_s, _ in asked[1:]) else None


def no_overload(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """The inverter's own overload trip never has to act."""
    tripped = any(t.truth == "inverter.tripped" and t.detail.get("fault") == "overload" for t in after)
    return None if tripped else 0.0


def closes_at_most(times: int) -> Reaction:
    def reaction(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
        tries = 0
        for truth in after:
            if truth.truth == "fault.cleared":
                break
            if truth.truth == "order.given" and truth.detail.get("order") == "operator.reset_lockout":
                # A person has looked: it may try again.
                tries = 0
            tries += truth.truth == "coil.on"
            if tries > times:
                return None
        return 0.0

    return reaction


def surplus_met(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """The first surplus is over within the time: held back, gone, or taken by the street. A bright roof on a house that
    takes it all asks for nothing."""
    given_ns: int | None = None
    for truth in after:
        if truth.truth == "solar.surplus":
            given_ns = truth.at_ns
        elif given_ns is not None and truth.truth in NO_SURPLUS:
            return (truth.at_ns - given_ns) / MS
    return 0.0 if given_ns is None else None


def meets_the_limit(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
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
    return first("circuit.switch_opened", "gate.off")(onset_ns, scene, after)


def stops_for_good(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """The inverter stops, and nothing forms while the fault is there, unless another inverter with another car does."""
    for truth in after:
        if truth.truth in ("fault.cleared", "unit.primary"):
            break
        if truth.truth == "form.on":
            return None
    return GATE(onset_ns, scene, after)


def never_too_hot(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """Derating, and the stop before the inverter's own, keep it from tripping on its heat."""
    tripped = any(t.truth == "inverter.tripped" and t.detail.get("fault") == "overtemperature" for t in after)
    return None if tripped else 0.0


def believes_the_lower(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """A report that leaps below the reserve ends the discharge, once it has stood; up, it changes nothing here (I7 judges it).

    The message that leaps is met at once by holding the count, which leaves no trace in the house.
    """
    for truth in after:
        pct = truth.detail.get("pct")
        if (
            truth.detail.get("fault") == "ev.soc_jumps"
            and isinstance(pct, float)
            and scene.soc_pct + pct >= RESERVE_PCT
        ):
            return 0.0
    ended_ms = GATE_OR_GRID(onset_ns, scene, after)
    return 0.0 if ended_ms is not None and ended_ms <= STOOD_MS else ended_ms


def rejects(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
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


def disowns(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
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


def says_ignored(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """From the first write that was confirmed and not taken to the driver's word that it does not show."""
    tampered_ns: int | None = None
    for truth in after:
        if truth.truth == "modbus.tampered" and tampered_ns is None:
            tampered_ns = truth.at_ns
        elif truth.truth == "modbus.refused" and tampered_ns is not None:
            return (truth.at_ns - tampered_ns) / MS
    return 0.0 if tampered_ns is None else None


OPENS = first("coil.off", "mid.opened")


def cannot_see(onset_ns: int, scene: Scene, after: Sequence[Truth]) -> float | None:
    """Opens where the grid is not seen any more; what goes missing by chance, or beside it, breaks no invariant."""
    told = after[0].detail if after else {}
    blind = told.get("how", "checksum") == "checksum" or told.get("frame") == "grid_fast"
    return OPENS(onset_ns, scene, after) if blind else 0.0


def stays_locked(_onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
    """After a record that cannot be read nothing closes until a person has allowed it."""
    if after and after[0].detail.get("how") == "older":
        return 0.0
    for truth in after:
        if truth.truth == "order.given":
            return 0.0
        if truth.truth == "coil.on":
            return None
    return 0.0


GATE = first("gate.off", "inverter.tripped")


def stands_by(onset_ns: int, _scene: Scene, after: Sequence[Truth]) -> float | None:
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
GATE_OR_GRID = first("gate.off", "inverter.tripped", "mid.closed")
