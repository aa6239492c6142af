"""systemd's own tools, which make the accounts, the folders' owners and the unit known. Run where they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOL_S = 60.0
_PLACES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
#: sd_booted(3)
_BOOTED = Path("/run/systemd/system")

#: Runs a command: ``None`` when it did what it should, else one line that says why not.
Run = Callable[[tuple[str, ...]], str | None]


@dataclass(frozen=True, slots=True)
class Tool:
    """One command. ``missing``: what follows where it is not there, "" where it is."""

    command: tuple[str, ...]
    missing: str = ""


def to_install(root: Path) -> list[Tool]:
    """In order: the accounts first, for the folders are given to them."""
    return [
        _tool(root, "systemd-sysusers", "v2h.conf"),
        _tool(root, "systemd-tmpfiles", "--create", "v2h.conf"),
        *to_undo(root),
    ]


def to_undo(root: Path) -> list[Tool]:
    """The service manager forgets, or learns, what changed."""
    if root != Path("/"):
        return []
    command = ("systemctl", "daemon-reload")
    return [Tool(command, "" if _BOOTED.is_dir() and _there(command[0]) else "no systemd runs here")]


def run(command: tuple[str, ...]) -> str | None:
    """Run it. The default of ``Run``."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_S,
            check=False,
            env={**os.environ, "PATH": _PLACES},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return " ".join(str(error).split())
    if done.returncode == 0:
        return None
    said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[-1]
    return f"{command[0]}: {said}"


def _tool(root: Path, name: str, *arguments: str) -> Tool:
    command = (name, *arguments) if root == Path("/") else (name, f"--root={root.resolve()}", *arguments)
    if os.geteuid() != 0:
        return Tool(command, "only root may; systemd does it itself at the machine's next start")
    return Tool(
        command,
        "" if _there(name) else "is not on this machine; systemd does it itself at the machine's next start",
    )


def _there(name: str) -> bool:
    return shutil.which(name, path=_PLACES) is not None
