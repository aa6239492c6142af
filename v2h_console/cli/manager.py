"""``v2h-manager``: the owner without a screen, for the service manager.

Runs the core on the root's site until SIGTERM, Ctrl+C or `v2h-console stop`; consoles attach to it. Exit 0 after an orderly
end (130 after Ctrl+C's), 1 when the control core stopped by itself or went to another owner, 2 when it could not be started. Whoever restarts it
after 1 has the house back when the other owner is gone, also where that one never got on its feet.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from v2h_console.cli.console import Refusal
from v2h_console.cli.main import OneLineParser, guarded

if TYPE_CHECKING:
    from v2h_console.runtime.lock import OwnerLock
    from v2h_console.runtime.service_notify import ServiceNotifier

#: How often the watchdog is looked after.
LOOK_S = 0.25


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = OneLineParser(prog="v2h-manager", description="The owner of a V2H site, without a screen.")
    parser.add_argument("--root", type=Path, default=Path("/"), help="all files below this folder; default /")
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="go on from the owner that runs now: the house stays as it is; refused where there is none",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="where an owner runs already, wait for its end and own the site then; for the service",
    )
    return guarded("v2h-manager", lambda: run(parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> int:
    """Own the site until asked to end."""
    from v2h_console.runtime import signals

    # What a shell has put into the background does not hear the keyboard.
    keyboard = () if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else (signal.SIGINT,)
    signals.block(*keyboard)
    from v2h_console.runtime import garbage
    from v2h_console.runtime.logs import EventLog
    from v2h_console.runtime.service_notify import ServiceNotifier
    from v2h_console.site.errors import ConfigError
    from v2h_console.wiring.running import StartFailed
    from v2h_console.wiring.starting import start_site
    from v2h_console.wiring.succession import take_over

    root: Path = arguments.root
    ended, interrupted = threading.Event(), threading.Event()

    def interrupt() -> None:
        interrupted.set()
        ended.set()

    answers = {signal.SIGTERM: ended.set, **dict.fromkeys(keyboard, interrupt)}
    signals.SignalThread(answers, _unanswered).start()
    notifier = ServiceNotifier(os.environ)
    try:
        lock = _lock(root, arguments, ended, notifier)
    except StartFailed as error:
        # The log files are the owner's that runs.
        raise Refusal(str(error)) from None
    if ended.is_set():
        return 130 if interrupted.is_set() else 0
    garbage.take_over()
    try:
        running = take_over(root) if arguments.take_over else start_site(root, lock)
    except (ConfigError, StartFailed) as error:
        log = EventLog(root)
        log.say(f"not started: {error}", logging.ERROR)
        log.close()
        raise Refusal(str(error)) from None
    garbage.take_over()
    running.desk.on_stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
    notifier.ready("owner runs")
    running.log.say(f"v2h-manager {os.getpid()} {'took over' if arguments.take_over else 'owns'} {root}")
    wait_s = min(LOOK_S, notifier.watchdog_s) if notifier.watchdog_s else LOOK_S
    try:
        while not running.defect and not ended.wait(wait_s):
            if notifier.watchdog_s is not None:
                notifier.feed(running.owner.age_ms)
        defect = running.defect
        notifier.stopping()
    finally:
        running.stop()
    if defect:
        print(f"v2h-manager: {defect}", file=sys.stderr)
    if defect or running.owner.lane.handed_over:
        return 1
    return 130 if interrupted.is_set() else 0


def _unanswered(what: str, error: Exception) -> None:
    print(f"v2h-manager: {what}: {type(error).__name__}: {error}", file=sys.stderr)


def _lock(
    root: Path, arguments: argparse.Namespace, ended: threading.Event, notifier: ServiceNotifier
) -> OwnerLock | None:
    """The owner's lock; ``None``: it comes with the hand-over, or somebody has asked to end. Raises StartFailed."""
    from v2h_console.wiring import building

    if arguments.take_over:
        building.may_own(root)
        return None
    return _lock_when_free(root, ended, notifier) if arguments.wait else building.lock(root)


def _lock_when_free(root: Path, ended: threading.Event, notifier: ServiceNotifier) -> OwnerLock | None:
    """The owner's lock, as soon as nobody has it; ``None``: asked to end before. Raises StartFailed.

    The log files are the owner's that runs: until then the journal hears of it, and `systemctl status`.
    """
    from v2h_console.wiring import building
    from v2h_console.wiring.running import OwnerRuns

    waits = False
    while True:
        try:
            return building.lock(root)
        except OwnerRuns as error:
            if not waits:
                waits = True
                print(f"v2h-manager: waits: {error}", file=sys.stderr)
                notifier.ready("waits for the owner that runs")
        if ended.wait(LOOK_S):
            return None
        # Nothing depends on this process yet: that it lives is all there is to say.
        notifier.feed(lambda: 0.0)


if __name__ == "__main__":
    sys.exit(main())
