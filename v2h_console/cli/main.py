"""``v2h-console``: parses the command line and hands over to one module a command.

Command modules import what they need when they run, so that the screen's first paint waits for nothing else.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from v2h_console.cli import attach, bench, campaign, check, console, demo, install, replay, simulate, twin

_UNBLOCKED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGCONT,
)


class OneLineParser(argparse.ArgumentParser):
    """Usage errors in one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to look."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--root",
        type=Path,
        default=argparse.SUPPRESS,
        help="all files below this folder (etc/energy, var/lib/v2h, ...); default / and a private folder for demo and bench",
    )
    parser = OneLineParser(
        prog="v2h-console",
        description="Install, prove and troubleshoot a Vehicle-to-Home system from a terminal.",
        parents=[common],
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=OneLineParser)
    attach.add_parser(commands, [common])
    demo.add_parser(commands, [common])
    twin.add_parser(commands, [common])
    simulate.add_parser(commands, [common])
    campaign.add_parser(commands, [common])
    bench.add_parser(commands, [common])
    replay.add_parser(commands, [common])
    check.add_parser(commands, [common])
    install.add_parser(commands, [common])
    return parser


class _Version(argparse.Action):
    """Looked up when somebody asks: what reads a package's metadata loads a mail parser, 40 ms on a slow machine."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it and end."""
        parser.exit(0, f"v2h-console {_version()}\n")


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("v2h-console")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def guarded(program: str, run: Callable[[], int]) -> int:
    """Run a command. Exit status: 0 holds, 1 does not, 2 could not be run, 130 on Ctrl+C."""
    # A console blocks its signals, and what it starts inherits that.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _UNBLOCKED)
    if sys.stdout is None or sys.stderr is None:
        return 2  # nobody would hear why
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows fewer characters gets a mark in their place.
        sys.stdout.reconfigure(errors="replace")
    try:
        status = run()
        sys.stdout.flush()
        return status
    except console.Refusal as refusal:
        print(f"{program}: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has gone: nothing more can be said to them.
        sys.stderr.close()
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {where}{error.strerror or error}", file=sys.stderr)
        _give_up_stdout()
        return 2


def _give_up_stdout() -> None:
    """The interpreter's own flush at its end must not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``v2h-console``."""
    arguments = build_parser().parse_args(argv)
    run = getattr(arguments, "run", console.run)
    return guarded("v2h-console", lambda: int(run(arguments)))


if __name__ == "__main__":
    sys.exit(main())
