"""Where a command's words go: a disk that is full, a pipe that is closed, a terminal that knows fewer characters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.terminals import MAIN

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    "arguments",
    [("simulate", "storm-night"), ("demo", "--headless", "--for", "1", "--json")],
    ids=lambda one: one[0],
)
def test_a_full_disk_behind_the_output_is_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*MAIN, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


def test_a_terminal_that_knows_ascii_alone_gets_marks_and_no_traceback() -> None:
    done = subprocess.run(
        [*MAIN, "simulate", "storm-night", "--plot"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "?" in done.stdout


def test_closed_streams_end_without_a_word() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])",
            *MAIN,
            "check",
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
