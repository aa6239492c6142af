"""The grid side, the MID and the house side, each measured value beside its window."""

from __future__ import annotations

from v2h_console.session.snapshot import MidView, Value
from v2h_console.tui.lines import Row, fit
from v2h_console.tui.picture import Picture
from v2h_console.tui.words import LATE_MS, age, clock, known, late, number

#: From this width on each voltage and frequency has a gauge beside it; below it only text, so nothing is cut.
GAUGES_FROM = 100
ROWS = 6

_GRID, _MID, _HOUSE = 1, 22, 45
_NUMBER_END, _UNIT, _SOURCE, _AGE = 13, 14, 16, 17
_CELL = 21


def gauge_width(width: int) -> int:
    """Cells of one gauge at a body width; 0 where there are none."""
    return 0 if width < GAUGES_FROM else min(18, (width - 80) // 2 - 2)


def gauge(value: float | None, low: float, high: float, marks: tuple[float, ...], cells: int) -> str:
    """A bar from ``low`` to ``high`` filled up to ``value``, with ``│`` at the marks; ``?`` when unknown."""
    if value is None or high <= low:
        return "?" * cells
    filled = round(max(0.0, min(1.0, (value - low) / (high - low))) * cells)
    bar = ["█"] * filled + ["░"] * (cells - filled)
    for mark in marks:
        bar[max(0, min(cells - 1, int((mark - low) / (high - low) * cells)))] = "│"
    return "".join(bar)


def window_gauge(value: Value, low: float, high: float, cells: int) -> str:
    """A gauge whose scale reaches 75 % of the window beyond both its ends."""
    beyond = (high - low) * 0.75
    return gauge(value.value if known(value) else None, low - beyond, high + beyond, (low, high), cells)


def reading(
    row: Row,
    column: int,
    label: str,
    value: Value,
    decimals: int,
    unit: str,
    out: bool = False,
    absent: str = "--",
) -> None:
    """One measured value: label, number, unit, and what is to be known of it (source, age).

    ``absent`` is what stands for a number that a working sensor cannot give (the frequency of a dead grid).
    """
    row.at(column, label)
    text = number(value.value, decimals) if known(value) else absent
    if out:
        row.right(column + _NUMBER_END, f"!{text}", "alarm")
    else:
        row.right(column + _NUMBER_END, text, "value")
    row.at(column + _UNIT, unit)
    if value.source:
        row.at(column + _SOURCE + len(unit) - 1, fit(value.source, 4))
    if not known(value):
        if value.age_ms is not None and value.age_ms >= LATE_MS:
            row.at(column + _AGE, age(value.age_ms))
    elif late(value):
        row.at(column + _AGE + (3 if value.source else 0), late(value), "warn")


def outside(value: Value, low: float, high: float) -> bool:
    """Whether a known value lies outside its window."""
    return value.value is not None and known(value) and not low <= value.value <= high


def grid_block(picture: Picture) -> list[Row]:
    """Rows 4 to 9 of the Overview."""
    cells = gauge_width(picture.width)
    shift = cells + 2 if cells else 0
    mid_column, house_column = _MID + shift, _HOUSE + shift
    limits_end = house_column + 35 + shift
    rows = [Row(picture.width) for _ in range(ROWS)]
    rows[0].at(_GRID, "GRID (street side)", "title").at(mid_column + 3, "MID", "title")
    rows[0].at(house_column, "HOUSE", "title").right(limits_end, "in window if")

    snapshot, limits = picture.snapshot, picture.snapshot.limits
    grid, house = snapshot.grid.sides, snapshot.house
    judge_grid = snapshot.grid.condition == "out_of_window"
    # A dark house is said by the mode; marking its zeros as well would bury what is really wrong.
    judge_house = snapshot.house_dark is not True
    table = (
        ("L1", grid.l1_v, house.l1_v, 1, "V", limits.enter_v_lo, limits.enter_v_hi),
        ("L2", grid.l2_v, house.l2_v, 1, "V", limits.enter_v_lo, limits.enter_v_hi),
        ("L1-L2", grid.l1l2_v, house.l1l2_v, 1, "V", limits.enter_ll_lo, limits.enter_ll_hi),
        ("f", grid.frequency_hz, house.frequency_hz, 2, "Hz", limits.enter_f_lo, limits.enter_f_hi),
    )
    for row, (label, street, home, decimals, unit, low, high) in zip(rows[1:], table, strict=False):
        for column, value, judge in ((_GRID, street, judge_grid), (house_column, home, judge_house)):
            absent = _absent(value, unit)
            if cells and absent == "--":
                row.at(column + _CELL, window_gauge(value, low, high, cells), "mark")
            reading(row, column, label, value, decimals, unit, judge and outside(value, low, high), absent)
        row.right(limits_end - 1, _window(low, high, unit))
    thd = house.thd_pct
    reading(rows[5], house_column, "THD", thd, 1, "%", judge_house and outside(thd, -1.0, limits.thd_pct))
    rows[5].right(limits_end - 1, f"< {limits.thd_pct:.1f}")
    if cells:
        bar = gauge(thd.value if known(thd) else None, 0.0, limits.thd_pct * 2, (limits.thd_pct,), cells)
        rows[5].at(house_column + _CELL, bar, "mark")
    _qualification(rows[5], picture, mid_column)
    _mid(rows, mid_column, snapshot.mid)
    return rows


def _absent(value: Value, unit: str) -> str:
    fresh = value.age_ms is not None and value.age_ms < LATE_MS
    return "--.--" if unit == "Hz" and fresh and not known(value) else "--"


def _window(low: float, high: float, unit: str) -> str:
    decimals = 1 if unit == "Hz" else 0
    return f"{low:.{decimals}f} - {high:.{decimals}f}"


def _qualification(row: Row, picture: Picture, mid_column: int) -> None:
    """What stands between the grid and a reconnection: why it is outside, or how far the count is."""
    snapshot = picture.snapshot
    grid = snapshot.grid
    room = mid_column + 21 - _GRID
    if grid.condition == "out_of_window" and grid.reason:
        row.at(_GRID, fit(grid.reason, room), "warn")
    elif grid.condition == "in_window" and snapshot.mode != "tied" and grid.delay_s > 0:
        done = min(int(grid.qualified_s), int(grid.delay_s))
        text = f"in window {done} of {grid.delay_s:.0f} s"
        row.at(_GRID, text)
        row.at(_GRID + len(text) + 2, gauge(grid.qualified_s, 0.0, grid.delay_s, (), 16), "mark")


def _mid(rows: list[Row], column: int, mid: MidView) -> None:
    if mid.position == "open":
        rows[1].at(column, "───o   o───", "value")
        rows[2].at(column + 2, "O P E N", "value")
        if mid.last_open_ms is not None:
            rows[3].at(column, f"opened in {number(mid.last_open_ms, 0)} ms")
    elif mid.position == "closed":
        rows[1].at(column, "───o───o───", "value")
        rows[2].at(column, "C L O S E D", "value")
        if mid.last_open_ms is not None:
            rows[3].at(column, f"last open {number(mid.last_open_ms, 0)} ms")
    else:
        rows[1].at(column, "───?   ?───", "alarm")
        rows[2].at(column + 1, " UNKNOWN ", "alarm")
        if mid.last_known in ("open", "closed"):
            rows[3].at(column, f"last seen {mid.last_known.upper()}")
            if mid.last_known_wall_s is not None:
                rows[4].at(column, clock(mid.last_known_wall_s))
        else:
            rows[3].at(column, "never seen yet")
        return
    if mid.worst_open_ms is not None and mid.openings > 0:
        rows[4].at(column, f"worst of {mid.openings}: {number(mid.worst_open_ms, 0)}")
