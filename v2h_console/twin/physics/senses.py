"""What is watched on the four nodes, and what follows when a threshold is crossed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.physics.half_cycle import HALF_CYCLE_NS
from v2h_console.twin.physics.node import Node
from v2h_console.twin.physics.watch import Watch, Watcher

if TYPE_CHECKING:
    from v2h_console.twin.world import World

_GOOD_PU = 0.88
_HALF_PU = 0.5
_DARK_PU = 0.05


class Senses:
    """Watches: per node the SOGI below 0.5 and 0.05 pu, and the half-cycle RMS below 0.88 pu."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._watchers: dict[str, Watcher] = {}
        self.low: dict[tuple[str, int], Watch] = {}
        self.half: dict[tuple[str, int], Watch] = {}
        self.dark: dict[tuple[str, int], Watch] = {}
        now = world.now_ns
        for (side, leg), node in world.nodes.items():
            watcher = Watcher(world.agenda, node)
            self.low[side, leg] = Watch(node.rms, _GOOD_PU, now, partial(self._on_low, side, leg))
            self.half[side, leg] = Watch(node.sogi, _HALF_PU, now, partial(self._on_half, side, leg))
            self.dark[side, leg] = Watch(node.sogi, _DARK_PU, now, partial(self._on_dark, side, leg))
            watcher.watches = [self.low[side, leg], self.half[side, leg], self.dark[side, leg]]
            self._watchers[node.name] = watcher

    def changed(self, node: Node, step_pu: float) -> None:
        """``node``'s voltage changes from now on."""
        self._watchers[node.name].changed(self._world.now_ns, step_pu)

    def below_050_ms(self) -> float:
        """The grid's worse leg, SOGI below 0.5 pu, milliseconds."""
        now = self._world.now_ns
        return max(self.half["grid", leg].below_ms(now) for leg in (0, 1))

    def below_088_ms(self) -> float:
        """The grid's worse leg, half-cycle RMS below 0.88 pu, milliseconds."""
        now = self._world.now_ns
        return max(self.low["grid", leg].below_ms(now) for leg in (0, 1))

    def good(self, side: str) -> bool:
        """Whether both legs are at 0.88 pu or above."""
        return not (self.low[side, 0].below or self.low[side, 1].below)

    def alive(self, leg: int) -> bool:
        """Whether a leg (0 or 1) of the house is at 0.5 pu or above."""
        return not self.half["house", leg].below

    def dead(self, side: str) -> bool:
        """Whether both legs are below 0.5 pu."""
        return self.half[side, 0].below and self.half[side, 1].below

    def _on_low(self, side: str, leg: int) -> None:
        world = self._world
        if self.low[side, leg].below:
            if not self.low[side, 1 - leg].below:
                world.tell(f"{side}.below_088", leg=leg + 1)
        elif self.good(side):
            if side == "house":
                world.tell("house.restored", world.now_ns - HALF_CYCLE_NS)
            else:
                world.tell("grid.above_088")
        if side == "house":
            world.react()

    def _on_half(self, side: str, leg: int) -> None:
        if side == "grid" and self.half[side, leg].below and not self.half[side, 1 - leg].below:
            self._world.tell("grid.below_050", leg=leg + 1)
        if side == "house":
            self._world.powertrain.house_half_changed()
            self._world.react()

    def _on_dark(self, side: str, leg: int) -> None:
        if self.dark[side, 1 - leg].below:
            self._world.tell(f"{side}.dark" if self.dark[side, leg].below else f"{side}.alive")
