"""A fan that is told to turn and does not."""

from __future__ import annotations

import pytest

from v2h_console.core import thermal
from v2h_console.core.senses import Senses
from v2h_console.core.settings import InverterSettings, ThermalSettings
from v2h_console.core.thermal import ThermalState
from v2h_drivers.capabilities.fast_readings import Temperatures
from v2h_drivers.capabilities.quality import Quality

S = 1_000_000_000


def after(state: ThermalState, from_s: int, to_s: int, heatsink_c: float, rpm: float | None) -> ThermalState:
    """The state after one reading a second."""
    for at in range(from_s, to_s + 1):
        senses = Senses(temperatures=Temperatures(at * S, Quality.GOOD, heatsink_c, 25.0, rpm))
        state = thermal.update(ThermalSettings(), InverterSettings(), state, senses, 0, at * S)
    return state


@pytest.mark.parametrize("rpm", [0.0, None])
def test_a_still_or_silent_fan_is_dead_ten_seconds_after_its_order(rpm: float | None) -> None:
    assert not after(ThermalState(), 0, 10, 43.0, rpm).fan_dead
    dead = after(ThermalState(), 0, 11, 43.0, rpm)
    assert dead.fan_dead
    assert dead.limit_w == pytest.approx(10_000.0 * (1.0 - 0.025 * 3.0))


def test_a_turning_fan_is_not_dead_and_derates_from_45() -> None:
    state = after(ThermalState(), 0, 60, 44.0, 3_000.0)
    assert not state.fan_dead
    assert state.limit_w == 10_000.0


def test_a_dead_fan_stays_dead_while_it_is_not_asked_and_lives_when_it_turns() -> None:
    dead = after(ThermalState(), 0, 20, 43.0, 0.0)
    cool = after(dead, 21, 60, 30.0, 0.0)
    assert not cool.fan_on
    assert cool.fan_dead
    assert not after(cool, 61, 62, 43.0, 2_500.0).fan_dead


def test_a_fan_that_rests_by_order_is_not_dead() -> None:
    assert not after(ThermalState(), 0, 60, 30.0, 0.0).fan_dead
