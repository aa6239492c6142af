"""Other sources on the house's bus: a roof that gives more than house and car take, and one that nobody announced.

In the island the roof's inverter obeys frequency: raised towards 61 Hz it gives less (IEEE 1547-2018, 5.4.2,
frequency-droop). What frequency does not hold back within ``patience_s`` is told to leave (SunSpec model 703, enter
service off) and kept off until the car can take it again. Judged once for each answer of the inverter, so that the
result does not depend on how often the core is stepped.

A house bus that has volts with the MID proven open and every gate off is fed by something that is not ours: a
generator, a second battery. Nothing may form against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import HOUSE_FAST_LIMIT_MS, INVERTER_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, SolarSettings
from v2h_drivers.capabilities.slow_readings import InverterStatus

STATUS_LIMIT_MS = 1_500.0
#: Frequency does nothing below this much above nominal: where a droop begins at the latest.
KNEE_HZ = 0.5
#: Under this much too much, nothing is done; under this much too little, frequency comes down again.
DEADBAND_W = 100.0
SLACK_W = 200.0
RELAX_HZ = 0.05
#: A roof that still gives this much, so long after it was told to leave, did not obey.
LEFT_W = 50.0
LEAVE_NS = 5 * NS_PER_S
#: A roof that is held back by frequency is sent off before the house is brought in phase, where nothing holds it back;
#: one that does not go is waited for no longer than this.
PART_NS = 10 * NS_PER_S
#: A roof that gave more than the car may ever take comes back after so long, when the house may take more than it did.
READMIT_NS = 600 * NS_PER_S
#: As long as the first try to get in phase with the street may take.
CLOSING_NS = 300 * NS_PER_S
PARTS_FIRST = "the roof is held back by frequency, and told to leave first"
#: Volts that nothing of ours explains: from here on, for so long. Motors that run down are gone by then.
FOREIGN_PU = 0.25
FOREIGN_NS = 500 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class SolarState:
    """``raised_hz`` above nominal; ``kept_off``: told to leave, ``left_w``: for so many watts into the car, ``None`` = for
    another reason. ``foreign_pu``: unexplained volts, ``None`` = none; ``closing_since_ns``: since when a close is tried."""

    status: InverterStatus | None = None
    raised_hz: float = 0.0
    surplus_w: float | None = None
    surplus_since_ns: int | None = None
    kept_off: bool = False
    kept_off_since_ns: int = 0
    left_w: float | None = None
    foreign_since_ns: int | None = None
    foreign_pu: float | None = None
    closing_since_ns: int | None = None

    @property
    def curtailed(self) -> bool:
        """Frequency holds the roof back now."""
        return self.raised_hz > 0.0

    def parts_first(self, now_ns: int) -> bool:
        """Whether the close waits for the roof to leave."""
        return self.curtailed and not (self.kept_off and now_ns - self.kept_off_since_ns >= PART_NS)


def update(
    settings: SolarSettings,
    state: SolarState,
    senses: Senses,
    soc_pct: float | None,
    *,
    lit: bool,
    tied: bool,
    dark: bool,
    closing: bool = False,
    now_ns: int,
) -> SolarState:
    """Follow surplus while ``lit``, unexplained volts while ``dark``; forget both on the grid (``tied``).

    ``closing``: nothing but the angle, or the roof itself, keeps the MID from closing. A roof that is held back leaves
    then, and none comes back for as long as a close is tried; a street that never comes in phase keeps it no longer.
    """
    closing_since_ns = (state.closing_since_ns or now_ns) if closing else None
    if closing_since_ns != state.closing_since_ns:
        state = replace(state, closing_since_ns=closing_since_ns)
    closing = closing and closing_since_ns is not None and now_ns - closing_since_ns < CLOSING_NS
    if dark:
        # The next start is made at the nominal frequency.
        state = replace(state, raised_hz=0.0, surplus_w=None, surplus_since_ns=None)
        return _watch_bus(state, senses, now_ns)
    if closing and state.curtailed and not state.kept_off:
        state = replace(state, kept_off=True, kept_off_since_ns=now_ns, left_w=None)
    if state.foreign_since_ns is not None:
        state = replace(state, foreign_since_ns=None, foreign_pu=None)
    if tied:
        return SolarState() if state.raised_hz or state.kept_off else state
    status = fresh(senses.inverter, now_ns, STATUS_LIMIT_MS)
    if not lit or status is None or status == state.status:
        return state
    charging_w = _charging_w(senses, status, now_ns)
    if charging_w is None:
        return replace(state, status=status)
    limit_w = charge_limit_w(settings, soc_pct)
    over_w = charging_w - limit_w
    if over_w <= DEADBAND_W:
        raised_hz = state.raised_hz
        if state.kept_off and _has_left(senses, now_ns):
            raised_hz = 0.0
        elif over_w < -SLACK_W:
            raised_hz = max(0.0, raised_hz - RELAX_HZ)
        kept_off = state.kept_off and (closing or not _welcome_again(settings, state, soc_pct, now_ns))
        return replace(
            state,
            status=status,
            raised_hz=raised_hz,
            surplus_w=None,
            surplus_since_ns=None,
            kept_off=kept_off,
        )
    since_ns = state.surplus_since_ns if state.surplus_since_ns is not None else now_ns
    step_hz = KNEE_HZ * over_w / settings.rated_w
    raised_hz = min(settings.raise_most_hz, max(KNEE_HZ, state.raised_hz + step_hz))
    kept_off, off_ns, left_w = state.kept_off, state.kept_off_since_ns, state.left_w
    if not kept_off and now_ns - since_ns >= settings.patience_s * NS_PER_S:
        kept_off, off_ns, left_w = True, now_ns, charging_w
    return replace(
        state,
        status=status,
        raised_hz=round(raised_hz, 3),
        surplus_w=over_w,
        surplus_since_ns=since_ns,
        kept_off=kept_off,
        kept_off_since_ns=off_ns,
        left_w=left_w,
    )


def charge_limit_w(settings: SolarSettings, soc_pct: float | None) -> float:
    """What the car may be charged with: less from ``full_from_pct`` on, nothing when full or unknown."""
    if soc_pct is None:
        return 0.0
    span = settings.full_pct - settings.full_from_pct
    return settings.max_charge_w * min(1.0, max(0.0, (settings.full_pct - soc_pct) / span))


def _charging_w(senses: Senses, status: InverterStatus, now_ns: int) -> float | None:
    """Watts into the car: what the inverter says, or roof less load where that is more."""
    said_w = None if status.power_w is None else -status.power_w
    roof = fresh(senses.solar, now_ns, STATUS_LIMIT_MS)
    load = fresh(senses.currents, now_ns, STATUS_LIMIT_MS)
    if roof is None or roof.power_w is None or load is None or load.l1_a is None or load.l2_a is None:
        return said_w
    left_w = roof.power_w - NOMINAL_V * (abs(load.l1_a) + abs(load.l2_a))
    return left_w if said_w is None else max(said_w, left_w)


def _welcome_again(settings: SolarSettings, state: SolarState, soc_pct: float | None, now_ns: int) -> bool:
    if soc_pct is None or soc_pct >= settings.full_from_pct - 1.0:
        return False
    fits = state.left_w is None or state.left_w <= charge_limit_w(settings, soc_pct) + DEADBAND_W
    return fits or now_ns - state.kept_off_since_ns >= READMIT_NS


def restored(now_ns: int) -> SolarState:
    """After a start: the owner before has told it to leave."""
    return SolarState(kept_off=True, kept_off_since_ns=now_ns)


def _watch_bus(state: SolarState, senses: Senses, now_ns: int) -> SolarState:
    house = fresh(senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    inverter = fresh(senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    if house is None or house.l1_pu is None or house.l2_pu is None or inverter is None:
        return state  # unknown refuses forming by itself, and must not clear what was seen
    pu = max(house.l1_pu, house.l2_pu)
    if inverter.gate_on or pu < FOREIGN_PU:
        return replace(state, foreign_since_ns=None, foreign_pu=None)
    since_ns = state.foreign_since_ns if state.foreign_since_ns is not None else now_ns
    shown = round(pu, 2) if now_ns - since_ns >= FOREIGN_NS else None
    return replace(state, foreign_since_ns=since_ns, foreign_pu=shown)


def refusal(state: SolarState) -> str:
    """Why nothing may form on this bus; "" = it may."""
    if state.foreign_pu is None:
        return ""
    volts = state.foreign_pu * NOMINAL_V
    return f"something else feeds the house bus: {volts:.0f} V with the MID open and all gates off"


def deadline_ns(state: SolarState) -> int | None:
    """When time alone makes unexplained volts certain."""
    if state.foreign_since_ns is None or state.foreign_pu is not None:
        return None
    return state.foreign_since_ns + FOREIGN_NS


def will_not_leave(state: SolarState, senses: Senses, now_ns: int) -> str:
    """Told to leave, and something still gives (I13): what a person must see to; "" = nothing.

    A roof that says that it has left is held against the car: what still charges it is more than its word.
    """
    if not state.kept_off or now_ns - state.kept_off_since_ns < LEAVE_NS:
        return ""
    if fresh(senses.solar, now_ns, STATUS_LIMIT_MS) is not None and not _has_left(senses, now_ns):
        return "Solar was told to leave and still gives power."
    since_ns = state.surplus_since_ns
    judged = fresh(state.status, now_ns, STATUS_LIMIT_MS) is not None
    if not judged or since_ns is None or now_ns - since_ns < LEAVE_NS:
        return ""
    return "Solar was told to leave, and something still charges the car past what it may take."


def _has_left(senses: Senses, now_ns: int) -> bool:
    """Whether the roof says itself that it gives nothing."""
    roof = fresh(senses.solar, now_ns, STATUS_LIMIT_MS)
    return roof is not None and roof.power_w is not None and roof.power_w <= LEFT_W
