"""The first screen after an absence. Any key goes on, and nothing is pressed for anybody."""

from __future__ import annotations

from collections.abc import Callable

from textual import events

from v2h_console.session.absence import Absence
from v2h_console.tui.actions import take_helm
from v2h_console.tui.lines import Line
from v2h_console.tui.panes.away import away_rows
from v2h_console.tui.picture import Picture
from v2h_console.tui.screens.frame import Frame

#: These keep their meaning: what opens the MID must do so from anywhere, and leaving is leaving.
_KEPT = ("O", "ctrl+o", "ctrl+q", "ctrl+c")


class AwayScreen(Frame):
    """The page of one absence."""

    def __init__(self) -> None:
        super().__init__()
        self._absence: Absence | None = None
        self._where = ""
        self._go_on: Callable[[], None] = lambda: None

    def begin(self, absence: Absence, where: str, go_on: Callable[[], None]) -> None:
        """``where``: what ``go_on`` shows after this, in words; "" = whatever stood before."""
        self._absence, self._where, self._go_on = absence, where, go_on

    def keys(self) -> str:
        """What has a meaning here; every other key goes on."""
        helm = "" if self.console.snapshot.helm == "you" else "t take the helm, go on   "
        return f"O OPEN MID   Enter go on   {helm}w shows this again later"

    def lines(self, picture: Picture) -> list[Line]:
        """The page, drawn anew with each picture: what it says of now is true now."""
        if self._absence is None:
            return []
        return [row.line() for row in away_rows(self._absence, picture, self._where)[: picture.height]]

    def on_key(self, event: events.Key) -> None:
        """No key that is pressed to get past the page may do what it does elsewhere."""
        if event.key in _KEPT:
            return
        event.stop()
        event.prevent_default()
        self.console.back()
        self._go_on()
        if event.key == "t":
            take_helm(self.console)
