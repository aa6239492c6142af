"""Load switches, appliances' starts, and the roof inverter's leaving and coming back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.physics.streams import uniform

if TYPE_CHECKING:
    from v2h_console.twin.physics.circuits import Circuit
    from v2h_console.twin.world import World

_MS = 1_000_000
_SECOND = 1_000_000_000
#: Coil to contact of a load switch.
_CONTACTOR_MS = (6.0, 15.0)
#: Less than this into the car is no surplus: its own electronics and the sensors' error take as much.
_SURPLUS_W = 150.0


class Switching:
    """Acts on ``world.circuits`` and ``world.solar``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shed = [False] * len(world.circuits)
        self._relay = [True] * len(world.circuits)
        self._moves = 0
        self._curtailed = False
        #: The roof gives an island more than it takes, and this has been told.
        self.surplus = False

    def set_shed(self, mask: int) -> None:
        """Bit n: hold circuit n off."""
        for index in range(len(self._shed)):
            held = bool(mask >> index & 1)
            if held != self._shed[index]:
                self._shed[index] = held
                self._start_moving(index)

    def set_relay(self, index: int, closed: bool) -> None:
        """Relay of circuit ``index``."""
        if not 0 <= index < len(self._relay):
            raise IndexError(f"no circuit {index}: there are {len(self._relay)}")
        if closed != self._relay[index]:
            self._relay[index] = closed
            self._start_moving(index)

    def _start_moving(self, index: int) -> None:
        world = self._world
        self._moves += 1
        delay_ms = uniform(world.seed, f"switch.{index}", self._moves, _CONTACTOR_MS)
        world.agenda.put(
            f"switch/{index}", world.now_ns + round(delay_ms * _MS), partial(self._arrive, index)
        )

    def _arrive(self, index: int) -> None:
        circuit = self._world.circuits[index]
        if circuit.stuck:
            return
        before = circuit.switch_closed
        circuit.shed, circuit.relay_closed = self._shed[index], self._relay[index]
        if circuit.switch_closed != before:
            self._world.tell(f"circuit.switch_{'opened' if before else 'closed'}", circuit=circuit.id)
            self._world.react()

    def set_stuck(self, circuit: Circuit, stuck: bool) -> None:
        """The switch stays where it is, or goes to where it was told meanwhile."""
        circuit.stuck = stuck
        if not stuck:
            self._arrive(self._world.circuits.index(circuit))

    def settle(self) -> None:
        """Who runs now: switch closed, wanted, voltage there."""
        world = self._world
        alive = (world.senses.alive(0), world.senses.alive(1))
        for circuit in world.circuits:
            on = circuit.connected and all(alive[leg] for leg in (0, 1) if circuit.on_leg(leg + 1))
            if on != circuit.energised:
                circuit.energised = on
                circuit.started_ns = world.now_ns if on else None
                world.tell("circuit.energised" if on else "circuit.deenergised", circuit=circuit.id)
        self._settle_solar(alive)

    def _settle_solar(self, alive: tuple[bool, bool]) -> None:
        world, solar = self._world, self._world.solar
        if not all(alive) or not solar.permitted:
            world.agenda.cancel("solar/reconnect")
            if solar.connected:
                solar.connected = False
                world.tell("solar.disconnected")
        elif not solar.connected:
            if not world.senses.good("house"):
                world.agenda.cancel("solar/reconnect")
            elif not world.agenda.has("solar/reconnect"):
                at_ns = world.now_ns + round(solar.data.reconnect_s * _SECOND)
                world.agenda.put("solar/reconnect", at_ns, self._reconnect)

    def watch_solar(self) -> None:
        """Tell of a roof that begins, or ceases, to be held back by frequency, and to give an island more than it takes."""
        solar, inverter = self._world.solar, self._world.inverter
        surplus = inverter.mode == "forming" and inverter.power_w < -_SURPLUS_W
        if surplus != self.surplus:
            self.surplus = surplus
            self._world.tell("solar.surplus" if surplus else "solar.no_surplus", power_w=-inverter.power_w)
        free_w = min(solar.available_w, solar.rated_w) if solar.connected else 0.0
        curtailed = solar.power_w < 0.98 * free_w
        if curtailed != self._curtailed:
            self._curtailed = curtailed
            self._world.tell("solar.curtailed" if curtailed else "solar.free", power_w=solar.power_w)

    def _reconnect(self) -> None:
        self._world.solar.connected = True
        self._world.tell("solar.connected")
        self._world.react()
