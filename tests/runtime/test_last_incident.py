"""What is recorded of an incident when the owner ends in the middle of it, or because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made, until
from v2h_console.core.observation import Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step, step
from v2h_console.runtime import fast_lane, incident_file
from v2h_console.runtime.incident_file import Incident
from v2h_console.session.orders import Order


def written(folder: Path) -> list[Incident]:
    return [incident_file.read(path) for path in sorted((folder / "incidents").iterdir())]


def test_an_owner_that_ends_in_an_incident_writes_it_as_far_as_it_went(tmp_path: Path) -> None:
    owner = made(tmp_path, QuietBus(), incidents=True)
    owner.start_core()
    until(lambda: owner.lane.published.islanding.mode.value == "fault_open")
    owner.stop()
    (incident,) = written(tmp_path)
    codes = [event.code for entry in incident.entries for event in entry.events]
    assert "CONTROLLER_SILENT" in codes
    assert incident.state.islanding.mode.value == "tied"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_step_in_which_the_core_ended_is_the_last_of_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fatal: list[Observation] = []

    def defective(settings: Settings, state: State, observation: Observation, now_ns: int) -> Step:
        if observation.orders:
            fatal.append(observation)
            raise RuntimeError("a defect in the core")
        return step(settings, state, observation, now_ns)

    monkeypatch.setattr(fast_lane, "step", defective)
    owner = made(tmp_path, QuietBus(), incidents=True)
    owner.start_core()
    until(lambda: owner.lane.lateness.ticks > 3)
    assert owner.order(Order("fatal", "operator.open_mid")).accepted
    owner.lane.join(5.0)
    owner.stop()
    (incident,) = written(tmp_path)
    assert incident.title == "core_stopped"
    assert incident.entries[-1].observation == fatal[0]
    assert incident.entries[-1].observation.orders[0].nonce == "fatal"
    assert len(incident.entries) > 3
