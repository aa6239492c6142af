"""Roots to install into, and what a tree holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from v2h_console.installing.carry_out import Report
from v2h_console.installing.layout import Wanted, wanted
from v2h_console.installing.plan import Action

FILES: tuple[Wanted, ...] = wanted("/opt/v2h/bin/v2h-manager")

PASSWD = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n"
GROUP = "root:x:0:\ndialout:x:20:alice\nalice:x:1000:\n"


def actions(report: Report) -> dict[str, Action]:
    """What is done with each path."""
    return {step.path: step.action for step in report.steps}


def tree(root: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every path with its mode, owner and content."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            seen = path.lstat()
            content = b""
            if stat.S_ISLNK(seen.st_mode):
                content = os.readlink(path).encode()
            elif stat.S_ISREG(seen.st_mode):
                content = path.read_bytes()
            found[str(path.relative_to(root))] = (seen.st_mode, seen.st_uid, seen.st_gid, content)
    return found


def machine(root: Path) -> Path:
    """A root that has been lived in: accounts, another unit of the same name, a log of a console that root ran."""
    for name, text in {
        "etc/passwd": PASSWD,
        "etc/group": GROUP,
        "etc/systemd/system/v2h-manager.service": "[Service]\nExecStart=/usr/local/bin/old\n",
        "etc/energy/limits.conf": "max_discharge_power_kw = 5\n",
        "var/log/v2h/init.log": "a line\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o640)
    return root


def no_tools(command: tuple[str, ...]) -> str | None:
    """Systemd's tools as a machine without them has them: they change nothing."""
    return None
