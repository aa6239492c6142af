"""check-sync and inverter_tool on a running demo, and check-sync on a recording."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.live.test_twin import Demo, until
from tests.signals.test_spectrum import wave

pytestmark = pytest.mark.live


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the commands."""
    command = [sys.executable, "-m", f"v2h_console.cli.{name}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=40)


@pytest.fixture(scope="module")
def lit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, str]]:
    """A lit house and its root."""
    root = tmp_path_factory.mktemp("site")
    demo = Demo(root)
    until(
        lambda: demo.shown().get("mode") == "islanded" and demo.shown()["inverter"]["power_w"], "a lit house"
    )
    yield demo, str(root)
    demo.stop()


def test_check_sync_measures_both_sides_through_the_owner(lit: tuple[Demo, str]) -> None:
    done = tool("check_sync", "--source", "internal", "--target", "main_bus", "--root", lit[1], "--json")
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    rows = {(row["what"], row["leg"]): row for row in document["rows"]}
    assert rows["frequency", "L1"]["measured"] == pytest.approx(60.0, abs=0.15)
    assert rows["THD", "L1"]["verdict"] == "PASS"
    assert 0.5 < rows["THD", "L1"]["measured"] < 2.0
    assert rows["legs apart", "L1-L2"]["measured"] == pytest.approx(180.0, abs=0.5)
    assert abs(rows["slip", "L1"]["measured"]) < 0.2
    failed = {row["verdict"] for row in document["rows"]} & {"FAIL"}
    assert (document["verdict"] == "FAIL") == bool(failed) == (done.returncode == 1)


def test_inverter_tool_sets_the_limit_and_reads_it_back(lit: tuple[Demo, str]) -> None:
    done = tool(
        "inverter_tool",
        "--set-max-discharge",
        "5kW",
        "--set-mode",
        "grid-forming",
        "--root",
        lit[1],
        "--json",
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["limit_kw"] == 5.0
    assert document["binding_limit"] == "operator"
    assert document["backup_ready"] is True
    for wanted, shown in (("3kW", 3.0), ("6kW", 6.0), ("99kW", None)):
        done = tool("inverter_tool", "--set-max-discharge", wanted, "--root", lit[1], "--json")
        assert (done.returncode, json.loads(done.stdout)["limit_kw"] if shown else None) == (
            (0, shown) if shown else (2, None)
        ), "a limit that is raised is not held by the lower one from before"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("inverter_tool", ["--set-max-discharge", "70kW"], "0 to 10 kW"),
        ("inverter_tool", ["--set-max-discharge", "lots"], "7.6kW"),
        ("inverter_tool", ["--set-max-discharge", "7.6"], "with its unit"),
        ("inverter_tool", [], "nothing to do"),
        ("inverter_tool", ["--set-mode", "grid-eating"], "grid-forming"),
        ("check_sync", ["--source", "moon"], "internal"),
        ("check_sync", ["--target", "moon"], "main_bus"),
        ("check_sync", ["--source", "/no/such.cfg"], "no such file"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    lit: tuple[Demo, str], name: str, arguments: list[str], says: str
) -> None:
    done = tool(name, *arguments, "--root", lit[1])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_without_an_owner_nobody_touches_the_bus(tmp_path: Path) -> None:
    for name, arguments in (("check_sync", []), ("inverter_tool", ["--show"])):
        done = tool(name, *arguments, "--root", str(tmp_path))
        assert done.returncode == 2
        assert "no owner runs" in done.stderr


def recording(folder: Path, hertz: float, h5: float) -> Path:
    """A COMTRADE recording (ASCII, 1999) of two legs."""
    volts = wave(hertz, {1: 120.0, 5: h5})
    path = folder / "site.cfg"
    lines = [
        "house,1,1999",
        "2,2A,0D",
        "1,V L1,,,V,0.01,0,0,-32767,32767,1,1,P",
        "2,V L2,,,V,0.01,0,0,-32767,32767,1,1,P",
        "60",
        "1",
        f"7680,{len(volts)}",
        "25/11/2026,10:00:00.000000",
        "25/11/2026,10:00:00.000000",
        "ASCII",
        "1",
    ]
    path.write_text("\n".join(lines) + "\n")
    rows = [
        f"{nth + 1},{round(nth * 1e6 / 7680)},{round(value * 100)},{round(-value * 100)}"
        for nth, value in enumerate(np.asarray(volts))
    ]
    path.with_suffix(".dat").write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(("hertz", "h5", "status"), [(60.0, 1.2, 0), (60.3, 1.2, 1), (60.0, 6.0, 1)])
def test_a_recording_is_judged_without_an_owner(tmp_path: Path, hertz: float, h5: float, status: int) -> None:
    done = tool("check_sync", "--source", str(recording(tmp_path, hertz, h5)), "--json")
    assert done.returncode == status, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["frequency_hz"] == pytest.approx(hertz, abs=0.01)
    assert document["thd_pct"][0] == pytest.approx(h5 / 1.2, abs=0.05)


def test_a_recording_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "junk.cfg"
    path.write_text("not,a\nrecording")
    path.with_suffix(".dat").write_text("x")
    done = tool("check_sync", "--source", str(path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
