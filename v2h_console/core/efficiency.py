"""What the inverter keeps for itself: DC watts in less AC watts out, against what its curve says (S10).

Its own message and the car's come from one poll; a pair that is further apart says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, InverterSettings

#: Below this the loss is lost in the meters' rounding.
LEAST_W = 500.0
PAIR_NS = 400 * NS_PER_MS
FRESH_MS = 1_000.0
MEAN_TAU_S = 60.0
#: So much evidence before anything is said.
EVIDENCE_NS = 60 * NS_PER_S
#: A loss is high from here on, and until it is well below.
HIGH_SHARE, HIGH_W = 1.5, 30.0
WELL_SHARE, WELL_W = 1.25, 15.0
#: Design: silicon and copper lose 0.4 % more a kelvin above 45 °C.
WARM_FROM_C, WARM_PER_K = 45.0, 0.004
MAX_GAP_NS = 3 * NS_PER_S


@dataclass(frozen=True, slots=True)
class EfficiencyState:
    """``loss_w``, ``expected_w``, ``ac_w``: means of the last minute; ``None`` without evidence. ``newest_w``: the last
    pair's own loss, at ``at_ns``. ``high``: it loses more than it should."""

    at_ns: int | None = None
    since_ns: int = 0
    newest_w: float | None = None
    loss_w: float | None = None
    expected_w: float = 0.0
    ac_w: float = 0.0
    high: bool = False

    def percent(self) -> float | None:
        """AC out of DC in, in per cent."""
        if self.loss_w is None or self.ac_w + self.loss_w <= 0.0:
            return None
        return 100.0 * self.ac_w / (self.ac_w + self.loss_w)


def expected_w(settings: InverterSettings, ac_w: float, heatsink_c: float | None) -> float:
    """The curve's loss at this power; warm silicon loses more."""
    cold_w = settings.loss_a_w + settings.loss_b * ac_w + settings.loss_c_per_w * ac_w * ac_w
    over_k = 0.0 if heatsink_c is None else max(0.0, heatsink_c - WARM_FROM_C)
    return cold_w * (1.0 + WARM_PER_K * over_k)


def update(
    settings: InverterSettings, state: EfficiencyState, senses: Senses, heatsink_c: float | None, now_ns: int
) -> EfficiencyState:
    """Take one pair of messages; without a fresh one there is no evidence, and what was told stays told."""
    inverter, car = fresh(senses.inverter, now_ns, FRESH_MS), fresh(senses.car, now_ns, FRESH_MS)
    if inverter is None or car is None or inverter.power_w is None or car.dc_power_w is None:
        return state if state.newest_w is None else replace(state, newest_w=None, loss_w=None, at_ns=None)
    if car.at_ns == state.at_ns:
        return state
    ac_w, loss_w = inverter.power_w, car.dc_power_w - inverter.power_w
    paired = inverter.device == car.device and abs(inverter.at_ns - car.at_ns) <= PAIR_NS
    if not paired or ac_w < LEAST_W:
        return EfficiencyState(high=state.high)
    usual_w = expected_w(settings, ac_w, heatsink_c)
    if state.at_ns is None or state.loss_w is None or car.at_ns - state.at_ns > MAX_GAP_NS:
        return EfficiencyState(car.at_ns, car.at_ns, loss_w, loss_w, usual_w, ac_w, state.high)
    kept = math.exp(min(0.0, (state.at_ns - car.at_ns) * 1e-9 / MEAN_TAU_S))
    mean_w = loss_w + kept * (state.loss_w - loss_w)
    mean_usual_w = usual_w + kept * (state.expected_w - usual_w)
    high = state.high
    if car.at_ns - state.since_ns >= EVIDENCE_NS:
        share, more_w = (WELL_SHARE, WELL_W) if high else (HIGH_SHARE, HIGH_W)
        high = mean_w > share * mean_usual_w + more_w
    return EfficiencyState(
        car.at_ns, state.since_ns, loss_w, mean_w, mean_usual_w, ac_w + kept * (state.ac_w - ac_w), high
    )
