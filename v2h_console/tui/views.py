"""The nine views: their names, what draws those that exist, and the keys of the last row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from v2h_console.tui.lines import Line
from v2h_console.tui.panes.overview import overview
from v2h_console.tui.panes.tables import links_view, loads_view, log_view
from v2h_console.tui.picture import Picture

NAMES = ("Overview", "Commission", "Loads", "Links", "Waveforms", "Log", "Incidents", "Settings", "Security")

_OVERVIEW_KEYS = "O OPEN MID   a acknowledge   Enter explain   1-9 views   : any action   ? help"
_OVERVIEW_TRAINER_KEYS = "O OPEN MID  a acknowledge  Enter explain  ! trainer  1-9 views  : any  ? help"


@dataclass(frozen=True, slots=True)
class View:
    """One view: what draws its body, and its keys."""

    draw: Callable[[Picture], list[Line]]
    keys: str
    has_list: bool = True


VIEWS: dict[int, View] = {
    1: View(overview, _OVERVIEW_KEYS),
    3: View(
        lambda picture: [row.line() for row in loads_view(picture)],
        "O OPEN MID   w what would happen   1-9 views   : any action   Esc   ? help",
        has_list=False,
    ),
    4: View(
        lambda picture: [row.line() for row in links_view(picture)],
        "O OPEN MID   1 overview   1-9 views   : any action   Esc back   ? help",
        has_list=False,
    ),
    6: View(
        lambda picture: [row.line() for row in log_view(picture)],
        "O OPEN MID   j/k choose   Enter explain   f faults only   y copy   Esc   ? help",
    ),
}


def keys_of(number: int, trainer: bool) -> str:
    """The last row of a view."""
    if number == 1 and trainer:
        return _OVERVIEW_TRAINER_KEYS
    return VIEWS[number].keys
