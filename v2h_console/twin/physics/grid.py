"""The utility's source: it turns for ever, whether or not its voltage reaches the house."""

from __future__ import annotations

import cmath
import math

from v2h_console.twin.house import GridData


class GridSource:
    """Two legs, half a turn apart. ``lost`` per leg; ``level`` 1.0, or what a sag leaves."""

    def __init__(self, data: GridData, nominal_v: float, phase_rad: float, at_ns: int) -> None:
        self.data = data
        self._leg_pu = (data.leg1_v / nominal_v, data.leg2_v / nominal_v)
        self.omega = 2.0 * math.pi * data.frequency_hz
        self._phase = phase_rad
        self._at_ns = at_ns
        self.level = 1.0
        #: An open neutral moves the middle between the legs: leg 1 falls by this, leg 2 rises.
        self.neutral_shift = 0.0
        self.lost = [False, False]
        #: Motors of the house hold the dead legs up for a while.
        self.motors = [False, False]

    def phase(self, at_ns: int) -> float:
        """Angle of leg 1 at ``at_ns``, radians."""
        return self._phase + self.omega * ((at_ns - self._at_ns) * 1e-9)

    def set_phase(self, at_ns: int, phase_rad: float) -> None:
        """Turn leg 1 to ``phase_rad`` at ``at_ns``."""
        self._phase, self._at_ns = math.remainder(phase_rad, 2.0 * math.pi), at_ns

    def set_frequency(self, at_ns: int, frequency_hz: float) -> None:
        """From ``at_ns`` turn at ``frequency_hz``, without a jump of the angle."""
        self.set_phase(at_ns, self.phase(at_ns))
        self.omega = 2.0 * math.pi * frequency_hz

    def source(self, leg: int, at_ns: int) -> complex:
        """The source's phasor behind its impedance, leg 0 or 1, per unit; what is left of it when it is lost."""
        size = self._leg_pu[leg] * (self.data.lost_pu if self.lost[leg] else self.level)
        if self.neutral_shift and not self.lost[leg]:
            size += -self.neutral_shift if leg == 0 else self.neutral_shift
        return (1.0 if leg == 0 else -1.0) * size * cmath.exp(1j * self.phase(at_ns))
