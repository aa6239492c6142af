"""A SunSpec IEEE 1547-2018 inverter with the car behind it: polled, read back, commanded.

Models 1 (identity), 701 (measurements), 702 (ratings), 704 (limit), 713 (storage), 714 (DC ports).
"""

from __future__ import annotations

from dataclasses import replace

from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import DischargeLimitRequest
from v2h_drivers.capabilities.slow_readings import CarStatus, InverterStatus
from v2h_drivers.modbus.plausible import Plausibility
from v2h_drivers.modbus.sunspec import instances, model_points, number, read_models
from v2h_drivers.modbus.sunspec_device import SunSpecDevice

FOLLOWING_BIT, FORMING_BIT = 1, 2
LIMIT_TOLERANCE = 0.005
#: 714's type of the port that an electric vehicle is at.
PORT_EV = 2


class SunSpecInverter(SunSpecDevice[DischargeLimitRequest]):
    """The house's inverter; its EV port is the car until the car's own link speaks."""

    often = (1, 701, 713, 714)
    seldom = (702, 704)
    takes = DischargeLimitRequest
    usual_s = 0.25

    def in_words(self, request: DischargeLimitRequest) -> str:
        """Which limit."""
        return f"the discharge limit of {request.power_w / 1000:.1f} kW"

    async def carry_out(self, request: DischargeLimitRequest) -> None:
        """Set the limit; what it reads back is said at once, not with the next poll."""
        await self._set_limit(request)
        self.report(self._clock_ns())

    async def _set_limit(self, request: DischargeLimitRequest) -> None:
        """Write 704's limit, read it back, retry once; a limit that does not hold is said."""
        rated_w = self._number(702, "WMaxRtg")
        place = self._places.get(704)
        if place is None:
            self._health.note("offers no discharge limit (no SunSpec model 704)")
            return
        if not rated_w or rated_w <= 0.0:
            # The limit is a share of it.
            self._health.note(
                "cannot be given a limit: it does not say what it is rated for (SunSpec model 702)"
            )
            return
        points = model_points(704)
        registers = (await read_models(self._connection, self._unit, [place], self._block))[704]
        exponent = number(points, registers, "WMaxLimPct_SF")
        if exponent is None:
            self._health.note("does not scale its discharge limit")
            return
        percent = min(100.0, max(0.0, 100.0 * request.power_w / rated_w))
        raw = round(percent / 10.0**exponent)
        enable, limit = points["WMaxLimPctEna"].offset, points["WMaxLimPct"].offset
        for _ in range(2):
            await self._write(place, limit, raw)
            await self._write(place, enable, 1)
            self._registers.update(await read_models(self._connection, self._unit, [place], self._block))
            shown = self._number(704, "WMaxLimPct")
            if (
                shown is not None
                and abs(shown - percent) <= 100.0 * LIMIT_TOLERANCE
                and self._number(704, "WMaxLimPctEna") == 1
            ):
                self._health.note("")
                return
        self._health.note(f"did not take {self.in_words(request)}")

    def report(self, now_ns: int) -> None:
        """InverterStatus and CarStatus."""
        ok = Plausibility()
        mode = self._number(701, "DERMode")
        power_w = ok.check("power_w", self._number(701, "W"))
        rated_w = ok.check("power_w", self._number(702, "WMaxRtg"))
        status = InverterStatus(
            at_ns=now_ns,
            quality=Quality.GOOD,
            device=self.name,
            power_w=power_w,
            l1_w=ok.check("power_w", self._number(701, "WL1")),
            l2_w=ok.check("power_w", self._number(701, "WL2")),
            l1_v=ok.check("voltage_v", self._number(701, "VL1")),
            l2_v=ok.check("voltage_v", self._number(701, "VL2")),
            l1l2_v=ok.check("voltage_v", self._number(701, "VL1L2")),
            frequency_hz=ok.check("frequency_hz", self._number(701, "Hz")),
            temperature_c=ok.check("temperature_c", self._number(701, "TmpSnk")),
            rated_w=rated_w,
            max_discharge_w=self._limit_w(rated_w),
            forming=None if mode is None else bool(int(mode) & FORMING_BIT),
            following=None if mode is None else bool(int(mode) & FOLLOWING_BIT),
            alarms=None if (alarms := self._number(701, "Alrm")) is None else int(alarms),
        )
        self._emit(status if ok.held else replace(status, quality=Quality.BAD))
        if 713 in self._registers or 714 in self._registers:
            self._emit(self._car(now_ns))

    def _limit_w(self, rated_w: float | None) -> float | None:
        """704's limit when it is enabled, else 702's setting."""
        percent = self._number(704, "WMaxLimPct")
        if self._number(704, "WMaxLimPctEna") == 1 and percent is not None and rated_w is not None:
            return rated_w * percent / 100.0
        return self._number(702, "WDisChaRteMax")

    def _car(self, now_ns: int) -> CarStatus:
        ok = Plausibility()
        soc_pct = ok.check("percent", self._number(713, "SoC"))
        soh_pct = ok.check("percent", self._number(713, "SoH"))
        capacity_wh = ok.check("energy_wh", self._number(713, "WHRtg"))
        port = self._car_port()
        dc_voltage_v = dc_current_a = dc_power_w = None
        if port is not None:
            dc_voltage_v = ok.check("dc_voltage_v", self._number(714, "Prt.DCV", port))
            dc_current_a = ok.check("current_a", self._number(714, "Prt.DCA", port))
            dc_power_w = ok.check("power_w", self._number(714, "Prt.DCW", port))
        quality = Quality.GOOD if ok.held else Quality.BAD
        return CarStatus(
            now_ns, quality, self.name, soc_pct, soh_pct, capacity_wh, dc_voltage_v, dc_current_a, dc_power_w
        )

    def _car_port(self) -> int | None:
        """Which of 714's ports is the car's: the one that says so, or a sole one that does not say what it is. ``None``
        where there is none, or more than one: the roof's volts must not pass for the car's."""
        registers, count = self._registers.get(714), self._number(714, "NPrt")
        if registers is None or count is None or count > instances(model_points(714), registers, "Prt"):
            return None
        types = [self._number(714, "Prt.PrtTyp", nth) for nth in range(int(count))]
        if types == [None]:
            return 0
        return types.index(PORT_EV) if types.count(PORT_EV) == 1 else None
