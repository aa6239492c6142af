"""A plain SunSpec solar inverter on the house bus: polled, and told whether it may give power.

Models 1 (identity), 701 (measurements), 702 (ratings), 703 (enter service).
"""

from __future__ import annotations

from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import SolarPermitRequest
from v2h_drivers.capabilities.slow_readings import SolarStatus
from v2h_drivers.modbus.plausible import Plausibility
from v2h_drivers.modbus.sunspec import model_points, read_models
from v2h_drivers.modbus.sunspec_device import SunSpecDevice


class SunSpecSolar(SunSpecDevice[SolarPermitRequest]):
    """A solar inverter on the house bus: seen, and told whether it may give power (703's permit to enter service)."""

    takes = SolarPermitRequest
    usual_s = 0.5

    def in_words(self, request: SolarPermitRequest) -> str:
        """Permit or order."""
        return "the permit" if request.permitted else "the order to leave"

    async def carry_out(self, request: SolarPermitRequest) -> None:
        """Write 703's ES, read it back, retry once; a permit that does not hold is said."""
        place = self._places.get(703)
        if place is None:
            self._health.note("cannot be told to leave (no SunSpec model 703)")
            return
        offset = model_points(703)["ES"].offset
        for _ in range(2):
            await self._write(place, offset, int(request.permitted))
            self._registers.update(await read_models(self._connection, self._unit, [place], self._block))
            if self._number(703, "ES") == int(request.permitted):
                self._health.note("")
                return
        self._health.note(f"did not take {self.in_words(request)}")

    def report(self, now_ns: int) -> None:
        """SolarStatus."""
        ok = Plausibility()
        power_w = ok.check("power_w", self._number(701, "W"))
        voltage_v = ok.check("voltage_v", self._number(701, "VL1L2"))
        frequency_hz = ok.check("frequency_hz", self._number(701, "Hz"))
        rated_w = ok.check("power_w", self._number(702, "WMaxRtg"))
        quality = Quality.GOOD if ok.held else Quality.BAD
        self._emit(SolarStatus(now_ns, quality, self.name, power_w, voltage_v, frequency_hz, rated_w))
