"""``v2h-console bench``: measures what the project promises. ``transfer``: outages as the twin saw them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from v2h_console.cli.console import refuse

MAX_OUTAGES = 100_000


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``bench`` to the command line."""
    parser = commands.add_parser("bench", parents=parents, help="measure what is promised")
    kinds = parser.add_subparsers(dest="kind", metavar="what", required=True)
    transfer = kinds.add_parser(
        "transfer", parents=parents, help="outages in real time, as the twin saw them"
    )
    transfer.add_argument("--outages", type=int, default=20, metavar="N")
    transfer.add_argument(
        "--screen", choices=("busy", "off"), default="off", help="draw the console meanwhile"
    )
    transfer.add_argument("--json", action="store_true", help="one JSON document on stdout")
    transfer.set_defaults(run=run_transfer)


def run_transfer(arguments: argparse.Namespace) -> int:
    """Run the outages. Exit 0 when every outage restored the house within its budget."""
    from v2h_console.cli.demo import private_root
    from v2h_console.proving import transfer_bench
    from v2h_console.site.errors import ConfigError
    from v2h_console.twin.launch import TwinFailed
    from v2h_console.wiring.running import StartFailed

    if not 1 <= arguments.outages <= MAX_OUTAGES:
        return refuse(f"--outages takes 1 to {MAX_OUTAGES}, not {arguments.outages}")
    root: Path | None = getattr(arguments, "root", None)
    with private_root(root) as folder:
        try:
            result = transfer_bench.run(folder, arguments.outages, busy_screen=arguments.screen == "busy")
        except (ConfigError, TwinFailed, StartFailed, transfer_bench.BenchFailed) as error:
            return refuse(str(error))
    if arguments.json:
        json.dump(result.document(), sys.stdout, indent=2)
        print()
    else:
        print(result.text())
    return 0 if result.holds else 1
