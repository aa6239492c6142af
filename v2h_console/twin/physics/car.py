"""The car's pack: open-circuit voltage by charge, a series resistance and one RC, exact for a constant current."""

from __future__ import annotations

import math

from v2h_console.twin.house import CarData

#: A car bears this much over its own limit, for this long, before it opens its contactors.
MARGIN = 1.05
PATIENCE_NS = 2_000_000_000


class Car:
    """The car at the DC side of the inverter.

    ``dc_current_a`` is positive while discharging and constant between two anchors; charge and RC voltage are
    closed forms of the time since the anchor.
    """

    def __init__(self, data: CarData, at_ns: int, ambient_c: float = 25.0) -> None:
        """``ambient_c``: a parked pack is as cold as the air; twice its resistance and half its power at -20 °C."""
        self._data = data
        self._resistance_ohm = data.resistance_ohm * (1.0 + _share(10.0 - ambient_c, 30.0))
        self._at_ns = at_ns
        self._now_ns = at_ns
        self._soc = data.soc_pct
        self._rc_v = 0.0
        self.connected = data.connected
        self.soh_pct = data.soh_pct
        self.capacity_wh = data.capacity_wh
        self.full_v = data.full_v
        self.dc_current_a = 0.0
        #: Injected: what its terminals are off, and what its report of the charge is off.
        self.offset_v = 0.0
        self.reported_offset_pct = 0.0
        self.max_discharge_w = data.max_discharge_w * (1.0 - 0.5 * _share(-ambient_c, 20.0))
        #: Ampere hours, so that a full pack at its mean voltage holds ``capacity_wh``.
        self._capacity_ah = data.capacity_wh * data.soh_pct / 100.0 / (0.5 * (data.empty_v + data.full_v))

    def look(self, now_ns: int) -> None:
        """The instant that the readings below are for."""
        self._now_ns = now_ns

    @property
    def soc_pct(self) -> float:
        """State of charge now, 0-100."""
        return self._soc_at(self._now_ns)

    @property
    def dc_voltage_v(self) -> float:
        """Pack voltage at the terminals now; 0 when the car is not connected."""
        if not self.connected:
            return 0.0
        return (
            self.open_circuit_v(self.soc_pct)
            - self.dc_current_a * self._resistance_ohm
            - self._rc_at(self._now_ns)
            + self.offset_v
        )

    def open_circuit_v(self, soc_pct: float) -> float:
        """Resting voltage at a state of charge."""
        return self._data.empty_v + (self._data.full_v - self._data.empty_v) * soc_pct / 100.0

    def _soc_at(self, at_ns: int) -> float:
        hours = (at_ns - self._at_ns) / 3.6e12
        return min(100.0, max(0.0, self._soc - 100.0 * self.dc_current_a * hours / self._capacity_ah))

    def _rc_at(self, at_ns: int) -> float:
        settled = self.dc_current_a * self._data.rc_ohm
        return settled + (self._rc_v - settled) * math.exp((self._at_ns - at_ns) * 1e-9 / self._data.rc_tau_s)

    def set_soc(self, at_ns: int, soc_pct: float) -> None:
        """Another charge from ``at_ns`` on: what a test needs in seconds and a night takes hours for."""
        self._rc_v = self._rc_at(at_ns)
        self._at_ns = self._now_ns = at_ns
        self._soc = soc_pct

    @property
    def reported_soc_pct(self) -> float:
        """The charge as the car reports it."""
        return min(100.0, max(0.0, self.soc_pct + self.reported_offset_pct))

    def draw(self, at_ns: int, power_w: float) -> None:
        """From ``at_ns`` the inverter takes ``power_w`` (negative = charges) at the DC terminals.

        The current is that of the terminal voltage under it: V I = P, with V = E − I R.
        """
        self._soc, self._rc_v = self._soc_at(at_ns), self._rc_at(at_ns)
        self._at_ns = self._now_ns = at_ns
        if not self.connected or power_w == 0.0:
            self.dc_current_a = 0.0
            return
        inner_v = self.open_circuit_v(self._soc) - self._rc_v + self.offset_v
        r = self._resistance_ohm
        # Beyond the most that the pack can give the two are no longer solvable: half the voltage is the limit.
        discriminant = max(0.0, inner_v * inner_v - 4.0 * r * power_w)
        self.dc_current_a = (inner_v - math.sqrt(discriminant)) / (2.0 * r)


def _share(value: float, whole: float) -> float:
    return min(1.0, max(0.0, value / whole))
