"""More than one inverter: each with its own car, phase and share; one of them is embodied by ``world.inverter``.

The embodied unit (the primary) makes or follows the house's voltage with all its physics. The others are followers:
they turn into phase while they stand by, share the primary's current once their gate is on, and feel the current that
circulates when they are not in phase. Angles are closed forms of the time, so that stepping does not change them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from v2h_console.twin.house import House, UnitData
from v2h_console.twin.physics.car import MARGIN, PATIENCE_NS, Car
from v2h_console.twin.physics.inverter import Inverter
from v2h_console.twin.physics.streams import uniform

if TYPE_CHECKING:
    from v2h_console.twin.world import World

_MS = 1_000_000
#: A follower's loop turns its oscillator towards the house with this time constant.
_LOCK_TAU_S = 0.4
#: Between two inverters lie their filter chokes: ohms.
_CHOKE_OHM = 0.6
#: A follower bears this much circulating current for this long.
_CIRCULATING_A = 40.0
_CIRCULATING_NS = 200 * _MS


class Unit:
    """One inverter's truth beside the embodied one. ``phase_off_deg``: injected, what its loop is wrong by."""

    def __init__(self, index: int, data: UnitData, inverter: Inverter, car: Car) -> None:
        self.index = index
        self.data = data
        self.inverter = inverter
        self.car = car
        self.gate_on = False
        self.silent = False
        self.fault = ""
        self.share_w = 0.0
        self.phase_off_deg = 0.0
        self._start_deg = 0.0
        self._locked_ns: int | None = None

    def lock(self, at_ns: int, start_deg: float) -> None:
        """The house has a voltage to follow from ``at_ns`` on, ``start_deg`` away."""
        self._locked_ns, self._start_deg = at_ns, start_deg

    def unlock(self) -> None:
        """Nothing to follow."""
        self._locked_ns = None

    @property
    def limit_a(self) -> float:
        """What it says that a leg may give: its own, or what its car allows."""
        return min(self.inverter.limit_a, self.inverter.leg_a(self.car.max_discharge_w))

    @property
    def follows(self) -> bool:
        """Whether it has something to turn towards."""
        return self._locked_ns is not None

    def phase_deg(self, at_ns: int) -> float | None:
        """Its angle against the house's bus; ``None`` without a bus."""
        if self._locked_ns is None:
            return None
        gone_s = (at_ns - self._locked_ns) * 1e-9
        return self._start_deg * math.exp(-gone_s / _LOCK_TAU_S) + self.phase_off_deg

    def slip_hz(self, at_ns: int) -> float | None:
        """How fast that angle turns."""
        if self._locked_ns is None:
            return None
        gone_s = (at_ns - self._locked_ns) * 1e-9
        return -self._start_deg * math.exp(-gone_s / _LOCK_TAU_S) / _LOCK_TAU_S / 360.0

    def circulating_a(self, at_ns: int, volts: float) -> float:
        """What flows between it and the others for nothing."""
        phase = self.phase_deg(at_ns)
        if not self.gate_on or self.fault or phase is None:
            return 0.0
        return 2.0 * volts * abs(math.sin(math.radians(phase) / 2.0)) / _CHOKE_OHM


class Units:
    """All inverters of a house that has several; empty ``all`` where there is one. Acts on ``world``."""

    def __init__(self, world: World, house: House, at_ns: int) -> None:
        self._world = world
        self.primary = 0
        self.all: list[Unit] = []
        self._locks = 0
        if not house.units:
            return
        first = UnitData("Inverter", house.car)
        self.all.append(Unit(0, first, world.inverter, world.car))
        for index, data in enumerate(house.units, 1):
            inverter = Inverter(house.inverter, house.nominal_v, at_ns)
            self.all.append(Unit(index, data, inverter, Car(data.car, at_ns, house.thermal.ambient_c)))

    def followers(self) -> list[Unit]:
        """All but the embodied one."""
        return [unit for unit in self.all if unit.index != self.primary]

    # -- commands -----------------------------------------------------------------------------------------------

    def command(self, gate: bool, mask: int, primary: int) -> None:
        """Gates by ``mask`` (bit = index); another primary only while every gate is off."""
        if not self.all:
            return
        anybody = self._world.inverter.gate_on or any(unit.gate_on for unit in self.all)
        if primary != self.primary and primary < len(self.all) and not anybody:
            self._embody(primary)
        for unit in self.followers():
            on = gate and bool(mask >> unit.index & 1)
            if on != unit.gate_on:
                unit.gate_on = on
                phase = unit.phase_deg(self._world.now_ns)
                name = "unit.gate_on" if on else "unit.gate_off"
                # Without a bus there is no angle: nothing that a follower could be right about.
                self._world.tell(name, unit=unit.index + 1, phase_deg="none" if phase is None else phase)
                self._world.react()

    def gate_for(self, gate: bool, mask: int) -> bool:
        """The embodied unit's own gate."""
        return gate and bool(mask >> self.primary & 1)

    def _embody(self, index: int) -> None:
        world = self._world
        world.agenda.cancel_all("inverter/")
        old, new = self.all[self.primary], self.all[index]
        old.fault, old.gate_on = old.inverter.fault, False
        world.car.draw(world.now_ns, 0.0)
        new.inverter.remember(world.now_ns, world.inverter.phase(world.now_ns), world.inverter.omega)
        new.inverter.set_frequency_hz = world.inverter.set_frequency_hz
        new.inverter.set_voltage_v = world.inverter.set_voltage_v
        world.inverter, world.car, self.primary = new.inverter, new.car, index
        new.inverter.fault = new.fault
        new.car.look(world.now_ns)
        world.network.embody(new.inverter)
        world.powertrain.held_tripped = new.silent
        world.tell("unit.primary", unit=index + 1)
        world.react()

    # -- faults -------------------------------------------------------------------------------------------------

    def lose_primary(self) -> None:
        """The unit that makes the frequency dies, and its link with it."""
        unit = self.all[self.primary]
        unit.silent = True
        self._world.tell("unit.silent", unit=unit.index + 1)
        self._world.powertrain.held_tripped = True
        self._world.powertrain.trip("dead")

    def revive(self) -> None:
        """Every dead unit lives again."""
        for unit in self.all:
            if unit.silent:
                unit.silent, unit.fault, unit.inverter.fault = False, "", ""
                if unit.index == self.primary:
                    self._world.powertrain.held_tripped = False
                self._world.tell("unit.heard", unit=unit.index + 1)
        self._world.react()

    # -- what follows -------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """After a solve: who follows what, who shares how much, who feels a current that only circulates."""
        if not self.all:
            return
        world = self._world
        now = world.now_ns
        alive = world.senses.good("house")
        sharing = [unit for unit in self.followers() if unit.gate_on and not unit.fault and not unit.silent]
        forming = world.inverter.mode == "forming"
        total_w = world.inverter.power_w
        for unit in self.followers():
            if alive and not unit.follows:
                self._locks += 1
                unit.lock(now, uniform(world.seed, f"unit.{unit.index}", self._locks, (-170.0, 170.0)))
            elif not alive:
                unit.unlock()
            share_w = total_w / (1 + len(sharing)) if forming and alive and unit in sharing else 0.0
            if share_w != unit.share_w:
                unit.share_w = share_w
                unit.car.draw(now, share_w)
                self._overdraw(unit)
            self._feel(unit)
        if sharing and forming:
            world.inverter.power_w = total_w - sum(unit.share_w for unit in sharing)
            world.inverter.l1_w *= world.inverter.power_w / total_w if total_w else 1.0
            world.inverter.l2_w *= world.inverter.power_w / total_w if total_w else 1.0
            world.inverter.current_a /= 1 + len(sharing)
            world.network.apparent_va /= 1 + len(sharing)

    def _overdraw(self, unit: Unit) -> None:
        """A car that is drawn beyond its limit ends its session, the first one like the others."""
        world, name = self._world, f"unit{unit.index}/overdrawn"
        if unit.share_w <= MARGIN * unit.car.max_discharge_w:
            world.agenda.cancel(name)
        elif not world.agenda.has(name):

            def stop() -> None:
                unit.car.connected = False
                unit.fault, unit.gate_on = "dc_undervoltage", False
                world.tell("car.stopped", reason="overdrawn", unit=unit.index + 1)
                world.react()

            world.agenda.put(name, world.now_ns + PATIENCE_NS, stop)

    def _feel(self, unit: Unit) -> None:
        world, name = self._world, f"unit{unit.index}/circulating"
        if unit.circulating_a(world.now_ns, world.house.nominal_v) <= _CIRCULATING_A:
            world.agenda.cancel(name)
        elif not world.agenda.has(name):

            def trip() -> None:
                if unit.circulating_a(world.now_ns, world.house.nominal_v) <= _CIRCULATING_A:
                    return
                unit.fault, unit.gate_on = "circulating current", False
                world.tell("unit.tripped", unit=unit.index + 1)
                world.react()

            world.agenda.put(name, world.now_ns + _CIRCULATING_NS, trip)

    def look(self, now_ns: int) -> None:
        """The instant that the cars are read for."""
        for unit in self.all:
            unit.car.look(now_ns)

    def mode(self, unit: Unit) -> str:
        """What a unit says that it does."""
        if unit.index == self.primary:
            return self._world.inverter.mode
        if unit.fault:
            return "fault"
        return "following" if unit.gate_on and unit.follows else "standby"
