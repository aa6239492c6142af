"""``v2h-console campaign``: many runs with random faults, judged by the independent judge."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from v2h_console.cli.console import refuse

MOST_RUNS = 1_000_000
#: A log gets a line of progress this often.
LOG_EVERY_S = 60.0


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``campaign`` to the command line."""
    parser = commands.add_parser("campaign", parents=parents, help="many runs with random faults, judged")
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many runs")
    parser.add_argument("--first", type=int, default=0, metavar="K", help="the first seed")
    parser.add_argument("--faults", default="all", metavar="all|none|a,b")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes")
    parser.add_argument(
        "--recheck",
        type=float,
        default=1.0,
        metavar="PCT",
        help="so many runs again with every frame lived through: they must leave the same trace",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="write each finished run there; the same command on the same code goes on from it",
    )
    parser.add_argument(
        "--mutants", action="store_true", help="break the core on purpose; each must be caught"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when nothing was broken (or every mutant was caught), 1 otherwise, 2 when it could not be run."""
    from v2h_console.proving import campaign
    from v2h_console.proving.campaign_file import CampaignFile, KeepFailed
    from v2h_console.proving.plans import MAKERS

    if not 1 <= arguments.seeds <= MOST_RUNS:
        return refuse(f"--seeds takes 1 to {MOST_RUNS}, not {arguments.seeds}")
    if not 0 <= arguments.first < 2**53:
        return refuse(f"--first takes 0 to {2**53 - 1}, not {arguments.first}")
    if not 1 <= arguments.jobs <= 256:
        return refuse(f"--jobs takes 1 to 256, not {arguments.jobs}")
    if not 0.0 <= arguments.recheck <= 100.0:
        return refuse(f"--recheck takes 0 to 100 percent, not {arguments.recheck:g}")
    faults = list(MAKERS) if arguments.faults == "all" else []
    if arguments.faults not in ("all", "none"):
        faults = arguments.faults.split(",")
        for name in faults:
            if name not in MAKERS:
                return refuse(f"--faults: unknown fault {name!r}; allowed are all, none, {', '.join(MAKERS)}")
    if arguments.mutants:
        return _mutants(arguments)
    progress = _Progress()
    try:
        with nullcontext() if arguments.keep is None else CampaignFile(arguments.keep, faults) as keep:
            report = campaign.run(
                arguments.first,
                arguments.seeds,
                faults,
                arguments.jobs,
                recheck_pct=arguments.recheck,
                keep=keep,
                progress=progress,
            )
    except KeepFailed as error:
        return refuse(f"--keep {error}")
    progress.end()
    document = report.document()
    if arguments.json:
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        _say(document)
    return 1 if report.failed else 0


def _mutants(arguments: argparse.Namespace) -> int:
    from v2h_console.proving import mutants

    results = mutants.run_all(arguments.seeds, arguments.first)
    document = {"mutants": results, "caught": sum(r["caught"] for r in results), "of": len(results)}
    if arguments.json:
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        for result in results:
            word = f"caught by {result['by']} at seed {result['seed']}" if result["caught"] else "NOT CAUGHT"
            print(f"{result['name']:<36} {result['invariant']:<5} {word}")
    return 0 if document["caught"] == document["of"] else 1


class _Progress:
    """On stderr: a line that counts where somebody watches, a line a minute in a log, and at once what broke."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._watched = sys.stderr.isatty()
        self._clock_s = clock_s
        self._said_at_s = clock_s()

    def __call__(self, what: str, done: int, of: int, broke: str) -> None:
        if broke:
            print("\r" * self._watched + broke, file=sys.stderr, flush=True)
        if self._watched:
            if done % 10 == 0 or done == of:
                print(f"\r{done} of {of} {what}", end="", file=sys.stderr, flush=True)
        elif self._clock_s() - self._said_at_s >= LOG_EVERY_S:
            self._said_at_s = self._clock_s()
            print(f"{done} of {of} {what}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._watched:
            print(file=sys.stderr)


def _say(document: dict[str, Any]) -> None:
    print(
        f"{document['runs']} runs, {document['simulated_s']:.0f} s simulated in {document['wall_s']:.1f} s: "
        f"{document['speed']} times real time on one core"
    )
    print(f"state x fault coverage {document['state_fault_coverage_pct']} %")
    for name, figures in document["faults"].items():
        if figures["injected"]:
            worst = (
                ""
                if figures["worst_ms"] is None
                else f"worst {figures['worst_ms']} of {figures['bound_ms']} ms"
            )
            print(f"  {name:<24} {figures['reacted_in_time']}/{figures['injected']} in time  {worst}")
    for violation in document["violations"]:
        print(
            f"BROKEN {violation['invariant']} seed {violation['seed']} at {violation['at_s']} s: {violation['detail']}"
        )
        print(f"  {violation['replay']}")
    for late in document["late"]:
        print(f"LATE {late['fault']} seed {late['seed']}: {late['reacted_ms']} ms")
        print(f"  {late['replay']}")
    for shrunk in document["shrunk"]:
        print(f"seed {shrunk['seed']}, shrunk:")
        for line in shrunk["plan"]:
            print(f"  {line}")
    rechecked = document["rechecked"]
    if rechecked["runs"]:
        print(
            f"{rechecked['identical']} of {rechecked['runs']} runs identical with every frame lived through"
        )
    for seed in rechecked["different"]:
        print(f"DIFFERENT seed {seed}")
