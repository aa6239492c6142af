"""A widget that shows ready lines and repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from v2h_console.tui.lines import Line
from v2h_console.tui.themes import CELLS


class Rows(Widget):
    """Lines of (text, role), painted with the theme's style of that role.

    ``show`` compares with what stands on the screen: equal lines cost nothing, a changed line is repainted from its
    first to its last changed cell. ``painted`` counts the repaints that were asked for.
    """

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self.painted = 0

    @property
    def lines(self) -> list[Line]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Show ``lines``, top first."""
        old = self._lines
        regions: list[Region] = []
        for y in range(max(len(lines), len(old))):
            before: Line = old[y] if y < len(old) else ()
            after: Line = lines[y] if y < len(lines) else ()
            if before == after:
                continue
            self._strips.pop(y, None)
            start, end = changed_cells(before, after)
            regions.append(Region(start, y, end - start, 1))
        if not regions:
            return
        self._lines = list(lines)
        self.painted += 1
        self.refresh(*regions)

    def on_mount(self) -> None:
        """Kept pages are recoloured like the one that is shown."""
        self.watch(self.app, "theme", self._recolour, init=False)

    def _recolour(self) -> None:
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The strip of line ``y``."""
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines[y] if y < len(self._lines) else ()
            cells = CELLS[self.app.theme]
            strip = Strip([Segment(text, cells[role]) for text, role in line])
            self._strips[y] = strip
        return strip.adjust_cell_length(self.size.width, self.rich_style)


def changed_cells(before: Line, after: Line) -> tuple[int, int]:
    """First changed cell and the one after the last, widened to whole lines where a character is not one cell wide."""
    old = [(char, role) for text, role in before for char in text]
    new = [(char, role) for text, role in after for char in text]
    if len(old) != len(new) or not all(
        text.isascii() or _single_cells(text) for text, _ in (*before, *after)
    ):
        return 0, max(2 * len(old), 2 * len(new), 1)
    start = 0
    while start < len(new) and old[start] == new[start]:
        start += 1
    end = len(new)
    while end > start and old[end - 1] == new[end - 1]:
        end -= 1
    return start, max(end, start + 1)


def _single_cells(text: str) -> bool:
    # Latin-1, box drawing, blocks and braille: what the panes themselves draw.
    return all(
        ord(char) < 0x300 or 0x2500 <= ord(char) < 0x25A0 or 0x2800 <= ord(char) < 0x2900 for char in text
    )
