"""The polled devices' lines are let go of with the lane that polls, not with the process."""

from __future__ import annotations

import threading

from v2h_console.runtime.slow_lane import SlowLane
from v2h_console.wiring.devices import Lines


class Line:
    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_the_next_owner_finds_the_serial_line_free_while_this_process_lives() -> None:
    line = Line()
    lane = SlowLane(lambda: [Lines([line])])
    lane.start()
    assert lane.ready.wait(5.0)
    assert not line.closed.is_set()
    lane.stop()
    lane.join(5.0)
    assert line.closed.is_set()
