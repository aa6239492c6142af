"""The alarms that stand and what happened, one line each."""

from __future__ import annotations

from v2h_console.tui.lines import Row, fit
from v2h_console.tui.picture import Entry, Picture, entries
from v2h_console.tui.words import clock, is_serious

_TEXT = 13


def event_block(picture: Picture, count: int, width: int = 80) -> list[Row]:
    """``count`` lines; the list moves so that the chosen line is always among them."""
    listed = entries(picture.snapshot, picture.faults_only)
    cursor = picture.cursor
    first = 0
    if cursor is not None and count > 0:
        cursor = min(cursor, len(listed) - 1)
        first = max(0, cursor - count + 1)
    rows = []
    for index in range(first, first + count):
        row = Row(picture.width)
        if index < len(listed):
            _entry(row, listed[index], index == cursor, width)
        elif index == 0:
            row.at(3, "no faults" if picture.faults_only else "nothing has happened yet")
        rows.append(row)
    return rows


def entry_text(entry: Entry) -> str:
    """One entry as a line to copy."""
    return f"{clock(entry.wall_s)}  {entry.severity}  {entry.code}  {entry.text}"


def _entry(row: Row, entry: Entry, chosen: bool, width: int) -> None:
    marked = entry.severity != "info"
    if chosen:
        row.at(0, ">", "value")
    if marked:
        row.at(1, "!", "value" if entry.standing else "plain")
    row.at(3, clock(entry.wall_s)).at(_TEXT, fit(entry.text, width - _TEXT - 1), "plain")
    if entry.standing and not entry.acknowledged:
        # Reverse video is kept for what a person must act on; a standing warning is bold.
        row.paint("alarm" if is_serious(entry.severity) else "warn", 0 if not chosen else 1, width)
