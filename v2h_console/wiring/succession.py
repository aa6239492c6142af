"""An owner that takes the house from the one that runs, while it is lit."""

from __future__ import annotations

import secrets
import time
from importlib import import_module
from pathlib import Path

import msgspec

from v2h_console.core.settings import Settings
from v2h_console.runtime import garbage, hand_over
from v2h_console.runtime.config_keeper import ConfigKeeper
from v2h_console.runtime.desk import HAND_OVER
from v2h_console.runtime.hand_over import HandOver
from v2h_console.runtime.lock import HeirLock, OwnerLock, holder, user_of
from v2h_console.runtime.owner import Owner
from v2h_console.runtime.precedence import real_time
from v2h_console.session import place
from v2h_console.session.orders import Order
from v2h_console.session.remote import NoOwner, RemoteSession
from v2h_console.session.wire import WireError
from v2h_console.site.reader import Site
from v2h_console.wiring import building
from v2h_console.wiring.devices import open_fast
from v2h_console.wiring.running import OwnerRuns, Running, StartFailed
from v2h_console.wiring.serving import serve
from v2h_drivers.can.bus import Bus
from v2h_drivers.can.logic_controller import LogicControllerLink

#: The controller's heartbeat comes every 20 ms, the owner's answer after one quiet step of its core.
LISTEN_S = 3.0
#: An orderly end joins every thread for at most 2 s each.
LET_GO_S = 15.0
#: What the other threads import once the first picture is there.
_LOADED_LATER = (
    "v2h_console.outlets.energy_state",
    "v2h_console.outlets.http",
    "v2h_console.outlets.metrics",
    "v2h_console.outlets.mqtt",
    "v2h_drivers.modbus.connection",
    "v2h_drivers.modbus.load_centre",
    "v2h_drivers.modbus.sunspec_inverter",
    "v2h_drivers.modbus.sunspec_solar",
)


def take_over(root: Path) -> Running:
    """The owner on a real site, from the one that runs: the house stays as it is. Raises ConfigError, StartFailed."""
    _owner_before(root)
    config = ConfigKeeper(root)
    loaded = config.load(adopt=False)
    heir = building.heir_lock(root)
    try:
        # Again, now that nobody else can become it.
        owner, lock = _take(root, loaded.site, heir, _owner_before(root))
    finally:
        heir.release()
    owner.start_polling()
    return serve(root, config, config.adopt(loaded), owner, lock)


def _owner_before(root: Path) -> str:
    """The owner's process, whose lock and files this one will be able to take. Raises StartFailed."""
    building.may_own(root)
    try:
        before = holder(root)
    except FileNotFoundError:
        raise StartFailed(f"nothing to take over: no owner runs below {root}") from None
    except OSError as error:
        user = user_of(root / place.FOLDER)
        raise StartFailed(
            f"{error.filename}: {error.strerror}: `sudo -u {user} ...` takes the house over"
        ) from None
    building.prove_state_folder(root)
    return before


def _take(root: Path, site: Site, heir: HeirLock, before: str) -> tuple[Owner, OwnerLock]:
    """The owner with the core of process ``before``, on the bus, and the lock. Raises StartFailed."""
    folder = root / place.FOLDER
    try:
        session = RemoteSession(root)
    except (NoOwner, WireError) as error:
        raise StartFailed(f"nothing to take over: {error}") from None
    bus, link = open_fast(site)
    # Everything that can be ready is, before the old owner's last step: a library that loads later would hold the
    # interpreter for tens of milliseconds beside a house that is lit.
    for name in _LOADED_LATER:
        import_module(name)
    hand_over.rehearse(site.settings, time.monotonic_ns())
    owner = building.build(root, site, bus, link)
    garbage.take_over()
    try:
        with real_time():
            handed = _ask_for_the_core(session, bus, link, folder, site.settings)
            here = _equipment(site)
            owner.take_up(hand_over.at_this_site(handed, site.settings, here), roof=here.roof)
    except BaseException:
        bus.shutdown()
        session.close()
        raise
    session.close()
    try:
        return owner, _lock_when_free(root, heir, before)
    except BaseException:
        owner.stop()
        raise


def _equipment(site: Site) -> hand_over.Equipment:
    comm, centre = site.comm, site.comm.load_centre
    addresses = dict.fromkeys(comm.names().values(), "")
    addresses |= {one.name: f"{one.host}:{one.port}/{one.unit}" for one in comm.inverters()}
    ids = [circuit.id for circuit in site.settings.loads.circuits]
    metered = [] if centre is None else [ids.index(name) for name in centre.meters]
    return hand_over.Equipment(addresses, metered, comm.solar is not None, centre is not None)


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


def _lock_when_free(root: Path, heir: HeirLock, before: str) -> OwnerLock:
    """The old owner, process ``before``, writes its last lines and lets go. Raises StartFailed."""
    gives_up_at = time.monotonic() + LET_GO_S
    while True:
        try:
            return building.lock(root, heir)
        except OwnerRuns as error:
            # Whoever else has it, by whatever way, commands the same house: not for one more period.
            if holder(root) not in (before, "") or time.monotonic() > gives_up_at:
                raise StartFailed(f"{error}: this one has let go of the house") from None
            time.sleep(0.01)
