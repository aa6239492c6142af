"""The pack behind the cable: its internal resistance from load steps, and where its voltage will end the discharge.

R = -dV/dI between two messages of one load step; 0.05-0.15 ohm is usual, a cold pack has twice that.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_drivers.capabilities.slow_readings import CarStatus

#: A smaller step of current is lost in the rounding of volts.
STEP_A = 4.0
#: Messages further apart than this are no step: the charge and the RC part have moved as well.
STEP_NS = 2_500_000_000
#: Outside of these a quotient is a coincidence, not a pack.
LEAST_OHM, MOST_OHM = 0.01, 2.0
#: Share of a new step in the running figure.
BLEND = 0.3
#: From so many steps on the figure is worth a warning.
STEPS_TO_TRUST = 3
WARN_OHM = 0.30
#: The resting voltage's slope needs this much discharge to be seen.
SLOPE_SPAN_PCT = 2.0
#: Share of its rating that a pack is believed to hold when it does not say how it has aged, and below which no pack that
#: drives a car has aged: what says so says nothing.
UNKNOWN_SOH_PCT = 80.0
LEAST_SOH_PCT = 30.0
#: Packs of cars that give power, aged ones among them: from an old small car's to a pick-up's.
SMALLEST_WH, LARGEST_WH = 16_000.0, 150_000.0


@dataclass(frozen=True, slots=True)
class PackState:
    """``resistance_ohm``: running figure, ``None`` before the first step. ``slope_v_per_pct``: resting voltage lost a
    per cent of charge, since the anchor: that charge with the volts and amps that went with it. ``said_wh``: `capacity_wh` when it
    was last said; a pack does not change its size between two messages."""

    at_ns: int | None = None
    volts_v: float = 0.0
    current_a: float = 0.0
    resistance_ohm: float | None = None
    steps: int = 0
    anchor_pct: float | None = None
    anchor_v: float = 0.0
    anchor_a: float = 0.0
    slope_v_per_pct: float | None = None
    said_wh: float | None = None

    @property
    def high(self) -> bool:
        """Whether the resistance is worth a warning."""
        return (
            self.resistance_ohm is not None
            and self.steps >= STEPS_TO_TRUST
            and self.resistance_ohm > WARN_OHM
        )


def update(state: PackState, car: CarStatus, soc_pct: float) -> PackState:
    """Take one message; without volts and amps only how large it is counts, twice the same changes nothing."""
    volts, amps = car.dc_voltage_v, car.dc_current_a
    if car.at_ns == state.at_ns:
        return state
    said_wh = capacity_wh(car)
    if said_wh is None:
        said_wh = state.said_wh
    if volts is None or amps is None:
        return replace(state, said_wh=said_wh)
    ohm, steps = state.resistance_ohm, state.steps
    change_a = amps - state.current_a
    if state.at_ns is not None and car.at_ns - state.at_ns <= STEP_NS and abs(change_a) >= STEP_A:
        seen_ohm = (state.volts_v - volts) / change_a
        if LEAST_OHM <= seen_ohm <= MOST_OHM:
            ohm = seen_ohm if ohm is None else ohm + BLEND * (seen_ohm - ohm)
            steps += 1
    anchor_pct, anchor_v, anchor_a = state.anchor_pct, state.anchor_v, state.anchor_a
    slope = state.slope_v_per_pct
    if anchor_pct is None or soc_pct > anchor_pct:
        anchor_pct, anchor_v, anchor_a = soc_pct, volts, amps
    elif anchor_pct - soc_pct >= SLOPE_SPAN_PCT:
        # Both at rest by today's resistance: it moves with each noisy step, and what it was then is no better known.
        seen = (anchor_v - volts + (anchor_a - amps) * (ohm or 0.0)) / (anchor_pct - soc_pct)
        slope = seen if seen > 0.0 else None
        anchor_pct, anchor_v, anchor_a = soc_pct, volts, amps
    return PackState(car.at_ns, volts, amps, ohm, steps, anchor_pct, anchor_v, anchor_a, slope, said_wh)


def power_w(car: CarStatus) -> float | None:
    """What the pack gives, negative into it: as said, else by volts and amps; ``None`` = nobody says."""
    if car.dc_power_w is not None:
        return car.dc_power_w
    volts, amps = car.dc_voltage_v, car.dc_current_a
    return None if volts is None or amps is None else volts * amps


def soh_pct(car: CarStatus) -> float | None:
    """How the pack has aged, as far as it can be believed."""
    said_pct = car.soh_pct
    return None if said_pct is None or said_pct < LEAST_SOH_PCT else min(100.0, said_pct)


def capacity_wh(car: CarStatus) -> float | None:
    """Watt hours of the aged pack, on the safe side; ``None`` = it does not say how large it is."""
    rated_wh, aged_pct = car.capacity_wh, soh_pct(car)
    if rated_wh is None or rated_wh <= 0.0:
        return None
    return rated_wh * (UNKNOWN_SOH_PCT if aged_pct is None else aged_pct) / 100.0


def pct_to_volts(state: PackState, car: CarStatus, least_v: float) -> float | None:
    """Per cent of charge until the terminals reach ``least_v`` at this current; ``None`` while the slope is unknown."""
    if state.slope_v_per_pct is None or car.dc_voltage_v is None:
        return None
    return max(0.0, (car.dc_voltage_v - least_v) / state.slope_v_per_pct)
