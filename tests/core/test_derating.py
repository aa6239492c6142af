"""Heat takes power at once, and gives it back slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.core import thermal
from v2h_console.core.senses import Senses
from v2h_console.core.settings import InverterSettings, ThermalSettings
from v2h_console.core.thermal import RELAX_W_PER_S, ThermalState
from v2h_drivers.capabilities.fast_readings import Temperatures
from v2h_drivers.capabilities.quality import Quality

MS = 1_000_000
S = 1_000 * MS
SETTINGS = ThermalSettings()


def read(state: ThermalState, at_ns: int, heatsink_c: float) -> ThermalState:
    """One frame, and the step that hears it."""
    senses = Senses(temperatures=Temperatures(at_ns, Quality.GOOD, heatsink_c, 25.0, 3_000.0))
    return thermal.update(SETTINGS, InverterSettings(), state, senses, 0, at_ns)


def left(heatsink_c: float) -> float:
    """What the curve leaves of 10 kW."""
    return 10_000.0 * (1.0 - 0.025 * (heatsink_c - 45.0))


def test_noise_of_a_tenth_of_a_kelvin_leaves_the_limit_alone() -> None:
    state = ThermalState()
    limits = []
    for tick, heatsink_c in enumerate((50.0, 50.1, 49.9, 50.2, 50.0, 49.8, 50.3, 49.7, 50.1) * 20):
        state = read(state, tick * 100 * MS, heatsink_c)
        limits.append(state.limit_w)
    assert limits[0] == left(50.0)
    assert set(limits[1:]) == {left(50.5)}


def test_half_a_kelvin_more_cuts_at_once() -> None:
    hot = read(read(ThermalState(), 0, 50.0), 100 * MS, 52.2)
    assert hot.limit_w == left(52.5)


def test_a_cooling_heatsink_gives_power_back_slowly_and_only_so_much() -> None:
    state = read(ThermalState(), 0, 50.0)
    cooled = read(state, 100 * MS, 48.0)
    assert cooled.limit_w == left(50.0)
    assert read(cooled, 2_100 * MS, 48.0).limit_w == left(50.0) + 2.0 * RELAX_W_PER_S
    assert read(cooled, 60 * S, 48.0).limit_w == left(48.0)


@given(asked_ms=st.lists(st.integers(1, 12_000), max_size=40))
def test_the_rise_does_not_depend_on_how_often_anybody_asks(asked_ms: list[int]) -> None:
    begins = read(read(ThermalState(), 0, 60.0), 100 * MS, 48.0)
    asked = begins
    for at_ms in sorted(asked_ms):
        asked = read(asked, (100 + at_ms) * MS, 48.0)
    assert read(asked, 12_150 * MS, 48.0).limit_w == read(begins, 12_150 * MS, 48.0).limit_w


@given(readings=st.lists(st.floats(20.0, 69.9), min_size=1, max_size=60))
def test_the_limit_is_never_above_what_the_hottest_half_kelvin_allows(readings: list[float]) -> None:
    state = ThermalState()
    for tick, heatsink_c in enumerate(readings):
        state = read(state, tick * 100 * MS, heatsink_c)
        assert state.limit_w is not None
        assert state.limit_w <= min(10_000.0, left(heatsink_c)) + 1e-6
        assert state.judged_c is not None
        assert heatsink_c <= state.judged_c <= heatsink_c + 1.0


def test_at_the_stop_nothing_is_allowed_and_not_before() -> None:
    below = read(ThermalState(), 0, SETTINGS.stop_c - 0.1)
    assert below.limit_w == pytest.approx(left(SETTINGS.stop_c))
    assert not below.stopped
    stopped = read(below, 100 * MS, SETTINGS.stop_c)
    assert stopped.limit_w == 0.0
    assert stopped.stopped
