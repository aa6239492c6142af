"""The help page: how to read the screens, and every key."""

from __future__ import annotations

from v2h_console.tui.actions import ACTIONS
from v2h_console.tui.keymap import KEYS
from v2h_console.tui.views import NAMES, VIEWS

_READING = (
    "HOW TO READ IT",
    "  !        alarm, or a value out of its limit (in reverse video)",
    "  --  ?    unknown; the age of the last value stands to its right (-- V  7s)",
    "  ~2s      still shown, but 2 s old",
    "  inv      measured by another device: no proof of the MID",
    "  >        the chosen line",
    "  ISLANDED means lit by the car; HOUSE DARK means dark.",
    "",
    "The MID opens by itself when this program or its controller stops. Protection within a cycle is the",
    "listed hardware's work, not this program's.",
)


def help_lines(trainer: bool) -> list[str]:
    """The page's lines."""
    lines = ["KEYS"]
    for name, (_, shown) in KEYS.items():
        action = ACTIONS[name]
        if shown and not name.startswith("view_") and (trainer or not action.trainer):
            lines.append(f"  {shown:<11}{action.title}")
    lines.append(f"  {'1-9':<11}Views:")
    for number, name in enumerate(NAMES, 1):
        lines.append(f"{'':<13}{number} {name}{'' if number in VIEWS else ' (not in this version yet)'}")
    return [*lines, "", *_READING]
