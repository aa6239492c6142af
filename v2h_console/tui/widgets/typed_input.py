"""An input that only typing fills."""

from __future__ import annotations

from textual import events
from textual.widgets import Input


class TypedInput(Input):
    """A one-line field for a typed confirmation: what is pasted into it never counts."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        # A blinking cursor is a repaint twice a second over a phone's link.
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()

    def action_paste(self) -> None:
        """Nothing: the clipboard is not a person."""
