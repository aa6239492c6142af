"""``v2h-console``: the console on this site, or on the demo's house where no site is configured."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
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

    # Before the configuration: what is good of it is written down.
    refusal = root_refusal(root / "var/lib/v2h")
    if refusal:
        return refuse(refusal)
    try:
        ConfigKeeper(root).load()
    except ConfigError as error:
        return refuse(str(error))

    def start() -> Running:
        from v2h_console.wiring.starting import start_site

        return start_site(root)

    return run_screen(start)


class Refusal(Exception):
    """The command could not be run. ``str()`` is the one line that says why; ``main`` prints it."""


def refuse(message: str) -> int:
    """One clear line on stderr, exit status 2."""
    print(f"v2h-console: {message}", file=sys.stderr)
    return 2


def run_screen(start: Callable[[], Running], *, outlives: bool = True) -> int:
    """Paint first, then start the owner; end orderly whatever ends the screen.

    ``outlives``: a line that is lost ends the screen alone, and the owner goes on until `v2h-console stop` or SIGTERM.
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

    return show(start_session, running, outlives=outlives)


def show(
    start_session: Callable[[], Session], running: Sequence[Running] = (), *, outlives: bool = False
) -> int:
    """The screen on a session; ``running`` is stopped after it, or, on a lost line, when somebody asks for it."""
    from v2h_console.runtime import signals

    # Before the application, and so before any thread: every one of them inherits it.
    signals.block()
    from v2h_console.tui.app import ConsoleApp
    from v2h_console.tui.driver import LineDriver, let_go_of_terminal

    line_lost, end_asked = threading.Event(), threading.Event()

    def begin() -> Session:
        session = start_session()
        for owned in running:
            threading.Thread(target=mourn, args=(owned,), name="core's end", daemon=True).start()
        return session

    def mourn(owned: Running) -> None:
        """A core that died takes the owner with it: whoever waits for the lock can light the house again."""
        owned.owner.lane.join()
        if owned.defect:
            end_asked.set()
            app.end(1)

    app = ConsoleApp(None, begin, driver_class=LineDriver)

    def lost() -> None:
        line_lost.set()
        app.end(128 + signal.SIGHUP)

    def hang_up() -> None:
        driver = app.driver
        if driver is not None:
            driver.line_lost()
        else:
            let_go_of_terminal()
            lost()

    def terminate() -> None:
        end_asked.set()
        app.end(128 + signal.SIGTERM)

    LineDriver.on_lost = staticmethod(lost)
    signals.SignalThread({signal.SIGHUP: hang_up, signal.SIGTERM: terminate}).start()
    errors = sys.__stderr__
    if not sys.stderr.isatty():
        # Textual draws on stderr; with `2>file` that would be a screen that nobody sees.
        sys.__stderr__ = sys.__stdout__  # type: ignore[misc]  # typed as final, meant to be replaceable
    try:
        app.run(mouse=False)
    finally:
        sys.__stderr__ = errors  # type: ignore[misc]
        if line_lost.is_set() and outlives and running:
            end_asked.wait()
        for owned in running:
            owned.stop()
    if app.failure:
        return refuse(app.failure)
    for defect in (owned.defect for owned in running if owned.defect):
        print(f"v2h-console: {defect}", file=sys.stderr)
        return 1
    return app.return_code or 0


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
