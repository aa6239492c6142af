"""``v2h-console twin``: the simulated house alone, for any other tool to talk to."""

from __future__ import annotations

import argparse
import os
import signal
import stat
import sys
from typing import Any, TextIO

from v2h_console.cli import script
from v2h_console.cli.console import refuse


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``twin`` to the command line."""
    parser = commands.add_parser(
        "twin",
        parents=parents,
        help="the simulated house alone; its addresses on the first line of stdout",
        description="The simulated house alone. Its addresses are the first line of stdout, what happens in it the others. "
        'Commands come as lines on stdin, {"do": "load.on", "load": "hvac"}, as in scenarios; it ends with '
        "stdin, or, where that is /dev/null, with a signal.",
    )
    parser.add_argument("--modbus-port", type=int, default=0, metavar="P", help="0 = any free port")
    parser.add_argument("--can-interface", default="udp_multicast")
    parser.add_argument("--can-channel", default=None)
    parser.add_argument("--can-port", type=int, default=None, metavar="P")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenario", default=None, metavar="FILE|NAME")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until stdin ends or a signal comes; with /dev/null there, as from nohup or a unit, until a signal. Exit 2 with one line when it cannot start."""
    from v2h_console.twin.process import Options, TwinServer
    from v2h_console.twin.vocabulary import ScenarioError
    from v2h_drivers.can.bus import DEFAULT_GROUP, BusError

    for name in ("modbus_port", "can_port"):
        port = getattr(arguments, name)
        if port is not None and not 0 <= port <= 65535:
            return refuse(f"--{name.replace('_', '-')} takes 0 to 65535, not {port}")
    options = Options(
        modbus_port=arguments.modbus_port,
        can_interface=arguments.can_interface,
        can_channel=arguments.can_channel or DEFAULT_GROUP,
        can_port=arguments.can_port,
        seed=arguments.seed,
        scenario=None if arguments.scenario is None else script.read(arguments.scenario).path,
    )
    try:
        server = TwinServer(options, sys.stdout)
        came: list[int] = []

        def stop(number: int, _: object) -> None:
            came.append(number)
            server.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        server.run(_commands())
    except (BusError, ScenarioError) as error:
        return refuse(str(error))
    except OSError as error:
        port = f" (port {options.modbus_port})" if options.modbus_port else ""
        return refuse(f"the twin cannot serve{port}: {error.strerror or error}")
    return 130 if signal.SIGINT in came else 0


def _commands() -> TextIO | None:
    """Where commands come from; ``None``: from nowhere, which is not the end of a program that gave some."""
    if sys.stdin is None:
        return None
    device = stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode)
    return None if device and not sys.stdin.isatty() else sys.stdin
