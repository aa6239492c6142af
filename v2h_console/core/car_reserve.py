"""The car as the island's only source: whether it can be used, how far its reserve reaches (I7, I9)."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core import pack, soc
from v2h_console.core.frozen import replace
from v2h_console.core.pack import PackState
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import CarSettings
from v2h_console.core.soc import SocState
from v2h_drivers.capabilities import CarStatus

#: Below this discharge there is no use in naming a runtime.
MIN_POWER_W = 50.0


@dataclass(frozen=True, slots=True)
class CarState:
    """``refusal``: why the car cannot feed the house now, "" when it can; the rungs of the ladder as flags.

    ``known_soc_pct`` is the charge that is believed, not always the one reported. ``runtime_s`` is the time to the
    end named by ``ends_by`` at the present power: "charge" (the floor) or "volts" (the lowest DC voltage).
    """

    refusal: str = "the car has not been heard"
    known_soc_pct: float | None = None
    low: bool = False
    shed: bool = False
    stop: bool = False
    runtime_s: float | None = None
    ends_by: str = ""
    dc_voltage_v: float | None = None
    judged_at_ns: int | None = None
    soc: SocState = SocState()
    pack: PackState = PackState()

    @property
    def fullest_pct(self) -> float | None:
        """The charge that matters where a full car is the danger: the higher of report and count."""
        if self.known_soc_pct is None or self.soc.doubted_since_ns is None:
            return self.known_soc_pct
        return max(self.known_soc_pct, self.soc.reported_pct)


def update(settings: CarSettings, state: CarState, senses: Senses, now_ns: int) -> CarState:
    """Judge the car. Unknown is never enough: a silent car refuses."""
    car = fresh(senses.car, now_ns, settings.fresh_ms)
    if car is None:
        return replace(
            state,
            refusal="the car's link is silent" if senses.car else "the car has not been heard",
            runtime_s=None,
            ends_by="",
            dc_voltage_v=None,
            judged_at_ns=None,
        )
    if state.judged_at_ns == car.at_ns:
        return state
    reported_pct, volts = car.soc_pct, car.dc_voltage_v
    if reported_pct is None:
        return replace(
            state,
            refusal="the car's charge is unknown",
            runtime_s=None,
            ends_by="",
            dc_voltage_v=None,
            judged_at_ns=car.at_ns,
        )
    doubt = soc.update(state.soc, car, reported_pct)
    soc_pct = doubt.believed_pct
    behind = pack.update(state.pack, car, soc_pct)
    refusal = ""
    if volts is None:
        refusal = "the DC voltage is unknown"
    elif not settings.dc_lo_v <= volts <= settings.dc_hi_v:
        refusal = (
            f"the DC bus is at {volts:.0f} V, allowed {settings.dc_lo_v:.0f} to {settings.dc_hi_v:.0f} V"
        )
    elif soc_pct < settings.stop_soc_pct:
        refusal = f"the car is at {soc_pct:.0f} %, the reserve ends at {settings.stop_soc_pct:.0f} %"
    runtime_s, ends_by = _end(settings, car, behind, soc_pct)
    # Each rung holds until the charge is a clear 1 % above it, so that it cannot flutter on the last digit.
    return CarState(
        refusal=refusal,
        known_soc_pct=soc_pct,
        low=soc_pct <= settings.warn_soc_pct or (state.low and soc_pct <= settings.warn_soc_pct + 1),
        shed=soc_pct <= settings.shed_soc_pct or (state.shed and soc_pct <= settings.shed_soc_pct + 1),
        stop=soc_pct < settings.stop_soc_pct,
        runtime_s=runtime_s,
        ends_by=ends_by,
        dc_voltage_v=volts,
        judged_at_ns=car.at_ns,
        soc=doubt,
        pack=behind,
    )


def _end(
    settings: CarSettings, car: CarStatus, behind: PackState, soc_pct: float
) -> tuple[float | None, str]:
    """Seconds until the car ends it at the present power, and by what; ``None`` where nothing is drawn or something
    is unknown."""
    if car.capacity_wh is None or car.dc_power_w is None or car.dc_power_w < MIN_POWER_W:
        return None, ""
    left_pct, ends_by = max(0.0, soc_pct - settings.floor_soc_pct), "charge"
    to_volts_pct = pack.pct_to_volts(behind, car, settings.dc_lo_v)
    if to_volts_pct is not None and to_volts_pct < left_pct:
        left_pct, ends_by = to_volts_pct, "volts"
    return car.capacity_wh * left_pct / 100.0 / car.dc_power_w * 3600.0, ends_by
