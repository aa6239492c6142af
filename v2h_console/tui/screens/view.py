"""One of the nine views."""

from __future__ import annotations

from v2h_console.tui.lines import Line
from v2h_console.tui.picture import Picture
from v2h_console.tui.screens.frame import Frame
from v2h_console.tui.views import VIEWS, keys_of


class ViewScreen(Frame):
    """The frame around the view that is chosen; the application holds the list's chosen line."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 1

    def keys(self) -> str:
        """The view's keys."""
        return keys_of(self.number, self.console.has_trainer)

    def lines(self, picture: Picture) -> list[Line]:
        """The view's body."""
        return VIEWS[self.number].draw(picture)
