"""The inverter's heatsink and its fan, exact for a constant loss."""

from __future__ import annotations

import math

from v2h_console.twin.house import ThermalData


class Thermal:
    """C dT/dt = loss − (T − Ta) / R, with R between still air and the fan at full speed."""

    def __init__(self, data: ThermalData, at_ns: int) -> None:
        self._data = data
        self._at_ns = at_ns
        self._now_ns = at_ns
        self.ambient_c = data.ambient_c
        self.fan_duty_pct = 0
        self.fan_dead = False
        #: Injected: the tachometer reads what was asked for.
        self.tachometer_lies = False
        self._heatsink_c = data.ambient_c
        self._rpm = 0.0
        self._loss_w = 0.0

    def look(self, now_ns: int) -> None:
        """The instant that the readings below are for."""
        self._now_ns = now_ns

    @property
    def heatsink_c(self) -> float:
        """Heatsink temperature now."""
        return self._heatsink_at(self._now_ns)

    @property
    def fan_rpm(self) -> float:
        """Fan speed now, as its tachometer says."""
        if self.tachometer_lies:
            return self._data.fan_max_rpm * self.fan_duty_pct / 100.0
        return self._rpm_at(self._now_ns)

    def _target_rpm(self) -> float:
        return 0.0 if self.fan_dead else self._data.fan_max_rpm * self.fan_duty_pct / 100.0

    def _rpm_at(self, at_ns: int) -> float:
        target = self._target_rpm()
        return target + (self._rpm - target) * math.exp((self._at_ns - at_ns) * 1e-9 / self._data.fan_tau_s)

    def _conductance(self) -> float:
        """Watts per kelvin at the speed of the last anchor: the world anchors once a second, the sink takes minutes."""
        still, blown = 1.0 / self._data.still_k_per_w, 1.0 / self._data.fan_k_per_w
        return still + (blown - still) * self._rpm / self._data.fan_max_rpm

    def _heatsink_at(self, at_ns: int) -> float:
        g = self._conductance()
        settled = self.ambient_c + self._loss_w / g
        tau_s = self._data.capacity_j_per_k / g
        return settled + (self._heatsink_c - settled) * math.exp((self._at_ns - at_ns) * 1e-9 / tau_s)

    def anchor(self, at_ns: int, loss_w: float | None = None) -> None:
        """Fix temperature and speed at ``at_ns`` and go on from there, with a new loss where one is given."""
        self._heatsink_c, self._rpm = self._heatsink_at(at_ns), self._rpm_at(at_ns)
        self._at_ns = self._now_ns = at_ns
        if loss_w is not None:
            self._loss_w = loss_w

    def set_fan(self, at_ns: int, duty_pct: int) -> None:
        """Fan duty from ``at_ns`` on, 0-100."""
        self.anchor(at_ns)
        self.fan_duty_pct = min(100, max(0, duty_pct))

    def set_dead(self, at_ns: int, dead: bool, *, lies: bool = False) -> None:
        """The fan stops turning, or turns again; ``lies``: its tachometer says nothing of it."""
        self.anchor(at_ns)
        self.fan_dead, self.tachometer_lies = dead, dead and lies

    def settle(self) -> None:
        """Take the temperature that this loss and speed end at."""
        self._heatsink_c = self.ambient_c + self._loss_w / self._conductance()
