"""The car as the island's only source: whether it can be used, how far its reserve reaches (I7, I9)."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import CarSettings
from v2h_drivers.capabilities import CarStatus

#: Below this discharge there is no use in naming a runtime.
MIN_POWER_W = 50.0


@dataclass(frozen=True, slots=True)
class CarState:
    """``refusal``: why the car cannot feed the house now, "" when it can; the rungs of the ladder as flags."""

    refusal: str = "the car has not been heard"
    known_soc_pct: float | None = None
    low: bool = False
    shed: bool = False
    stop: bool = False
    runtime_s: float | None = None


def update(settings: CarSettings, state: CarState, senses: Senses, now_ns: int) -> CarState:
    """Judge the car. Unknown is never enough: a silent car refuses."""
    car = fresh(senses.car, now_ns, settings.fresh_ms)
    if car is None:
        return replace(
            state,
            refusal="the car's link is silent" if senses.car else "the car has not been heard",
            runtime_s=None,
        )
    soc_pct, volts = car.soc_pct, car.dc_voltage_v
    if soc_pct is None:
        return replace(state, refusal="the car's charge is unknown", runtime_s=None)
    refusal = ""
    if volts is None:
        refusal = "the DC voltage is unknown"
    elif not settings.dc_lo_v <= volts <= settings.dc_hi_v:
        refusal = (
            f"the DC bus is at {volts:.0f} V, allowed {settings.dc_lo_v:.0f} to {settings.dc_hi_v:.0f} V"
        )
    elif soc_pct < settings.stop_soc_pct:
        refusal = f"the car is at {soc_pct:.0f} %, the reserve ends at {settings.stop_soc_pct:.0f} %"
    # Each rung holds until the charge is a clear 1 % above it, so that it cannot flutter on the last digit.
    return CarState(
        refusal=refusal,
        known_soc_pct=soc_pct,
        low=soc_pct <= settings.warn_soc_pct or (state.low and soc_pct <= settings.warn_soc_pct + 1),
        shed=soc_pct <= settings.shed_soc_pct or (state.shed and soc_pct <= settings.shed_soc_pct + 1),
        stop=soc_pct < settings.stop_soc_pct,
        runtime_s=_runtime_s(settings, car),
    )


def _runtime_s(settings: CarSettings, car: CarStatus) -> float | None:
    """Seconds to the floor at the present power; ``None`` where nothing is drawn or something is unknown."""
    if (
        car.capacity_wh is None
        or car.dc_power_w is None
        or car.soc_pct is None
        or car.dc_power_w < MIN_POWER_W
    ):
        return None
    usable_wh = car.capacity_wh * (car.soc_pct - settings.floor_soc_pct) / 100.0
    return max(0.0, usable_wh / car.dc_power_w * 3600.0)
