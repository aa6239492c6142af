"""Builds an owner: with the command line and the proving code, the only place that knows every room."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import msgspec

from v2h_console.core.settings import Settings
from v2h_console.core.storage import CONFIGURATION, EDITED
from v2h_console.outlets.service import Outlet, Outlets
from v2h_console.runtime import attendance_file, audit, garbage, hand_over, peers
from v2h_console.runtime.attendance import Attendance
from v2h_console.runtime.attendance_file import LedgerWriter
from v2h_console.runtime.audit import AuditWriter, Who
from v2h_console.runtime.config_keeper import ConfigKeeper, Loaded, hashes
from v2h_console.runtime.desk import HAND_OVER, INSTALLER, TAKE, Desk, Seat
from v2h_console.runtime.hand_over import HandOver
from v2h_console.runtime.lock import Held, OwnerLock
from v2h_console.runtime.owner import Owner, Trainer
from v2h_console.runtime.precedence import before_others, real_time
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session import place
from v2h_console.session.local import LocalSession
from v2h_console.session.orders import Order
from v2h_console.session.remote import NoOwner, RemoteSession
from v2h_console.session.snapshot import OutletView
from v2h_console.session.wire import WireError
from v2h_console.site import broker
from v2h_console.site.files import CommStack
from v2h_console.site.reader import Site, config_path
from v2h_console.twin.launch import TwinProcess
from v2h_drivers.can.bus import Bus, BusError, open_bus
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities import Reading, SlowDevice

#: The controller's heartbeat comes every 20 ms, the owner's answer after one quiet step of its core.
LISTEN_S = 3.0
#: An orderly end joins every thread for at most 2 s each.
LET_GO_S = 15.0
STATE_FOLDER = Path("var/lib/v2h")
INCIDENTS_FOLDER = STATE_FOLDER / "incidents"
LATCH_FILE = "mid_latch.json"


class StartFailed(Exception):
    """The owner could not be started. ``str()`` is one line for the person."""


@dataclass(slots=True)
class Running:
    """A started owner and, in the demo, its twin."""

    owner: Owner
    desk: Desk
    server: SessionServer
    lock: OwnerLock
    twin: TwinProcess | None = None
    outlets: Outlets | None = None
    keeper: LedgerWriter | None = None
    attendance: Attendance | None = None
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

    def stop(self) -> None:
        """The owner first: its heartbeat ends, the controller opens the MID; then what hangs on it."""
        self.server.stop()
        if self.outlets is not None:
            self.outlets.stop()
        self.owner.stop()
        self._end_audit()
        self.server.join(2.0)
        self._end_attendance()
        if self.outlets is not None:
            self.outlets.join(2.0)
        if self.twin is not None:
            self.twin.stop()
        self.lock.release()

    def _end_attendance(self) -> None:
        if self.attendance is None or self.keeper is None:
            return
        self.owner.say("OWNER_ENDED", "info", "The owner ended orderly.")
        self.attendance.end()
        self.keeper.stop()
        self.keeper.join(2.0)

    def _end_audit(self) -> None:
        writer = self.owner.audit
        if writer is not None:
            writer.submit(audit.OWNER, "stop", {"orderly": self.owner.lane.failure is None})
            writer.stop()
            writer.join(2.0)


def start_site(root: Path) -> Running:
    """The owner on a real site. Raises ConfigError or StartFailed."""
    config = ConfigKeeper(root)
    loaded = config.load()
    lock = _lock(root)
    try:
        owner = _start_owner(root, loaded.site, None)
    except BaseException:
        lock.release()
        raise
    return _serve(root, config, loaded, owner, lock)


def start_demo(root: Path, *, scenario: str | None = None, enter_service_s: float = 15.0) -> Running:
    """A twin of its own and the owner on it, over loopback. Raises ConfigError, TwinFailed or StartFailed."""
    lock = _lock(root)
    try:
        twin = TwinProcess(["--scenario", scenario] if scenario else [])
    except BaseException:
        lock.release()
        raise
    try:
        write_demo_site(root, twin.addresses, enter_service_s)
        config = ConfigKeeper(root)
        loaded = config.load()
        owner = _start_owner(root, loaded.site, twin)
    except BaseException:
        twin.stop()
        lock.release()
        raise
    return _serve(root, config, loaded, owner, lock, twin)


def _lock(root: Path) -> OwnerLock:
    """One owner below a root. Raises StartFailed."""
    try:
        return OwnerLock(root)
    except Held as error:
        raise StartFailed(str(error)) from None
    except OSError as error:
        raise StartFailed(
            f"{error.filename or root}: the owner's lock cannot be made: {error.strerror}"
        ) from None


def _serve(
    root: Path,
    config: ConfigKeeper,
    loaded: Loaded,
    owner: Owner,
    lock: OwnerLock,
    twin: TwinProcess | None = None,
) -> Running:
    """Open the door for other consoles. Raises StartFailed."""
    attendance, keeper = _attend(root, owner)
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
        owner.stop()
        if twin is not None:
            twin.stop()
        lock.release()
        raise StartFailed(f"{lock.folder}: no socket can be made there: {error.strerror or error}") from None
    server.start()
    if writer is not None:
        writer.start()
    outlets = _start_outlets(root, comm, owner)
    return Running(owner, desk, server, lock, twin, outlets, keeper, attendance)


def _attend(root: Path, owner: Owner) -> tuple[Attendance, LedgerWriter]:
    """What people have not seen, taken up from the owner before this one."""
    path = root / STATE_FOLDER / attendance_file.FILE
    before = attendance_file.read_ledger(path)
    attendance = Attendance(before)
    keeper = LedgerWriter(
        path, attendance.ledger, failed=lambda failure: owner.report_storage("attendance", failure)
    )
    attendance.on_change, owner.on_event = keeper.changed, attendance.took
    keeper.start()
    if before is None or before.ended:
        owner.say("OWNER_STARTED", "info", f"The owner started (process {os.getpid()}).")
    else:
        owner.say("OWNER_STARTED", "warning", "The owner started; the one before it did not end orderly.")
    # From here on the file says that an owner runs: after a power failure the next one finds it unended.
    keeper.changed(True)
    return attendance, keeper


def write_demo_site(root: Path, addresses: dict[str, Any], enter_service_s: float) -> None:
    """Write the demo's /etc/energy: what an installer would have written for this house. Raises StartFailed."""
    can, modbus, load_centre = addresses["can"], addresses["modbus_tcp"], addresses["load_centre"]
    meters = "\n".join(f"{name} = {unit}" for name, unit in load_centre["units"]["meters"].items())
    comm = f"""# Written by the demo: the addresses of its twin.
site = "Demo house"
twin = true

[controller]
interface = "{can["interface"]}"
channel = "{can["channel"]}"
port = {can["port"]}

[inverter]
host = "{modbus["host"]}"
port = {modbus["port"]}
unit = {modbus["units"]["inverter"]}

[solar]
name = "Solar"
host = "{modbus["host"]}"
port = {modbus["port"]}
unit = {modbus["units"]["solar"]}

[load_centre]
tty = "{load_centre["tty"]}"
baud = {load_centre["baud"]}
relays_unit = {load_centre["units"]["relays"]}

[load_centre.meters]
{meters}

[grid]
category = "III"
enter_service_delay_s = {enter_service_s:g}
separation = "permitted"
source = "the demo's utility permits quick separation"
"""
    examples = resources.files("v2h_console.site") / "demo"
    files = {
        "comm_stack.conf": comm,
        "limits.conf": (examples / "limits.conf").read_text("utf-8"),
        "loads.conf": (examples / "loads.conf").read_text("utf-8"),
        "schedule.conf": (examples / "schedule.conf").read_text("utf-8"),
    }
    try:
        for name, text in files.items():
            path = config_path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise StartFailed(f"the demo cannot write below {root}: {error.strerror or error}") from None


def _start_owner(root: Path, site: Site, twin: TwinProcess | None) -> Owner:
    state_folder = root / STATE_FOLDER
    try:
        state_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(f"{state_folder}: cannot be made: {error.strerror or error}") from None
    # A disk that has turned read-only must not keep the house dark: it can be lit, though not closed to the street.
    read_only = os.statvfs(state_folder).f_flag & os.ST_RDONLY
    if not read_only and not os.access(state_folder, os.W_OK):
        raise StartFailed(f"{state_folder}: not writable; the open latch must be kept there")
    bus, link = _open_fast(site)
    owner = _owner(root, site, bus, link, trainer=twin.do if twin is not None else None)
    owner.start()
    return owner


def _open_fast(site: Site) -> tuple[Bus, LogicControllerLink]:
    """The controller's bus, and the machine that speaks its language. Raises StartFailed."""
    controller = site.comm.controller
    try:
        bus = open_bus(controller.interface, controller.channel, controller.port)
    except BusError as error:
        raise StartFailed(str(error)) from None
    address = f"{controller.interface} {controller.channel}" + (
        f":{controller.port}" if controller.port else ""
    )
    return bus, LogicControllerLink(controller.name, address)


def _owner(
    root: Path,
    site: Site,
    bus: Bus,
    link: LogicControllerLink,
    *,
    trainer: Trainer | None = None,
) -> Owner:
    before_others()
    circuit_ids = [circuit.id for circuit in site.settings.loads.circuits]
    return Owner(
        site.settings,
        bus,
        link,
        lambda emit: _slow_devices(site, circuit_ids, emit),
        root / STATE_FOLDER / LATCH_FILE,
        trainer=trainer,
        incidents=root / INCIDENTS_FOLDER,
        audit=AuditWriter(root / audit.FOLDER),
    )


#: What the other threads import once the first picture is there.
_LOADED_LATER = (
    "v2h_console.outlets.energy_state",
    "v2h_console.outlets.http",
    "v2h_console.outlets.metrics",
    "v2h_console.outlets.mqtt",
    "v2h_drivers.modbus.connection",
    "v2h_drivers.modbus.load_centre",
    "v2h_drivers.modbus.sunspec_inverter",
)


def take_over(root: Path) -> Running:
    """The owner on a real site, from the one that runs: the house stays as it is. Raises ConfigError, StartFailed."""
    config = ConfigKeeper(root)
    loaded = config.load()
    site = loaded.site
    folder = root / place.FOLDER
    try:
        session = RemoteSession(root)
    except (NoOwner, WireError) as error:
        raise StartFailed(f"nothing to take over: {error}") from None
    bus, link = _open_fast(site)
    # Everything that can be ready is, before the old owner's last step: a library that loads later would hold the
    # interpreter for tens of milliseconds beside a house that is lit.
    for name in _LOADED_LATER:
        import_module(name)
    hand_over.rehearse(site.settings, time.monotonic_ns())
    owner = _owner(root, site, bus, link)
    garbage.take_over()
    try:
        with real_time():
            handed = _ask_for_the_core(session, bus, link, folder, site.settings)
            owner.take_up(handed.state)
    except BaseException:
        bus.shutdown()
        session.close()
        raise
    session.close()
    try:
        lock = _lock_when_free(root)
    except BaseException:
        owner.stop()
        raise
    owner.start_polling()
    return _serve(root, config, loaded, owner, lock)


def _ask_for_the_core(
    session: RemoteSession, bus: Bus, link: LogicControllerLink, folder: Path, settings: Settings
) -> HandOver:
    """Listen until the controller is known, then ask; the frames that come meanwhile are the old owner's business."""

    def listen(for_s: float) -> None:
        received = bus.recv(for_s)
        if received is not None:
            link.receive(*received)

    gives_up_at = time.monotonic() + LISTEN_S
    while not link.knows_controller:
        if time.monotonic() > gives_up_at:
            raise StartFailed("the controller is not heard: nothing to take over")
        listen(0.05)
    params: dict[str, float | str | bool] = {"shape": hand_over.shape(settings)}
    (folder / hand_over.FILE).unlink(missing_ok=True)
    answer = session.ask(Order(secrets.token_hex(8), HAND_OVER, params, confirmed=True))
    gives_up_at = time.monotonic() + LISTEN_S
    # The file is there with the old lane's last step; its owner's answer comes later, by slower threads.
    while not (folder / hand_over.FILE).exists():
        if answer.done() and not answer.result().accepted:
            raise StartFailed(f"the owner keeps the house: {answer.result().reason}")
        if time.monotonic() > gives_up_at:
            raise StartFailed("the owner does not answer: it goes on, if it lives")
        listen(0.001)
    try:
        handed = hand_over.read(folder, settings)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        # Nobody commands now: the controller opens the MID by itself, and a start follows.
        raise StartFailed(f"the core was given and cannot be taken up: {error}") from None
    while bus.recv(0.0) is not None:
        pass  # the old owner's last words are not a second master's
    link.carry_on(handed.counters)
    return handed


def _lock_when_free(root: Path) -> OwnerLock:
    """The old owner writes its last lines and lets go. Raises StartFailed."""
    gives_up_at = time.monotonic() + LET_GO_S
    while True:
        try:
            return _lock(root)
        except StartFailed:
            if time.monotonic() > gives_up_at:
                raise
            time.sleep(0.01)


def _start_outlets(root: Path, comm: CommStack, owner: Owner) -> Outlets:
    """What other tools read, in a thread of its own. Its libraries load there: nothing waits for them."""
    outlets = Outlets(lambda: _outlets(root, comm, owner))
    owner.outlets = lambda: tuple(
        OutletView(one.name, one.address, one.state, one.reason) for one in outlets.health
    )
    outlets.start()
    return outlets


def _outlets(root: Path, comm: CommStack, owner: Owner) -> list[Outlet]:
    from v2h_console.outlets.energy_state import EnergyStateFile
    from v2h_console.outlets.service import FileOutlet

    file = FileOutlet(EnergyStateFile(root), owner.snapshot)
    made = [Outlet(file.health, file.run)]
    if comm.http.enabled:
        from v2h_console.outlets.http import HttpOutlet

        http = HttpOutlet(comm.http.address, comm.http.port, owner.snapshot, owner.age_ms)
        made.append(Outlet(http.health, http.run))
    if comm.mqtt is not None:
        from v2h_console.outlets.mqtt import MqttOutlet, MqttTarget

        mqtt = comm.mqtt
        target = MqttTarget(
            host=mqtt.host,
            port=mqtt.port,
            username=mqtt.username,
            password_file=broker.below(root, mqtt.password_file),
            tls=mqtt.tls,
            ca_file=broker.below(root, mqtt.ca_file),
            topic_prefix=mqtt.topic_prefix,
            discovery_prefix=mqtt.discovery_prefix,
        )
        publisher = MqttOutlet(target, owner.snapshot)
        made.append(Outlet(publisher.health, publisher.run))
    return made


def _slow_devices(
    site: Site, circuit_ids: Sequence[str], emit: Callable[[Reading], None]
) -> list[SlowDevice]:
    """The polled devices, on shared connections; called on the slow lane's loop."""
    from v2h_drivers.modbus.connection import Connection, serial_connection, tcp_connection
    from v2h_drivers.modbus.load_centre import LoadCentre
    from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter, SunSpecSolar

    connections: dict[tuple[str, int], Connection] = {}

    def shared(host: str, port: int) -> Connection:
        return connections.setdefault((host, port), tcp_connection(host, port))

    comm = site.comm
    solar, centre = comm.solar, comm.load_centre
    devices: list[SlowDevice] = [
        SunSpecInverter(one.name, shared(one.host, one.port), one.unit, emit) for one in comm.inverters()
    ]
    if solar is not None:
        devices.append(
            SunSpecSolar(solar.name, shared(solar.host, solar.port), solar.unit, emit, period_s=1.0)
        )
    if centre is not None:
        meters = {circuit_ids.index(name): unit for name, unit in centre.meters.items()}
        line = serial_connection(centre.tty, centre.baud)
        relays = min(8, len(circuit_ids))
        devices.append(LoadCentre(centre.name, line, centre.relays_unit, meters, relays, emit))
    if site.schedule is not None:
        from v2h_console.runtime.wall_clock import WallClockSource, kernel_synchronised

        asked = kernel_synchronised if site.schedule.clock == "synchronised" else None
        devices.append(WallClockSource(site.schedule.zone, emit, synchronised=asked))
    return devices
