"""The words and numbers of the screens: how a state, a value, an age and a duration are written."""

from __future__ import annotations

import math
import time

from v2h_console.session.snapshot import Snapshot, Value

#: From this age on a value carries its age (``~2s``), because it may no longer be true.
LATE_MS = 2000.0

_MODE_WORDS = {
    "tied": "GRID-TIED",
    "standby": "STANDBY",
    "armed_test": "ARMED TEST",
    "opening": "OPENING",
    "proving": "OPENING",
    "dark": "HOUSE DARK",
    "boot_open": "HOUSE DARK",
    "forming": "HOUSE DARK",
    "islanded": "ISLANDED",
    "syncing": "RETURNING",
    "closing_sync": "RETURNING",
    "closing_dead": "RETURNING",
    "handback": "RETURNING",
    "fault_open": "LOCKED OUT",
}

_GRID_WORDS = {"dead": "DEAD", "out_of_window": "OUTSIDE", "in_window": "IN WINDOW"}
_PROOF_WORDS = {"aux": "aux", "aux+volts": "aux+volts"}
_SERIOUS = ("alarm", "lockout")


def mode_word(snapshot: Snapshot) -> str:
    """The mode in the words a technician reads. ISLANDED is never said of a dark house, nor DARK of a lit one."""
    mode = snapshot.mode
    word = _MODE_WORDS.get(mode, "UNKNOWN")
    if mode in ("islanded", "syncing") and snapshot.house_dark is True:
        word = "HOUSE DARK"
    elif word == "HOUSE DARK" and snapshot.house_dark is False:
        # Lit although the machine is not yet past forming: still opening, or the inverter just came up.
        word = "ISLANDED" if mode == "forming" else "OPENING"
    if snapshot.locked_out and word in ("HOUSE DARK", "OPENING"):
        return "LOCKED OUT"
    return word


def mid_words(snapshot: Snapshot) -> str:
    """``MID OPEN aux+volts``: the position and what proves it."""
    mid = snapshot.mid
    position = mid.position.upper() if mid.position in ("open", "closed") else "UNKNOWN"
    return f"MID {position} {_PROOF_WORDS.get(mid.proof, 'no proof')}"


def grid_words(snapshot: Snapshot) -> str:
    """``GRID DEAD 00:42``: the grid's condition and for how long."""
    grid = snapshot.grid
    word = _GRID_WORDS.get(grid.condition, "UNKNOWN")
    if grid.condition == "in_window":
        return f"GRID {word} {short_since(grid.since_ms)}"
    return f"GRID {word} {since(grid.since_ms)}"


def is_serious(severity: str) -> bool:
    """Whether a severity is one that a person must act on."""
    return severity in _SERIOUS


def since(ms: float) -> str:
    """``00:42``, from one hour on ``2h``, from two days on ``2d``."""
    seconds = _seconds(ms)
    if seconds < 3600:
        return f"{seconds // 60:02d}:{seconds % 60:02d}"
    return _long(seconds)


def short_since(ms: float) -> str:
    """``4:12``, from ten minutes on ``41m``, then ``2h`` and ``2d``: one cell less than ``since``."""
    seconds = _seconds(ms)
    if seconds < 600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 60}m" if seconds < 3600 else _long(seconds)


def _long(seconds: int) -> str:
    if seconds < 48 * 3600:
        return f"{seconds // 3600}h"
    return f"{min(seconds // 86400, 999)}d"


def _seconds(ms: float) -> int:
    return int(ms // 1000) if math.isfinite(ms) and ms > 0 else 0


def age(ms: float | None) -> str:
    """``7s``, ``3m``, ``2h``; empty where there never was a value."""
    if ms is None or not math.isfinite(ms):
        return ""
    seconds = _seconds(ms)
    if seconds < 100:
        return f"{seconds}s"
    return f"{seconds // 60}m" if seconds < 6000 else _long(seconds)


def late(value: Value) -> str:
    """``~2s`` beside a value that is still shown but no longer new."""
    if value.age_ms is None or value.age_ms < LATE_MS:
        return ""
    return f"~{age(value.age_ms)}"


def number(value: float | None, decimals: int) -> str:
    """A number in fixed decimals; unknown and not-a-number are ``--``; never ``-0.0``."""
    if value is None or not math.isfinite(value):
        return "--"
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def kilowatts(watts: float | None) -> str:
    """Watts as kW with two decimals."""
    return number(None if watts is None else watts / 1000, 2)


def clock(wall_s: float) -> str:
    """HH:MM:SS in local time."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(wall_s))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


def lasts(runtime_s: float) -> str:
    """``about 6 h 40 min``, in steps that do not flicker: ten minutes above two hours, one below."""
    if not math.isfinite(runtime_s) or runtime_s > 99 * 3600:
        return "over 99 h"
    minutes = max(0, int(runtime_s // 60))
    if minutes >= 120:
        minutes -= minutes % 10
    if minutes < 1:
        return "under 1 min"
    hours, rest = divmod(minutes, 60)
    return f"about {hours} h {rest:02d} min" if hours else f"about {rest} min"


def minutes_seconds(seconds: float) -> str:
    """``00:18`` of a hold."""
    whole = max(0, math.ceil(seconds)) if math.isfinite(seconds) else 0
    return f"{min(whole // 60, 99):02d}:{whole % 60:02d}"


def known(value: Value) -> bool:
    """Whether a value can be shown as a number."""
    return value.value is not None and math.isfinite(value.value)
