"""Faults of what the house has (inverters, loads, car, roof, supply): each returns what undoes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.vocabulary import Params, ScenarioError

if TYPE_CHECKING:
    from v2h_console.twin.physics.circuits import Circuit
    from v2h_console.twin.world import World

Undo = Callable[[], None]
_NEUTRAL_SHIFT_PU = 0.2
_UNCONTROLLED_VA = 3_000.0
_DC_STEP_V = 70.0
_LOW_SOC_PCT = 20.4
_SOC_JUMP_PCT = 12.0
_LOW_SUPPLY_V = 20.5
_FULL_PCT = 98.5
_PHASE_ERROR_DEG = 25.0
_SURPLUS_KW = 4.5


def of(world: World) -> dict[str, Callable[[Params], Undo]]:
    """By the names of the fault table."""
    return {
        "fan.dead": partial(_fan_dead, world),
        "inverter.trips": partial(_inverter_trips, world),
        "inverter.wont_form": partial(_wont_form, world),
        "house.open_neutral": partial(_open_neutral, world),
        "load.switch_stuck": partial(_switch_stuck, world),
        "load.locked_rotor": partial(_locked_rotor, world),
        "load.uncontrolled": partial(_uncontrolled, world),
        "dc_bus.out_of_range": partial(_dc_out_of_range, world),
        "ev.soc_low": partial(_soc_low, world),
        "ev.soc_jumps": partial(_soc_jumps, world),
        "aux_supply.low": partial(_supply_low, world),
        "pv.surplus": partial(_pv_surplus, world),
        "parallel.primary_lost": partial(_primary_lost, world),
        "parallel.phase_error": partial(_phase_error, world),
        "neutral_former.trips": partial(_neutral_former_trips, world),
    }


def circuit_of(world: World, params: Params) -> Circuit:
    """The circuit that ``load`` names. Raises ``ScenarioError`` with the names that there are."""
    for circuit in world.circuits:
        if circuit.id == params["load"]:
            return circuit
    allowed = ", ".join(circuit.id for circuit in world.circuits)
    raise ScenarioError(f"load must be one of {allowed}, not {params['load']!r}")


def nothing() -> None:
    """Undoes a fault that changed no physics."""


def _open_neutral(world: World, params: Params) -> Undo:
    """The service's neutral comes off: the legs divide 240 V between them as their loads will have it."""
    grid = world.grid
    grid.neutral_shift = float(params.get("shift_pu", _NEUTRAL_SHIFT_PU))
    world.react()

    def undo() -> None:
        grid.neutral_shift = 0.0
        world.react()

    return undo


def _fan_dead(world: World, params: Params) -> Undo:
    world.thermal.set_dead(world.now_ns, True, lies=bool(params.get("tachometer_lies", False)))
    return lambda: world.thermal.set_dead(world.now_ns, False)


def _inverter_trips(world: World, _params: Params) -> Undo:
    powertrain = world.powertrain
    powertrain.held_tripped = True
    powertrain.trip("internal")

    def undo() -> None:
        powertrain.held_tripped = False

    return undo


def _wont_form(world: World, _params: Params) -> Undo:
    world.powertrain.wont_form = True

    def undo() -> None:
        world.powertrain.wont_form = False
        world.react()

    return undo


def _switch_stuck(world: World, params: Params) -> Undo:
    circuit = circuit_of(world, params)
    world.switching.set_stuck(circuit, True)
    return lambda: world.switching.set_stuck(circuit, False)


def _locked_rotor(world: World, params: Params) -> Undo:
    circuit = circuit_of(world, params)
    circuit.locked = True
    world.react()

    def undo() -> None:
        circuit.locked = False
        world.react()

    return undo


def _uncontrolled(world: World, params: Params) -> Undo:
    leg = int(params.get("leg", 1)) - 1
    world.network.add_uncontrolled(leg, float(params.get("va", _UNCONTROLLED_VA)))
    world.react()

    def undo() -> None:
        world.network.add_uncontrolled(leg, -float(params.get("va", _UNCONTROLLED_VA)))
        world.react()

    return undo


def _dc_out_of_range(world: World, params: Params) -> Undo:
    world.car.offset_v = float(params.get("volts", -_DC_STEP_V))
    world.react()

    def undo() -> None:
        world.car.offset_v = 0.0
        world.react()

    return undo


def _soc_low(world: World, params: Params) -> Undo:
    world.car.set_soc(world.now_ns, float(params.get("pct", _LOW_SOC_PCT)))
    world.react()
    return nothing


def _soc_jumps(world: World, params: Params) -> Undo:
    car = world.car
    car.reported_offset_pct = float(params.get("pct", _SOC_JUMP_PCT))

    def undo() -> None:
        car.reported_offset_pct = 0.0

    return undo


def _supply_low(world: World, params: Params) -> Undo:
    def force(volts: float | None) -> None:
        world.supply.force(volts)
        world.tell("supply.sagged" if volts is not None else "supply.repaired", volts=world.supply.voltage_v)

    force(float(params.get("volts", _LOW_SUPPLY_V)))
    return lambda: force(None)


def _pv_surplus(world: World, params: Params) -> Undo:
    """A full car meets a bright roof: more than house and car can take, at once."""
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


def _primary_lost(world: World, _params: Params) -> Undo:
    units = world.units
    if not units.all:
        raise ScenarioError("fault.inject: parallel.primary_lost: this house has one inverter")
    units.lose_primary()
    return units.revive


def _phase_error(world: World, params: Params) -> Undo:
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


def _neutral_former_trips(world: World, _params: Params) -> Undo:
    def lose(lost: bool) -> None:
        world.network.neutral_lost = lost
        world.tell("neutral_former.dropped" if lost else "neutral_former.back")
        world.react()

    lose(True)
    return lambda: lose(False)
