"""The latch's record in a take-over: what the next owner read before it had the core is older than the core."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from tests.runtime.owners import QuietBus, on_the_grid, until
from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Kept
from v2h_console.runtime.latch_file import read_latch, write_latch
from v2h_console.runtime.owner import Owner
from v2h_drivers.can.logic_controller import LogicControllerLink

HELD = Kept(held_open=True)


def next_owner(disk: Path, aside: Path) -> Owner:
    settings, _ = on_the_grid()
    link = LogicControllerLink("Controller", "nowhere")
    return Owner(settings, QuietBus(), link, lambda emit: [], disk, latch_aside=aside)


def test_a_copy_from_before_is_not_written_over_what_the_old_owner_wrote_since(tmp_path: Path) -> None:
    disk, aside = tmp_path / "mid_latch.json", tmp_path / "aside.json"
    write_latch(disk, PersistLatch(8, True, "tied"))
    write_latch(aside, PersistLatch(9, True, "dark"))
    owner = next_owner(disk, aside)
    # The disk takes it again; the MID is opened for a line worker, and then the house is handed over.
    write_latch(disk, PersistLatch(11, True, "operator", HELD))
    _, state = on_the_grid()
    latch = replace(state.latch, sequence=11, durable_sequence=11, wanted_kept=HELD, durable_kept=HELD)
    owner.take_up(
        replace(
            state,
            latch=latch,
            islanding=replace(state.islanding, operator_hold=True),
            taken_up_ns=time.monotonic_ns(),
        )
    )
    until(lambda: owner.lane.lateness.ticks > 3)
    owner.stop()
    assert read_latch(disk).sequence >= 11
    assert read_latch(disk).kept.held_open


def test_a_start_writes_the_copy_that_the_disk_did_not_take(tmp_path: Path) -> None:
    disk, aside = tmp_path / "mid_latch.json", tmp_path / "aside.json"
    write_latch(disk, PersistLatch(8, True, "tied"))
    write_latch(aside, PersistLatch(9, True, "operator", HELD))
    owner = next_owner(disk, aside)
    owner.start()
    until(lambda: read_latch(disk).sequence >= 9)
    owner.stop()
    assert read_latch(disk).kept.held_open
