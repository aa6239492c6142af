"""``v2h-console replay``: an incident run again through the core that stands here."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from v2h_console.cli.console import Refusal


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``replay`` to the command line."""
    parser = commands.add_parser("replay", parents=parents, help="run an incident again: the same decisions?")
    parser.add_argument(
        "incident",
        nargs="?",
        metavar="INCIDENT",
        help="a file, or part of a name below the root; none lists them",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when the replay is identical, 1 when it is not, 2 when there is nothing to replay."""
    from v2h_console.proving import replay
    from v2h_console.runtime import incident_file
    from v2h_console.runtime.incident_file import SUFFIX, IncidentError
    from v2h_console.tui.inert import clean
    from v2h_console.wiring.building import INCIDENTS_FOLDER

    folder = getattr(arguments, "root", Path("/")) / INCIDENTS_FOLDER
    kept = sorted(folder.glob(f"*{SUFFIX}"), reverse=True) if folder.is_dir() else []
    if arguments.incident is None:
        return _list(kept, as_json=arguments.json)
    path = _find(arguments.incident, kept, folder)
    try:
        incident = incident_file.read(path)
    except IncidentError as error:
        raise Refusal(clean(str(error))) from None
    try:
        replayed = replay.run(incident)
    except IncidentError as error:
        raise Refusal(clean(f"{path}: {error}")) from None
    document = replayed.document()
    if arguments.json:
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        print(f"{clean(document['title'])}: {document['steps']} steps, {document['commands']} commands")
        for line in document["modes"]:
            print(f"  {line['at_s']:9.4f} s  {line['mode']}")
        difference = document["first_difference"]
        if difference is None:
            print("identical: the same decisions as recorded")
        else:
            print(
                f"DIFFERENT at step {difference['step']}, {difference['at_s']} s, in its {difference['what']}:"
            )
            print(f"  recorded {clean(difference['recorded'], 300)}")
            print(f"  replayed {clean(difference['replayed'], 300)}")
    return 0 if document["identical"] else 1


def _list(kept: list[Path], *, as_json: bool) -> int:
    names = [path.name for path in kept]
    if as_json:
        json.dump({"incidents": names}, sys.stdout, indent=2)
        print()
    else:
        print("\n".join(names) if names else "no incidents are kept here")
    return 0


def _find(name: str, kept: list[Path], folder: Path) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    found = [one for one in kept if name in one.name]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refusal(f"{name[:60]!r} names {len(found)} incidents below {folder}; write more of its name")
    raise Refusal(f"no incident file {name[:60]!r}, and none of that name below {folder}")
