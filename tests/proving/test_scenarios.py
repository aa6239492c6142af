"""Every scenario that comes with the program, as it stands: judged, ended as it must, and about what its name says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2h_console.proving import scenario_files
from v2h_console.proving.course import JudgedSite
from v2h_console.twin import scenario
from v2h_console.twin.vocabulary import ScenarioError

#: Of each: the mode at its end, and a code without which it would be another story.
STORIES = {
    "black-start": ("tied", "ISLANDED"),
    "black-start-after-overload": ("islanded", "INVERTER_FAULT"),
    "blind-grid-sense": ("tied", "GRID_NOT_SENSED"),
    "brown-out": ("tied", "GRID_LOST"),
    "bypass-in-an-island": ("tied", "GRID_SIDE_FOLLOWS"),
    "car-charger-in-an-island": ("islanded", "GRID_LOST"),
    "car-comes-home": ("islanded", "HOUSE_DARK"),
    "car-unplugged": ("islanded", "CAR_NOT_READY"),
    "cold-day": ("tied", "GRID_LOST"),
    "culprit": ("islanded", "LOAD_LOCKED_OUT_HVAC"),
    "dead-fan": ("islanded", "FAN_DEAD"),
    "dead-supply": ("tied", "CONTROLLER_SILENT"),
    "depleted-car": ("tied", "SOC_STOP"),
    "dying-supply": ("tied", "AUX_SUPPLY_STOP"),
    "everything-on": ("tied", "LOAD_RETURNED"),
    "first-morning": ("tied", "GRID_TIED"),
    "flapping": ("tied", "GRID_REQUALIFIED"),
    "full-car-in-the-sun": ("islanded", "SOLAR_CURTAILED"),
    "generator-on-the-bus": ("tied", "HOUSE_BUS_FED"),
    "hand-opened": ("tied", "MID_OPENED_BY_HAND"),
    "hot-blind": ("islanded", "INVERTER_TEMPERATURE_UNKNOWN"),
    "hot-day": ("islanded", "INVERTER_DERATED"),
    "inverter-trips": ("islanded", "INVERTER_FAULT"),
    "locked-rotor": ("islanded", "LOAD_SHED"),
    "low-car": ("islanded", "SOC_SHED"),
    "lying-contact": ("dark", "FORMING_LOCKED_OUT"),
    "motor-backfeed": ("tied", "GRID_LOST"),
    "motor-starts": ("islanded", "LOAD_RETURNED"),
    "neutral-former-trips": ("islanded", "HOUSE_DARK"),
    "one-leg": ("tied", "GRID_LOST"),
    "over-voltage": ("tied", "GRID_SENSE_VOLTAGE_HIGH"),
    "peak-shaving": ("tied", "PEAK_SHAVING_BEGAN"),
    "primary-lost": ("islanded", "PRIMARY_CHANGED"),
    "recloser": ("tied", "STREET_APART"),
    "relay-will-not-close": ("islanded", "MID_DOES_NOT_CLOSE"),
    "restart-in-the-dark": ("tied", "GRID_TIED"),
    "second-master": ("tied", "SECOND_MASTER"),
    "secondary-out-of-phase": ("islanded", "INVERTER_DROPPED"),
    "shallow-sag": ("tied", ""),
    "short-excursion": ("tied", "GRID_REQUALIFIED"),
    "silent-car": ("islanded", "CAR_NOT_READY"),
    "slow-relay": ("islanded", "MID_DID_NOT_OPEN"),
    "stepping-clock": ("tied", "CLOCK_STEPPED"),
    "storm-night": ("tied", "GRID_TIED"),
    "stubborn-roof": ("islanded", "SOLAR_KEPT_OFF"),
    "stuck-switch": ("islanded", "LOAD_SWITCH_STUCK_HVAC"),
    "tariff-reserve": ("tied", "PEAK_SHAVING_ENDED"),
    "two-cars": ("tied", "INVERTER_JOINED"),
    "unbidden-close": ("fault_open", "MID_CLOSED_UNBIDDEN"),
    "uncontrolled-oven": ("islanded", "LOAD_SHED"),
    "welded-relay": ("fault_open", "MID_NOT_PROVEN_OPEN"),
    "will-not-form": ("tied", "INVERTER_DID_NOT_FORM"),
}


def test_every_scenario_has_its_story() -> None:
    assert set(scenario_files.names()) == set(STORIES)
    assert len(STORIES) >= 25


@pytest.mark.parametrize("name", STORIES)
def test_the_scenario_breaks_no_invariant_tells_its_story_and_ends_as_it_must(name: str) -> None:
    mode, code = STORIES[name]
    course = JudgedSite(scenario_files.find(name), seed=0).play()
    assert course.violations == []
    assert course.site.state.islanding.mode.value == mode
    codes = {event.code for event in course.run.events}
    assert code in codes if code else codes == set()


@pytest.mark.parametrize(
    "text",
    [
        f"duration_s = {'9' * 5000}",
        f"duration_s = {'9' * 500}",
        f"duration_s = {'[' * 3000}",
        f"duration_s = 1\n[[at]]\ns = 0\ndo = 'load.on'\nload = 0x{'f' * 5000}",
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_no_parser_finishes_is_said_in_a_line(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"^night\.toml: a number of hundreds of digits"):
        scenario.parse(f'name = "night"\n{text}', "night.toml")


def test_a_pipe_and_a_device_are_no_scenario(tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe.toml", tmp_path / "device.toml"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(ScenarioError, match=rf"^{path}: is no plain file$"):
            scenario_files.find(str(path))
