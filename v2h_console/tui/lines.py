"""Rows of cells: what every pane draws on and every widget shows.

A ``Line`` is a row as runs of (text, role). Roles are words (``value``, ``alarm``...), given colours only in the
style sheet, so that the same line works in colour, in ``sun`` and without any colour.
"""

from __future__ import annotations

from rich.cells import cell_len, get_character_cell_size

from v2h_console.tui.inert import clean

#: The roles a cell can have; ``themes.CELLS`` has the style of each.
ROLES = ("plain", "value", "title", "ok", "warn", "alarm", "twin", "key", "rule", "mark", "field")

Line = tuple[tuple[str, str], ...]


class Row:
    """One row of ``width`` cells. Everything written is made inert first, and cut at the row's end."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._chars = [" "] * width
        self._roles = ["plain"] * width

    def at(self, column: int, text: str, role: str = "plain", room: int | None = None) -> Row:
        """Write ``text`` from ``column`` on, in at most ``room`` cells."""
        end = self.width if room is None else min(self.width, column + room)
        for char in clean(text):
            cells = get_character_cell_size(char)
            if column + cells > end:
                break
            if column < 0 or cells == 0:
                continue
            self._chars[column] = char
            self._roles[column] = role
            if cells == 2:
                self._chars[column + 1] = ""
                self._roles[column + 1] = role
            column += cells
        return self

    def right(self, end: int, text: str, role: str = "plain") -> Row:
        """Write ``text`` so that its last cell is the one before ``end``."""
        return self.at(end - cell_len(clean(text)), text, role)

    def paint(self, role: str, start: int = 0, end: int | None = None) -> Row:
        """Give the cells from ``start`` to before ``end`` another role."""
        stop = self.width if end is None else min(end, self.width)
        for column in range(start, stop):
            self._roles[column] = role
        return self

    def line(self) -> Line:
        """The finished line."""
        runs: list[tuple[str, str]] = []
        text: list[str] = []
        role = ""
        for char, cell_role in zip(self._chars, self._roles, strict=True):
            if cell_role != role:
                if text:
                    runs.append(("".join(text), role))
                text, role = [], cell_role
            text.append(char)
        if text:
            runs.append(("".join(text), role))
        return tuple(runs)


def plain_text(line: Line) -> str:
    """A line's characters without their roles."""
    return "".join(text for text, _ in line)


def crop(line: Line, start: int, end: int) -> Line:
    """The cells ``start`` to before ``end`` of a line; half of a wide character becomes a blank."""
    runs: list[tuple[str, str]] = []
    column = 0
    for text, role in line:
        kept = []
        for char in text:
            cells = get_character_cell_size(char)
            if start <= column and column + cells <= end:
                kept.append(char)
            elif column < end and column + cells > start:
                kept.append(" ")
            column += cells
        if kept:
            runs.append(("".join(kept), role))
        if column >= end:
            break
    return tuple(runs)


def rule(width: int, until: int | None = None) -> Row:
    """A horizontal rule over the whole row, or over the cells before ``until``."""
    return Row(width).at(0, "─" * (width if until is None else until), "rule")


def fit(text: str, room: int) -> str:
    """``text`` in at most ``room`` cells, cut between words and marked ``..`` where it does not fit."""
    text = clean(text)
    if cell_len(text) <= room:
        return text
    if room <= 2:
        return ".."[: max(room, 0)]
    kept, cells = [], 0
    for char in text:
        cells += get_character_cell_size(char)
        if cells > room - 2:
            break
        kept.append(char)
    cut = "".join(kept)
    space = cut.rfind(" ")
    # A cut in mid-word would also cut a number in two and so show another number.
    return (cut[:space] if space > 0 else cut).rstrip() + ".."


def wrap(text: str, room: int) -> list[str]:
    """``text`` in lines of at most ``room`` cells, broken between words; less room than one cell is one cell."""
    # A pane subtracts its columns from the width, and no room at all would never come to an end.
    room = max(room, 1)
    lines: list[str] = []
    current = ""
    for word in clean(text, 4000).split():
        piece = word
        while cell_len(piece) > room:
            if current:
                lines.append(current)
                current = ""
            head = _head(piece, room)
            lines.append(head)
            piece = piece[len(head) :]
        if not current:
            current = piece
        elif cell_len(current) + 1 + cell_len(piece) <= room:
            current = f"{current} {piece}"
        else:
            lines.append(current)
            current = piece
    if current:
        lines.append(current)
    return lines


def _head(text: str, room: int) -> str:
    """The longest beginning of ``text`` in ``room`` cells, and at least one character."""
    cells = 0
    for index, char in enumerate(text):
        cells += get_character_cell_size(char)
        if cells > room:
            return text[: max(index, 1)]
    return text
