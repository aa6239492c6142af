"""What the owner's own disk refuses, as conditions that a person can act on. Control never waits for it."""

from __future__ import annotations

from collections.abc import Iterator

from v2h_console.core.events import Severity
from v2h_drivers.capabilities.slow_readings import StorageState

#: The record that a close waits for (I3).
LATCH = "latch"
#: Not a file that is written: what a start found in /etc/energy.
CONFIGURATION = "configuration"
#: Neither: what was edited there since.
EDITED = "edited configuration"
_NO_FAILURES = (CONFIGURATION, EDITED)


def latch_fails(storage: tuple[StorageState, ...]) -> bool:
    """Whether the latch's record cannot be written now: what is closed could not be locked again."""
    return any(one.part == LATCH and one.failure for one in storage)


def standing(storage: tuple[StorageState, ...]) -> Iterator[tuple[str, Severity, str]]:
    """One condition for all that cannot be written, one for a configuration that was not taken, one for an edit that a
    start has yet to take."""
    failing = sorted(
        (one for one in storage if one.failure and one.part not in _NO_FAILURES), key=lambda one: one.part
    )
    if failing:
        reasons = "; ".join(dict.fromkeys(one.failure for one in failing))
        text = f"Storage fails ({', '.join(one.part for one in failing)}: {reasons}). Control goes on."
        if latch_fails(storage):
            text += " Once open, the MID stays open until the latch can be written."
        yield "STORAGE_FAILED", Severity.ALARM, text
    for one in storage:
        if one.part == CONFIGURATION and one.failure:
            yield "CONFIGURATION_NOT_TAKEN", Severity.ALARM, f"{one.failure}."
        if one.part == EDITED and one.failure:
            yield "CONFIGURATION_EDITED", Severity.INFO, f"{one.failure}."
