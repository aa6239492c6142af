"""The core ends by a defect: the owner ends with it, in one line, and whoever waits has the house."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.terminals import Terminal
from tests.live.test_manager import root as root  # a site on a twin
from v2h_console.runtime.lock import OwnerLock

pytestmark = pytest.mark.live

#: The program, with a core that has a defect at its two hundredth step.
DEFECT = """
import sys
import v2h_console.runtime.fast_lane as lane
good, steps = lane.step, [0]
def bad(*told):
    steps[0] += 1
    if steps[0] > 200:
        raise RuntimeError("a planted defect")
    return good(*told)
lane.step = bad
from v2h_console.cli import main, manager
sys.exit({entry}.main(sys.argv[1:]))
"""
SAID = "ended after a defect: the control core stopped: RuntimeError('a planted defect')"


def with_defect(entry: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", DEFECT.format(entry=entry), *arguments]


@pytest.mark.parametrize(
    ("entry", "arguments"), [("manager", ()), ("main", ("demo", "--headless", "--for", "60"))]
)
def test_an_owner_without_a_screen_ends_and_says_so(
    root: Path, entry: str, arguments: tuple[str, ...]
) -> None:
    done = subprocess.run(
        with_defect(entry, *arguments, "--root", str(root)),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if SAID in line] == [done.stderr.splitlines()[-1]]
    assert SAID in (root / "var/log/v2h/error.log").read_text()
    OwnerLock(root).release()


def test_an_owner_with_a_screen_gives_the_terminal_back_and_says_so(tmp_path: Path) -> None:
    terminal = Terminal(with_defect("main", "demo", "--root", str(tmp_path)))
    try:
        assert terminal.process.wait(30) == 1
        assert SAID in terminal.seen.decode("utf-8", "replace").replace("\r\n", " ")
        OwnerLock(tmp_path).release()
    finally:
        terminal.close()
