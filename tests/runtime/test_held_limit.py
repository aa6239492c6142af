"""The limit that the inverter itself says, as the picture has it: of a good reading that is fresh, else nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.runtime.owners import on_the_grid
from v2h_console.core.settings import NS_PER_S
from v2h_console.runtime import snapshots
from v2h_console.runtime.snapshots import Surroundings
from v2h_console.session.snapshot import InverterView, LaneView
from v2h_drivers.capabilities.quality import Quality


def seen(quality: Quality, age_s: float, says_w: float | None = 10_000.0) -> InverterView:
    """The inverter in the picture, so long after it said its limit."""
    settings, state = on_the_grid()
    status = state.senses.inverter
    assert status is not None
    status = replace(status, quality=quality, max_discharge_w=says_w)
    state = replace(state, senses=replace(state.senses, inverter=status), requested_limit_w=5_000.0)
    now_ns = status.at_ns + int(age_s * NS_PER_S)
    return snapshots.build(settings, state, Surroundings(1, now_ns, 0.0, True, "", LaneView(), ())).inverter


def test_the_inverters_own_limit_is_not_the_one_that_it_was_asked_for() -> None:
    inverter = seen(Quality.GOOD, 0.25, says_w=10_000.0)
    assert (inverter.holds_w.value, inverter.holds_w.age_ms) == (10_000.0, 250.0)
    assert inverter.set_w != inverter.holds_w.value


@pytest.mark.parametrize(
    ("quality", "age_s", "says_w"),
    [
        (Quality.SUSPECT, 0.25, 10_000.0),
        (Quality.BAD, 0.25, 10_000.0),
        (Quality.GOOD, 4.0, 10_000.0),
        (Quality.GOOD, 0.25, None),
    ],
)
def test_what_is_doubtful_old_or_not_said_is_no_limit_that_is_held(
    quality: Quality, age_s: float, says_w: float | None
) -> None:
    holds = seen(quality, age_s, says_w).holds_w
    assert (holds.value, holds.age_ms) == (None, age_s * 1_000.0)
