"""How late the lane is, and what its steps cost: kept in fixed buckets, so that measuring allocates nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Upper edges in microseconds; the last bucket takes the rest.
EDGES_US = (
    50,
    100,
    200,
    300,
    500,
    750,
    1_000,
    1_500,
    2_000,
    3_000,
    4_000,
    5_000,
    6_000,
    8_000,
    10_000,
    15_000,
    20_000,
    50_000,
    100_000,
)
#: A tick later than this is a missed one (I12).
MISSED_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Late:
    """A step that was made at ``at_ns``, ``late_ns`` after it was due."""

    at_ns: int
    late_ns: int


@dataclass(slots=True)
class Lateness:
    """A histogram of lateness plus the exact worst, and the cost of steps."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES_US) + 1))
    ticks: int = 0
    missed: int = 0
    max_ns: int = 0
    step_total_ns: int = 0
    step_max_ns: int = 0
    #: The worst missed tick that nobody took yet.
    worst: Late | None = None

    def tick(self, late_ns: int, step_ns: int, at_ns: int) -> None:
        """Count one step that came at ``at_ns``, ``late_ns`` after it was due, and took ``step_ns``."""
        late_us = late_ns / 1000
        for index, edge in enumerate(EDGES_US):
            if late_us <= edge:
                self.counts[index] += 1
                break
        else:
            self.counts[-1] += 1
        self.ticks += 1
        if late_ns > MISSED_NS:
            self.missed += 1
            if self.worst is None or late_ns > self.worst.late_ns:
                self.worst = Late(at_ns, late_ns)
        self.max_ns = max(self.max_ns, late_ns)
        self.step_total_ns += step_ns
        self.step_max_ns = max(self.step_max_ns, step_ns)

    def take_worst(self) -> Late | None:
        """The worst missed tick since this was asked last, from any thread; one that comes in this very moment is
        counted alone."""
        worst, self.worst = self.worst, None
        return worst

    def percentile_ms(self, share: float) -> float:
        """Upper edge of the bucket that holds this share of all ticks, in ms (0 without ticks)."""
        if not self.ticks:
            return 0.0
        wanted = share * self.ticks
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return EDGES_US[index] / 1000 if index < len(EDGES_US) else self.max_ns / 1e6
        return self.max_ns / 1e6

    @property
    def step_mean_us(self) -> float:
        """Mean cost of a step."""
        return self.step_total_ns / self.ticks / 1000 if self.ticks else 0.0
