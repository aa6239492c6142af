"""A page to read, and a question that one key answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from v2h_console.tui.lines import Line, Row, wrap
from v2h_console.tui.picture import Picture
from v2h_console.tui.screens.frame import Frame

#: Longer lines than this are hard to follow, however wide the terminal is.
_READABLE = 100


class TextScreen(Frame):
    """Lines of text, scrolled by whole lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "leave", "Back", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._text: list[str] = []
        self._first = 0
        self._hidden = 0
        self._height = 1

    def begin(self, title: str, text: Sequence[str]) -> None:
        """Another text, from its first line on."""
        self._title = title
        self._text = list(text)
        self._first = 0

    def keys(self) -> str:
        """Scrolling is offered only where there is something to scroll."""
        return (
            "O OPEN MID   j/k scroll   Esc back" if self._first or self._hidden else "O OPEN MID   Esc back"
        )

    def lines(self, picture: Picture) -> list[Line]:
        """The title, then as many lines as there is room for."""
        wrapped: list[str] = []
        room = min(picture.width - 3, _READABLE)
        for text in self._text:
            indent = len(text) - len(text.lstrip(" "))
            # Lines that are laid out in columns stand as they are.
            wrapped += (
                [text] if len(text) <= room else [" " * indent + part for part in wrap(text, room - indent)]
            )
        self._height = max(1, picture.height - 2)
        self._first = max(0, min(self._first, len(wrapped) - self._height))
        self._hidden = max(0, len(wrapped) - self._first - self._height)
        rows = [Row(picture.width).at(1, self._title, "title"), Row(picture.width)]
        if self._hidden:
            rows[0].right(picture.width - 1, f"{self._hidden} more lines below")
        for text in wrapped[self._first : self._first + self._height]:
            heading = text.isupper() and not text.startswith(" ")
            rows.append(Row(picture.width).at(1, text, "title" if heading else "plain"))
        return [row.line() for row in rows]

    def move(self, lines: int) -> None:
        """Scroll."""
        self._first = max(0, self._first + lines)
        self.draw()
        self.draw()

    def action_page(self, pages: int) -> None:
        """Scroll by the height of the body."""
        self.move(pages * self._height)

    def action_leave(self) -> None:
        """Back to what stood before."""
        self.console.back()


class YesScreen(TextScreen):
    """A question: ``y`` does it, anything else that leads back does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", show=False),
        Binding("n,q", "leave", "No", show=False),
        Binding("enter", "hint", "", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._then: Callable[[], None] = lambda: None

    def ask(self, title: str, text: Sequence[str], then: Callable[[], None]) -> None:
        """Another question."""
        self.begin(title, [*text, "", "y  yes        n  no"])
        self._then = then

    def keys(self) -> str:
        """The two answers."""
        return "O OPEN MID   y yes   n no   Esc back"

    def action_yes(self) -> None:
        """Do what was asked about."""
        self.console.back()
        self._then()

    def action_hint(self) -> None:
        """Enter answers nothing: it is too easily pressed."""
        self.console.tell("Press y or n.")
