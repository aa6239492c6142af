"""``v2h-console attach`` and ``stop``: a second console on a running owner, and an orderly end of it."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2h_console.cli import console
from v2h_console.cli.console import Refusal, refuse

if TYPE_CHECKING:
    from v2h_console.session.remote import RemoteSession
    from v2h_console.session.snapshot import Snapshot

#: An orderly end joins every thread for at most 2 s each.
_END_S = 15.0
#: A picture comes ten times a second.
_PICTURE_S = 1.0


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``attach`` and ``stop`` to the command line."""
    parser = commands.add_parser("attach", parents=parents, help="a second console on the running owner")
    parser.add_argument("--watch", action="store_true", help="orders nothing but opening the MID")
    parser.add_argument("--json", action="store_true", help="no screen: print the last picture as JSON")
    parser.add_argument("--for", dest="for_s", type=float, metavar="S", help="seconds, with --json")
    parser.set_defaults(run=run)
    parser = commands.add_parser("stop", parents=parents, help="end the running owner orderly")
    parser.set_defaults(run=stop)


def run(arguments: argparse.Namespace) -> int:
    """Attach with or without a screen."""
    from v2h_console.cli.showing import signals_of_a_screen
    from v2h_console.session.remote import NoOwner, RemoteSession
    from v2h_console.session.wire import WireError

    root: Path = getattr(arguments, "root", Path("/"))
    for_s = 1.0 if arguments.for_s is None else arguments.for_s
    if arguments.for_s is not None and not arguments.json:
        return refuse("--for needs --json")
    if not 0 < for_s <= 86_400:
        return refuse(f"--for takes 0 to 86400 seconds, not {for_s:g}")
    refusal = None if arguments.json else console.terminal_refusal()
    if refusal:
        return refuse(refusal)
    if not arguments.json:
        signals_of_a_screen()
    try:
        session = RemoteSession(root, watch=arguments.watch, screen=not arguments.json)
    except (NoOwner, WireError) as error:
        return refuse(str(error))
    return _print_json(session, for_s) if arguments.json else _show(session, root, watch=arguments.watch)


def _show(session: RemoteSession, root: Path, *, watch: bool) -> int:
    """The screen on ``session``, and on the owners that come after its owner."""
    from v2h_console.cli.showing import show
    from v2h_console.session.remote import RemoteSession
    from v2h_console.session.returning import ReturningSession

    def again() -> RemoteSession:
        return RemoteSession(root, watch=watch, screen=True)

    return show(lambda: ReturningSession(session, again), root=root)


def _print_json(session: Any, for_s: float) -> int:
    from v2h_console.cli.demo import summary

    ends_at = time.monotonic() + for_s
    while session.alive and (left_s := ends_at - time.monotonic()) > 0:
        time.sleep(min(0.05, left_s))
    snapshot, alive = session.watch(), session.alive
    session.close()
    json.dump({**summary(snapshot), "role": session.role, "helm": snapshot.helm}, sys.stdout, indent=2)
    print()
    if not alive:
        print("v2h-console: the owner ended meanwhile", file=sys.stderr)
        return 1
    return 0 if snapshot.devices and all(device.state == "ok" for device in snapshot.devices) else 1


def screen_if_owned(root: Path) -> int | None:
    """The screen on the owner below ``root``; ``None`` when nobody runs one. Raises Refusal."""
    from v2h_console.cli.showing import signals_of_a_screen
    from v2h_console.session import place
    from v2h_console.session.remote import NoOwner, RemoteSession
    from v2h_console.session.wire import WireError

    if not (root / place.FOLDER / place.SOCKET).exists():
        return None
    refusal = console.terminal_refusal()
    if refusal:
        return refuse(refusal)
    signals_of_a_screen()
    try:
        session = RemoteSession(root, screen=True)
    except NoOwner:
        return None
    except WireError as error:
        raise Refusal(str(error)) from None
    return _show(session, root, watch=False)


def stop(arguments: argparse.Namespace) -> int:
    """Ask for an orderly end and wait until the owner has let go."""
    from v2h_console.session import place
    from v2h_console.session.orders import Order
    from v2h_console.session.remote import NoOwner, RemoteSession
    from v2h_console.session.wire import WireError

    root: Path = getattr(arguments, "root", Path("/"))
    asked = place.owner_process(root)
    try:
        session = RemoteSession(root)
    except (NoOwner, WireError) as error:
        return refuse(str(error))
    try:
        stood = _first_picture(session)
        receipt = session.ask(Order(secrets.token_hex(8), "owner.stop", confirmed=True)).result(3.0)
    except NoAnswer:
        print("v2h-console: no answer from the owner within 3 s", file=sys.stderr)
        return 1
    if not receipt.accepted:
        print(f"v2h-console: refused: {receipt.reason}", file=sys.stderr)
        return 1
    if not _ended(root, asked):
        return 1
    print(f"v2h-console: the control has ended. {_what_ended(stood)}", file=sys.stderr)
    return 0


def _first_picture(session: RemoteSession) -> Snapshot:
    """The house as it stands before the end, as far as the owner says so in time."""
    ends_at = time.monotonic() + _PICTURE_S
    while session.watch().sequence == 0 and session.alive and time.monotonic() < ends_at:
        time.sleep(0.02)
    return session.watch()


def _what_ended(stood: Snapshot) -> str:
    if stood.house_dark is True:
        return "The house was dark and stays so until an owner runs again."
    if stood.mode == "tied":
        return "The house was on the grid: the logic controller opens the MID, and it is dark."
    if stood.house_dark is False:
        return "The house was lit from the car and is dark now."
    return "Whether the house was lit is not known; it is dark now."


def _ended(root: Path, asked: int | None) -> bool:
    """Whether the owner, process ``asked`` where it says so, let go of its lock in time."""
    import fcntl

    from v2h_console.session import place

    ends_at = time.monotonic() + _END_S
    while time.monotonic() < ends_at:
        try:
            with (root / place.FOLDER / place.LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True  # a demo's private folder went with it
        except PermissionError:
            # The lock is its owner's alone. Its process stands beside it until it lets go; the door is shut before that.
            process = place.owner_process(root)
            if process not in (None, asked) or (process is None and not _answers(root)):
                return True
            time.sleep(0.2)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    print(f"v2h-console: the owner still holds its lock after {_END_S:.0f} s", file=sys.stderr)
    return False


def _answers(root: Path) -> bool:
    """Whether an owner is at the door still."""
    from v2h_console.session import place

    try:
        line = place.connect(root)
    except PermissionError:
        return True
    if line is not None:
        line.close()
    return line is not None
