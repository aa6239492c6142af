"""When a frame came, told to a reader who was held up: by the kernel's stamp, whatever the wall clock does."""

from __future__ import annotations

import time

import pytest

from v2h_drivers.can.bus import DEFAULT_GROUP, WAITED_NS, LoopbackMulticastBus, came_at_ns

PORT = 43_989
S = 1_000_000_000
NOW = 1_000 * S
WALL = 1_700_000_000 * S


@pytest.mark.parametrize(
    ("age_s", "before_s", "came_s"),
    [
        pytest.param(0.4, 1.0, 0.4, id="held up"),
        pytest.param(0.4, 0.1, 0.1, id="never before the frame before it"),
        pytest.param(86_400.0, 0.002, 0.002, id="the wall clock was put forward by a day"),
        pytest.param(-86_400.0, 0.002, 0.0, id="the wall clock was put back by a day"),
    ],
)
def test_a_stamp_is_held_against_both_clocks(age_s: float, before_s: float, came_s: float) -> None:
    came_ns = came_at_ns(NOW, WALL, WALL - round(age_s * S), NOW - round(before_s * S))
    assert came_ns == NOW - round(came_s * S)


def test_what_waited_bears_the_time_at_which_it_came_and_what_is_fresh_the_time_of_reading() -> None:
    bus = LoopbackMulticastBus(DEFAULT_GROUP, PORT)
    try:
        bus._came_ns -= 2 * WAITED_NS  # the reader was away for so long
        began_ns = time.monotonic_ns()
        for nth in range(3):
            bus.send(0x100, bytes((nth,)))
        sent_ns = time.monotonic_ns()
        first = bus.recv(1.0)
        assert first is not None
        assert began_ns <= first[2] <= sent_ns
        while bus.recv(0.0) is not None:
            pass
        read_from_ns = time.monotonic_ns()
        bus._came_ns = read_from_ns
        bus.send(0x100, b"fresh")
        fresh = bus.recv(1.0)
        assert fresh is not None
        assert read_from_ns <= fresh[2] <= time.monotonic_ns()
    finally:
        bus.shutdown()
