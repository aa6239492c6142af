"""Who holds which node: from sources, contacts and loads to the four nodes' voltages and all currents.

Loads are constant impedances. A solve fixes where each voltage goes and with which time constant; starting currents
fade between solves, so while a motor starts the world solves again every few milliseconds.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass

from v2h_console.twin.house import House
from v2h_console.twin.physics.circuits import Circuit, load_admittance
from v2h_console.twin.physics.grid import GridSource
from v2h_console.twin.physics.inverter import Inverter
from v2h_console.twin.physics.mid import Mid
from v2h_console.twin.physics.node import Node
from v2h_console.twin.physics.sources import Generator, Solar

#: Between a forming inverter and a live grid lies its filter choke: ohms.
_COUPLING_OHM = complex(0.05, 0.3)

#: Per leg: what multiplies the voltage that the grid holds, at once.
Jump = tuple[complex, complex]
NO_JUMP: Jump = (1.0 + 0j, 1.0 + 0j)


@dataclass(frozen=True, slots=True)
class Move:
    """A node's voltage changed by ``step_pu`` (size of the phasor's change)."""

    node: Node
    step_pu: float


class Network:
    """Holds the currents of the last solve; legs are 0 and 1 here. Admittances in siemens relative to the leg's voltage."""

    def __init__(
        self,
        house: House,
        grid: GridSource,
        inverter: Inverter,
        solar: Solar,
        circuits: list[Circuit],
        nodes: dict[tuple[str, int], Node],
    ) -> None:
        self._house = house
        self._grid = grid
        self._inverter = inverter
        self._solar = solar
        self._circuits = circuits
        self._nodes = nodes
        self.generator = Generator()
        #: Somebody has closed the manual bypass: street and house are one, whatever the MID does; what then hangs on the dead
        #: street, per leg.
        self.bypassed = False
        self.dead_street_ohm = house.grid.dead_feeder_ohm
        #: The device that makes the neutral has dropped out: the legs share 240 V as their loads will have it.
        self.neutral_lost = False
        self._base = [
            load_admittance(va, house.uncontrolled_power_factor, house.nominal_v)
            for va in house.uncontrolled_va
        ]
        self.load = [0j, 0j]
        self.to_neutral = [0j, 0j]
        self.pole = [0j, 0j]
        self.apparent_va = 0.0
        self.leg_a = 0.0, 0.0
        #: Per leg: the voltage that the inverter puts on a dead feeder through a closed pole, else None.
        self.backfed: list[float | None] = [None, None]
        #: Forming against a live grid: the currents turn with the slip.
        self.paralleled = False

    def solve(self, at_ns: int, mid: Mid, car_limit_w: float, jump: Jump = NO_JUMP) -> list[Move]:
        """Set all nodes from ``at_ns`` on; returns those that changed.

        ``jump`` multiplies the voltage of whatever the grid holds, at once: a phase jump, or the step down to what
        motors hold.
        """
        self._remember(at_ns)
        inverter = self._inverter
        forming = inverter.mode == "forming" and inverter.raising
        frequency_hz = (inverter.omega if forming else self._grid.omega) / (2.0 * cmath.pi)
        self._solar.power_w = self._solar.output_w(frequency_hz)
        self._add_loads(at_ns)
        self.paralleled = False
        moves: list[Move] = []
        currents = [0j, 0j]
        for leg in (0, 1):
            pole = mid.main_closed(leg + 1)
            closed = pole or self.bypassed
            self.backfed[leg] = None
            if closed and not self._grid.lost[leg]:
                currents[leg] = self._held_by_grid(at_ns, leg, forming, car_limit_w, jump, moves)
            elif closed:
                currents[leg] = self._dead_feeder(at_ns, leg, forming, jump, moves)
            else:
                currents[leg] = self._apart(at_ns, leg, forming, jump, moves)
            if self.bypassed:
                # Two equal ways where the pole is made, one where it is not.
                self.pole[leg] *= 0.5 if pole else 0.0
        self._account(at_ns, forming, currents)
        return moves

    def embody(self, inverter: Inverter) -> None:
        """From now on ``inverter`` is the one that may hold the house."""
        self._inverter = inverter

    def add_uncontrolled(self, leg: int, va: float) -> None:
        """More (or less) of what no table lists, on leg 0 or 1."""
        added = load_admittance(abs(va), self._house.uncontrolled_power_factor, self._house.nominal_v)
        self._base[leg] += added if va >= 0.0 else -added

    def _remember(self, at_ns: int) -> None:
        """The inverter's loop follows the house while there is something to follow."""
        node = self._nodes["house", 0]
        if not (self._inverter.mode == "forming" and self._inverter.raising):
            z = node.analytic(at_ns)
            if abs(z) > 0.3:
                self._inverter.remember(at_ns, cmath.phase(z), node.omega)

    def _add_loads(self, at_ns: int) -> None:
        for leg in (0, 1):
            single = self._base[leg]
            double = 0j
            for circuit in self._circuits:
                if circuit.on_leg(leg + 1):
                    y = circuit.admittance(at_ns)
                    if circuit.leg_count == 2:
                        double += y
                    else:
                        single += y
            self.to_neutral[leg] = single
            self.load[leg] = single + double

    def _solar_siemens(self) -> float:
        return self._solar.power_w / 2.0 / self._house.nominal_v**2

    def _set(
        self,
        at_ns: int,
        node: Node,
        steady: complex,
        omega: float,
        tau_s: float,
        start: complex,
        moves: list[Move],
    ) -> None:
        old = node.analytic(at_ns)
        if node.go(at_ns, steady, omega, tau_s, start):
            moves.append(Move(node, max(abs(steady - old), abs(start - old))))

    def _held_by_grid(
        self, at_ns: int, leg: int, forming: bool, car_limit_w: float, jump: Jump, moves: list[Move]
    ) -> complex:
        """The grid holds both sides. Returns the inverter's current phasor over the voltage's (siemens)."""
        inverter, volts = self._inverter, self._house.nominal_v
        source = self._grid.source(leg, at_ns)
        given = 0j
        if forming:
            self.paralleled = True
            own = self._own_voltage(leg, at_ns)
            given = (own / source - 1.0) / _COUPLING_OHM if abs(source) > 0.05 else 0j
            amperes = abs(given * source) * volts
            if amperes > inverter.peak_a:
                given *= inverter.peak_a / amperes
        elif inverter.mode == "following" and abs(source) > 0.05:
            given = complex(inverter.following_w(leg, car_limit_w) / (abs(source) * volts) ** 2)
        drawn = self.load[leg] - self._solar_siemens() - given
        steady = source / (1.0 + self._grid.data.source_ohm * drawn)
        grid, house = self._nodes["grid", leg], self._nodes["house", leg]
        start = grid.analytic(at_ns) * jump[leg]
        tau_s = self._grid.data.change_ms * 1e-3
        self._set(at_ns, grid, steady, self._grid.omega, tau_s, start, moves)
        self._set(at_ns, house, steady, self._grid.omega, tau_s, start, moves)
        self.pole[leg] = drawn
        return given

    def _dead_feeder(self, at_ns: int, leg: int, forming: bool, jump: Jump, moves: list[Move]) -> complex:
        """The pole is closed and the utility is gone: the house and the dead feeder are one."""
        data = self._grid.data
        grid, house = self._nodes["grid", leg], self._nodes["house", leg]
        if forming:
            feeder = complex(1.0 / self.dead_street_ohm)
            drawn = self.load[leg] - self._solar_siemens() + feeder
            steady = self._limited(self._own_voltage(leg, at_ns), drawn)
            start = house.analytic(at_ns)
            tau_s, omega = self._inverter.data.ramp_tau_ms * 1e-3, self._inverter.omega
            self.pole[leg] = feeder
            self.backfed[leg] = abs(steady)
            given = drawn
        else:
            steady = self._grid.source(leg, at_ns)
            start = grid.analytic(at_ns) * jump[leg]
            tau_s = (data.backfeed_decay_ms if self._grid.motors[leg] else data.collapse_ms) * 1e-3
            omega = self._grid.omega
            self.pole[leg] = self.load[leg]
            given = 0j
        self._set(at_ns, grid, steady, omega, tau_s, start, moves)
        self._set(at_ns, house, steady, omega, tau_s, start, moves)
        return given

    def _apart(self, at_ns: int, leg: int, forming: bool, jump: Jump, moves: list[Move]) -> complex:
        """The pole is open: each side has its own voltage."""
        data = self._grid.data
        grid, house = self._nodes["grid", leg], self._nodes["house", leg]
        tau_s = (data.collapse_ms if self._grid.lost[leg] else data.change_ms) * 1e-3
        start = grid.analytic(at_ns) * jump[leg]
        self._set(at_ns, grid, self._grid.source(leg, at_ns), self._grid.omega, tau_s, start, moves)
        self.pole[leg] = 0j
        start = house.analytic(at_ns)
        if forming:
            drawn = self.load[leg] - self._solar_siemens()
            steady = self._limited(self._own_voltage(leg, at_ns), drawn)
            if self.neutral_lost:
                steady *= self._wandered(leg)
            self._set(
                at_ns,
                house,
                steady,
                self._inverter.omega,
                self._inverter.data.ramp_tau_ms * 1e-3,
                start,
                moves,
            )
            return drawn
        if self.generator.running:
            size = self.generator.voltage_pu * (1.0 if leg == 0 else -1.0)
            omega = 2.0 * cmath.pi * self.generator.frequency_hz
            turned = cmath.exp(1j * (omega * at_ns * 1e-9))
            self._set(at_ns, house, size * turned, omega, data.change_ms * 1e-3, start, moves)
            return 0j
        tau_s = (data.backfeed_decay_ms if self._grid.motors[leg] else self._house.decay_ms) * 1e-3
        self._set(at_ns, house, 0j, house.omega, tau_s, start, moves)
        return 0j

    def _wandered(self, leg: int) -> float:
        """What a leg gets of its half when nothing holds the neutral: the lighter loaded leg gets more."""
        one, two = abs(self.to_neutral[0]), abs(self.to_neutral[1])
        return 2.0 * (two if leg == 0 else one) / (one + two) if one + two > 0.0 else 1.0

    def _own_voltage(self, leg: int, at_ns: int) -> complex:
        """What a forming inverter makes on the leg, before its drop."""
        size = self._inverter.set_voltage_v / self._house.nominal_v * (1.0 if leg == 0 else -1.0)
        return size * cmath.exp(1j * self._inverter.phase(at_ns))

    def _limited(self, own: complex, drawn: complex) -> complex:
        """Terminal voltage under a load: the output resistance's drop, and no more current than the bridge gives."""
        steady = own / (1.0 + self._inverter.data.output_ohm * drawn)
        amperes = abs(steady * drawn) * self._house.nominal_v
        return steady * (self._inverter.peak_a / amperes) if amperes > self._inverter.peak_a else steady

    def _account(self, at_ns: int, forming: bool, given: list[complex]) -> None:
        """Power, current and loading of the inverter at where the voltages go."""
        inverter, nominal = self._inverter, self._house.nominal_v
        volts = [abs(self._nodes["house", leg].steady(at_ns)) * nominal for leg in (0, 1)]
        active = forming or inverter.mode == "following"
        amperes = [abs(given[leg]) * volts[leg] if active else 0.0 for leg in (0, 1)]
        watts = [given[leg].real * volts[leg] ** 2 if active else 0.0 for leg in (0, 1)]
        inverter.l1_w, inverter.l2_w = watts
        inverter.power_w = watts[0] + watts[1]
        inverter.current_a = max(amperes)
        inverter.voltage_v = (volts[0] + volts[1]) / 2.0
        inverter.frequency_hz = (
            self._nodes["house", 0].omega / (2.0 * cmath.pi) if max(volts) > 0.2 * nominal else 0.0
        )
        self.leg_a = amperes[0], amperes[1]
        apparent = [amperes[leg] * volts[leg] for leg in (0, 1)]
        # A bridge that clamps is at its limit whatever is left of the voltage: it is the current that heats it.
        clamped = max(amperes) * nominal
        self.apparent_va = max(sum(apparent), 2.0 * clamped)
