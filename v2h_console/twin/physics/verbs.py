"""The ``do`` lines, carried out: what happens to the house, and the faults that can be injected."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.physics import car_faults
from v2h_console.twin.vocabulary import SITE_FAULTS, WORLD_VERBS, Params, ScenarioError, check

if TYPE_CHECKING:
    from v2h_console.twin.physics.circuits import Circuit
    from v2h_console.twin.world import World

_SECOND = 1_000_000_000
_SLOW_MS = 140.0
_CHATTER_MS = 25.0
_DRIFT_PCT = 5.0
_NEUTRAL_SHIFT_PU = 0.2
#: How long a balance holds before the inverter's detection finds it (IEEE 1547 allows 2 s), and how long after that
#: the voltage takes to fall.
_BALANCED_S = 0.8
_COLLAPSE_NS = 20_000_000
_UNCONTROLLED_VA = 3_000.0
_DC_STEP_V = 70.0
_LOW_SOC_PCT = 20.4
_SOC_JUMP_PCT = 12.0
_LOW_SUPPLY_V = 20.5
_FULL_PCT = 98.5
_PHASE_ERROR_DEG = 25.0
_SURPLUS_KW = 4.5


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
        }
        self._faults: dict[str, Callable[[Params], Callable[[], None]]] = {
            "mid.welded": self._welded,
            "mid.slow": self._slow,
            "mid.fails_to_close": self._fails_to_close,
            "mid.aux_wrong": self._aux_wrong,
            "mid.chatter": self._chatter,
            "mid.uncommanded_close": self._uncommanded_close,
            "fan.dead": self._fan_dead,
            "inverter_temp.stuck": self._temperature_stuck,
            "inverter.trips": self._inverter_trips,
            "inverter.wont_form": self._wont_form,
            "grid_sense.stuck": self._sense_stuck,
            "grid_sense.drift": self._sense_drift,
            "house.open_neutral": self._open_neutral,
            "grid.balanced_island": self._balanced_island,
            "load.switch_stuck": self._switch_stuck,
            "load.locked_rotor": self._locked_rotor,
            "load.uncontrolled": self._uncontrolled,
            "dc_bus.out_of_range": self._dc_out_of_range,
            "ev.soc_low": self._soc_low,
            "ev.soc_jumps": self._soc_jumps,
            "aux_supply.low": self._supply_low,
            "pv.surplus": self._pv_surplus,
            "parallel.primary_lost": self._primary_lost,
            "parallel.phase_error": self._phase_error,
            "neutral_former.trips": self._neutral_former_trips,
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
            self._circuit(checked)
        self._does[name](checked)

    def active(self) -> tuple[str, ...]:
        """The faults injected now, in the order of their injection."""
        return tuple(self._undo)

    def sense_fault(self, channel: str) -> str | None:
        """The failure word of an injected fault whose subject is ``channel``."""
        for fault in self._undo:
            subject, word = fault.split(".")
            if subject == channel:
                return word
        return None

    def _circuit(self, params: Params) -> Circuit:
        for circuit in self._world.circuits:
            if circuit.id == params["load"]:
                return circuit
        allowed = ", ".join(circuit.id for circuit in self._world.circuits)
        raise ScenarioError(f"load must be one of {allowed}, not {params['load']!r}")

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
        circuit = self._circuit(params)
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
        self._undo[fault] = _nothing
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
        return _nothing

    def _sense_drift(self, params: Params) -> Callable[[], None]:
        self.drift = {"grid": float(params.get("pct", _DRIFT_PCT)) / 100.0}
        return _nothing

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

    def _open_neutral(self, params: Params) -> Callable[[], None]:
        """The service's neutral comes off: the legs divide 240 V between them as their loads will have it."""
        world, grid = self._world, self._world.grid
        grid.neutral_shift = float(params.get("shift_pu", _NEUTRAL_SHIFT_PU))
        world.react()

        def undo() -> None:
            grid.neutral_shift = 0.0
            world.react()

        return undo

    def _welded(self, params: Params) -> Callable[[], None]:
        mid = self._world.mid
        mid.welded_pole = int(params.get("pole", 1))

        def undo() -> None:
            mid.welded_pole = 0
            mid.follow()

        return undo

    def _slow(self, params: Params) -> Callable[[], None]:
        mid = self._world.mid
        mid.slow_ms = float(params.get("latency_ms", _SLOW_MS))

        def undo() -> None:
            mid.slow_ms = None

        return undo

    def _fails_to_close(self, _params: Params) -> Callable[[], None]:
        mid = self._world.mid
        mid.fails_to_close = True

        def undo() -> None:
            mid.fails_to_close = False
            mid.follow()

        return undo

    def _aux_wrong(self, params: Params) -> Callable[[], None]:
        mid = self._world.mid
        mid.aux_lie = (str(params.get("contact", "both")), str(params.get("reads", "open")))

        def undo() -> None:
            mid.aux_lie = None

        return undo

    def _chatter(self, params: Params) -> Callable[[], None]:
        mid = self._world.mid
        mid.chatter_ms = float(params.get("every_ms", _CHATTER_MS))

        def undo() -> None:
            mid.chatter_ms = None

        return undo

    def _uncommanded_close(self, _params: Params) -> Callable[[], None]:
        mid = self._world.mid
        mid.forced_closed = True
        mid.follow()

        def undo() -> None:
            mid.forced_closed = False
            mid.follow()

        return undo

    def _fan_dead(self, params: Params) -> Callable[[], None]:
        world = self._world
        world.thermal.set_dead(world.now_ns, True, lies=bool(params.get("tachometer_lies", False)))
        return lambda: world.thermal.set_dead(world.now_ns, False)

    def _temperature_stuck(self, params: Params) -> Callable[[], None]:
        self.frozen_c = self._world.thermal.heatsink_c if params.get("reads") == "last" else None
        return _nothing

    def _inverter_trips(self, _params: Params) -> Callable[[], None]:
        powertrain = self._world.powertrain
        powertrain.held_tripped = True
        powertrain.trip("internal")

        def undo() -> None:
            powertrain.held_tripped = False

        return undo

    def _wont_form(self, _params: Params) -> Callable[[], None]:
        world = self._world
        world.powertrain.wont_form = True

        def undo() -> None:
            world.powertrain.wont_form = False
            world.react()

        return undo

    def _switch_stuck(self, params: Params) -> Callable[[], None]:
        world, circuit = self._world, self._circuit(params)
        world.switching.set_stuck(circuit, True)
        return lambda: world.switching.set_stuck(circuit, False)

    def _locked_rotor(self, params: Params) -> Callable[[], None]:
        world, circuit = self._world, self._circuit(params)
        circuit.locked = True
        world.react()

        def undo() -> None:
            circuit.locked = False
            world.react()

        return undo

    def _uncontrolled(self, params: Params) -> Callable[[], None]:
        world = self._world
        leg = int(params.get("leg", 1)) - 1
        world.network.add_uncontrolled(leg, float(params.get("va", _UNCONTROLLED_VA)))
        world.react()

        def undo() -> None:
            world.network.add_uncontrolled(leg, -float(params.get("va", _UNCONTROLLED_VA)))
            world.react()

        return undo

    def _dc_out_of_range(self, params: Params) -> Callable[[], None]:
        world = self._world
        world.car.offset_v = float(params.get("volts", -_DC_STEP_V))
        world.react()

        def undo() -> None:
            world.car.offset_v = 0.0
            world.react()

        return undo

    def _soc_low(self, params: Params) -> Callable[[], None]:
        world = self._world
        world.car.set_soc(world.now_ns, float(params.get("pct", _LOW_SOC_PCT)))
        world.react()
        return _nothing

    def _soc_jumps(self, params: Params) -> Callable[[], None]:
        car = self._world.car
        car.reported_offset_pct = float(params.get("pct", _SOC_JUMP_PCT))

        def undo() -> None:
            car.reported_offset_pct = 0.0

        return undo

    def _supply_low(self, params: Params) -> Callable[[], None]:
        world = self._world

        def force(volts: float | None) -> None:
            world.supply.force(volts)
            world.tell(
                "supply.sagged" if volts is not None else "supply.repaired", volts=world.supply.voltage_v
            )

        force(float(params.get("volts", _LOW_SUPPLY_V)))
        return lambda: force(None)

    def _pv_surplus(self, params: Params) -> Callable[[], None]:
        """A full car meets a bright roof: more than house and car can take, at once."""
        world = self._world
        solar, before_w = world.solar, world.solar.available_w
        world.car.set_soc(world.now_ns, float(params.get("pct", _FULL_PCT)))
        solar.available_w = 1_000.0 * float(params.get("kw", _SURPLUS_KW))
        solar.stubborn = bool(params.get("stubborn", False))
        if world.inverter.mode == "forming" and world.senses.good("house") and solar.permitted:
            world.agenda.cancel("solar/reconnect")
            if not solar.connected:
                solar.connected = True
                world.tell("solar.connected")
        # One that was there before counts from now on.
        world.switching.surplus = False
        world.react()

        def undo() -> None:
            solar.available_w, solar.stubborn = before_w, False
            world.react()

        return undo

    def _primary_lost(self, _params: Params) -> Callable[[], None]:
        units = self._world.units
        if not units.all:
            raise ScenarioError("fault.inject: parallel.primary_lost: this house has one inverter")
        units.lose_primary()
        return units.revive

    def _phase_error(self, params: Params) -> Callable[[], None]:
        world = self._world
        followers = world.units.followers()
        if not followers:
            raise ScenarioError("fault.inject: parallel.phase_error: this house has one inverter")
        # One that runs beside the others, where there is one: an angle of something that is off does nothing.
        unit = next((one for one in followers if one.gate_on and not one.fault), followers[0])

        def turn(off_deg: float) -> None:
            unit.phase_off_deg = off_deg
            world.tell("unit.phase", unit=unit.index + 1, off_deg=off_deg)
            world.react()

        turn(float(params.get("deg", _PHASE_ERROR_DEG)))
        return lambda: turn(0.0)

    def _neutral_former_trips(self, _params: Params) -> Callable[[], None]:
        world = self._world

        def lose(lost: bool) -> None:
            world.network.neutral_lost = lost
            world.tell("neutral_former.dropped" if lost else "neutral_former.back")
            world.react()

        lose(True)
        return lambda: lose(False)


def _nothing() -> None:
    """Undoes a fault that changed no physics."""
