"""The latch's file in virtual time keeps the order of the one writer that it stands for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Kept
from v2h_console.proving.virtual_disk import FSYNC_MS, NS_PER_MS, VirtualDisk


@given(
    seed=st.integers(0, 10_000),
    apart_ns=st.lists(st.integers(0, 20 * NS_PER_MS), min_size=2, max_size=12),
)
def test_a_record_is_down_after_the_one_before_it(seed: int, apart_ns: list[int]) -> None:
    disk, now_ns, down_ns = VirtualDisk(seed), 0, 0
    for sequence, apart in enumerate(apart_ns, start=1):
        now_ns += apart
        written = disk.write(PersistLatch(sequence, sequence % 2 == 0, "a try failed", Kept()), now_ns)
        assert written is not None
        at_ns, receipt = written
        assert receipt.sequence == sequence
        assert at_ns > down_ns
        assert at_ns - max(now_ns, down_ns) <= FSYNC_MS[1] * NS_PER_MS
        down_ns = at_ns
