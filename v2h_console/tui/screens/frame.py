"""What every screen has: two fixed rows and a rule on top, its body, the answer line, and the keys at the bottom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from v2h_console.tui.console import Console
from v2h_console.tui.lines import Line, Row
from v2h_console.tui.panes.bar import bar, keys
from v2h_console.tui.picture import Picture
from v2h_console.tui.terminal import fits
from v2h_console.tui.widgets.columns import Columns
from v2h_console.tui.widgets.rows import Rows


class Frame(Screen[None]):
    """A screen within the frame. ``draw`` is called four times a second; what did not change is not repainted."""

    AUTO_FOCUS = ""

    @property
    def console(self) -> Console:
        """The application, as far as a screen needs it."""
        return cast(Console, self.app)

    def __init__(self) -> None:
        super().__init__()
        # Held here and not looked up: a screen on its way out has lost its children while it may still be drawn.
        self.bar = Rows(id="bar")
        self.columns = Columns(id="body")
        self.answer_rows = Rows(id="answer")
        self.key_rows = Rows(id="keys")

    def compose(self) -> ComposeResult:
        """The frame's rows around the body."""
        yield self.bar
        yield from self.body()
        yield self.answer_rows
        yield self.key_rows

    def body(self) -> Iterable[Widget]:
        """The widgets between the rule and the answer line."""
        yield self.columns

    def on_mount(self) -> None:
        """The first frame must already be full."""
        self.draw()

    def on_screen_resume(self) -> None:
        """Another screen stood before this one."""
        self.draw()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self.draw()

    def draw(self) -> None:
        """Show the newest picture; on a terminal that is too small nothing, because ``SmallScreen`` stands before it."""
        if not self.is_mounted or not fits(*self.app.size):
            return
        picture = self.console.picture()
        self.bar.show(bar(picture))
        lines = [Row(picture.width).at(1, text, "value").line() for text in self.console.answer()]
        height = max(1, len(lines))
        styles = self.answer_rows.styles
        if styles.height is None or styles.height.value != height:
            styles.height = height
        self.answer_rows.show(lines)
        self.key_rows.show(keys(self.keys(), picture.width))
        self.columns.show(self.lines(picture))

    def keys(self) -> str:
        """The last row's text."""
        return "O OPEN MID   Esc back"

    def lines(self, picture: Picture) -> list[Line]:
        """The body's lines."""
        raise NotImplementedError

    def move(self, lines: int) -> None:
        """Move the chosen line; a screen without a list has none."""
