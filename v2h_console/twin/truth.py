"""What really happened in the simulated house: the only thing that a judge may read.

Events are named ``subject.verb``. They come in the order in which they became true. One event is dated back:
``house.restored`` carries the start of the first good half cycle, which is known one half cycle later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Detail = dict[str, float | str | bool]


@dataclass(frozen=True, slots=True)
class Truth:
    """One event at ``at_ns`` (the world's clock, nanoseconds)."""

    at_ns: int
    truth: str
    detail: Detail = field(default_factory=dict)
