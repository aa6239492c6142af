"""A typed confirmation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual.widget import Widget

from v2h_console.tui.lines import Line, Row, wrap
from v2h_console.tui.picture import Picture
from v2h_console.tui.screens.frame import Frame
from v2h_console.tui.widgets.typed_input import TypedInput


class ConfirmScreen(Frame):
    """Runs ``then`` once ``word`` was typed, letter by letter, and Enter pressed."""

    AUTO_FOCUS = "#typed"

    def __init__(self) -> None:
        super().__init__()
        self._title = self._word = ""
        self._text: list[str] = []
        self._then: Callable[[], None] = lambda: None
        self.typed = TypedInput(id="typed")

    def begin(self, title: str, text: Sequence[str], word: str, then: Callable[[], None]) -> None:
        """Another question, and nothing typed yet."""
        self._title, self._text, self._word, self._then = title, list(text), word, then
        self.typed.value = ""

    def body(self) -> Iterable[Widget]:
        """The field above what it means."""
        yield self.typed
        yield self.columns

    def keys(self) -> str:
        """The letter ``O`` types here."""
        return "Ctrl+O OPEN MID   Enter confirm   Esc back, nothing is done"

    def lines(self, picture: Picture) -> list[Line]:
        """What is about to happen, and the word."""
        rows = [Row(picture.width), Row(picture.width).at(1, self._title, "title"), Row(picture.width)]
        parts = wrap(" ".join(self._text), min(picture.width - 2, 100))
        rows += [Row(picture.width).at(1, part) for part in parts]
        rows.append(Row(picture.width))
        rows.append(
            Row(picture.width).at(
                1, f"Type {self._word} above and press Enter. Pasting does not count.", "value"
            )
        )
        return [row.line() for row in rows]

    def on_input_submitted(self) -> None:
        """Compare, and do it or say what is missing."""
        if self.typed.value.strip() == self._word:
            self.console.back()
            self._then()
        else:
            self.console.tell(f"Not done: type {self._word} in capital letters, or Esc.")
