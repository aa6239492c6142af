"""An outage on a live demo leaves an incident that replays to the same decisions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.live.terminals import MAIN, Terminal
from tests.live.test_twin import until

pytestmark = pytest.mark.live


def replayed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command's answer."""
    return subprocess.run([*MAIN, "replay", *arguments], capture_output=True, text=True, check=False)


def incidents(folder: Path) -> set[Path]:
    """What has been written whole."""
    return set(folder.glob("*.v2hincident"))


def test_an_outage_replays_to_identical_decisions(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/v2h/incidents"
    terminal = Terminal([*MAIN, "demo", "--root", str(tmp_path)])
    try:
        terminal.await_text("On the grid. Backup ready.", 40.0)
        # An outage within three seconds of the return would be part of that incident.
        until(lambda: list(folder.glob("*-grid_requalified.v2hincident")), "the return's incident", 20.0)
        before = incidents(folder)
        terminal.type("!")
        terminal.await_text("TRAINER")
        terminal.type("g")
        # Its name is its worst event's: GRID_LOST, or how late a machine under load was.
        until(lambda: incidents(folder) - before, "the outage's incident", 20.0)
        (incident,) = incidents(folder) - before
    finally:
        terminal.close()
    listed = replayed("--root", str(tmp_path), "--json")
    assert any(incident.stem in name for name in json.loads(listed.stdout)["incidents"])
    done = replayed("--root", str(tmp_path), incident.stem, "--json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    document = json.loads(done.stdout)
    assert document["identical"] is True
    modes = [line["mode"] for line in document["modes"]]
    assert modes[modes.index("tied") :][:2] == ["tied", "opening"]


@pytest.mark.parametrize("content", [b"", b"V2HI", b"V2HI\x09abcdefgh", b"\x1b[2J not one"])
def test_what_is_no_incident_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.v2hincident"
    path.write_bytes(content)
    done = replayed(str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
