"""The simulated house as one steppable value: pure, deterministic, without threads, clock or sockets.

Time is integer nanoseconds. Everything that happens by itself is an appointment at an exact instant, so ``advance``
in steps of any length lives through the same truth. Readings are true values at ``now_ns``, without noise; reading
never changes anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from v2h_console.twin.house import House
from v2h_console.twin.physics import streams
from v2h_console.twin.physics.agenda import Agenda
from v2h_console.twin.physics.car import Car
from v2h_console.twin.physics.car_link import CarLink
from v2h_console.twin.physics.circuits import Circuit
from v2h_console.twin.physics.grid import GridSource
from v2h_console.twin.physics.inverter import Inverter
from v2h_console.twin.physics.mid import Mid
from v2h_console.twin.physics.network import NO_JUMP, Jump, Network
from v2h_console.twin.physics.node import Node, rms_between
from v2h_console.twin.physics.powertrain import Powertrain
from v2h_console.twin.physics.senses import Senses
from v2h_console.twin.physics.sources import Solar, Supply
from v2h_console.twin.physics.switching import Switching
from v2h_console.twin.physics.thermal import Thermal
from v2h_console.twin.physics.units import Units
from v2h_console.twin.physics.verbs import Verbs
from v2h_console.twin.truth import Truth

_MS = 1_000_000
_SECOND = 1_000_000_000
#: While a start fades or an inverter turns against the grid, the currents are solved anew this often.
_REFRESH_NS = 5 * _MS
_TWO_CYCLES_NS = 33 * _MS
#: What a zero-crossing counter takes for a step.
_STEP_PU = 0.08


class World:
    """One house. ``boot``: MID open, gates off, house dark, grid live; else tied and settled."""

    def __init__(self, house: House, seed: int = 0, start_ns: int = 0, boot: bool = True) -> None:
        self.house = house
        self.seed = seed
        self.now_ns = start_ns
        self._truth: list[Truth] = []
        #: Told of each event at its very instant, while the world stands as the event left it.
        self.witness: Callable[[Truth], None] | None = None
        self.agenda = Agenda()
        phase = streams.uniform(seed, "grid.phase", 0, (-math.pi, math.pi))
        self.grid = GridSource(house.grid, house.nominal_v, phase, start_ns)
        self.nodes: dict[tuple[str, int], Node] = {}
        for leg in (0, 1):
            source = self.grid.source(leg, start_ns)
            self.nodes["grid", leg] = Node(f"grid{leg + 1}", start_ns, source, self.grid.omega)
            self.nodes["house", leg] = Node(
                f"house{leg + 1}", start_ns, 0j if boot else source, self.grid.omega
            )
        self.mid = Mid(
            house.mid,
            seed,
            self.agenda,
            lambda: self.now_ns,
            self._pole,
            self._contact,
            self._current_zero,
            not boot,
        )
        self.inverter = Inverter(house.inverter, house.nominal_v, start_ns)
        self.car = Car(house.car, start_ns, house.thermal.ambient_c)
        self.car_link = CarLink(self)
        self.thermal = Thermal(house.thermal, start_ns)
        self.circuits = [
            Circuit(data, house.nominal_v, self._volts, lambda: self.now_ns) for data in house.circuits
        ]
        self.solar = Solar(house.solar, connected=not boot)
        self.supply = Supply(house.supply)
        self.network = Network(house, self.grid, self.inverter, self.solar, self.circuits, self.nodes)
        self.senses = Senses(self)
        self.powertrain = Powertrain(self)
        self.switching = Switching(self)
        self.units = Units(self, house, start_ns)
        self._verbs = Verbs(self)
        self._announced_poles = [not boot, not boot]
        self._phase_at_contact = 0.0
        self._backfed = [False, False]
        if not boot:
            self.inverter.gate_on = True
            self.inverter.mode = "following"
            for circuit in self.circuits:
                circuit.energised = circuit.connected
        self.react()
        if not boot:
            self.thermal.settle()
        self.agenda.put("second", start_ns + _SECOND, self._second)

    # -- time ---------------------------------------------------------------------------------------------------

    def advance(self, to_ns: int) -> None:
        """Live until ``to_ns``, everything in its order. Raises ``ValueError`` when that is in the past."""
        if to_ns < self.now_ns:
            raise ValueError(f"time does not run backwards: {to_ns} < {self.now_ns}")
        agenda = self.agenda
        while (at_ns := agenda.next_ns()) <= to_ns:
            self._move(at_ns)
            agenda.take()()
        self._move(to_ns)

    def _move(self, at_ns: int) -> None:
        self.now_ns = at_ns
        self.car.look(at_ns)
        if self.units.all:
            self.units.look(at_ns)
        self.thermal.look(at_ns)

    def look_at(self, at_ns: int) -> None:
        """Let the readings below be those of ``at_ns``, back or forth, without living through anything.

        Between two appointments every reading is a closed form of time, so this is exact up to ``next_event_ns``
        and back to the last event. Raises ``ValueError`` beyond the next event.
        """
        if at_ns > self.agenda.next_ns():
            raise ValueError(f"something happens before {at_ns}: it must be lived through")
        self._move(at_ns)

    def next_event_ns(self) -> int:
        """The next instant at which something happens by itself."""
        return self.agenda.next_ns()

    def _second(self) -> None:
        """Once a second: what changes slowly and feeds back (losses, derating, pack voltage, the supply)."""
        self.powertrain.pass_second()
        mains = not self.senses.dead("house") or not self.senses.dead("grid")
        self.supply.pass_second(mains)
        self.react()
        self.agenda.put("second", self.now_ns + _SECOND, self._second)

    # -- truth --------------------------------------------------------------------------------------------------

    def drain_truth(self) -> list[Truth]:
        """What has become true since the last call, in that order."""
        truth, self._truth = self._truth, []
        return truth

    def tell(self, truth: str, at_ns: int | None = None, **detail: float | str | bool) -> None:
        """Write down an event, now unless ``at_ns`` dates it back."""
        event = Truth(self.now_ns if at_ns is None else at_ns, truth, detail)
        self._truth.append(event)
        if self.witness is not None:
            self.witness(event)

    # -- what follows from a change -----------------------------------------------------------------------------

    def react(self, jump: Jump = NO_JUMP) -> None:
        """Something changed at ``now_ns``: modes, circuits, then voltages and currents follow."""
        now = self.now_ns
        self.powertrain.choose_mode()
        self.switching.settle()
        moves = self.network.solve(now, self.mid, self.car.max_discharge_w, jump)
        for move in moves:
            node = move.node
            if node.fades_at_ns is None:
                self.agenda.cancel(f"fade/{node.name}")
            else:
                self.agenda.put(f"fade/{node.name}", node.fades_at_ns, partial(self._faded, node))
            self.senses.changed(node, move.step_pu)
        self.units.settle()
        self.powertrain.load()
        for leg in (0, 1):
            pu = self.network.backfed[leg]
            if (pu is not None) != self._backfed[leg]:
                self._backfed[leg] = pu is not None
                if pu is not None:
                    self.tell("grid.backfed", leg=leg + 1, pu=pu)
                else:
                    self.tell("grid.not_backfed", leg=leg + 1)
        self.switching.watch_solar()
        looks = [look for circuit in self.circuits if (look := circuit.next_look_ns(now)) is not None]
        if self.network.paralleled:
            looks.append(now + _REFRESH_NS)
        if looks:
            # Counted from this solution, however it came about.
            self.agenda.put("refresh", min(looks), self.react)
        else:
            self.agenda.cancel("refresh")

    def _faded(self, node: Node) -> None:
        node.faded(self.now_ns)
        self.senses.changed(node, 0.0)

    def _contact(self, contact: str, closed: bool) -> None:
        self.tell(f"mid.{contact}_{'closed' if closed else 'opened'}")

    def _current_zero(self, pole: int) -> int:
        """The first current zero of a pole from now on: where its arc goes out. Small currents break at once."""
        leg, now = pole - 1, self.now_ns
        node, y = self.nodes["house", leg], self.network.pole[leg]
        if abs(node.analytic(now) * y) * self.house.nominal_v < 0.1:
            return now
        stride, before = _MS // 2, (node.analytic(now) * y).real
        at_ns = now
        for _ in range(20):
            after = (node.analytic(at_ns + stride) * y).real
            if before * after <= 0.0:
                low, high = at_ns, at_ns + stride
                while high - low > 1:
                    middle = (low + high) // 2
                    if (node.analytic(middle) * y).real * before > 0.0:
                        low = middle
                    else:
                        high = middle
                return high
            at_ns, before = at_ns + stride, after
        return at_ns

    def _pole(self, pole: int, conducts: bool) -> None:
        """A pole made or broke (bounces included): the voltages follow; settled changes are told."""
        if conducts and not any(self._announced_poles):
            sync = self.sync()
            self._phase_at_contact = sync[0] if sync is not None else 0.0
        announced = self._announced_poles
        if announced[pole - 1] != conducts and (conducts or not self.mid.bouncing):
            announced[pole - 1] = conducts
            self.tell(f"mid.pole_{'closed' if conducts else 'opened'}", pole=pole)
            if conducts and all(announced):
                self.tell("mid.closed", phase_deg=self._phase_at_contact)
            elif not any(announced):
                self.tell("mid.opened", operations=self.mid.operations)
        self.react()

    # -- what is done to it -------------------------------------------------------------------------------------

    def do(self, name: str, params: Mapping[str, float | str | bool]) -> None:
        """One line of a scenario, now. Raises ``ScenarioError`` (one line, with what is allowed); then nothing changed."""
        self._verbs.do(name, params)

    @property
    def car_heard(self) -> bool:
        """Whether the inverter hears from a car whose session runs."""
        return self.car_link.speaks

    @property
    def ev_silent(self) -> bool:
        """Whether the car's link is injected to be silent."""
        return "ev.silent" in self._verbs.active()

    def frozen_pu(self, side: str, leg: int) -> float:
        """What a stuck channel of ``side`` has read since it stuck, per unit."""
        return self._verbs.frozen_pu[side, leg]

    @property
    def frozen_c(self) -> float | None:
        """What a stuck temperature sensor reads; ``None`` = its rail."""
        return self._verbs.frozen_c

    def sense_drift(self, side: str) -> float:
        """The relative error of a drifting channel's gain."""
        return self._verbs.drift[side]

    def voltage_stepped(self, side: str) -> bool:
        """Whether a leg's voltage went to another size within the last two cycles."""
        now = self.now_ns
        return any(self.nodes[side, leg].stepped(now, _TWO_CYCLES_NS, _STEP_PU) for leg in (0, 1))

    def sense_fault(self, channel: str) -> str | None:
        """How a sense lies: "grid_sense" off | stuck | garbage | drift | noise, "inverter_temp" stuck, "ev" silent; None = honest."""
        return self._verbs.sense_fault(channel)

    def faults(self) -> tuple[str, ...]:
        """The faults that are injected now."""
        return self._verbs.active()

    def set_coil(self, on: bool) -> None:
        """Energise or release the MID's coil."""
        if on != self.mid.coil_on:
            self.tell("coil.on" if on else "coil.off")
            self.mid.set_coil(on)

    def set_bond(self, closed: bool) -> None:
        """The neutral-to-ground bond relay."""
        if closed != self.mid.bond_closed:
            self.mid.bond_closed = closed
            self.tell("bond.closed" if closed else "bond.opened")

    def set_gate(self, on: bool) -> None:
        """Allow the inverter to switch at all."""
        self.powertrain.set_gate(on)

    def set_form(self, on: bool) -> None:
        """Allow the inverter to make its own voltage (with the gate on)."""
        self.powertrain.set_form(on)

    def set_setpoint(self, frequency_hz: float, voltage_v: float, power_w: float, leg1_share: float) -> None:
        """What to make when forming (hertz, volts line to neutral) and to deliver when following (watts, leg 1's share)."""
        self.powertrain.set_setpoint(frequency_hz, voltage_v, power_w, leg1_share)

    def set_discharge_limit(self, power_w: float) -> None:
        """The inverter's own discharge limit, watts."""
        self.powertrain.set_discharge_limit(power_w)

    def set_solar_permit(self, permitted: bool) -> None:
        """The roof's permit to enter service: without it, it leaves at once."""
        if permitted != self.solar.permitted:
            self.solar.permitted = permitted
            self.tell("solar.permitted" if permitted else "solar.forbidden")
            self.react()

    def set_fan(self, duty_pct: int) -> None:
        """Fan duty, 0-100."""
        if duty_pct != self.thermal.fan_duty_pct:
            self.thermal.set_fan(self.now_ns, duty_pct)

    def set_shed(self, mask: int) -> None:
        """Bit n holds circuit n off."""
        self.switching.set_shed(mask)

    def set_relay(self, circuit: int, closed: bool) -> None:
        """The relay of a circuit (index from 0) at the load centre. Raises ``IndexError`` for one that is not there."""
        self.switching.set_relay(circuit, closed)

    # -- what it reads ------------------------------------------------------------------------------------------

    def amplitude_pu(self, side: str, leg: int) -> float:
        """SOGI amplitude of "grid" | "house", leg 1 | 2, per unit of the nominal peak."""
        return self.nodes[side, leg - 1].sogi(self.now_ns)

    def rms_v(self, side: str, leg: int) -> float:
        """Sliding half-cycle RMS volts, leg 1 | 2; leg 0 is L1 − L2."""
        if leg == 0:
            pu = rms_between(self.nodes[side, 0], self.nodes[side, 1], self.now_ns)
        else:
            pu = self.nodes[side, leg - 1].rms(self.now_ns)
        return pu * self.house.nominal_v

    def below_050_ms(self) -> float:
        """For how long the grid's worse leg has been below 0.5 pu (SOGI amplitude); 0 when it is not."""
        return self.senses.below_050_ms()

    def below_088_ms(self) -> float:
        """For how long the grid's worse leg has been below 0.88 pu (half-cycle RMS); 0 when it is not."""
        return self.senses.below_088_ms()

    def frequency_hz(self, side: str) -> float | None:
        """Hertz, or None on a dead side (< 0.2 pu on both legs)."""
        for leg in (1, 2):
            if self.amplitude_pu(side, leg) >= 0.2:
                return self.nodes[side, leg - 1].omega / (2.0 * math.pi)
        return None

    def sync(self) -> tuple[float, float, float] | None:
        """(phase °, slip Hz, voltage difference %), house minus grid; None unless both sides are above 0.5 pu."""
        if any(self.amplitude_pu(side, leg) <= 0.5 for side in ("grid", "house") for leg in (1, 2)):
            return None
        now, nodes = self.now_ns, self.nodes
        house = nodes["house", 0].analytic(now) - nodes["house", 1].analytic(now)
        grid = nodes["grid", 0].analytic(now) - nodes["grid", 1].analytic(now)
        ratio = house * grid.conjugate()
        if ratio == 0j:
            return None
        phase_deg = math.degrees(math.atan2(ratio.imag, ratio.real))
        slip_hz = (nodes["house", 0].omega - nodes["grid", 0].omega) / (2.0 * math.pi)
        return phase_deg, slip_hz, 50.0 * (abs(house) - abs(grid))

    def leg_currents_a(self) -> tuple[float, float, float]:
        """RMS load currents of the house: L1, L2, neutral."""
        now, network, volts = self.now_ns, self.network, self.house.nominal_v
        one, two = self.nodes["house", 0].analytic(now), self.nodes["house", 1].analytic(now)
        neutral = abs(one * network.to_neutral[0] + two * network.to_neutral[1])
        return abs(one * network.load[0]) * volts, abs(two * network.load[1]) * volts, neutral * volts

    def pole_current_a(self) -> float:
        """RMS amperes in the MID's more loaded pole."""
        now, network = self.now_ns, self.network
        return (
            max(abs(self.nodes["house", leg].analytic(now) * network.pole[leg]) for leg in (0, 1))
            * self.house.nominal_v
        )

    def _volts(self, legs: str) -> float:
        """RMS volts of the house's envelope now: "L1", "L2" or "L12" (between the legs)."""
        one, two = self.nodes["house", 0].analytic(self.now_ns), self.nodes["house", 1].analytic(self.now_ns)
        pu = abs(one - two) if legs == "L12" else abs(one if legs == "L1" else two)
        return pu * self.house.nominal_v

    def sensor_noise(self, channel: str, event: int, sigma: float) -> float:
        """One normal number for (seed, channel, event), the same however the world is stepped."""
        return streams.gaussian(self.seed, channel, event, sigma)
