"""Opens a built owner to people and tools: the door for other consoles, the outlets, who has seen what."""

from __future__ import annotations

import os
from pathlib import Path

from v2h_console.core.storage import CONFIGURATION, EDITED
from v2h_console.runtime import attendance_file, audit
from v2h_console.runtime.attendance import Attendance
from v2h_console.runtime.attendance_file import LedgerWriter
from v2h_console.runtime.audit import Who
from v2h_console.runtime.config_keeper import ConfigKeeper, Loaded, hashes
from v2h_console.runtime.desk import Desk
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.log_writer import LogWriter
from v2h_console.runtime.owner import Owner
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session.snapshot import EventView
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring import building
from v2h_console.wiring.building import STATE_FOLDER
from v2h_console.wiring.outlets import start_outlets
from v2h_console.wiring.running import Running, StartFailed


def serve(
    root: Path,
    config: ConfigKeeper,
    loaded: Loaded,
    owner: Owner,
    lock: OwnerLock,
    twin: TwinProcess | None = None,
) -> Running:
    """Open the door for other consoles, once the owner before has written its last line. Raises StartFailed."""

    def give_up() -> None:
        owner.stop()
        if twin is not None:
            twin.stop()
        lock.release()

    try:
        records = building.records_lock(root)
    except StartFailed:
        give_up()
        raise
    log = LogWriter(root, lambda failure: owner.report_storage("log", failure))
    attendance, keeper = _attend(root, owner, log)
    desk = Desk(owner.snapshot, owner.order, say=owner.say, attendance=attendance)
    desk.on_edit = config.edit
    config.on_edited = lambda said: owner.report_storage(EDITED, said)
    owner.report_storage(CONFIGURATION, loaded.complaint)
    config.keep(loaded, lambda failure: owner.report_storage("copy of the configuration", failure))
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
        give_up()
        records.release()
        raise StartFailed(f"{lock.folder}: no socket can be made there: {error.strerror or error}") from None
    server.start()
    log.start()
    if writer is not None:
        writer.start()
    outlets = start_outlets(root, comm, owner)
    return Running(owner, desk, server, lock, records, log, twin, outlets, keeper, attendance)


def _attend(root: Path, owner: Owner, log: LogWriter) -> tuple[Attendance, LedgerWriter]:
    """What people have not seen, taken up from the owner before this one; each event goes there and into the log."""
    path = root / STATE_FOLDER / attendance_file.FILE
    before = attendance_file.read_ledger(path)
    attendance = Attendance(before)
    keeper = LedgerWriter(
        path, attendance.ledger, failed=lambda failure: owner.report_storage("attendance", failure)
    )

    def heard(event: EventView) -> None:
        attendance.took(event)
        log.took(event)

    attendance.on_change, owner.on_event = keeper.changed, heard
    keeper.start()
    if before is None or before.ended:
        owner.say("OWNER_STARTED", "info", f"The owner started (process {os.getpid()}).")
    else:
        owner.say("OWNER_STARTED", "warning", "The owner started; the one before it did not end orderly.")
    # From here on the file says that an owner runs: after a power failure the next one finds it unended.
    keeper.changed(True)
    return attendance, keeper
