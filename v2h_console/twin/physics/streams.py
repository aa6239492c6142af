"""Randomness by name: one stream per (seed, channel, event).

A number depends on what it is for, never on how many were drawn before it, so that the same house lives through the
same accidents however finely it is stepped.
"""

from __future__ import annotations

import math
from hashlib import blake2b

_SCALE = 1.0 / 2.0**64


def _two_uniforms(seed: int, channel: str, event: int) -> tuple[float, float]:
    digest = blake2b(f"{seed}/{channel}/{event}".encode(), digest_size=16).digest()
    return (
        (int.from_bytes(digest[:8], "little") + 0.5) * _SCALE,
        (int.from_bytes(digest[8:], "little") + 0.5) * _SCALE,
    )


def gaussian(seed: int, channel: str, event: int, sigma: float) -> float:
    """One normal number of mean 0 and deviation ``sigma``."""
    u1, u2 = _two_uniforms(seed, channel, event)
    return sigma * math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * math.pi * u2)


def uniform(seed: int, channel: str, event: int, bounds: tuple[float, float]) -> float:
    """One number spread evenly between ``bounds``."""
    return bounds[0] + (bounds[1] - bounds[0]) * _two_uniforms(seed, channel, event)[0]


def central(seed: int, channel: str, event: int, bounds: tuple[float, float]) -> float:
    """One number between ``bounds``, most often near their middle (the mean of two even draws)."""
    u1, u2 = _two_uniforms(seed, channel, event)
    return bounds[0] + (bounds[1] - bounds[0]) * 0.5 * (u1 + u2)
