"""What an edge of the islanding table comes to: the words in which every effect answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from v2h_console.core.events import Event, Severity
from v2h_console.core.islanding import View
from v2h_console.core.state import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after the edge and what to tell."""

    state: State
    events: tuple[Event, ...] = ()


Effect = Callable[[View, State], Outcome]


def told(view: View, code: str, severity: Severity, text: str) -> Event:
    """An event of this moment."""
    return Event(view.now_ns, code, severity, text)
