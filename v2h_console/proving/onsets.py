"""How the house stands as a fault begins: the scenes in which the fault table owes a reaction."""

from __future__ import annotations

from v2h_console.twin.scene import Scene


def tied(scene: Scene) -> bool:
    """Both poles closed, and nothing forms."""
    return all(scene.poles) and scene.mode != "forming"


def held_closed(scene: Scene) -> bool:
    """Tied, and nobody has told it to open: a contact that says "open" a moment before it is so hides nothing."""
    return tied(scene) and scene.coil_on


def can_leave(scene: Scene) -> bool:
    """And the gate is on: there is a car that could light the house. Without one the trip elements alone open."""
    return held_closed(scene) and scene.gate_on


def islanded(scene: Scene) -> bool:
    """Both poles open, and the house lit by what forms."""
    # A contact that bounces as it closes is open now and then, and the street's all the same.
    touching = scene.coil_on and not scene.contacts_open
    return scene.mode == "forming" and not any(scene.poles) and not touching and min(scene.house_pu) > 0.8


def on_its_own(scene: Scene) -> bool:
    """Islanded, and no close on its way: on the grid the street's neutral holds."""
    return islanded(scene) and not scene.coil_on


def shared(scene: Scene) -> bool:
    """A follower runs beside the one that forms."""
    return on_its_own(scene) and bool(scene.followers)


def working(scene: Scene) -> bool:
    """The inverter runs, in whatever mode."""
    return scene.gate_on and scene.mode in ("following", "forming")


def always(_scene: Scene) -> bool:
    """Whatever the house does."""
    return True


def never(_scene: Scene) -> bool:
    """Nothing is owed but what the invariants say."""
    return False


def shaving(scene: Scene) -> bool:
    """On the grid, and the car carries part of the house."""
    return held_closed(scene) and scene.mode == "following" and scene.power_w > 200.0
