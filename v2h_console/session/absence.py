"""What happened while a person did not look: as the owner kept it and as the first screen of the next login tells it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from v2h_console.session.snapshot import EventView

#: What is counted, in the order in which it is told.
KINDS = ("outage", "transfer", "lockout", "alarm", "order", "restart")

_KIND_OF = {
    "GRID_LOST": "outage",
    "GRID_REJECTED": "outage",
    "GRID_NOT_SENSED": "outage",
    "TRANSFER_DONE": "transfer",
    "TRANSFER_LATE": "transfer",
    "ORDER_TAKEN": "order",
    "OWNER_STARTED": "restart",
}
_SEVERITY_WEIGHTS = {"lockout": 6, "alarm": 5, "warning": 3}
_CODE_WEIGHTS = {
    "OWNER_STARTED": 5,
    "OWNER_ENDED": 5,
    "OWNER_STOP_ASKED": 5,
    "TRANSFER_LATE": 5,
    "TRANSFER_DONE": 4,
    "GRID_LOST": 4,
    "GRID_REJECTED": 4,
    "GRID_NOT_SENSED": 4,
    "GRID_TIED": 3,
    "ISLANDED": 3,
    "ORDER_TAKEN": 3,
    "HELM_TAKEN": 2,
}


class Absence(msgspec.Struct, frozen=True):
    """A person's time without a screen.

    ``how`` the last one ended: lost (its line), failed (it could not be drawn), left (by the person), ended (from outside, or with its owner), idle (it is still attached,
    and nobody pressed a key). ``away_s`` below 0 = the clock went back meanwhile.
    ``key_wall_s``: the last key there, 0 = none. ``place``: where it stood. ``happened``:
    whether there is anything to tell. ``events``: the most telling, oldest first; ``more`` others there were.
    ``owner``: "" = the same owner, or one after the other; "started" = it started with this screen, after an orderly
    end; "killed" = after one that did not end orderly.
    """

    since_wall_s: float
    away_s: float
    how: str
    place: str = ""
    key_wall_s: float = 0.0
    happened: bool = False
    tally: dict[str, int] = {}
    events: tuple[EventView, ...] = ()
    more: int = 0
    owner: str = ""


def kind(event: EventView) -> str:
    """What an event counts as, one of KINDS, "" for what is told but not counted."""
    if event.severity in ("lockout", "alarm"):
        return event.severity
    return _KIND_OF.get(event.code, "")


def most_telling(events: Iterable[EventView], count: int) -> list[EventView]:
    """At most ``count`` events, oldest first: the weightiest, and among equals the newest."""
    best = sorted(events, key=lambda event: (_weight(event), event.sequence), reverse=True)[: max(count, 0)]
    return sorted(best, key=lambda event: event.sequence)


def _weight(event: EventView) -> int:
    return max(_SEVERITY_WEIGHTS.get(event.severity, 1), _CODE_WEIGHTS.get(event.code, 1))
