"""More than the car allows, with nothing left to shed: when it counts, and when it does not."""

from __future__ import annotations

import pytest

from v2h_console.core import overdraw
from v2h_console.core.load_state import LoadState
from v2h_console.core.senses import Senses
from v2h_drivers.capabilities.fast_readings import CarSession, CarStage
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus

MS = 1_000_000
NOW_NS = 10_000 * MS
GOOD = Quality.GOOD


def senses(drawn_a: float | None, limit_a: float | None = 10.0, age_ms: int = 100) -> Senses:
    """What the car gives, measured ``age_ms`` ago, and what it allows now."""
    at_ns = NOW_NS - age_ms * MS
    return Senses(
        car=CarStatus(at_ns, GOOD, "Inverter", 60.0, None, None, 400.0, drawn_a, None),
        car_session=CarSession(
            NOW_NS - 20 * MS, GOOD, CarStage.ENERGISED, True, True, True, 400.0, 400.0, 900.0, limit_a
        ),
    )


def loads(over_ms: int | None, helpless_ms: int | None) -> LoadState:
    """Too much for so long, and nothing to shed for so long."""

    def since(ms: int | None) -> int | None:
        return None if ms is None else NOW_NS - ms * MS

    return LoadState(over_since_ns=since(over_ms), helpless_since_ns=since(helpless_ms))


def test_too_much_for_one_and_a_half_seconds_with_nothing_left_is_said_in_amps() -> None:
    said = overdraw.reason(loads(1_500, 400), senses(12.0), NOW_NS)
    assert said == "it took 12.0 A from the car, which allows 10.0 A, and nothing is left to shed"


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        (loads(1_400, 400), senses(12.0)),
        (loads(1_500, None), senses(12.0)),
        (loads(None, None), senses(12.0)),
        (loads(1_500, 400), senses(10.4)),
        (loads(1_500, 400), senses(None)),
        (loads(1_500, 400), senses(12.0, None)),
        (loads(1_500, 50), senses(12.0)),
        (loads(5_000, 3_000), senses(12.0, age_ms=800)),
        (loads(1_500, 400), Senses()),
    ],
    ids=[
        "a motor may start",
        "something can be shed",
        "not too much",
        "within what sensors differ",
        "no current known",
        "no limit known",
        "measured before the last shed",
        "measured too long ago",
        "nothing heard",
    ],
)
def test_nothing_is_stopped_without_evidence(state: LoadState, heard: Senses) -> None:
    assert overdraw.reason(state, heard, NOW_NS) == ""
