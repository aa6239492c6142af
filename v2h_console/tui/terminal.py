"""Whether this terminal can carry the console: one clear line when it cannot."""

from __future__ import annotations

from collections.abc import Mapping

from v2h_console.tui.inert import clean

MIN_COLUMNS = 80
MIN_ROWS = 24

#: Terminals without cursor addressing: the screens would come out as escape codes.
_INCAPABLE = {"dumb", "unknown"}


def fits(columns: int, rows: int) -> bool:
    """Whether a terminal of this size shows the numbers whole."""
    return columns >= MIN_COLUMNS and rows >= MIN_ROWS


def refusal(
    environ: Mapping[str, str],
    stdin_tty: bool,
    stdout_tty: bool,
    size: tuple[int, int],
    encoding: str | None,
) -> str | None:
    """Why the console cannot start on this terminal, or ``None`` when it can.

    ``size`` is (columns, rows); ``encoding`` is that of standard output. The line says what, and what to do.
    """
    if not stdin_tty:
        return "The console needs a keyboard: standard input is not a terminal. Run it in one; `v2h-console attach --json` prints without a screen."
    if not stdout_tty:
        return "The console needs a screen: standard output is not a terminal. Run it in one; `v2h-console attach --json` prints without a screen."
    term = environ.get("TERM", "")
    if not term:
        return (
            "TERM is not set, so the terminal's kind is not known. Set it, for example: TERM=xterm-256color."
        )
    if term in _INCAPABLE:
        return f"TERM={clean(term, 40)} cannot position the cursor. Use a real terminal; `v2h-console attach --json` prints without a screen."
    if (encoding or "").lower().replace("-", "").replace("_", "") != "utf8":
        shown = clean(encoding or "unknown", 40)
        return f"The terminal's encoding is {shown}, not UTF-8. Set it, for example: LC_ALL=C.UTF-8."
    columns, rows = size
    if not fits(columns, rows):
        return (
            f"The terminal is {columns} x {rows}; the console needs {MIN_COLUMNS} x {MIN_ROWS}. "
            "Make the window larger."
        )
    return None
