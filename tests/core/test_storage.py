"""A disk that fails is one alarm in words; the house does not notice it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.core.houses import SETTINGS, House
from tests.core.moments import syncing
from v2h_console.core.events import Severity
from v2h_console.core.observation import Observation
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import Mode
from v2h_console.core.step import Step, step
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import StorageState


def told(house: House, *parts: tuple[str, str]) -> tuple[Step, Step]:
    """The next step of that house with these words of its storage, and the same step without them."""
    now_ns = house.now_ns + NS_PER_MS
    readings = tuple(house.plant.readings(now_ns))
    said = tuple(StorageState(now_ns, Quality.GOOD, part, failure) for part, failure in parts)
    with_them = step(SETTINGS, house.state, Observation(1, (*readings, *said)), now_ns)
    return with_them, step(SETTINGS, house.state, Observation(1, readings), now_ns)


@pytest.mark.parametrize("start", [House.tied, House.islanded])
def test_a_full_disk_is_one_alarm_in_the_same_step_and_changes_no_command(start: Callable[[], House]) -> None:
    full = "No space left on device"
    result, untroubled = told(start(), ("latch", full), ("audit", full), ("log", full))
    (alarm,) = [one for one in result.state.alarms if one.code.startswith("STORAGE_")]
    assert alarm.severity is Severity.ALARM
    assert alarm.text == (
        "Storage fails (audit, latch, log: No space left on device). Control goes on. "
        "Once open, the MID stays open until the latch can be written."
    )
    assert [event.code for event in result.events if event not in untroubled.events] == ["STORAGE_FAILED"]
    assert result.commands == untroubled.commands
    assert replace(result.state, alarms=(), senses=untroubled.state.senses) == replace(
        untroubled.state, alarms=()
    )


def test_what_the_latch_does_not_need_says_nothing_of_the_mid() -> None:
    result, _ = told(House.tied(), ("audit", "Input/output error"), ("log", "Read-only file system"))
    (alarm,) = [one for one in result.state.alarms if one.code == "STORAGE_FAILED"]
    assert (
        alarm.text
        == "Storage fails (audit, log: Input/output error; Read-only file system). Control goes on."
    )


def test_it_ends_with_the_last_part_that_can_be_written_again() -> None:
    house = House.tied()
    state = told(house, ("latch", "full"), ("audit", "full"))[0].state
    for nth, (part, stands) in enumerate((("latch", True), ("audit", False)), 2):
        now_ns = house.now_ns + nth * NS_PER_MS
        said = StorageState(now_ns, Quality.GOOD, part, "")
        result = step(SETTINGS, state, Observation(nth, (said,)), now_ns)
        state = result.state
        assert any(one.code == "STORAGE_FAILED" for one in state.alarms) is stands
    assert [event.code for event in result.events] == ["STORAGE_FAILED_CLEARED"]


def test_a_configuration_that_was_not_taken_is_an_alarm_of_its_own() -> None:
    why = "/etc/energy/limits.conf, line 3: not valid TOML: the last good configuration is used"
    result, _ = told(House.tied(), ("configuration", why))
    (alarm,) = [one for one in result.state.alarms if one.code == "CONFIGURATION_NOT_TAKEN"]
    assert alarm.text == f"{why}."
    assert not any(one.code == "STORAGE_FAILED" for one in result.state.alarms)


def test_an_edit_that_the_next_start_takes_up_is_told_until_then_and_is_no_failure() -> None:
    why = "limits.conf was edited at 14:02: counts from the owner's next start"
    result, _ = told(House.tied(), ("edited configuration", why))
    (notice,) = [one for one in result.state.alarms if one.code == "CONFIGURATION_EDITED"]
    assert (notice.severity, notice.text) == (Severity.INFO, f"{why}.")
    assert not any(one.code == "STORAGE_FAILED" for one in result.state.alarms)


def test_parts_that_nobody_knows_do_not_pile_up() -> None:
    result, _ = told(House.tied(), *((f"part {nth}", "full") for nth in range(200)))
    assert len(result.state.senses.storage) <= 16


def test_an_island_that_synchronises_does_not_close_onto_a_latch_that_cannot_be_locked_again() -> None:
    house = syncing()
    house.plant.phase_deg = 0.0
    failing = StorageState(house.now_ns, Quality.GOOD, "latch", "No space left on device")
    house.state = replace(house.state, senses=replace(house.state.senses, storage=(failing,)))
    house.run_ms(2_000)
    house.must_be(Mode.ISLANDED)
    assert not house.control.close_mid
    house.state = replace(house.state, senses=replace(house.state.senses, storage=()))
    house.until(Mode.TIED)
