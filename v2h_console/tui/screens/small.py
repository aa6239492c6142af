"""What is shown while the terminal is too small to show numbers whole."""

from __future__ import annotations

from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from v2h_console.tui.console import Console
from v2h_console.tui.lines import Row, fit
from v2h_console.tui.panes.bar import sentence
from v2h_console.tui.terminal import MIN_COLUMNS, MIN_ROWS
from v2h_console.tui.widgets.rows import Rows
from v2h_console.tui.words import grid_words, mid_words, mode_word


class SmallScreen(ModalScreen[None]):
    """Stands before everything else until the terminal is large enough; ``O`` still opens the MID.

    Modal, so that no other key acts on a screen that nobody can see.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("O", "app.act('open_mid')", "Open the MID", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self.rows = Rows(id="small")

    def compose(self) -> ComposeResult:
        """One block of rows."""
        yield self.rows

    def on_mount(self) -> None:
        """Show it at once."""
        self.draw()

    def on_resize(self) -> None:
        """Its own text names the size."""
        self.draw()

    def draw(self) -> None:
        """State words only: a number cut in two is another number."""
        console = cast(Console, self.app)
        picture = console.picture()
        snapshot = picture.snapshot
        width, height = self.app.size
        texts = [
            *console.answer(),
            f"Too small: {width} x {height}, needs {MIN_COLUMNS} x {MIN_ROWS}.",
            mode_word(snapshot),
            mid_words(snapshot),
            grid_words(snapshot),
            "TWIN" if snapshot.twin else "",
            "O opens the MID. Ctrl+Q leaves.",
            sentence(picture)[0],
        ]
        rows = [Row(max(width, 1)).at(0, fit(text, width), "value") for text in texts if text]
        if self.is_mounted:
            self.rows.show([row.line() for row in rows[:height]])
