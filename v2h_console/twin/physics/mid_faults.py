"""Faults of the interconnection device and of its contacts: each returns what undoes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from v2h_console.twin.vocabulary import Params

if TYPE_CHECKING:
    from v2h_console.twin.world import World

Undo = Callable[[], None]
_SLOW_MS = 140.0
_CHATTER_MS = 25.0


def of(world: World) -> dict[str, Callable[[Params], Undo]]:
    """By the names of the fault table."""
    return {
        "mid.welded": partial(_welded, world),
        "mid.slow": partial(_slow, world),
        "mid.fails_to_close": partial(_fails_to_close, world),
        "mid.aux_wrong": partial(_aux_wrong, world),
        "mid.chatter": partial(_chatter, world),
        "mid.uncommanded_close": partial(_uncommanded_close, world),
    }


def _welded(world: World, params: Params) -> Undo:
    mid = world.mid
    mid.welded_pole = int(params.get("pole", 1))

    def undo() -> None:
        mid.welded_pole = 0
        mid.follow()

    return undo


def _slow(world: World, params: Params) -> Undo:
    mid = world.mid
    mid.slow_ms = float(params.get("latency_ms", _SLOW_MS))

    def undo() -> None:
        mid.slow_ms = None

    return undo


def _fails_to_close(world: World, _params: Params) -> Undo:
    mid = world.mid
    mid.fails_to_close = True

    def undo() -> None:
        mid.fails_to_close = False
        mid.follow()

    return undo


def _aux_wrong(world: World, params: Params) -> Undo:
    mid = world.mid
    mid.aux_lie = (str(params.get("contact", "both")), str(params.get("reads", "open")))

    def undo() -> None:
        mid.aux_lie = None

    return undo


def _chatter(world: World, params: Params) -> Undo:
    mid = world.mid
    mid.chatter_ms = float(params.get("every_ms", _CHATTER_MS))

    def undo() -> None:
        mid.chatter_ms = None

    return undo


def _uncommanded_close(world: World, _params: Params) -> Undo:
    mid = world.mid
    mid.forced_closed = True
    mid.follow()

    def undo() -> None:
        mid.forced_closed = False
        mid.follow()

    return undo
