"""Somebody else's owner on the same bus: it commands the same controller, and everyone hears it."""

from __future__ import annotations

from v2h_console.twin.faces import lc_frames

MS = 1_000_000
VOICE_NS = 20 * MS
#: Hold, gate on.
ASKS = 1 << 2 | 1 << 8


class SecondMaster:
    """``at_ns``: when it speaks next, ``None`` = there is none; ``counter``: what it counts then."""

    def __init__(self, nonce: int) -> None:
        self._nonce = nonce
        self.at_ns: int | None = None
        self.counter = 0

    def begin(self, now_ns: int, own_counter: int) -> None:
        """Its counter is far from the owner's own: hops do not count what it says in them, and a voice that happened
        to count along with the owner would be its echo."""
        self.at_ns = now_ns + VOICE_NS
        self.counter = (own_counter + 100) & 0xFF

    def end(self) -> None:
        """It falls silent."""
        self.at_ns = None

    def frame(self) -> bytes:
        """What it says, with the nonce that it has heard like we have."""
        return lc_frames.frame(lc_frames.CMD, ASKS | self._nonce << 24, self.counter)

    def spoke(self, at_ns: int) -> None:
        """It has said this at ``at_ns``."""
        self.at_ns = at_ns + VOICE_NS
        self.counter = (self.counter + 1) & 0xFF

    def last_until(self, end_ns: int) -> int | None:
        """When it speaks for the last time until ``end_ns``; ``None`` = not at all."""
        if self.at_ns is None or self.at_ns > end_ns:
            return None
        return self.at_ns + (end_ns - self.at_ns) // VOICE_NS * VOICE_NS
