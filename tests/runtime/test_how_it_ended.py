"""What an owner says of its own end, in the log and for the owner after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, until
from tests.runtime.served import served
from v2h_console.runtime import attendance_file, hand_over, logs
from v2h_console.wiring.building import STATE_FOLDER


def told(root: Path) -> tuple[bool, list[str], str]:
    """Whether the ledger says that it ended, its last events, and the log."""
    ledger = attendance_file.read_ledger(root / STATE_FOLDER / attendance_file.FILE)
    assert ledger is not None
    log = (root / logs.FOLDER / "init.log").read_text()
    return ledger.ended, [f"{event.code} {event.text}" for event in ledger.events], log


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_after_a_defect_it_says_of_no_orderly_end(tmp_path: Path) -> None:
    bus = QuietBus()
    running = served(tmp_path, bus)
    bus.defect = RuntimeError("boom")
    running.owner.lane.join(5.0)
    running.stop()
    ended, events, log = told(tmp_path)
    assert not ended
    assert not any(event.startswith("OWNER_ENDED") for event in events)
    assert events[-1].startswith("CORE_STOPPED"), "what the core said last is kept"
    assert "ended orderly" not in log.lower()
    assert "ended after a defect" in log


def test_as_it_was_told_it_ends_orderly(tmp_path: Path) -> None:
    running = served(tmp_path, QuietBus())
    running.stop()
    ended, events, _ = told(tmp_path)
    assert (ended, events[-1]) == (True, "OWNER_ENDED The owner ended orderly.")


def test_after_a_hand_over_another_owner_goes_on(tmp_path: Path) -> None:
    running = served(tmp_path, QuietBus())
    until(lambda: not hand_over.refusal(running.owner.lane.published))
    assert running.owner.hand_over(tmp_path, hand_over.shape(running.owner._settings)) == ""
    running.stop()
    ended, events, log = told(tmp_path)
    assert (ended, events[-1]) == (True, "OWNER_ENDED The owner ended: another owner goes on.")
    assert "orderly" not in log
