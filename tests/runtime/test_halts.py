"""A machine that was suspended: its monotonic clock has not gone on, and the controller's has."""

from __future__ import annotations

from v2h_console.core.settings import NS_PER_MS, NS_PER_S
from v2h_console.runtime.halts import Halts


class Machine:
    """Its two clocks; whoever reads the one may be put aside before the other."""

    def __init__(self) -> None:
        self.lived_ns = self.halted_ns = 0
        self.put_aside_ns = 0

    def passed(self) -> int:
        self.lived_ns += self.put_aside_ns
        return self.lived_ns + self.halted_ns

    def halts(self) -> Halts:
        return Halts(lambda: self.lived_ns, self.passed)


def test_a_halt_is_told_once_and_as_long_as_it_was() -> None:
    machine = Machine()
    halts = machine.halts()
    for _ in range(5):
        machine.lived_ns += 200 * NS_PER_MS
        assert halts.newly_ns() == 0
    machine.halted_ns += 34 * NS_PER_S
    assert halts.newly_ns() == 34 * NS_PER_S
    assert halts.newly_ns() == 0


def test_a_reader_that_is_put_aside_between_the_clocks_makes_no_halt_of_it() -> None:
    machine = Machine()
    halts = machine.halts()
    for put_aside_ms in (0, 300, 0, 50, 1_000, 0):
        machine.put_aside_ns = put_aside_ms * NS_PER_MS
        assert halts.newly_ns() == 0
