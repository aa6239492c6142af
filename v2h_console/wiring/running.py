"""A started owner, and how it ends."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass

from v2h_console.outlets.service import Outlets
from v2h_console.runtime import audit, peers
from v2h_console.runtime.attendance import Attendance
from v2h_console.runtime.attendance_file import LedgerWriter
from v2h_console.runtime.desk import INSTALLER, TAKE, Desk, Seat
from v2h_console.runtime.hold_ups import HoldUps
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.log_writer import LogWriter
from v2h_console.runtime.owner import Owner
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session.local import LocalSession
from v2h_console.session.orders import Order
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.records import Records


class StartFailed(Exception):
    """The owner could not be started. ``str()`` is one line for the person."""


class OwnerRuns(StartFailed):
    """Because another one runs already."""


@dataclass(slots=True)
class Running:
    """A started owner and, in the demo, its twin."""

    owner: Owner
    desk: Desk
    server: SessionServer
    lock: OwnerLock
    records: Records
    log: LogWriter
    twin: TwinProcess | None = None
    outlets: Outlets | None = None
    keeper: LedgerWriter | None = None
    attendance: Attendance | None = None
    hold_ups: HoldUps | None = None
    screens: int = 0

    def session(self, *, helm: bool = False) -> LocalSession:
        """A session of this process; ``helm``: for a person's screen, which starts with the helm, if that is free."""
        desk, person = self.desk, peers.own_name()
        seat = Seat(f"{person} (the owner's own screen)", INSTALLER, person, helm, os.getuid())
        absence = None
        if helm:
            absence = desk.arrive(seat, started=self.screens == 0)
            self.screens += 1
            desk.order(seat, Order(secrets.token_hex(8), TAKE))
        return LocalSession(
            lambda: desk.snapshot(seat),
            lambda order: desk.order(seat, order),
            has_trainer=self.twin is not None,
            waves=self.owner.waves,
            leave=lambda how: desk.leave(seat, how),
            here=lambda place: desk.here(seat, place),
            absence=absence,
            name=seat.name,
            edit=lambda order: desk.edit(seat, order),
        )

    @property
    def defect(self) -> str:
        """Why this owner must end by itself, as one line; "" = its core runs, or has ended as it was told."""
        failure = self.owner.lane.failure
        return "" if failure is None else f"ended after a defect: the control core stopped: {failure!r}"

    def stop(self) -> None:
        """The owner first: its heartbeat ends, the controller opens the MID; then what hangs on it."""
        self.server.stop()
        if self.outlets is not None:
            self.outlets.stop()
        self.owner.let_go()
        if self.hold_ups is not None:
            self.hold_ups.stop()
        self.server.join(2.0)
        if self.owner.lane.handed_over:
            # The next owner has a lit house and nobody polls: it waits for no disk of this one's.
            self.lock.release()
        if self.hold_ups is not None:
            # What it tells last is in the log.
            self.hold_ups.join(2.0)
        self.owner.end_records()
        if self.records.end(2.0):
            self._end_audit()
            self._end_attendance()
            self._end_log()
        if self.outlets is not None:
            # Once more: they may have begun since.
            self.outlets.stop()
            self.outlets.join(2.0)
        if self.twin is not None:
            self.twin.stop()
        writers = (self.owner.incidents, self.owner.audit, self.keeper, self.log)
        if not any(writer is not None and writer.is_alive() for writer in writers):
            self.records.release()
        # Else a disk still keeps one of them, and what it writes afterwards would be among the next owner's lines: that
        # lock ends with this process.
        self.lock.release()

    def _end_attendance(self) -> None:
        if self.attendance is None or self.keeper is None:
            return
        if self.defect:
            # No orderly end: the next owner finds it unended, with what the core said last.
            self.owner.snapshot()
        else:
            how = (
                "The owner ended: another owner goes on."
                if self.owner.lane.handed_over
                else "The owner ended orderly."
            )
            self.owner.say("OWNER_ENDED", "info", how)
            self.attendance.end()
        self.keeper.stop()
        self.keeper.join(2.0)

    def _end_log(self) -> None:
        lane = self.owner.lane
        # Whatever the core said last has been heard by then.
        self.owner.snapshot()
        if self.defect:
            self.log.say(self.defect, logging.CRITICAL)
        else:
            self.log.say("ended: another owner goes on" if lane.handed_over else "ended orderly")
        self.log.stop()
        self.log.join(2.0)

    def _end_audit(self) -> None:
        writer = self.owner.audit
        if writer is not None:
            writer.submit(audit.OWNER, "stop", {"orderly": self.owner.lane.failure is None})
            writer.stop()
            writer.join(2.0)
