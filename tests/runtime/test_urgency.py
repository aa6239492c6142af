"""Who may be listened to in turns: a house on its own, and nobody who is about to close onto a street or a bus."""

from __future__ import annotations

from dataclasses import replace

import pytest

from v2h_console.core.state import Mode, State, boot
from v2h_console.core.transfer import Transfer
from v2h_console.runtime.urgency import QUIET_TICK_NS, TICK_NS, TURN_NS, tick_of, turn_of
from v2h_console.site import demo_site


def house(mode: Mode) -> State:
    """A core in this mode."""
    state = boot(demo_site.settings(15.0), 0)
    return replace(state, islanding=replace(state.islanding, mode=mode))


@pytest.mark.parametrize("mode", Mode)
def test_only_a_house_that_stands_on_its_own_is_read_in_turns(mode: Mode) -> None:
    assert turn_of(house(mode)) == (TURN_NS if mode in (Mode.ISLANDED, Mode.FAULT_OPEN) else 0)


def test_while_a_transfer_is_timed_nothing_waits() -> None:
    state = replace(house(Mode.ISLANDED), transfer=Transfer("hard", "grid lost", 0, 0))
    assert turn_of(state) == 0
    assert tick_of(state) == TICK_NS
    assert tick_of(house(Mode.ISLANDED)) == QUIET_TICK_NS
