"""A transfer in words: milliseconds where they are what counts, seconds where the house waited for somebody."""

from __future__ import annotations

import pytest

from v2h_console.core.transfer import Transfer, formed, said

MS = 1_000_000
FELL = Transfer("backfeed", "back-feed", 0, 40 * MS, 65 * MS, 75 * MS)


@pytest.mark.parametrize(
    ("back_ms", "words"),
    [
        (98, "House back after 98 of 150 ms (backfeed)."),
        (9_999, "House back after 9999 of 150 ms (backfeed)."),
        (159_175, "House back after 159 s in the dark; 150 ms are allowed (backfeed)."),
    ],
)
def test_a_long_wait_is_told_in_seconds(back_ms: int, words: str) -> None:
    done = formed(FELL, back_ms * MS)
    assert done is not None
    assert done.total_ms is not None
    assert said(done, done.total_ms) == words
