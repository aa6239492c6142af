"""Whether the owner answers: said when it goes, when one refuses this console, and when one comes."""

from __future__ import annotations

from v2h_console.session.protocol import OwnerGone, Session
from v2h_console.tui.console import Console
from v2h_console.tui.words import clock


class OwnerWatch:
    """``gone`` as it was at the last look: the whole frame is drawn from one answer."""

    def __init__(self) -> None:
        self.gone: OwnerGone | None = None
        self._run = ""

    def poll(self, console: Console, session: Session) -> None:
        """Look, and say what changed: a person may look elsewhere meanwhile."""
        gone, before = session.gone, self.gone
        self.gone = gone
        if gone is None and before is not None:
            who = "The same owner answers again" if session.run == self._run else "A new owner answers"
            text = f"{who} after {clock(before.since_wall_s)}. You do not have the helm: t takes it."
            console.tell(text, 30.0)
        elif gone is not None and before is None:
            console.tell("This screen attaches again by itself as soon as an owner runs.", 12.0)
        elif gone is not None and before is not None and gone.reason not in ("", before.reason):
            console.tell(f"An owner runs and refuses this console: {gone.reason}.", 60.0)
        if gone is None:
            self._run = session.run
