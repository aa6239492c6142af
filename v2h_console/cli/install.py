"""``v2h-console install``: the service, its accounts and folders, and a configuration to fill in."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2h_console.cli.console import Refusal

if TYPE_CHECKING:
    from v2h_console.installing.carry_out import Report


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``install`` to the command line."""
    parser = commands.add_parser(
        "install",
        parents=parents,
        help="the service, its accounts, folders and files; says first what it would do",
    )
    parser.add_argument("--yes", action="store_true", help="do it; without this nothing is changed")
    parser.add_argument("--undo", action="store_true", help="take back exactly what was installed")
    parser.add_argument("--manager", metavar="PATH", help="v2h-manager as the installed machine sees it")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when all is, or would be, as it should; 1 when something is left alone or failed; 2 when it cannot be."""
    from v2h_console.installing import carry_out, layout
    from v2h_console.installing.record import InstallError

    root = Path(getattr(arguments, "root", Path("/"))).absolute()
    if root == Path("/") and os.geteuid() != 0:
        raise Refusal("install: only root installs on /: use sudo, or --root with a folder of your own")
    try:
        if arguments.undo:
            report = carry_out.undo(root) if arguments.yes else carry_out.look_back(root)
        else:
            files = layout.wanted(_manager(root, arguments.manager))
            report = carry_out.install(root, files) if arguments.yes else carry_out.look(root, files)
    except InstallError as error:
        raise Refusal(f"install: {error}") from None
    if arguments.json:
        json.dump({"root": str(root), "undo": arguments.undo, **_document(report)}, sys.stdout, indent=2)
        print()
    else:
        _print(root, report, undo=arguments.undo)
    return 0 if report.whole else 1


def _manager(root: Path, given: str | None) -> str:
    """The service's program as the installed machine sees it."""
    from v2h_console.installing.layout import HIDDEN, USUAL_MANAGER

    if given is None and root != Path("/"):
        return USUAL_MANAGER
    path = Path(given) if given is not None else _beside()
    if not path.is_absolute() or any(char.isspace() or char in "\"'\\$;" for char in str(path)):
        raise Refusal(f"install: {path}: give v2h-manager's whole path, without spaces or quotes")
    # A virtual environment is only as visible as the Python that it was made from.
    seen = (path,) if given is not None else (path, Path(sys.base_prefix))
    hidden = next((folder for folder in HIDDEN if any(one.is_relative_to(folder) for one in seen)), None)
    if hidden is not None:
        raise Refusal(
            f"install: {path}: the service cannot see {hidden}; install the program into /opt/v2h first"
        )
    if root == Path("/") and not os.access(path, os.X_OK):
        raise Refusal(f"install: {path}: is no program; give v2h-manager's path with --manager")
    return str(path)


def _beside() -> Path:
    """Where this program's scripts are: beside the one that was called, else beside the interpreter."""
    scripts = [Path(called).absolute().with_name("v2h-manager") for called in (sys.argv[0], sys.executable)]
    return next((path for path in scripts if os.access(path, os.X_OK)), scripts[-1])


def _document(report: Report) -> dict[str, Any]:
    return {
        "done": report.done,
        "ok": report.whole,
        "interrupted": report.interrupted or None,
        "steps": [
            {"path": s.path, "action": s.action.value, "why": s.why or None, "diff": s.diff or None}
            for s in report.steps
        ],
        "tools": [
            {
                "command": list(tool.command),
                "ran": report.done and not tool.missing,
                "why_not": tool.missing or None,
                "failed": report.failed.get(tool.command),
            }
            for tool in report.tools
        ],
    }


def _print(root: Path, report: Report, *, undo: bool) -> None:
    if report.interrupted:
        print(f"An earlier run was interrupted ({report.interrupted}).")
    for step in report.steps:
        print(f"{step.action.value:<8} {root / step.path}" + (f": {step.why}" if step.why else ""))
        for line in step.diff.splitlines():
            print(f"         {line}")
    for tool in report.tools:
        why = tool.missing or report.failed.get(tool.command, "")
        print(
            f"{'not run' if tool.missing else 'run':<8} {' '.join(tool.command)}"
            + (f": {why}" if why else "")
        )
    if undo and not report.steps:
        print(f"Nothing is installed below {root}.")
    elif not report.done:
        print("Nothing was changed; --yes does it.")
    elif not undo:
        print(f"Installed. Next: fill in {root / 'etc/energy/comm_stack.conf'}, then `v2h-console check`,")
        print(
            "then `systemctl enable --now v2h-manager`. Who may do what: the groups v2h-watch, v2h-helm, v2h-install."
        )
