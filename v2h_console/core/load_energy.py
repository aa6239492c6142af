"""Whether the car can carry one circuit more: its voltage under that load, and how long the house then lasts.

What the car does not say refuses nothing here: its silence, an unknown charge and the reserve's rungs end the island
or shed by themselves.
"""

from __future__ import annotations

from v2h_console.core.car_reserve import CarState
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import CarSettings, Circuit

#: Above the car's lowest voltage by this much: what a cold pack sags further in the minutes after.
VOLTAGE_MARGIN = 1.05
#: Where no load step has shown the pack's resistance yet: the upper end of the usual.
USUAL_OHM = 0.15
#: A start's VA are reactive for the most part: this share of them is the pack's.
START_POWER_FACTOR = 0.4
#: Below this discharge the runtime at the present load says nothing.
MIN_POWER_W = 50.0
#: Time left after an admission, by tier: twice the time to the end at which the tier is shed again.
RUNTIME_LEAST_S = {2: 600.0, 3: 1_800.0}


def refusal(
    settings: CarSettings, car: CarState, senses: Senses, candidate: Circuit, units: int, now_ns: int
) -> str:
    """Why the car may not carry ``candidate`` as well; "" when it may. ``units`` cars share it."""
    status = fresh(senses.car, now_ns, settings.fresh_ms)
    if status is None:
        return ""
    added_w = candidate.running_va / units
    volts = status.dc_voltage_v
    if volts is not None and volts > 0.0:
        ohm = car.pack.resistance_ohm if car.pack.resistance_ohm is not None else USUAL_OHM
        peak_w = added_w * max(1.0, START_POWER_FACTOR * candidate.inrush_multiple)
        under_load_v, least_v = volts - ohm * peak_w / volts, VOLTAGE_MARGIN * settings.dc_lo_v
        if under_load_v < least_v:
            return f"the car would fall to {under_load_v:.0f} V, allowed {least_v:.0f} V"
    target_s = RUNTIME_LEAST_S.get(candidate.tier, 0.0)
    if status.capacity_wh is None or car.known_soc_pct is None or added_w <= 0.0 or not target_s:
        return ""
    left_wh = status.capacity_wh * max(0.0, car.known_soc_pct - settings.floor_soc_pct) / 100.0
    drawn_w = max(0.0, (car.mean_w if car.mean_w is not None else status.dc_power_w) or 0.0)
    left_s = left_wh * 3_600.0 / (drawn_w + added_w)
    if car.runtime_s is not None and drawn_w >= MIN_POWER_W:
        # The end may come by volts or current before the charge is used up.
        left_s = min(left_s, car.runtime_s * drawn_w / (drawn_w + added_w))
    if left_s < target_s:
        return (
            f"the car would last {left_s / 60.0:.0f} min, tier {candidate.tier} needs {target_s / 60.0:.0f}"
        )
    return ""
