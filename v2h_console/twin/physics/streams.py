"""Randomness by name: one stream per (seed, channel, event).

A number depends on what it is for, never on how many were drawn before it, so that the same house lives through the
same accidents however finely it is stepped.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist

_SCALE = 1.0 / 2.0**64
_MASK = (1 << 64) - 1
#: Sensor noise is drawn thousands of times a second: from a table of equally likely normal numbers.
_TABLE_BITS = 12
_NORMAL = tuple(NormalDist().inv_cdf((i + 0.5) / (1 << _TABLE_BITS)) for i in range(1 << _TABLE_BITS))


def _two_uniforms(seed: int, channel: str, event: int) -> tuple[float, float]:
    digest = blake2b(f"{seed}/{channel}/{event}".encode(), digest_size=16).digest()
    return (
        (int.from_bytes(digest[:8], "little") + 0.5) * _SCALE,
        (int.from_bytes(digest[8:], "little") + 0.5) * _SCALE,
    )


@lru_cache(maxsize=256)
def _base(seed: int, channel: str) -> int:
    return int.from_bytes(blake2b(f"{seed}/{channel}".encode(), digest_size=8).digest(), "little")


def gaussian(seed: int, channel: str, event: int, sigma: float) -> float:
    """One normal number of mean 0 and deviation ``sigma``, within 3.7 of them."""
    # Weyl sequence and a multiply-xorshift finaliser: every bit of the event moves the index.
    x = (_base(seed, channel) + event * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 32)) * 0xD6E8FEB86659FD93) & _MASK
    x = ((x ^ (x >> 32)) * 0xD6E8FEB86659FD93) & _MASK
    return sigma * _NORMAL[x >> (64 - _TABLE_BITS)]


def uniform(seed: int, channel: str, event: int, bounds: tuple[float, float]) -> float:
    """One number spread evenly between ``bounds``."""
    return bounds[0] + (bounds[1] - bounds[0]) * _two_uniforms(seed, channel, event)[0]


def central(seed: int, channel: str, event: int, bounds: tuple[float, float]) -> float:
    """One number between ``bounds``, most often near their middle (the mean of two even draws)."""
    u1, u2 = _two_uniforms(seed, channel, event)
    return bounds[0] + (bounds[1] - bounds[0]) * 0.5 * (u1 + u2)
