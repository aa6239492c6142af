"""Collecting garbage by hand, between steps, so that no full pass stops the lane in a transfer.

Measured beside a busy screen: automatic full passes hold the interpreter for 70-200 ms; young passes alone leak about
9 MB a minute. So: generation 0 every 250 ms, 1 every 2 s, everything every 10 s when quiet and at latest every 60 s.
Each pause is measured and shown.

What a full pass costs is what is alive and not frozen: 3 to 10 ms with a screen's 8,000. So nothing that the lane keeps
for long may be made of many objects (the recorder keeps bytes), and ``take_over`` comes once the first paint is there. Freezing
what every pass leaves alive would make it cheaper still, and was tried: a screen's strips hold themselves in their own
caches, so that 2,000 frozen objects each 10 s were never found again. So only what has been too much for a minute is
frozen: then it is there to stay.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass

MS = 1_000_000
S = 1_000_000_000
YOUNG_EVERY_NS = 250 * MS
MIDDLE_EVERY_NS = 2 * S
FULL_WHEN_QUIET_NS = 10 * S
FULL_AT_LATEST_NS = 60 * S
#: More alive objects than this after so many full passes in a row are frozen.
ALIVE_MOST = 15_000
PASSES_ABOVE = 6


def take_over() -> None:
    """Call when all is loaded, before the lane starts, and once more when the rest has: what is alive now stays for ever,
    and nothing collects by itself.

    No pass comes before: it held the interpreter for 115 ms on a slow machine, beside a lane that ran already, and found
    33 objects of 73,000.
    """
    gc.disable()
    gc.freeze()


@dataclass(slots=True)
class GarbagePlan:
    """When to collect what. ``pause_max_ns`` is the longest pass so far, ``total_ns`` what all of them took."""

    young_at_ns: int = 0
    middle_at_ns: int = 0
    full_at_ns: int = 0
    pause_max_ns: int = 0
    total_ns: int = 0
    passes_above: int = 0

    def run_if_due(self, now_ns: int, quiet: bool) -> None:
        """At most one pass; ``quiet`` = no transfer, no deadline within 100 ms."""
        if self.full_at_ns == 0:
            self.young_at_ns = self.middle_at_ns = self.full_at_ns = now_ns
            return
        since_full_ns = now_ns - self.full_at_ns
        if since_full_ns >= FULL_AT_LATEST_NS or (quiet and since_full_ns >= FULL_WHEN_QUIET_NS):
            self.full_at_ns = self.middle_at_ns = self.young_at_ns = now_ns
            self._collect(2)
            self._freeze_what_stays()
        elif quiet and now_ns - self.middle_at_ns >= MIDDLE_EVERY_NS:
            self.middle_at_ns = self.young_at_ns = now_ns
            self._collect(1)
        elif quiet and now_ns - self.young_at_ns >= YOUNG_EVERY_NS:
            self.young_at_ns = now_ns
            self._collect(0)

    def _freeze_what_stays(self) -> None:
        self.passes_above = self.passes_above + 1 if len(gc.get_objects(2)) > ALIVE_MOST else 0
        if self.passes_above >= PASSES_ABOVE:
            self.passes_above = 0
            gc.freeze()

    def _collect(self, generation: int) -> None:
        began_ns = time.monotonic_ns()
        gc.collect(generation)
        took_ns = time.monotonic_ns() - began_ns
        self.pause_max_ns = max(self.pause_max_ns, took_ns)
        self.total_ns += took_ns
