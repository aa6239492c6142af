"""How soon a fault must be met: by its class, and not before anybody's command can reach the controller."""

from __future__ import annotations

import pytest

from v2h_console.proving import onsets, reactions
from v2h_console.proving.expected import Expected

LOST = Expected(onsets.islanded, reactions.first("gate.off"), 85.0)


@pytest.mark.parametrize(("begun_ms", "bound_ms"), [(None, 85.0), (8.5, 96.5), (20.0, 85.0), (5_000.0, 85.0)])
def test_an_owner_that_has_just_begun_is_heard_when_the_controller_lets_go(
    begun_ms: float | None, bound_ms: float
) -> None:
    assert LOST.bound_ms(begun_ms) == bound_ms
