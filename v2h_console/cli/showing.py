"""A screen on a session, and what becomes of the owner in this process when the screen goes.

A screen that is lost (its line hung up) or that failed ends alone: the house may be lit by this process. The owner then
goes on in its own threads, and the main thread waits until somebody asks for an orderly end; nothing that the terminal
sends meanwhile may break that wait.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from v2h_console.cli import parting
from v2h_console.runtime import signals
from v2h_console.tui.inert import clean

if TYPE_CHECKING:
    from v2h_console.session.protocol import Session
    from v2h_console.tui.app import ConsoleApp
    from v2h_console.wiring.running import Running


#: A fault that raises with a new text for each key must not push everything else out of the log.
_MOST_MISHAPS = 20


class Showing:
    """``running``: the owners of this process, filled by ``start_session``; ``None`` where it only attaches."""

    def __init__(
        self,
        start_session: Callable[[], Session],
        running: Sequence[Running] | None,
        *,
        outlives: bool,
        root: Path,
    ) -> None:
        self._start_session = start_session
        self._attached = running is None
        self._running: Sequence[Running] = () if running is None else running
        self._outlives, self._root = outlives, root
        self._line_lost, self._end_asked = threading.Event(), threading.Event()
        self._app: ConsoleApp
        self._mishaps: list[str] = []

    def run(self) -> int:
        """The screen until its end, then the owner until its own; what the process returns."""
        signals_of_a_screen()
        from v2h_console.tui.app import ConsoleApp
        from v2h_console.tui.driver import LineDriver

        app = self._app = ConsoleApp(None, self._begin, driver_class=LineDriver)
        app.failure_is_told = self._goes_on
        LineDriver.on_lost = staticmethod(self._lost)
        LineDriver.parting = staticmethod(self._words_of_hang_up)
        LineDriver.on_failure = staticmethod(self._mishap)
        signals.SignalThread(
            {
                signal.SIGHUP: self._hang_up,
                signal.SIGTERM: lambda: self._end(signal.SIGTERM),
                signal.SIGINT: lambda: self._interrupt(signal.SIGINT),
                signal.SIGQUIT: lambda: self._interrupt(signal.SIGQUIT),
                signal.SIGCONT: self._continued,
            },
            self._mishap,
        ).start()
        try:
            self._run_screen(app)
            if self._is_screenless() and self._goes_on():
                if app.crash is not None:
                    try:
                        self._tell_crash(app, app.crash)
                    except Exception as error:  # noqa: BLE001  (whatever is wrong with the telling, the house stays lit)
                        self._mishap("the end of the screen could not be told", error)
                signals.ignore_terminal()
                self._end_asked.wait()
        finally:
            for owned in self._running:
                owned.stop()
        if self._attached:
            # No log of its own; the owner's is not the place for what went wrong here.
            for words in self._mishaps:
                print(f"v2h-console: {words}", file=sys.stderr)
        if app.failure:
            print(f"v2h-console: {app.failure}", file=sys.stderr)
            return 2
        for defect in (owned.defect for owned in self._running if owned.defect):
            print(f"v2h-console: {defect}", file=sys.stderr)
            return 1
        return app.return_code or 0

    def _run_screen(self, app: ConsoleApp) -> None:
        errors = sys.__stderr__
        if not sys.stderr.isatty():
            # Textual draws on stderr; with `2>file` that would be a screen that nobody sees.
            sys.__stderr__ = sys.__stdout__  # type: ignore[misc]  # typed as final, meant to be replaceable
        try:
            app.run(mouse=False)
        except Exception as error:
            if not self._goes_on():
                raise
            app.crash = app.crash or error
        finally:
            sys.__stderr__ = errors  # type: ignore[misc]

    # ---------------------------------------------------------------- the owner's life

    def _begin(self) -> Session:
        session = self._start_session()
        for owned in self._running:
            threading.Thread(target=self._mourn, args=(owned,), name="core's end", daemon=True).start()
        return session

    def _mourn(self, owned: Running) -> None:
        """A core that died takes the owner with it: whoever waits for the lock can light the house again."""
        owned.owner.lane.join()
        if owned.defect:
            self._end_asked.set()
            self._app.end(1)

    def _goes_on(self) -> bool:
        """Whether an owner of this process outlives this screen."""
        return self._outlives and bool(self._running)

    def _is_screenless(self) -> bool:
        return self._line_lost.is_set() or self._app.crash is not None

    def _tell_crash(self, app: ConsoleApp, error: Exception) -> None:
        # Where the application failed too early for it, the seat is still taken, and the helm with it.
        app.on_unmount()
        for owned in self._running:
            parting.record_failure(owned, error)
        words = parting.failed(self._root)
        if app.driver is None:
            print(words, file=sys.stderr)
        else:
            app.driver.let_go(words)

    def _words_of_hang_up(self) -> str:
        if self._attached:
            return parting.hung_up_attached(self._root)
        return parting.hung_up(self._root) if self._goes_on() else parting.HUNG_UP

    def _mishap(self, what: str, error: Exception) -> None:
        """From any thread, about something that costs nothing but itself: the same is told once, and raises nothing."""
        with suppress(Exception):
            words = clean(f"{what}: {type(error).__name__}: {' '.join(str(error).split())}", 160)
            if words in self._mishaps or len(self._mishaps) >= _MOST_MISHAPS:
                return
            self._mishaps.append(words)
            for owned in self._running:
                parting.record(owned, what, error)

    # ---------------------------------------------------------------- signals, each in the signal thread

    def _lost(self) -> None:
        self._line_lost.set()
        self._app.end(128 + signal.SIGHUP)

    def _hang_up(self) -> None:
        from v2h_console.tui.driver import let_go_of_terminal

        driver = self._app.driver
        if driver is not None:
            driver.line_lost()
        else:
            let_go_of_terminal()
            self._lost()

    def _end(self, number: signal.Signals) -> None:
        """The screen and then the owner, orderly."""
        self._end_asked.set()
        self._app.end(128 + number)

    def _interrupt(self, number: signal.Signals) -> None:
        """Ctrl+C or Ctrl+\\ on a terminal whose screen has gone and whose shell waits for this process is for the terminal,
        not for the house; on a screen that lives no key sends these, and who does means an end."""
        if not self._is_screenless():
            self._end(number)

    def _continued(self) -> None:
        driver = self._app.driver
        if driver is not None:
            driver.continued()


def signals_of_a_screen() -> None:
    """Before the first thread, a session's too: each inherits it, and a signal that one of them takes ends the process with
    its last picture standing on a terminal that is not given back."""
    signals.block(signal.SIGINT, signal.SIGQUIT, signal.SIGCONT)


def show(
    start_session: Callable[[], Session],
    running: Sequence[Running] | None = None,
    *,
    outlives: bool = False,
    root: Path = Path("/"),
) -> int:
    """The screen on a session; ``running`` is stopped after it, or, where it ``outlives`` a screen that is lost or failed,
    when somebody asks for it."""
    return Showing(start_session, running, outlives=outlives, root=root).run()
