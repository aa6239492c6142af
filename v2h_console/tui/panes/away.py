"""What happened while a person was away, how things stand now, and what to do first."""

from __future__ import annotations

import time

from v2h_console.session.absence import KINDS, Absence, most_telling
from v2h_console.session.snapshot import EventView, Snapshot
from v2h_console.tui.lines import Row, fit, rule, wrap
from v2h_console.tui.panes.supply import steps, what_to_do
from v2h_console.tui.picture import Picture, urgent
from v2h_console.tui.words import clock, is_serious, kilowatts, known, lasts, number

_DURATION = 26
_LABEL, _TEXT = 3, 13
#: Longer lines than this are hard to follow, however wide the terminal is.
_READABLE = 110
_ADVICE_ROWS = 2


def away_rows(absence: Absence, picture: Picture, where: str) -> list[Row]:
    """The page; ``where``: what stands behind it, "" = the view that it was called from."""
    head = _head(absence, picture)
    advice = _to_do(picture, where)
    foot = [rule(picture.width), *_now(picture), *advice]
    room = picture.height - len(head) - len(foot) - 1
    page = [*head, Row(picture.width), *_happened(absence, picture, max(room, 1)), *foot]
    if len(page) < picture.height:
        page.insert(len(page) - len(advice), Row(picture.width))
    return page


def away_for(seconds: float) -> str:
    """``2 min 28 s``, ``3 h 05 min``, ``2 d 4 h``; below 0 it is not known."""
    if seconds < 0.0:
        return "for how long is not known"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def moment(wall_s: float, now_s: float) -> str:
    """HH:MM:SS, of another day ``MM-DD HH:MM``."""
    try:
        then, now = time.localtime(wall_s), time.localtime(now_s)
    except (OverflowError, ValueError, OSError):
        return "--:--:--"
    return clock(wall_s) if then[:3] == now[:3] else time.strftime("%m-%d %H:%M", then)


def how_it_ended(absence: Absence, now_s: float) -> str:
    """One sentence about the last screen."""
    since = moment(absence.since_wall_s, now_s)
    key = f" Your last key there: {moment(absence.key_wall_s, now_s)}." if absence.key_wall_s else ""
    went_on = "" if absence.tally.get("restart") or absence.owner else "; the owner went on"
    return {
        "lost": f"Your screen went away {since}, its line was lost{went_on}.{key}",
        "failed": f"Your screen failed {since}{went_on}.{key}",
        "left": f"You left your screen {since}{went_on}.",
        "idle": f"Another screen of yours is still attached; its last key was {since}.",
    }.get(absence.how, f"Your screen was ended {since}, not by you{went_on}.{key}")


def _head(absence: Absence, picture: Picture) -> list[Row]:
    restarts = absence.tally.get("restart", 0)
    title = Row(picture.width).at(1, "WHILE YOU WERE AWAY", "title")
    title.at(_DURATION, away_for(absence.away_s), "value")
    if restarts:
        times = "once" if restarts == 1 else f"{restarts} times"
        title.right(80, f"the owner started anew {times}", "warn")
    elif absence.owner == "killed":
        title.right(80, "the owner died; this one started with your screen", "warn")
    elif absence.owner:
        title.right(80, "the owner started with your screen")
    elif picture.gone is None:
        title.right(80, "the owner never stopped")
    rows = [title]
    room = min(picture.width - _LABEL - 1, _READABLE)
    parts = wrap(how_it_ended(absence, picture.wall_s), room)
    rows += [Row(picture.width).at(_LABEL, part) for part in parts]
    counted = [_counted(name, absence.tally.get(name, 0)) for name in KINDS if absence.tally.get(name)]
    if counted:
        rows.append(Row(picture.width).at(_LABEL, f"In all: {', '.join(counted)}.", "value"))
    return rows


def _counted(name: str, count: int) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _happened(absence: Absence, picture: Picture, room: int) -> list[Row]:
    if not absence.happened:
        return [Row(picture.width).at(_LABEL, "Nothing happened.")]
    shown = most_telling(absence.events, room)
    left = absence.more + len(absence.events) - len(shown)
    if left:
        shown = most_telling(absence.events, room - 1)
        left = absence.more + len(absence.events) - len(shown)
    rows = [_event(event, picture) for event in shown]
    if left:
        rows.append(Row(picture.width).at(_LABEL, f"and {left} more: view 6 Log, and the log files"))
    return rows


def _event(event: EventView, picture: Picture) -> Row:
    row = Row(picture.width)
    when = moment(event.wall_s, picture.wall_s)
    column = _TEXT if len(when) <= 8 else _TEXT + 3
    serious = is_serious(event.severity)
    if event.severity != "info":
        row.at(1, "!", "value" if serious else "plain")
    row.at(_LABEL, when)
    return row.at(column, fit(event.text, picture.width - column - 1), "value" if serious else "plain")


def _now(picture: Picture) -> list[Row]:
    snapshot = picture.snapshot
    house, role = _house(snapshot)
    rows = [Row(picture.width).at(1, "NOW", "title").at(_TEXT, fit(f"House  {house}", _room(picture)), role)]
    rows.append(Row(picture.width).at(_TEXT, fit(f"Helm   {_helm(snapshot)}", _room(picture))))
    alarms = snapshot.alarms
    if picture.blank:
        text, role = "not known", "warn"
    elif not alarms:
        text, role = "none stands", "plain"
    else:
        worst = urgent(snapshot)
        shown = alarms[0].text if worst is None else worst.text
        text, role = f"{len(alarms)}: {shown}", "plain" if worst is None else "value"
    rows.append(Row(picture.width).at(_TEXT, fit(f"Alarms {text}", _room(picture)), role))
    return rows


def _room(picture: Picture) -> int:
    return picture.width - _TEXT - 1


def _house(snapshot: Snapshot) -> tuple[str, str]:
    if snapshot.house_dark is None:
        return "not known whether it is lit: treat it as LIVE", "warn"
    if snapshot.house_dark:
        return "DARK", "warn"
    if snapshot.mode == "tied":
        return "lit from the grid", "plain"
    if snapshot.mode not in ("islanded", "syncing"):
        return "lit", "plain"
    car = snapshot.car
    parts = ["lit from the car"]
    if known(car.power_w):
        parts.append(f"{kilowatts(car.power_w.value)} kW")
    if known(car.soc_pct):
        parts.append(f"{number(car.soc_pct.value, 0)} %")
    if car.discharging and car.runtime_s is not None:
        parts.append(lasts(car.runtime_s))
    return ", ".join(parts), "plain"


def _helm(snapshot: Snapshot) -> str:
    if snapshot.helm == "you":
        return "you have it"
    if snapshot.helm == "":
        return "nobody has it: t takes it"
    return f"{snapshot.helm_name or 'another console'} has it" if snapshot.helm == "other" else "not known"


def _to_do(picture: Picture, where: str) -> list[Row]:
    lines = wrap(_advice(picture), min(_room(picture), _READABLE)) or [""]
    if len(lines) > _ADVICE_ROWS:
        lines[_ADVICE_ROWS - 1 :] = [fit(" ".join(lines[_ADVICE_ROWS - 1 :]), _room(picture))]
    rows = [Row(picture.width).at(_TEXT, line) for line in lines]
    rows[0].at(1, "WHAT TO DO", "title")
    enter = f"goes on to {where}, where you stood" if where else "goes back"
    rows.append(Row(picture.width).at(_TEXT, "Enter", "key").at(_TEXT + 6, f"or any key {enter}."))
    return rows


def _advice(picture: Picture) -> str:
    snapshot = picture.snapshot
    if picture.gone is not None:
        return "No owner answers. This screen attaches again by itself."
    worst = urgent(snapshot)
    if worst is not None:
        return f"{worst.code}: {' '.join(what_to_do(snapshot)) or 'Enter on it explains it in view 1.'}"
    locked = next((alarm for alarm in snapshot.alarms if alarm.severity == "lockout"), None)
    if locked is not None and locked.what_to_do:
        # Acknowledged by one person, and still the first thing for the next.
        return f"{locked.code}: {' '.join(steps(locked.what_to_do))}"
    if snapshot.locked_out:
        return "Locked out: find the cause in view 6 Log, then R resets it. It needs the helm."
    if snapshot.house_dark is not False:
        return snapshot.sentence
    return f"No alarm needs you. {snapshot.sentence}"
