"""How far what a device says can be trusted."""

from __future__ import annotations

from enum import Enum


class Quality(str, Enum):
    """How far a reading can be trusted. Only GOOD (and fresh) ever counts as healthy."""

    GOOD = "good"
    SUSPECT = "suspect"
    BAD = "bad"
