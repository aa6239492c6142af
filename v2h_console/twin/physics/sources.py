"""The two small sources: the roof's own inverter and the controller's supply."""

from __future__ import annotations

from v2h_console.twin.house import SolarData, SupplyData


class Solar:
    """``power_w`` now; ``connected`` false while it waits after a loss of the house's voltage."""

    def __init__(self, data: SolarData, connected: bool) -> None:
        self.data = data
        self.rated_w = data.rated_w
        self.available_w = data.available_w
        self.connected = connected
        #: Without its permit to enter service it stays away.
        self.permitted = True
        #: Injected: it does not care for the frequency.
        self.stubborn = False
        self.power_w = 0.0

    def output_w(self, frequency_hz: float) -> float:
        """What it gives at this frequency: less from 60.5 Hz up, nothing at 61 (frequency-watt droop)."""
        if not self.connected:
            return 0.0
        if self.stubborn:
            return min(self.available_w, self.rated_w)
        span = self.data.curtail_to_hz - self.data.curtail_from_hz
        keep = min(1.0, max(0.0, (self.data.curtail_to_hz - frequency_hz) / span))
        return min(self.available_w, self.rated_w) * keep


class Generator:
    """Somebody's generator, plugged into a socket: it holds both legs of a house that nobody else holds."""

    def __init__(self) -> None:
        self.running = False
        self.voltage_pu = 0.98
        self.frequency_hz = 60.7


class Supply:
    """The controller's 24 V: from the house's mains, else from its battery, which lasts ``hold_up_min``."""

    #: Below this the controller's own electronics give up.
    DEAD_V = 18.0

    def __init__(self, data: SupplyData) -> None:
        self._data = data
        self.voltage_v = data.voltage_v
        self.hold_up_min = data.hold_up_min
        #: Injected: what a failing supply gives whatever the house has.
        self.forced_v: float | None = None

    @property
    def dead(self) -> bool:
        """Too little for the controller to live on."""
        return self.voltage_v < self.DEAD_V

    def force(self, volts: float | None) -> None:
        """A failing supply gives ``volts`` from now on; ``None`` = it is repaired."""
        self.forced_v = volts
        self.voltage_v = self._data.voltage_v if volts is None else volts

    def pass_second(self, mains: bool) -> None:
        """One second goes by with or without mains; the battery charges ten times slower than it empties."""
        if mains:
            self.voltage_v = self._data.voltage_v
            self.hold_up_min = min(self._data.hold_up_min, self.hold_up_min + 0.1 / 60.0)
        else:
            self.hold_up_min = max(0.0, self.hold_up_min - 1.0 / 60.0)
            self.voltage_v = self._data.on_battery_v if self.hold_up_min > 0.0 else 0.0
        if self.forced_v is not None:
            self.voltage_v = self.forced_v
