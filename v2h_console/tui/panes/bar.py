"""The rows that never move: mode, MID, grid, helm and alarms; one sentence and the clock; the rule; the keys."""

from __future__ import annotations

from v2h_console.tui.lines import Line, Row, fit, rule
from v2h_console.tui.picture import Picture, urgent
from v2h_console.tui.words import clock, grid_words, is_serious, mid_words, mode_word

# First cell of each field (0-based) and its room: technician's rule, eyes learn places.
_MODE, _MID, _GRID, _HELM, _ALARMS = (1, 13), (15, 21), (37, 19), (57, 12), (70, 10)
_CLOCK_CELLS = 8
_TWIN = " TWIN: simulated house "
#: Cells kept right of the TWIN mark in the rule.
_TWIN_MARGIN = 1

_MODE_ROLES = {
    "UNKNOWN": "alarm",
    "LOCKED OUT": "alarm",
    "HOUSE DARK": "warn",
    "GRID-TIED": "ok",
    "ISLANDED": "ok",
}


def bar(picture: Picture) -> list[Line]:
    """Rows 1 to 3 of every screen."""
    return [_state(picture), _sentence(picture), _rule(picture)]


def _state(picture: Picture) -> Line:
    snapshot = picture.snapshot
    row = Row(picture.width)
    word = mode_word(snapshot)
    row.at(_MODE[0], word, _MODE_ROLES.get(word, "value"), _MODE[1])
    mid_role = "alarm" if snapshot.mid.position not in ("open", "closed") else "value"
    row.at(_MID[0], mid_words(snapshot), mid_role, _MID[1])
    grid_role = {"in_window": "ok", "dead": "warn", "out_of_window": "warn"}.get(
        snapshot.grid.condition, "alarm"
    )
    row.at(_GRID[0], grid_words(snapshot), grid_role, _GRID[1])
    row.at(_HELM[0], f"HELM {snapshot.helm or 'nobody'}", "value", _HELM[1])
    count = len(snapshot.alarms)
    text = f"ALARMS {count if count < 100 else '99+'}"
    if picture.blank:
        row.at(_ALARMS[0], "ALARMS ?", "alarm", _ALARMS[1])
    elif any(not alarm.acknowledged for alarm in snapshot.alarms):
        serious = any(is_serious(a.severity) and not a.acknowledged for a in snapshot.alarms)
        row.at(_ALARMS[0], f"{text} !", "alarm" if serious else "warn", _ALARMS[1])
    else:
        row.at(_ALARMS[0], text, "value", _ALARMS[1])
    if picture.width > 100 and snapshot.site:
        row.right(picture.width - 1, fit(snapshot.site, picture.width - 84))
    return row.line()


def sentence(picture: Picture) -> tuple[str, bool]:
    """The one sentence, and whether it is an alarm's."""
    if picture.gone is not None:
        since = clock(picture.gone.since_wall_s)
        return f"!! OWNER GONE since {since}, everything shown is old. Treat as LIVE.", True
    if picture.silent:
        seconds = int(picture.stale_ms // 1000)
        return f"!! THE OWNER IS SILENT {seconds} s. What you see is that old. Treat all as LIVE.", True
    text = picture.snapshot.sentence
    if text.startswith("!"):
        return text, True
    worst = urgent(picture.snapshot)
    if worst is not None and worst.text == text:
        return f"! {text}", True
    return text, False


def _sentence(picture: Picture) -> Line:
    row = Row(picture.width)
    text, alarm = sentence(picture)
    room = picture.width - _CLOCK_CELLS - 2
    row.at(1, fit(text, room), "plain")
    row.right(picture.width, clock(picture.wall_s), "value")
    if alarm:
        row.paint("alarm", 0, picture.width - _CLOCK_CELLS - 1)
    return row.line()


def _rule(picture: Picture) -> Line:
    row = rule(picture.width)
    if picture.snapshot.twin:
        # At the right of 80 columns at any width: a fixed place.
        row.at(80 - _TWIN_MARGIN - len(_TWIN), _TWIN, "twin")
    return row.line()


def keys(text: str, width: int) -> list[Line]:
    """The last row: the keys that work now. Two blanks or more part one key from the next."""
    row = Row(width)
    column = 1
    for group in text.split("  "):
        if not group:
            column += 2
            continue
        lead = len(group) - len(group.lstrip())
        word = group.strip()
        key, _, rest = word.partition(" ")
        row.at(column + lead, key, "key")
        row.at(column + lead + len(key) + 1, rest)
        column += len(group) + 2
    return [row.line()]
