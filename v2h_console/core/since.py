"""Since when something has held without a break: the clock of every rule that waits before it believes."""

from __future__ import annotations


def since(since_ns: int | None, holds: bool, now_ns: int) -> int | None:
    """The clock after one look: it begins as ``holds`` begins, and ``None`` = it does not hold."""
    if not holds:
        return None
    return since_ns if since_ns is not None else now_ns
