"""View 1: everything that decides what happens next, on one screen."""

from __future__ import annotations

from v2h_console.tui.lines import Line, rule
from v2h_console.tui.panes.events import event_block
from v2h_console.tui.panes.grid import grid_block
from v2h_console.tui.panes.plot import plot_block
from v2h_console.tui.panes.power import power_block
from v2h_console.tui.panes.supply import supply_block
from v2h_console.tui.panes.tables import device_rows, load_rows
from v2h_console.tui.picture import Picture

#: From this body width on there is a plot at the right of the 80 columns.
PLOT_FROM = 120
#: From this body height on there are tables below.
TALL_FROM = 30
_LEFT = 80
#: Where the devices stand beside the circuits.
_DEVICES = 61
_EVENTS_TALL = 5


def overview(picture: Picture) -> list[Line]:
    """The body's lines for its width and height."""
    width, height = picture.width, picture.height
    plot = width >= PLOT_FROM
    tall = height >= TALL_FROM
    left = _LEFT if plot else width
    rows = [*grid_block(picture), rule(width)]
    top = len(rows)
    rows += [*power_block(picture), rule(width, left), *supply_block(picture, tall), rule(width, left)]
    free = height - len(rows)
    loads, devices = picture.snapshot.loads, picture.snapshot.devices
    below = max(len(loads), len(devices), 1) + 1 if plot else len(loads) + 1
    count = min(max(free - below - 1, _EVENTS_TALL), free) if tall else free
    rows += event_block(picture, max(count, 0), left)
    if plot:
        plot_block(picture, rows[top:], _LEFT + 2, width - _LEFT - 3)
    free = height - len(rows)
    if tall and free > 2:
        rows.append(rule(width))
        if plot:
            below_rows = load_rows(picture, free - 1, _DEVICES)
            device_rows(picture, free - 1, _DEVICES, below_rows)
            rows += below_rows
        else:
            rows += load_rows(picture, free - 1)
    return [row.line() for row in rows[:height]]
