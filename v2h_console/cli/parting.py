"""What a screen leaves behind when it goes: the lines on its terminal, and, where it failed, what the owner keeps of that."""

from __future__ import annotations

import logging
import shlex
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from v2h_console.tui.inert import clean

if TYPE_CHECKING:
    from v2h_console.wiring.running import Running

HUNG_UP = "v2h-console: this screen has ended on a hang-up."
SCREEN_FAILED = "SCREEN_FAILED"
#: Of a failure's lines the log keeps the last ones: where it came from stands there.
_LINES_KEPT = 60


def hung_up(root: Path) -> str:
    """On a terminal that lives on: the shell still waits, for an owner that nobody sees."""
    return f"{HUNG_UP[:-1]}; the control goes on.\n{_what_now(root)}"


def hung_up_attached(root: Path) -> str:
    """The owner is another process, and the shell is back."""
    return f"{HUNG_UP[:-1]}; {_command(root)} opens it again."


def failed(root: Path) -> str:
    """The screen broke, and the owner behind it did not."""
    return f"v2h-console: the screen failed; the control goes on.\n{_what_now(root)}"


def record_failure(owned: Running, error: Exception) -> None:
    """The traceback for the error log, and an event that the next login tells."""
    record(owned, "the screen failed", error)
    what = clean(f"{type(error).__name__}: {' '.join(str(error).split())}", 120)
    text = f"A screen failed and ended; the control went on. The error log says where: {what}"
    owned.owner.say(SCREEN_FAILED, "warning", text)


def record(owned: Running, what: str, error: Exception) -> None:
    """The traceback for the error log, each line behind ``what`` went wrong."""
    for line in "".join(traceback.format_exception(error)).splitlines()[-_LINES_KEPT:]:
        owned.log.say(f"{what}: {line}", logging.ERROR)


def _what_now(root: Path) -> str:
    command = _command(root)
    return f"{command} in another login opens the screen again;\n{command} stop ends the control."


def _command(root: Path) -> str:
    where = "" if root == Path("/") else f" --root {clean(shlex.quote(str(root.absolute())), 4000)}"
    return f"v2h-console{where}"
