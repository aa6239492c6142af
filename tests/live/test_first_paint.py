"""The first frame: what has been loaded by then, and what a person finds on it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.live.terminals import MAIN, UTF8, Terminal

pytestmark = pytest.mark.live

PROGRAM = """
import sys
from v2h_console.cli import main
from v2h_console.tui import app
heavy = ("pymodbus", "can", "cantools", "serial", "numpy", "plotext", "sunspec2", "aiomqtt", "paho", "h11",
         "prometheus_client", "comtrade", "scipy")
def painted(self, true=app.ConsoleApp._painted):
    loaded = sorted({name.split(".")[0] for name in sys.modules} & set(heavy))
    self.failure = f"loaded by the first frame: {loaded}"
    self.exit(0)
app.ConsoleApp._painted = painted
sys.exit(main.main(["demo"]))
"""


def test_nothing_heavy_is_loaded_by_the_first_frame() -> None:
    terminal = Terminal([sys.executable, "-c", PROGRAM], columns=200)
    try:
        terminal.ended()
        assert b"loaded by the first frame: []" in terminal.seen, terminal.seen[-500:]
        assert terminal.is_sane
    finally:
        terminal.close()


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_the_demo_lives_and_q_leaves_it_sane(columns: int, rows: int) -> None:
    terminal = Terminal([*MAIN, "demo"], columns=columns, rows=rows)
    try:
        terminal.await_text("OPEN MID")
        terminal.await_text("House lit from the car")
        terminal.type("q")
        terminal.await_text("END THE OWNER WITH THIS SCREEN", 5.0)
        terminal.type("y")
        assert terminal.ended() == 0
        assert terminal.is_sane
    finally:
        terminal.close()


def test_sixteen_colours_are_enough() -> None:
    terminal = Terminal([*MAIN, "demo"], environ={**UTF8, "TERM": "xterm"})
    try:
        terminal.await_text("House lit from the car")
        assert b"38;2;" not in terminal.seen
        assert b"48;2;" not in terminal.seen
    finally:
        terminal.close()


def test_sigterm_ends_it_orderly() -> None:
    terminal = Terminal([*MAIN, "demo"])
    try:
        terminal.await_text("House lit from the car")
        terminal.process.terminate()
        assert terminal.ended() in (0, 143)
        assert terminal.is_sane
        left = subprocess.run(
            ["pgrep", "-s", str(terminal.process.pid)], capture_output=True, text=True, check=False
        )
        assert left.stdout.strip() == ""
    finally:
        terminal.close()
