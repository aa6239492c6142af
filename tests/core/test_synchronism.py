"""Bringing the house in phase: where the inverter is sent, and where it is never sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.core import synchronism
from v2h_console.core.senses import Senses
from v2h_console.core.synchronism import SyncState
from v2h_console.site import demo_site
from v2h_drivers.capabilities.fast_readings import Side, SideCycle, Sync
from v2h_drivers.capabilities.quality import Quality

SETTINGS = demo_site.settings(15.0)
NOW_NS = 1_000_000_000


def heard(hertz: float | None, phase_deg: float = 0.0, volts: float = 121.0) -> Senses:
    """The street's cycle and the angle to it, both new."""
    return Senses(
        grid_cycle=SideCycle(NOW_NS, Quality.GOOD, Side.GRID, volts, volts, 2.0 * volts, hertz),
        sync=Sync(NOW_NS, Quality.GOOD, phase_deg, 0.0, 0.0, 0),
    )


def test_the_house_follows_the_street_and_takes_the_angle_down() -> None:
    aim = synchronism.aim(SETTINGS, heard(59.98, 10.0), NOW_NS)
    assert aim.frequency_hz == pytest.approx(59.98 - 0.05)
    assert aim.voltage_v == 121.0


@given(hertz=st.floats(0.0, 120.0), phase_deg=st.floats(-180.0, 180.0), volts=st.floats(0.0, 300.0))
def test_it_is_never_sent_beyond_the_window_in_which_it_may_close(
    hertz: float, phase_deg: float, volts: float
) -> None:
    aim = synchronism.aim(SETTINGS, heard(hertz, phase_deg, volts), NOW_NS)
    window, most_hz = SETTINGS.grid.enter_service, SETTINGS.sync.steer_max_hz
    assert window.f_lo_hz - most_hz - 1e-4 <= aim.frequency_hz <= window.f_hi_hz + most_hz + 1e-4
    assert 114.0 <= aim.voltage_v <= 126.0


def test_an_unknown_street_is_not_followed() -> None:
    assert synchronism.aim(SETTINGS, heard(None), NOW_NS).frequency_hz == 60.0
    assert synchronism.aim(SETTINGS, Senses(), NOW_NS).frequency_hz == 60.0


def test_a_moment_without_an_angle_forgets_the_hold_and_keeps_the_course_of_a_close() -> None:
    course = synchronism.aim(SETTINGS, heard(59.98), NOW_NS)
    state = SyncState(ok_since_ns=1, predicted_deg=2.0, reason="", aim=course)
    blind = synchronism.update(SETTINGS.sync, 31.0, state, Senses(), NOW_NS)
    assert blind.ok_since_ns is None
    assert blind.aim == course
