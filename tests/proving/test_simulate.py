"""`v2h-console simulate`, as its contract has it: exit codes, what stands on which stream, the document, the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from v2h_console.cli.main import main
from v2h_console.core.observation import Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step as CoreStep
from v2h_console.core.step import step as core_step
from v2h_console.proving import course, scenario_files
from v2h_console.proving.plot import round_ticks
from v2h_drivers.capabilities.slow_readings import CarStatus

OUTAGE = """name = "an outage"
duration_s = 60
[start]
enter_service_s = 15
loads_on = ["fridge", "hvac"]
[[at]]
s = 15.0
do = "grid.loss"
[[at]]
s = 30.0
do = "grid.return"
"""


@pytest.fixture
def outage(tmp_path: Path) -> str:
    """The path of a short scenario."""
    path = tmp_path / "outage.toml"
    path.write_text(OUTAGE)
    return str(path)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The one document on stdout."""
    assert main(["simulate", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_document_has_what_the_contract_names(capsys: pytest.CaptureFixture[str], outage: str) -> None:
    told = document(capsys, outage, "--seed", "4")
    assert {
        "scenario",
        "seed",
        "simulated_s",
        "wall_s",
        "transfers",
        "events",
        "violations",
        "end",
        "loads",
    } <= set(told)
    assert (told["scenario"], told["seed"], told["simulated_s"]) == ("an outage", 4, 60.0)
    assert told["violations"] == []
    (transfer,) = told["transfers"]
    assert set(transfer) == {
        "class", "cause", "at_s", "detected_ms", "commanded_ms", "opened_ms", "proven_ms", "formed_ms", "total_ms",
        "budget_ms", "uncertainty_ms", "ok",
    }  # fmt: skip
    assert transfer["class"] == "hard"
    assert transfer["ok"] is True
    assert abs(transfer["at_s"] - 15.0) < 0.02
    steps = [transfer[key] for key in ("detected_ms", "commanded_ms", "opened_ms", "proven_ms", "formed_ms")]
    assert steps == sorted(steps)
    assert steps[-1] == transfer["total_ms"] < transfer["budget_ms"] == 100.0
    assert all(set(event) == {"at_s", "code", "severity", "text"} for event in told["events"])
    assert [event["at_s"] for event in told["events"]] == sorted(event["at_s"] for event in told["events"])
    assert {"GRID_LOST", "ISLANDED", "GRID_TIED"} <= {event["code"] for event in told["events"]}
    assert {event["severity"] for event in told["events"]} <= {"info", "warning", "alarm", "lockout"}
    assert {"mode", "mid", "soc_pct"} <= set(told["end"])
    assert (told["end"]["mode"], told["end"]["mid"]) == ("tied", "closed")
    assert 60.0 < told["end"]["soc_pct"] < 64.0
    loads = {load["id"]: load for load in told["loads"]}
    assert set(loads["hvac"]) == {"id", "energised_s", "shed_count"}
    assert loads["hvac"]["shed_count"] == 1
    assert loads["hvac"]["energised_s"] < 45.0 < loads["fridge"]["energised_s"]


def test_the_seed_is_the_whole_story(capsys: pytest.CaptureFixture[str], outage: str) -> None:
    def told(seed: int) -> dict[str, Any]:
        found = document(capsys, outage, "--seed", str(seed))
        del found["wall_s"], found["seed"]
        return found

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_a_broken_invariant_is_exit_1_and_stands_in_the_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def deceived(settings: Settings, state: State, observation: Observation, now_ns: int) -> CoreStep:
        readings = tuple(
            replace(one, soc_pct=80.0) if isinstance(one, CarStatus) else one for one in observation.readings
        )
        return core_step(settings, state, replace(observation, readings=readings), now_ns)

    path = tmp_path / "empty.toml"
    path.write_text(OUTAGE.replace("[start]", "[start]\nsoc_pct = 19"))
    monkeypatch.setattr(course, "JudgedSite", partial(course.JudgedSite, step_function=deceived))
    assert main(["simulate", str(path), "--json"]) == 1
    violations = json.loads(capsys.readouterr().out)["violations"]
    assert all(set(broken) == {"invariant", "at_s", "detail"} for broken in violations)
    assert {broken["invariant"] for broken in violations} == {"I7"}
    assert main(["simulate", str(path)]) == 1
    assert "BROKEN I7 at " in capsys.readouterr().out


def test_ctrl_c_is_exit_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    def interrupted(_self: course.JudgedSite) -> course.Course:
        raise KeyboardInterrupt

    monkeypatch.setattr(course.JudgedSite, "play", interrupted)
    assert main(["simulate", outage]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no-such-scenario"),
        ("name = 3\nduration_s = 5\n", "1: name must be a text"),
        ('name = "x"\nduration_s = 5\n[[at]]\ns = 9.0\ndo = "grid.loss"\n', ":4: s must be 0 to 5 s"),
        ('name = "x"\nduration_s = 5\n[[at]]\ns = 1.0\ndo = "grid.gone"\n', "allowed are grid.loss"),
        ('name = "x"\nduration_s = 5\n[start]\nlocal_hour = 25\n', ":4: local_hour must be 0 to 24 h"),
        ('name = "x"\nduration_s = 5\n[start]\nenter_service_s = 599\nboot = 3\n', ":5: boot must be true or false"),
        ("name = \n", "not TOML"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_exit_2_in_one_line_and_nothing_on_stdout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, said: str
) -> None:
    name = "no-such-scenario"
    if text is not None:
        path = tmp_path / "bad.toml"
        path.write_text(text)
        name = str(path)
    assert main(["simulate", name, "--json"]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) == 1
    assert said in streams.err


@pytest.mark.parametrize("seed", ["-1", str(2**63), "x"])
def test_a_seed_that_is_none_is_exit_2(capsys: pytest.CaptureFixture[str], outage: str, seed: str) -> None:
    try:
        code = main(["simulate", outage, "--seed", seed])
    except SystemExit as stopped:
        code = int(str(stopped.code))
    assert code == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) == 1


def test_without_a_name_it_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys) == {"scenarios": scenario_files.names()}
    assert main(["simulate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == scenario_files.names()
    assert len(lines) >= 25


def test_the_picture_fits_80_columns_and_shows_the_outage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["simulate", outage, "--plot", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["scenario"] == "an outage", "the picture must not stand in the document"
    lines = streams.err.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [line.strip() for line in lines if "volts" in line or "kW" in line or "%" in line]
    assert titles == ["volts: grid L1 (•), house L1 (line)", "inverter, kW", "charge of the car, %"]
    first = lines[: lines.index(next(line for line in lines if "inverter, kW" in line))]
    (dead,) = [line for line in first if line.startswith("  0┤")]
    edge = dead.index("┤")
    width = dead.rindex("│") - edge
    outage_s = [60.0 * (nth - edge) / width for nth, cell in enumerate(dead) if cell == "•"]
    assert 14.0 < min(outage_s) < 17.0, "from the loss on"
    assert 28.0 < max(outage_s) < 31.0, "until the return"
    assert not [line for line in first[:5] if "•" in line and "volts" not in line], (
        "no dot above 50 V: the house hides it"
    )


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0.0, 200.0, 5, [0, 50, 100, 150, 200]), (3.6, 121.0, 5, [0, 50, 100, 150]), (0.0, 0.0, 5, [0, 0.0002, 0.0004, 0.0006, 0.0008, 0.001]),
        (69.87, 70.0, 5, [69.85, 69.9, 69.95, 70.0]), (-1.2, 4.0, 5, [-2, 0, 2, 4]),
    ],
)  # fmt: skip
def test_ticks_are_round_and_span_what_they_must(
    low: float, high: float, most: int, ticks: list[float]
) -> None:
    found = round_ticks(low, high, most)
    assert found[0] <= low
    assert found[-1] >= high
    if high > low:
        assert found == pytest.approx(ticks)
    assert len(found) <= most + 2
