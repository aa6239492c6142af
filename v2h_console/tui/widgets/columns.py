"""Lines shown in several widgets side by side, so that a changed number does not repaint its whole row.

Textual sends a changed row from the left edge of its widget on. Cut where the Overview's blocks part, a moving voltage
costs some 30 bytes; uncut it would carry the grid side and the MID with it each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widget import Widget

from v2h_console.tui.lines import Line, crop
from v2h_console.tui.widgets.rows import Rows

#: First cell of each part: the street side, the house, and (at 120 columns) the house again, then the plot.
STARTS = (0, 45, 64, 80)
_END = 1000


class Columns(Widget):
    """Shows lines like ``Rows`` does, cut at ``STARTS``."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.parts = [Rows(classes="part") for _ in STARTS]

    def compose(self) -> ComposeResult:
        """One widget for each part, as wide as to the next; the last takes what is left."""
        for part, start, end in zip(self.parts, STARTS, (*STARTS[1:], None), strict=True):
            part.styles.width = "1fr" if end is None else end - start
            yield part

    @property
    def painted(self) -> int:
        """Repaints that were asked for, of all parts."""
        return sum(part.painted for part in self.parts)

    def show(self, lines: Sequence[Line]) -> None:
        """Show ``lines``, top first."""
        for part, start, end in zip(self.parts, STARTS, (*STARTS[1:], _END), strict=True):
            part.show([crop(line, start, end) for line in lines])
