"""Whether the whole machine was halted (suspended): its monotonic clock stands still meanwhile, so no silence shows it."""

from __future__ import annotations

import time
from collections.abc import Callable

#: What the two clocks may seem to differ by because they are not read at once.
APART_NS = 20_000_000


class Halts:
    """``lived_ns`` does not count what a halt takes, ``passed_ns`` does."""

    def __init__(
        self,
        lived_ns: Callable[[], int] = time.monotonic_ns,
        passed_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        self._lived_ns, self._passed_ns = lived_ns, passed_ns
        _, self._halted_most_ns = self._halted_ns()

    def newly_ns(self) -> int:
        """For how long it was halted since this was asked last; 0: it was not."""
        least_ns, most_ns = self._halted_ns()
        newly_ns = least_ns - self._halted_most_ns
        if newly_ns < APART_NS:
            self._halted_most_ns = min(self._halted_most_ns, most_ns)
            return 0
        self._halted_most_ns = most_ns
        return newly_ns

    def _halted_ns(self) -> tuple[int, int]:
        # Whoever reads them may be put aside in between: what is certain is taken.
        before_ns = self._lived_ns()
        passed_ns = self._passed_ns()
        return passed_ns - self._lived_ns(), passed_ns - before_ns
