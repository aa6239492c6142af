"""A long campaign that is stopped goes on where it was, and never with runs of other code."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from v2h_console.cli import main
from v2h_console.proving import campaign, campaign_file
from v2h_console.proving.campaign_file import CampaignFile, KeepFailed
from v2h_console.proving.plans import Plan

FAULTS = ["mid.welded"]


def _run(path: Path, seeds: int, recheck_pct: float = 0.0) -> campaign.Report:
    with CampaignFile(path, FAULTS) as keep:
        return campaign.run(0, seeds, FAULTS, 1, recheck_pct=recheck_pct, keep=keep)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that were really run."""
    seeds: list[int] = []
    real = campaign.run_plan

    def run_plan(planned: Plan, **options: bool) -> object:
        seeds.append(planned.seed)
        # The first seconds tell as much here as the whole day.
        short = replace(planned, scenario=replace(planned.scenario, duration_s=6.0))
        return real(short, fixed=options.get("fixed", False))

    monkeypatch.setattr(campaign, "run_plan", run_plan)
    return seeds


def test_what_is_done_is_not_run_again_and_the_report_is_the_same(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "runs"
    first = _run(path, 2)
    whole = _run(path, 3, recheck_pct=34.0)
    assert counted == [0, 1, 2, 2]
    again = _run(path, 3, recheck_pct=34.0)
    assert counted == [0, 1, 2, 2], "the repeat is kept too"
    assert whole.outcomes[:2] == first.outcomes
    assert again.outcomes == whole.outcomes
    assert again.rechecked == whole.rechecked == [(2, True)]


def test_a_line_torn_by_the_stop_is_run_again(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "runs"
    whole = _run(path, 2)
    path.write_bytes(path.read_bytes()[:-9])
    again = _run(path, 2)
    assert counted == [0, 1, 1]
    assert [one.trace for one in again.outcomes] == [one.trace for one in whole.outcomes]
    assert len(path.read_bytes().splitlines()) == 3


def test_runs_of_other_code_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs"
    CampaignFile(path, FAULTS).__exit__(None, None, None)
    before = path.read_bytes()
    monkeypatch.setattr(campaign_file, "code_digest", lambda: "another")
    with pytest.raises(KeepFailed, match="other code"):
        CampaignFile(path, FAULTS)
    assert path.read_bytes() == before


def test_other_faults_are_another_campaign(tmp_path: Path) -> None:
    path = tmp_path / "runs"
    CampaignFile(path, FAULTS).__exit__(None, None, None)
    with pytest.raises(KeepFailed, match=r"its faults are mid\.welded"):
        CampaignFile(path, ["mid.slow"])


@pytest.mark.parametrize("text", ["hello", "hello\n", '{"code": 1}\n', "\x00\xff\n"])
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "diary"
    path.write_text(text)
    code = main.main(["campaign", "--seeds", "1", "--faults", "none", "--keep", str(path)])
    said = capsys.readouterr()
    assert code == 2
    assert len(said.err.splitlines()) == 1
    assert "no campaign's file" in said.err
    assert path.read_text() == text


def test_the_command_keeps_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "campaign",
        "--seeds",
        "1",
        "--faults",
        "mid.welded",
        "--json",
        "--keep",
        str(tmp_path / "runs"),
    ]
    assert main.main(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert main.main(command) == 0
    again = json.loads(capsys.readouterr().out)
    assert {**again, "wall_s": 0} == {**first, "wall_s": 0}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeepFailed, match="Is a directory"):
        CampaignFile(tmp_path, FAULTS)


def test_a_pipe_and_a_device_keep_no_campaign(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(KeepFailed, match=rf"^{path}: is no plain file$"):
            CampaignFile(path, FAULTS)
