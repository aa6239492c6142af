"""Faults of the car's session and of its DC side: each returns what undoes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.vocabulary import Params

if TYPE_CHECKING:
    from v2h_console.twin.world import World

Undo = Callable[[], None]
_LOW_LIMIT_KW = 2.0
_LEAK_OHM_PER_V = 120.0


def of(world: World) -> dict[str, Callable[[Params], Undo]]:
    """By the names of the fault table."""
    return {
        "ev.limit_drops": partial(_limit_drops, world),
        "precharge.fails": partial(_precharge_fails, world),
        "ev.contactor_welded": partial(_welded, world),
        "ev.insulation_low": partial(_leaks, world),
    }


def _limit_drops(world: World, params: Params) -> Undo:
    car, before_w = world.car, world.car.max_discharge_w

    def limit(watts: float) -> None:
        car.max_discharge_w = watts
        world.tell("car.limit", power_w=watts)
        world.react()

    limit(1_000.0 * float(params.get("kw", _LOW_LIMIT_KW)))
    return partial(limit, before_w)


def _precharge_fails(world: World, _params: Params) -> Undo:
    """The session starts anew, and the bus does not come up to the pack's voltage."""
    link = world.car_link
    link.precharge_fails = True
    link.end()
    link.plug()

    def undo() -> None:
        link.precharge_fails = False

    return undo


def _welded(world: World, _params: Params) -> Undo:
    """The car ends its session, and its contactors stay where they are."""
    world.car_link.weld(True)
    world.tell("car.stopped", reason="session ended")
    world.car_link.end()
    return partial(world.car_link.weld, False)


def _leaks(world: World, params: Params) -> Undo:
    link = world.car_link

    def leak(ohm_per_v: float | None) -> None:
        link.leak_ohm_per_v = ohm_per_v
        world.tell("car.insulation", ohm_per_v="dry" if ohm_per_v is None else ohm_per_v)

    leak(float(params.get("ohm_per_v", _LEAK_OHM_PER_V)))
    return partial(leak, None)
