"""The inverter: what it is told, what it does, its oscillator, its overload curve."""

from __future__ import annotations

import math
from itertools import pairwise

from v2h_console.twin.house import InverterData
from v2h_console.twin.physics.agenda import NEVER_NS

#: Below the continuous rating the overload counter forgets in this time.
_RECOVERY_S = 30.0
#: Just above the continuous rating it holds for ten minutes.
_BARELY_OVER_S = 600.0


class Inverter:
    """The inverter's truth.

    ``mode``: off (no car) | standby | following | forming | fault. ``fault`` is "" or why. Powers in watts, positive
    from the car to the house; ``voltage_v`` is the mean of both legs' RMS at its terminals, ``current_a`` the larger
    leg's RMS, ``limit_a`` the continuous limit of a leg.
    """

    def __init__(self, data: InverterData, nominal_v: float, at_ns: int) -> None:
        self.data = data
        self._nominal_v = nominal_v
        self.mode = "standby"
        self.gate_on = False
        self.form_on = False
        self.fault = ""
        self.rated_w = data.rated_w
        self.max_discharge_w = data.max_discharge_w
        self.power_w = self.l1_w = self.l2_w = 0.0
        self.voltage_v = 0.0
        self.frequency_hz = 0.0
        self.current_a = 0.0
        self.derate = 1.0
        self.set_frequency_hz = 60.0
        self.set_voltage_v = nominal_v
        self.set_power_w = 0.0
        self.leg1_share = 0.5
        #: Forming has passed its delay: the bridge switches.
        self.raising = False
        self.starts = 0
        self._omega = 2.0 * math.pi * 60.0
        self._phase = 0.0
        self._phase_ns = at_ns
        self._stress = 0.0
        self._stress_rate = 0.0
        self._stress_ns = at_ns

    @property
    def limit_a(self) -> float:
        """Continuous current limit of one leg now."""
        return self.leg_a(min(self.rated_w, self.max_discharge_w) * self.derate)

    def leg_a(self, power_w: float) -> float:
        """Amps of each leg at this power and the nominal voltage."""
        return power_w / 2.0 / self._nominal_v

    @property
    def peak_a(self) -> float:
        """What the bridge clamps a leg's RMS current to."""
        return self.data.surge_100ms_va / 2.0 / self._nominal_v

    @property
    def omega(self) -> float:
        """The oscillator's angular frequency."""
        return self._omega

    def phase(self, at_ns: int) -> float:
        """The oscillator's angle (leg 1) at ``at_ns``, radians."""
        return self._phase + self._omega * ((at_ns - self._phase_ns) * 1e-9)

    def remember(self, at_ns: int, phase_rad: float, omega: float) -> None:
        """Follow the house's voltage: angle and speed to go on with when it is gone."""
        self._phase, self._phase_ns, self._omega = phase_rad, at_ns, omega

    def steer(self, at_ns: int) -> None:
        """Turn at the set frequency from ``at_ns``, without a jump of the angle."""
        self.remember(
            at_ns, math.remainder(self.phase(at_ns), 2.0 * math.pi), 2.0 * math.pi * self.set_frequency_hz
        )

    def following_w(self, leg: int, car_limit_w: float) -> float:
        """What it delivers to leg 0 or 1 while following."""
        power = self.set_power_w
        if power > 0.0:
            power = min(power, self.rated_w * self.derate, self.max_discharge_w, car_limit_w)
        else:
            power = max(power, -self.rated_w * self.derate)
        share = self.leg1_share if leg == 0 else 1.0 - self.leg1_share
        return max(-self.rated_w / 2.0, min(self.rated_w / 2.0, power * share))

    def loss_w(self, heatsink_c: float) -> float:
        """Heat at the present power; warm silicon and copper lose more."""
        if self.mode not in ("following", "forming"):
            return self.data.standby_loss_w
        power = abs(self.power_w)
        cold_w = self.data.loss_a_w + self.data.loss_b * power + self.data.loss_c_per_w * power * power
        return cold_w * (1.0 + 0.004 * max(0.0, heatsink_c - 45.0))

    def derate_for(self, heatsink_c: float) -> None:
        """Set the derating that the heatsink's temperature asks for."""
        over = max(0.0, heatsink_c - self.data.derate_from_c)
        self.derate = max(0.0, 1.0 - self.data.derate_per_k * over)

    def _holds_s(self, va: float) -> float:
        """For how long a fresh inverter carries ``va``: straight lines between the points, both axes logarithmic."""
        data = self.data
        points = (
            (data.continuous_va, _BARELY_OVER_S),
            (data.surge_10s_va, 10.0),
            (data.surge_100ms_va, 0.1),
        )
        for (va_0, s_0), (va_1, s_1) in pairwise(points):
            if va <= va_1:
                share = math.log(va / va_0) / math.log(va_1 / va_0)
                return s_0 * math.exp(share * math.log(s_1 / s_0))
        return points[-1][1]

    def load(self, at_ns: int, va: float) -> int:
        """From ``at_ns`` it carries ``va`` (the larger of the total and twice the worse leg).

        Returns when its overload curve will be used up, or ``NEVER_NS``.
        """
        passed_s = (at_ns - self._stress_ns) * 1e-9
        self._stress = max(0.0, self._stress + self._stress_rate * passed_s)
        self._stress_ns = at_ns
        if va <= self.data.continuous_va:
            self._stress_rate = -1.0 / _RECOVERY_S
            return NEVER_NS
        self._stress_rate = 1.0 / self._holds_s(va)
        return at_ns + max(0, math.ceil((1.0 - self._stress) / self._stress_rate * 1e9))
