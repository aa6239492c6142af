"""A list to choose from: by arrows and Enter, by a letter, or by typing a part of the name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from v2h_console.tui.console import Choice
from v2h_console.tui.lines import Line, Row, fit
from v2h_console.tui.picture import Picture
from v2h_console.tui.screens.frame import Frame

_KEY_CELLS = 12


class ChooseScreen(Frame):
    """A list; each choice closes it and runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Choose", show=False),
        Binding("q", "leave", "Back", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._choices: list[Choice] = []
        self._cursor = 0

    def begin(self, title: str, choices: Sequence[Choice]) -> None:
        """Another list, its first line chosen."""
        self._title = title
        self._choices = list(choices)
        self._cursor = 0

    def keys(self) -> str:
        """The list's keys."""
        return "O OPEN MID   j/k choose   Enter do it   letter do it at once   Esc back"

    def shown(self) -> list[Choice]:
        """The choices that are offered now."""
        return self._choices

    def lines(self, picture: Picture) -> list[Line]:
        """The title, then the choices around the chosen one."""
        shown = self.shown()
        self._cursor = max(0, min(self._cursor, len(shown) - 1))
        room = max(1, picture.height - 3)
        first = max(0, self._cursor - room + 1)
        rows = [Row(picture.width).at(1, self._title, "title"), Row(picture.width)]
        for index, choice in enumerate(shown[first : first + room], first):
            chosen = index == self._cursor
            row = Row(picture.width).at(1, ">" if chosen else " ", "value")
            row.at(3, fit(choice.shown_key, _KEY_CELLS - 1), "key")
            row.at(
                3 + _KEY_CELLS,
                fit(choice.title, picture.width - _KEY_CELLS - 5),
                "value" if chosen else "plain",
            )
            rows.append(row)
        if not shown:
            rows.append(Row(picture.width).at(3, "nothing of that name"))
        return [row.line() for row in rows]

    def move(self, lines: int) -> None:
        """Move the chosen line."""
        self._cursor = max(0, min(self._cursor + lines, len(self.shown()) - 1))
        self.draw()

    def action_take(self) -> None:
        """Run the chosen one."""
        shown = self.shown()
        if shown:
            self._run(shown[min(self._cursor, len(shown) - 1)])

    def action_leave(self) -> None:
        """Back to what stood before."""
        self.console.back()

    def on_key(self, event: events.Key) -> None:
        """A letter of the list."""
        for choice in self._choices:
            if event.key in choice.keys:
                event.stop()
                event.prevent_default()
                self._run(choice)
                return

    def _run(self, choice: Choice) -> None:
        self.console.back()
        choice.run()


class SearchScreen(ChooseScreen):
    """The same, narrowed by typing: each word typed must occur in the title or the key."""

    AUTO_FOCUS = "#search"

    def __init__(self) -> None:
        super().__init__()
        self.search = Input(id="search", compact=True, placeholder="type a part of its name")
        self.search.cursor_blink = False

    def begin(self, title: str, choices: Sequence[Choice]) -> None:
        """Another list, and nothing typed yet."""
        super().begin(title, choices)
        self.search.value = ""

    def body(self) -> Iterable[Widget]:
        """The field above the list."""
        yield self.search
        yield self.columns

    def keys(self) -> str:
        """The letter ``O`` types here."""
        return "Ctrl+O OPEN MID   Up/Down choose   Enter do it   Esc back"

    def shown(self) -> list[Choice]:
        """The choices that match what is typed."""
        words = self.search.value.lower().split()
        return [
            choice
            for choice in self._choices
            if all(word in f"{choice.title} {choice.shown_key}".lower() for word in words)
        ]

    def on_input_changed(self) -> None:
        """Another list: its first line is chosen."""
        self._cursor = 0
        self.draw()

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_take()
