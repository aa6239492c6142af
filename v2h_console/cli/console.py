"""``v2h-console``: the console on this site, or on the demo's house where no site is configured."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from v2h_console.session.protocol import Session
    from v2h_console.wiring.running import Running


def run(arguments: argparse.Namespace) -> int:
    """Run the console on the root's site."""
    from v2h_console.cli import attach

    root: Path = getattr(arguments, "root", Path("/"))
    attached = attach.screen_if_owned(root)
    if attached is not None:
        return attached
    # Not before: it loads the core's settings, a quarter of the time that a second login would wait.
    from v2h_console.site import reader

    if not reader.is_configured(root):
        if not os.path.isdir(root):
            from v2h_console.tui.inert import clean

            # A slip in the path must not show another house than was meant.
            return refuse(
                f"{clean(str(root), 4000)}: no such folder; without --root it is this machine's own site"
            )
        folder = reader.config_path(root, "")
        if folder.is_dir() and any(folder.iterdir()):
            return refuse(
                f"{folder}: has files but no comm_stack.conf; `v2h-console demo` shows a house without one"
            )
        from v2h_console.cli import demo

        return demo.run_screen(None, None)
    from v2h_console.runtime.config_keeper import ConfigKeeper
    from v2h_console.runtime.lock import root_refusal
    from v2h_console.site.errors import ConfigError

    # Before a screen is painted that could only say this.
    refusal = root_refusal(root / "var/lib/v2h")
    if refusal:
        return refuse(refusal)
    try:
        ConfigKeeper(root).load(adopt=False)
    except ConfigError as error:
        return refuse(str(error))

    def start() -> Running:
        from v2h_console.wiring.starting import start_site

        return start_site(root)

    return run_screen(start, root=root)


class Refusal(Exception):
    """The command could not be run. ``str()`` is the one line that says why; ``main`` prints it."""


def refuse(message: str) -> int:
    """One clear line on stderr, exit status 2."""
    print(f"v2h-console: {message}", file=sys.stderr)
    return 2


def run_screen(start: Callable[[], Running], *, outlives: bool = True, root: Path = Path("/")) -> int:
    """Paint first, then start the owner; end orderly whatever ends the screen.

    ``outlives``: a line that is lost, or a screen that fails, ends the screen alone, and the owner below ``root`` goes on
    until `v2h-console stop` or SIGTERM.
    """
    refusal = terminal_refusal()
    if refusal:
        return refuse(refusal)

    running: list[Running] = []

    def start_session() -> Session:
        from v2h_console.runtime import garbage

        garbage.take_over()
        owned = start()
        running.append(owned)
        # The signal thread ends the screen and then the owner.
        owned.desk.on_stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        garbage.take_over()
        return owned.session(helm=True)

    from v2h_console.cli.showing import show

    return show(start_session, running, outlives=outlives, root=root)


def terminal_refusal() -> str | None:
    """Why this terminal cannot show the screens, or nothing."""
    from v2h_console.tui import terminal

    return terminal.refusal(
        os.environ,
        sys.stdin.isatty(),
        sys.stdout.isatty(),
        terminal_size(),
        sys.stdout.encoding or "",
    )


def terminal_size() -> tuple[int, int]:
    """Columns and rows of the terminal on stdout; (0, 0) when there is none."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 0, 0
    return size.columns, size.lines
