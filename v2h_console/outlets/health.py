"""How an outlet is doing: shown to the technician, never a reason to disturb control."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class OutletHealth:
    """One way out. ``state``: off | starting | ok | failing; ``reason`` is one line."""

    name: str
    address: str
    state: str = "starting"
    reason: str = ""

    def ok(self) -> None:
        """It works."""
        self.state, self.reason = "ok", ""

    def failing(self, reason: str) -> None:
        """It does not work now, and is tried again."""
        self.state, self.reason = "failing", " ".join(reason.split())[:200]
