"""The islanding table as a whole: every row tested, every mode and event known, the document written from it."""

from __future__ import annotations

from pathlib import Path

from tests.core import (
    test_contacts,
    test_islanding_closing,
    test_islanding_forming,
    test_islanding_opening,
    test_islanding_source,
    test_supply,
)
from tests.core.edges import COVERED, all_rows
from v2h_console.core import effects, islanding, islanding_document, mode_commands
from v2h_console.core.car_reserve import CarState
from v2h_console.core.car_session import SessionState
from v2h_console.core.state import IslandingState, Mode, State

#: Importing them is what declares their rows, whatever part of the tests is run.
DECLARING = (
    test_contacts,
    test_islanding_forming,
    test_islanding_opening,
    test_islanding_source,
    test_islanding_closing,
    test_supply,
)


def test_every_edge_has_a_test() -> None:
    missing = sorted(f"{row[0].name} {row[1]} [{row[2]}] {row[3].name}" for row in all_rows() - COVERED)
    assert not missing, "\n".join(["rows of the islanding table without a test:", *missing])


def test_every_mode_can_be_left_and_every_mode_but_the_first_can_be_reached() -> None:
    assert {row[0] for row in all_rows()} == set(Mode)
    assert {row[3] for row in all_rows()} == set(Mode) - {Mode.BOOT_OPEN}


def test_every_effect_belongs_to_a_row() -> None:
    """An effect keyed by an event that no row has would never run, and nobody would notice."""
    assert set(effects._EFFECTS) <= {(row[1], row[3]) for row in all_rows()}


def test_opening_is_the_first_thing_that_is_asked_in_every_mode_that_holds_the_mid_closed() -> None:
    for mode in (Mode.TIED, Mode.CLOSING_SYNC, Mode.CLOSING_DEAD, Mode.HANDBACK):
        events = [edge.event for edge in islanding.TABLE if mode in edge.sources]
        assert events[:2] == ["operator", "loss"], mode


READY = CarState(own_refusal="", session=SessionState(refusal=""))


def test_what_the_modes_command() -> None:
    commanded = {}
    for mode in Mode:
        control = mode_commands.request(State(islanding=IslandingState(mode=mode), car=READY))
        words = ("open_mid", "close_mid", "gate", "form")
        commanded[mode.value] = " ".join(word for word in words if getattr(control, word))
    assert commanded == {
        "boot_open": "open_mid",
        "tied": "gate",
        "opening": "open_mid",
        "proving": "open_mid",
        "dark": "open_mid",
        "forming": "open_mid gate form",
        "islanded": "open_mid gate form",
        "syncing": "open_mid gate form",
        "closing_sync": "close_mid gate form",
        "handback": "gate",
        "closing_dead": "close_mid",
        "fault_open": "open_mid",
    }


def test_the_document_is_the_tables() -> None:
    path = Path(__file__).parents[2] / "docs" / "islanding.md"
    assert path.read_text("utf-8") == islanding_document.document()
