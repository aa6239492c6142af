"""Who commands the controller, as the judge remembers it."""

from __future__ import annotations

from v2h_console.proving.judge.memory import Circumstances
from v2h_console.twin.truth import Truth

MS = 1_000_000


def fault(at_ms: int, name: str) -> Truth:
    """A fault that begins or ends."""
    return Truth(at_ms * MS, "fault.injected", {"fault": name})


def test_an_owner_that_is_away_leaves_silence() -> None:
    around = Circumstances(away_ns=100 * MS)
    assert around.away_for(350 * MS) == around.silent_for(350 * MS) == 250 * MS


def test_another_master_s_commands_are_commands_though_the_owner_is_away() -> None:
    around = Circumstances(away_ns=100 * MS)
    around.injected(fault(200, "control.second_master"))
    assert around.silent_for(350 * MS) == 0
    assert around.away_for(350 * MS) == 250 * MS
    around.cleared(fault(400, "control.second_master"))
    assert around.silent_for(450 * MS) == 50 * MS


def test_nobody_s_command_passes_a_bus_that_is_off() -> None:
    around = Circumstances()
    around.injected(fault(100, "control.second_master"))
    around.injected(fault(200, "can.bus_off"))
    assert around.silent_for(350 * MS) == 150 * MS
