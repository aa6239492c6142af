"""Opens a built owner to people and tools: the door for other consoles, the outlets, who has seen what."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path

from v2h_console.core.storage import CONFIGURATION, EDITED
from v2h_console.runtime import attendance_file, audit
from v2h_console.runtime.attendance import Attendance
from v2h_console.runtime.attendance_file import LedgerWriter
from v2h_console.runtime.audit import Who
from v2h_console.runtime.config_keeper import ConfigKeeper, Loaded, hashes
from v2h_console.runtime.desk import Desk
from v2h_console.runtime.hold_ups import HoldUps
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.log_writer import LogWriter
from v2h_console.runtime.owner import Owner
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import EventView
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.building import STATE_FOLDER
from v2h_console.wiring.outlets import start_outlets
from v2h_console.wiring.records import Records
from v2h_console.wiring.running import Running, StartFailed


def serve(
    root: Path,
    config: ConfigKeeper,
    loaded: Loaded,
    owner: Owner,
    lock: OwnerLock,
    twin: TwinProcess | None = None,
) -> Running:
    """Open the door for other consoles. What is kept waits for the last line of the owner before. Raises StartFailed."""
    log = LogWriter(root, lambda failure: owner.report_storage("log", failure))
    path = root / STATE_FOLDER / attendance_file.FILE
    attendance, keeper = _attend(path, owner, log)
    desk = Desk(owner.snapshot, owner.order, say=owner.say, attendance=attendance)
    desk.on_edit = _not_yet
    config.on_edited = lambda said: owner.report_storage(EDITED, said)
    owner.report_storage(CONFIGURATION, loaded.complaint)
    comm = loaded.site.comm
    writer = owner.audit
    if writer is not None:
        desk.on_answer = lambda seat, order, receipt: writer.ordered(
            Who(seat.name, seat.role, seat.uid), order, receipt
        )
        said = {"pid": os.getpid(), "site": comm.site, "twin": comm.twin, "not_taken": loaded.complaint}
        writer.submit(audit.OWNER, "start", {**said, "configuration": hashes(loaded.texts)})
    # A twin of the owner's own ends with it: there is nothing to hand over.
    desk.on_hand_over = None if twin is not None else lambda shape: owner.hand_over(lock.folder, shape)
    try:
        server = SessionServer(lock.folder, desk, has_trainer=twin is not None, waves=owner.waves)
    except OSError as error:
        owner.stop()
        if twin is not None:
            twin.stop()
        lock.release()
        raise StartFailed(f"{lock.folder}: no socket can be made there: {error.strerror or error}") from None

    def begin() -> None:
        """All that writes what the owner before may have been writing until now."""
        attendance.follow(attendance_file.read_ledger(path))
        _tell_start(owner, attendance.before_ended)
        keeper.start()
        # From here on the file says that an owner runs: after a power failure the next one finds it unended.
        keeper.changed(True)
        log.start()
        if writer is not None:
            writer.start()
        config.keep(loaded, lambda failure: owner.report_storage("copy of the configuration", failure))
        desk.on_edit = config.edit
        if not loaded.complaint:
            config.look_again()
        running.outlets = start_outlets(root, comm, owner)

    records = Records(root, begin, lambda failure: owner.report_storage("records", failure))
    running = Running(owner, desk, server, lock, records, log, twin, None, keeper, attendance)
    running.hold_ups = HoldUps(
        lambda: owner.lane.lateness,
        owner.lane.name,
        lambda text: owner.say("TICK_MISSED", "warning", text),
        collected_ns=lambda: owner.lane.garbage.total_ns,
    )
    running.hold_ups.start()
    records.begin()
    server.start()
    return running


def _attend(path: Path, owner: Owner, log: LogWriter) -> tuple[Attendance, LedgerWriter]:
    """What people have not seen, taken up from the owner before this one; each event goes there and into the log."""
    attendance = Attendance(attendance_file.read_ledger(path))
    keeper = LedgerWriter(
        path, attendance.ledger, failed=lambda failure: owner.report_storage("attendance", failure)
    )

    def heard(event: EventView) -> None:
        attendance.took(event)
        log.took(event)

    attendance.on_change, owner.on_event = keeper.changed, heard
    return attendance, keeper


def _tell_start(owner: Owner, before_ended: bool) -> None:
    if before_ended:
        owner.say("OWNER_STARTED", "info", f"The owner started (process {os.getpid()}).")
    else:
        owner.say("OWNER_STARTED", "warning", "The owner started; the one before it did not end orderly.")


def _not_yet(order: Order) -> Future[Receipt]:
    """An edit, while the owner before may still be at its own last one."""
    answer: Future[Receipt] = Future()
    reason = "the owner before still writes its records: save it again in a moment"
    answer.set_result(Receipt(order.nonce, accepted=False, reason=reason))
    return answer
