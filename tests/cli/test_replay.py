"""Replaying what no core of today wrote: said as a difference or in one line, never as a traceback."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from v2h_console.cli import main
from v2h_console.core.observation import Observation
from v2h_console.core.state import boot
from v2h_console.core.step import step
from v2h_console.runtime import incident_file
from v2h_console.runtime.incident_file import Entry, Incident
from v2h_console.site.demo_site import settings

BEGAN_NS = 10**9


def incident() -> Incident:
    """Three quiet steps of the demo's house."""
    site = settings(15.0)
    first = state = boot(site, BEGAN_NS)
    entries = []
    for nth in range(3):
        now_ns, observation = BEGAN_NS + nth * 10_000_000, Observation(nth + 1, (), (), ())
        result = step(site, state, observation, now_ns)
        entries.append(Entry(now_ns, observation, result.commands, result.events))
        state = result.state
    return Incident("Grid lost", "Demo", 0.0, site, first, tuple(entries))


def replayed(path: Path, kept: Incident, *more: str) -> int:
    """The command's exit status."""
    path.write_bytes(incident_file.encode(kept))
    return main.main(["replay", str(path), *more])


def test_a_step_that_raises_is_the_first_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = incident()
    fewer = replace(kept.settings.loads, circuits=kept.settings.loads.circuits[:2])
    broken = replace(kept, settings=replace(kept.settings, loads=fewer))
    assert replayed(tmp_path / "x.v2hincident", broken, "--json") == 1
    said = capsys.readouterr()
    assert said.err == ""
    document = json.loads(said.out)
    assert document["identical"] is False
    difference = document["first_difference"]
    assert (difference["step"], difference["what"], difference["recorded"]) == (0, "step", "it went on")
    assert "Error: " in difference["replayed"]
    assert replayed(tmp_path / "x.v2hincident", broken) == 1
    assert "DIFFERENT at step 0, 0.0 s, in its step:" in capsys.readouterr().out


def test_no_steps_are_nothing_to_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.v2hincident"
    assert replayed(path, replace(incident(), entries=()), "--json") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"v2h-console: {path}: holds no steps: there is nothing to replay\n"


def test_a_title_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    titled = replace(incident(), title="\x1b]0;owned\x07\x1b[2JGrid\u202elost")
    assert replayed(tmp_path / "x.v2hincident", titled) == 0
    out = capsys.readouterr().out
    assert out.startswith("Gridlost: 3 steps")
    assert all(line.isprintable() for line in out.splitlines())


def _letter_lost(plain: bytes) -> bytes:
    return plain.replace(b"Grid lost", b"Grid l\xffst")


def _without_end(plain: bytes) -> bytes:
    """A reading with lists in lists, deeper than anybody reads."""
    whole = msgspec.msgpack.decode(plain)
    whole[5][0][2] = [["MidState", {"at_ns": "here"}]]
    return msgspec.msgpack.encode(whole).replace(b"\xa4here", b"\x91" * 100_000 + b"\xc0")


@pytest.mark.parametrize("spoil", [_letter_lost, _without_end])
def test_what_cannot_be_read_under_a_checksum_that_fits_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "x.v2hincident"
    data = incident_file.encode(incident())
    body = zlib.compress(spoil(zlib.decompress(data[9:])))
    path.write_bytes(data[:5] + zlib.crc32(body).to_bytes(4, "big") + body)
    assert main.main(["replay", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"v2h-console: {path}: was written by another version of the core: ")
    assert said.err.count("\n") == 1
