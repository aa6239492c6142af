"""``v2h-console simulate``: one scenario in virtual time, judged."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from v2h_console.cli.console import refuse

if TYPE_CHECKING:
    from v2h_console.proving.course import Course


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``simulate`` to the command line."""
    parser = commands.add_parser("simulate", parents=parents, help="one scenario in virtual time")
    parser.add_argument("scenario", nargs="?", metavar="FILE|NAME", help="without one: the names there are")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--plot", action="store_true", help="draw voltages, power and charge over time")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when no invariant was broken, 1 when one was, 2 when it could not be run."""
    from v2h_console.proving import course, scenario_files
    from v2h_console.site.errors import ConfigError
    from v2h_console.twin.vocabulary import ScenarioError

    if arguments.scenario is None:
        if arguments.json:
            json.dump({"scenarios": scenario_files.names()}, sys.stdout, indent=2)
            print()
        else:
            for name in scenario_files.names():
                print(f"{name:<24} {scenario_files.find(name).name}")
        return 0
    if not 0 <= arguments.seed < 2**63:
        return refuse(f"--seed takes 0 to {2**63 - 1}, not {arguments.seed}")
    try:
        scenario = scenario_files.find(arguments.scenario)
        judged = course.JudgedSite(scenario, arguments.seed)
    except (ScenarioError, ConfigError) as error:
        return refuse(str(error))
    if arguments.plot:
        from v2h_console.proving.plot import Recorder

        recorder = Recorder(judged.site, scenario.duration_s)
        judged.also = recorder.look
    result = judged.play()
    if arguments.json:
        json.dump(result.document(), sys.stdout, indent=2)
        print()
    else:
        _say(result)
    if arguments.plot:
        print(recorder.draw(), file=sys.stderr if arguments.json else sys.stdout)
    return 1 if result.violations else 0


def _say(result: Course) -> None:
    document = result.document()
    print(
        f"{document['scenario']} (seed {result.seed}): {document['simulated_s']:g} s in {result.wall_s:.2f} s"
    )
    for event in document["events"]:
        print(f"  {event['at_s']:>10.3f} s  {event['severity']:<8} {event['code']:<28} {event['text']}")
    for transfer in document["transfers"]:
        total = "--" if transfer["total_ms"] is None else f"{transfer['total_ms']:.1f}"
        print(
            f"  transfer at {transfer['at_s']:.3f} s: {total} of {transfer['budget_ms']:.0f} ms ({transfer['class']})"
        )
    for violation in document["violations"]:
        print(f"  BROKEN {violation['invariant']} at {violation['at_s']:.4f} s: {violation['detail']}")
    end = document["end"]
    print(f"  end: {end['mode']}, MID {end['mid']}, car {end['soc_pct']} %")
