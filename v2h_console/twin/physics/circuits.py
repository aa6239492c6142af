"""The eight circuits: switch, appliance, running and starting current."""

from __future__ import annotations

import math
from collections.abc import Callable

from v2h_console.twin.house import CircuitData

#: A starting motor is nearly a choke.
_START_POWER_FACTOR = 0.35
#: The decaying start is e^-4 at the end of its stated duration.
_START_TIME_CONSTANTS = 4.0
#: Between two looks a start fades by this share of its beginning; the shortest and longest time between them.
_START_STEP = 0.03
_LEAST_LOOK_NS = 5_000_000
_LONGEST_LOOK_NS = 50_000_000


def load_admittance(va: float, power_factor: float, volts: float) -> complex:
    """Siemens of a load that takes ``va`` at ``volts``: in-phase part minus lagging part."""
    return va / (volts * volts) * complex(power_factor, -math.sqrt(1.0 - power_factor * power_factor))


class Circuit:
    """One circuit. The appliance wants to run or not; relay and SHED contact are in series with it.

    ``energised`` = switch closed, appliance running, voltage there. Loads are constant impedances: half voltage is a
    quarter of the power. ``current_a`` is RMS per leg; ``voltage_v`` 0 when the switch is open.
    """

    def __init__(
        self, data: CircuitData, nominal_v: float, volts: Callable[[str], float], now: Callable[[], int]
    ) -> None:
        self.id = data.id
        self.name = data.name
        self.legs = data.legs
        self.running_va = data.running_va
        self.power_factor = data.power_factor
        self.inrush_multiple = data.inrush_multiple
        self.inrush_s = data.inrush_s
        self.wants_on = data.wants_on
        self.relay_closed = True
        self.shed = False
        self.stuck = False
        #: A rotor that does not turn draws its starting current for as long as it is connected.
        self.locked = False
        self.energised = False
        self.started_ns: int | None = None
        self._volts = volts
        self._now = now
        per_leg = data.running_va / self.leg_count
        self._running = load_admittance(per_leg, data.power_factor, nominal_v)
        self._start = load_admittance(
            per_leg * max(0.0, data.inrush_multiple - 1.0), _START_POWER_FACTOR, nominal_v
        )

    @property
    def leg_count(self) -> int:
        """1 on a leg to neutral, 2 across both legs."""
        return 2 if self.legs == "L12" else 1

    def on_leg(self, leg: int) -> bool:
        """Whether the circuit draws from leg 1 or 2."""
        return self.legs == "L12" or self.legs == f"L{leg}"

    @property
    def switch_closed(self) -> bool:
        """Whether the way to the appliance is closed: relay and SHED contact."""
        return self.relay_closed and not self.shed

    @property
    def connected(self) -> bool:
        """Switch closed and the appliance wants to run: it loads whatever voltage there is."""
        return self.switch_closed and self.wants_on

    def starting(self, at_ns: int) -> float:
        """What is left of the start, 1 → 0; 0 when it no longer matters."""
        if self.locked and self.inrush_multiple > 1.0:
            return 1.0
        if self.started_ns is None or self.inrush_s <= 0.0 or self.inrush_multiple <= 1.0:
            return 0.0
        times = _START_TIME_CONSTANTS * (at_ns - self.started_ns) * 1e-9 / self.inrush_s
        return math.exp(-times) if times < 2.0 * _START_TIME_CONSTANTS else 0.0

    def next_look_ns(self, at_ns: int) -> int | None:
        """When the start has faded so far that voltages change by it; ``None`` where nothing fades."""
        rest = 0.0 if self.locked else self.starting(at_ns)
        if not rest:
            return None
        if rest <= _START_STEP:
            return at_ns + _LONGEST_LOOK_NS
        seconds = -self.inrush_s / _START_TIME_CONSTANTS * math.log(1.0 - _START_STEP / rest)
        return at_ns + min(_LONGEST_LOOK_NS, max(_LEAST_LOOK_NS, round(seconds * 1e9)))

    def admittance(self, at_ns: int) -> complex:
        """Siemens on each of its legs."""
        if not self.connected:
            return 0j
        rest = self.starting(at_ns)
        return self._running + rest * self._start if rest else self._running

    @property
    def voltage_v(self) -> float:
        """RMS volts at the appliance now (leg to neutral, or across both legs)."""
        return self._volts(self.legs) if self.switch_closed else 0.0

    @property
    def current_a(self) -> float:
        """RMS amperes now."""
        return abs(self.admittance(self._now())) * self._volts(self.legs) / self.leg_count

    @property
    def power_w(self) -> float:
        """Watts now."""
        volts = self._volts(self.legs) / self.leg_count
        return self.admittance(self._now()).real * volts * volts * self.leg_count
