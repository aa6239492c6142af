"""An owner ends: what the next one waits for falls free first, what is kept is finished after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus, made, until
from tests.storage.disks import HungDisk
from v2h_console.runtime import audit, hand_over
from v2h_console.runtime.audit import AuditWriter
from v2h_console.runtime.desk import Desk
from v2h_console.runtime.lock import HeirLock, Held, OwnerLock, RecordsLock, holder
from v2h_console.runtime.log_writer import LogWriter
from v2h_console.runtime.session_server import SessionServer
from v2h_console.wiring import succession
from v2h_console.wiring.records import Records
from v2h_console.wiring.running import Running


@pytest.fixture
def disk() -> HungDisk:
    return HungDisk()


@pytest.fixture
def running(tmp_path: Path, disk: HungDisk) -> Iterator[Running]:
    """An owner in a dark house, whose audit is on a disk that hangs."""
    owner = made(tmp_path, QuietBus())
    owner.audit = AuditWriter(tmp_path / audit.FOLDER, disk=disk)
    lock, records = OwnerLock(tmp_path), Records(tmp_path, lambda: None)
    records.begin()
    desk = Desk(owner.snapshot, owner.order)
    server = SessionServer(lock.folder, desk, has_trainer=False)
    log = LogWriter(tmp_path, lambda failure: None)
    for thread in (server, log, owner.audit):
        thread.start()
    owner.start_core()
    until(lambda: not hand_over.refusal(owner.lane.published))
    yield Running(owner, desk, server, lock, records, log)
    disk.go.set()


def test_the_next_owner_waits_for_no_disk_of_this_ones(
    running: Running, disk: HungDisk, tmp_path: Path
) -> None:
    heir = HeirLock(tmp_path)
    assert running.owner.hand_over(tmp_path, hand_over.shape(running.owner._settings)) == ""
    ends = threading.Thread(target=running.stop)
    ends.start()
    assert disk.reached.wait(5.0)
    succession._lock_when_free(tmp_path, heir, holder(tmp_path)).release()
    assert not disk.go.is_set()
    with pytest.raises(Held, match="still writes its records"):
        RecordsLock(tmp_path, patience_s=0.0)
    assert not (tmp_path / "run/v2h/session.sock").exists(), "its name is the next owner's"
    disk.go.set()
    ends.join(10.0)
    RecordsLock(tmp_path, patience_s=0.0).release()
    heir.release()


def test_an_owner_that_hands_nothing_over_keeps_its_lock_until_all_is_written(
    running: Running, disk: HungDisk, tmp_path: Path
) -> None:
    ends = threading.Thread(target=running.stop)
    ends.start()
    assert disk.reached.wait(5.0)
    with pytest.raises(Held, match="an owner runs already"):
        OwnerLock(tmp_path)
    disk.go.set()
    ends.join(10.0)
    RecordsLock(tmp_path, patience_s=0.0).release()
    OwnerLock(tmp_path).release()


def test_a_writer_that_its_disk_still_keeps_when_all_else_has_ended_keeps_the_records_from_the_next(
    running: Running, disk: HungDisk, tmp_path: Path
) -> None:
    audit_writer = running.owner.audit
    assert audit_writer is not None
    audit_writer.submit(audit.OWNER, "note", {})
    assert disk.reached.wait(5.0)
    # As if it had been waited for.
    audit_writer.join = lambda timeout=None: None  # type: ignore[method-assign]
    running.stop()
    assert audit_writer.is_alive()
    with pytest.raises(Held, match="still writes its records"):
        RecordsLock(tmp_path, patience_s=0.0)
    OwnerLock(tmp_path).release()
    running.records.release()
