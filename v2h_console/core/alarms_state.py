"""One standing alarm: its own file, so that the state can hold alarms and the alarm rules can read the state."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.events import Severity


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that stands since ``since_ns``; ``acknowledged`` only quiets it."""

    code: str
    severity: Severity
    text: str
    since_ns: int
    acknowledged: bool = False
