"""The ``do`` lines, carried out: what happens to the house, and the faults that can be injected."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.physics import car_faults, house_faults, mid_faults
from v2h_console.twin.physics.house_faults import circuit_of, nothing
from v2h_console.twin.vocabulary import SITE_FAULTS, WORLD_VERBS, Params, ScenarioError, check

if TYPE_CHECKING:
    from v2h_console.twin.world import World

_SECOND = 1_000_000_000
_DRIFT_PCT = 5.0
#: How long a balance holds before the inverter's detection finds it (IEEE 1547 allows 2 s), and how long after that
#: the voltage takes to fall.
_BALANCED_S = 0.8
_COLLAPSE_NS = 20_000_000


class Verbs:
    """One method a verb; parameters come checked, absent ones at their default."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: What undoes each fault that is injected now.
        self._undo: dict[str, Callable[[], None]] = {}
        self._does: dict[str, Callable[[Params], None]] = {
            "grid.loss": self._grid_loss,
            "grid.return": self._grid_return,
            "grid.sag": self._grid_sag,
            "grid.phase_jump": self._grid_phase_jump,
            "grid.frequency": self._grid_frequency,
            "load.on": partial(self._load, True),
            "load.off": partial(self._load, False),
            "fault.inject": self._inject,
            "fault.clear": self._clear,
            "ev.plug": partial(self._plug, True),
            "ev.unplug": partial(self._plug, False),
            "ev.limit": self._ev_limit,
            "pv.power": self._pv_power,
            "generator.on": partial(self._generator, True),
            "generator.off": partial(self._generator, False),
            "bypass.close": partial(self._bypass, True),
            "bypass.open": partial(self._bypass, False),
        }
        self._faults: dict[str, Callable[[Params], Callable[[], None]]] = {
            "inverter_temp.stuck": self._temperature_stuck,
            "grid_sense.stuck": self._sense_stuck,
            "grid_sense.drift": self._sense_drift,
            "grid.balanced_island": self._balanced_island,
            **mid_faults.of(world),
            **house_faults.of(world),
            **car_faults.of(world),
        }

    #: The heatsink's temperature at which its sensor stands still; ``None`` = a stuck one reads its rail.
    frozen_c: float | None = None
    #: What a stuck channel reads, and by how much a drifting one is off.
    frozen_pu: Mapping[tuple[str, int], float] = {}
    drift: Mapping[str, float] = {}

    def do(self, name: str, params: Mapping[str, object]) -> None:
        """Carry out ``name``. Raises ``ScenarioError`` and changes nothing when it is not right."""
        checked = check(name, params, WORLD_VERBS)
        if "load" in checked:
            circuit_of(self._world, checked)
        self._does[name](checked)

    def active(self) -> tuple[str, ...]:
        """The faults injected now, in the order of their injection."""
        return tuple(self._undo)

    def sense_fault(self, channel: str) -> str | None:
        """The failure word of an injected fault whose subject is ``channel``; of two the later one's."""
        for fault in reversed(self._undo):
            subject, word = fault.split(".")
            if subject == channel:
                return word
        return None

    # -- the grid -----------------------------------------------------------------------------------------------

    def _grid_loss(self, params: Params) -> None:
        world, grid = self._world, self._world.grid
        leg = int(params.get("leg", 0))
        backfeed = bool(params.get("backfeed", False))
        legs = [index for index in (0, 1) if leg in (0, index + 1) and not grid.lost[index]]
        if not legs:
            return
        factor = [1.0 + 0j, 1.0 + 0j]
        for index in legs:
            grid.lost[index] = True
            grid.motors[index] = backfeed and world.mid.main_closed(index + 1)
            if grid.motors[index]:
                size = abs(world.nodes["house", index].analytic(world.now_ns))
                factor[index] = complex(min(1.0, grid.data.backfeed_pu / size)) if size > 0.0 else 1.0 + 0j
        world.tell("grid.lost", leg=int(leg) or "both", backfeed=backfeed)
        world.react((factor[0], factor[1]))

    def _grid_return(self, params: Params) -> None:
        world, grid = self._world, self._world.grid
        now = world.now_ns
        if not any(grid.lost) and grid.level == 1.0:
            return
        if params.get("in_phase", False):
            house = world.nodes["house", 0].analytic(now)
            alive = abs(house) > 0.05
            grid.set_phase(now, cmath.phase(house) if alive else world.inverter.phase(now))
        grid.lost = [False, False]
        grid.motors = [False, False]
        grid.level = 1.0
        world.agenda.cancel("grid/sag_end")
        world.tell("grid.returned")
        world.react()

    def _grid_sag(self, params: Params) -> None:
        world = self._world
        level = float(params["pu"])
        world.grid.level = level
        world.tell("grid.sagged", pu=level)
        if "for_s" in params:
            at_ns = world.now_ns + round(float(params["for_s"]) * _SECOND)
            world.agenda.put("grid/sag_end", at_ns, self._sag_end)
        else:
            world.agenda.cancel("grid/sag_end")
        world.react()

    def _sag_end(self) -> None:
        self._world.grid.level = 1.0
        self._world.tell("grid.recovered")
        self._world.react()

    def _grid_phase_jump(self, params: Params) -> None:
        world = self._world
        angle = math.radians(float(params["deg"]))
        world.grid.set_phase(world.now_ns, world.grid.phase(world.now_ns) + angle)
        world.tell("grid.phase_jumped", deg=float(params["deg"]))
        turn = cmath.exp(1j * angle)
        world.react((turn, turn))

    def _grid_frequency(self, params: Params) -> None:
        world = self._world
        world.grid.set_frequency(world.now_ns, float(params["hz"]))
        world.tell("grid.frequency", hz=float(params["hz"]))
        world.react()

    # -- loads, car, roof ---------------------------------------------------------------------------------------

    def _load(self, on: bool, params: Params) -> None:
        circuit = circuit_of(self._world, params)
        if circuit.wants_on != on:
            circuit.wants_on = on
            self._world.tell("load.on" if on else "load.off", circuit=circuit.id)
            self._world.react()

    def _plug(self, connected: bool, _params: Params) -> None:
        link = self._world.car_link
        if connected:
            link.plug()
        else:
            link.unplug()

    def _ev_limit(self, params: Params) -> None:
        self._world.car.max_discharge_w = 1_000.0 * float(params["kw"])
        self._world.tell("car.limit", power_w=self._world.car.max_discharge_w)
        self._world.react()

    def _pv_power(self, params: Params) -> None:
        self._world.solar.available_w = 1_000.0 * float(params["kw"])
        self._world.tell("solar.available", power_w=self._world.solar.available_w)
        self._world.react()

    def _generator(self, running: bool, _params: Params) -> None:
        generator = self._world.network.generator
        if generator.running != running:
            generator.running = running
            self._world.tell("generator.on" if running else "generator.off")
            self._world.react()

    def _bypass(self, closed: bool, params: Params) -> None:
        network = self._world.network
        if network.bypassed != closed:
            network.bypassed = closed
            network.dead_street_ohm = float(params.get("street_ohm", self._world.house.grid.dead_feeder_ohm))
            self._world.tell("bypass.closed" if closed else "bypass.opened")
            self._world.react()

    # -- faults -------------------------------------------------------------------------------------------------

    def _inject(self, params: Params) -> None:
        fault = str(params["fault"])
        if fault in SITE_FAULTS:
            raise ScenarioError(f"fault.inject: {fault} is a fault of the site, not of the house alone")
        if fault in self._undo:
            raise ScenarioError(f"fault.inject: {fault} is injected already: clear it first")
        detail = {key: value for key, value in params.items() if key != "fault"}
        begin = self._faults.get(fault)
        # The senses' faults change no physics: whoever reads the sense asks `sense_fault`.
        self._undo[fault] = nothing
        self._world.tell("fault.injected", None, fault=fault, **detail)
        if begin is not None:
            self._undo[fault] = begin(params)

    def _clear(self, params: Params) -> None:
        fault = str(params["fault"])
        if fault not in self._undo:
            injected = ", ".join(self._undo) or "none"
            raise ScenarioError(f"fault.clear: {fault} is not injected: injected are {injected}")
        undo = self._undo.pop(fault)
        self._world.tell("fault.cleared", fault=fault)
        undo()

    def _sense_stuck(self, _params: Params) -> Callable[[], None]:
        world = self._world
        self.frozen_pu = {("grid", leg): world.amplitude_pu("grid", leg) for leg in (1, 2)}
        return nothing

    def _sense_drift(self, params: Params) -> Callable[[], None]:
        self.drift = {"grid": float(params.get("pct", _DRIFT_PCT)) / 100.0}
        return nothing

    def _balanced_island(self, params: Params) -> Callable[[], None]:
        """The street is gone, but the discharge matches the load and holds the voltage up until the inverter's own
        islanding detection has pushed it over."""
        world = self._world
        found_ns = world.now_ns + round(float(params.get("for_s", _BALANCED_S)) * _SECOND)
        world.agenda.put("grid/balance_ends", found_ns, self._balance_ends)

        def undo() -> None:
            world.agenda.cancel("grid/balance_ends")

        return undo

    def _balance_ends(self) -> None:
        world = self._world
        world.powertrain.give_up()
        world.agenda.put("grid/collapse", world.now_ns + _COLLAPSE_NS, lambda: self._grid_loss({}))

    def _temperature_stuck(self, params: Params) -> Callable[[], None]:
        self.frozen_c = self._world.thermal.heatsink_c if params.get("reads") == "last" else None
        return nothing
