"""The owner before is slow with its last lines: the next one has its door meanwhile, and writes nothing beside it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, until
from tests.runtime.served import audited, served
from v2h_console.outlets.energy_state import EnergyStateFile
from v2h_console.runtime import attendance_file, audit, logs
from v2h_console.runtime.lock import RECORDS_PATIENCE_S, Held, RecordsLock
from v2h_console.session.orders import OPEN_MID, SAVE_CONFIG, Order
from v2h_console.session.remote import RemoteSession
from v2h_console.wiring.building import STATE_FOLDER
from v2h_console.wiring.records import Records


@pytest.fixture
def before(tmp_path: Path) -> RecordsLock:
    """The owner before, at its last lines."""
    return RecordsLock(tmp_path)


def written(root: Path) -> set[str]:
    """What there is of the records."""
    places = (audit.FOLDER, logs.FOLDER / "init.log", STATE_FOLDER / attendance_file.FILE)
    found = {str(place) for place in places if (root / place).exists() and (root / place).stat().st_size}
    return found | ({"energy_state"} if EnergyStateFile(root).path.exists() else set())


def test_it_opens_the_mid_for_whoever_asks_and_writes_that_down_once_it_may(
    tmp_path: Path, before: RecordsLock
) -> None:
    running = served(tmp_path, QuietBus())
    console = RemoteSession(tmp_path)
    try:
        assert console.ask(Order("open", OPEN_MID)).result(5.0).accepted
        edit = Order("edit", SAVE_CONFIG, {"file": "comm_stack.conf", "text": "x", "edited_sha256": ""})
        assert "still writes its records" in console.ask(edit).result(5.0).reason
        assert not written(tmp_path)
        before.release()
        until(lambda: '"do":"operator.open_mid"' in audited(tmp_path).replace(" ", ""))
        assert audited(tmp_path).index('"start"') < audited(tmp_path).index("operator.open_mid")
        until(lambda: len(written(tmp_path)) == 4)
        with pytest.raises(Held):
            RecordsLock(tmp_path, patience_s=0.0)
    finally:
        console.close()
        running.stop()
    RecordsLock(tmp_path, patience_s=0.0).release()
    assert "OWNER_STARTED" in (tmp_path / logs.FOLDER / "init.log").read_text()


def test_an_owner_that_is_ended_meanwhile_ends_and_writes_nothing_beside_the_other(
    tmp_path: Path, before: RecordsLock
) -> None:
    running = served(tmp_path, QuietBus())
    began_s = time.monotonic()
    running.stop()
    assert time.monotonic() - began_s < RECORDS_PATIENCE_S / 4
    assert not running.owner.lane.is_alive()
    before.release()
    assert not running.records.is_alive(), "nothing begins behind its back"
    assert not written(tmp_path)
    assert running.log.ident is None


def test_after_a_minute_it_is_said_once_and_the_records_begin_all_the_same_when_they_may(
    tmp_path: Path, before: RecordsLock
) -> None:
    now_s, begun, said = [0.0], list[str](), list[str]()
    records = Records(tmp_path, lambda: begun.append("begun"), said.append, now_s=lambda: now_s[0])
    records.begin()
    now_s[0] = RECORDS_PATIENCE_S - 1.0
    assert not said
    now_s[0] = RECORDS_PATIENCE_S + 0.1
    until(lambda: bool(said))
    now_s[0] += 60.0
    assert not begun
    before.release()
    until(lambda: said[-1] == "")
    assert len(said) == 2
    assert "the owner before still writes its records" in said[0]
    assert begun == ["begun"]
    assert records.end(2.0)
    records.release()


def test_a_lock_that_cannot_be_made_is_said_and_stops_no_owner(tmp_path: Path) -> None:
    now_s, said = [0.0], list[str]()
    (tmp_path / "run/v2h/records.lock").mkdir(parents=True)
    records = Records(tmp_path, lambda: None, said.append, now_s=lambda: now_s[0])
    records.begin()
    now_s[0] = RECORDS_PATIENCE_S
    until(lambda: bool(said))
    assert "records.lock: Is a directory" in said[0]
    assert not records.end(0.1)


def test_a_defect_in_their_beginning_is_shown_with_its_place_and_the_owner_goes_on(tmp_path: Path) -> None:
    said = list[str]()

    def begin() -> None:
        raise ValueError("no such thing")

    records = Records(tmp_path, begin, said.append)
    records.begin()
    assert not records.is_alive()
    assert len(said) == 1
    assert "ValueError: no such thing, at test_records_wait.py:" in said[0]
    assert not records.end(0.1)
    records.release()
    RecordsLock(tmp_path, patience_s=0.0).release()


def test_a_defect_after_the_wait_is_shown_as_well_and_not_tried_again(
    tmp_path: Path, before: RecordsLock
) -> None:
    said, tries = list[str](), list[str]()

    def begin() -> None:
        tries.append("tried")
        raise ValueError("no such thing")

    records = Records(tmp_path, begin, said.append)
    records.begin()
    before.release()
    until(lambda: not records.is_alive())
    assert len(said) == len(tries) == 1
    assert not records.end(0.1)
    records.release()
