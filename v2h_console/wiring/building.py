"""Builds an owner from a site's configuration, and makes sure that it is the only one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from v2h_console.runtime import audit
from v2h_console.runtime.audit import AuditWriter
from v2h_console.runtime.lock import HeirLock, Held, OwnerLock, root_refusal, user_of
from v2h_console.runtime.owner import Owner, Trainer
from v2h_console.runtime.precedence import before_others
from v2h_console.runtime.relays import Relays
from v2h_console.session import place
from v2h_console.site.reader import Site
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.devices import open_fast, relay_count, slow_devices
from v2h_console.wiring.running import OwnerRuns, StartFailed
from v2h_drivers.can.bus import Bus
from v2h_drivers.can.logic_controller import LogicControllerLink

STATE_FOLDER = Path("var/lib/v2h")
INCIDENTS_FOLDER = STATE_FOLDER / "incidents"
LATCH_FILE = "mid_latch.json"

Lock = TypeVar("Lock")


def may_own(root: Path) -> None:
    """Whether what this user writes is what the site's service goes on with. Raises StartFailed."""
    refusal = root_refusal(root / STATE_FOLDER)
    if refusal:
        raise StartFailed(refusal)


def lock(root: Path, heir: HeirLock | None = None) -> OwnerLock:
    """One owner below a root; ``heir``: of whoever takes over. Raises OwnerRuns, StartFailed."""
    may_own(root)
    return _had(root, lambda: OwnerLock(root, heir))


def heir_lock(root: Path) -> HeirLock:
    """One taker below a root, for whom the owner's lock is kept. Raises OwnerRuns, StartFailed."""
    return _had(root, lambda: HeirLock(root))


def _had(root: Path, take: Callable[[], Lock]) -> Lock:
    try:
        return take()
    except Held as error:
        raise OwnerRuns(str(error)) from None
    except PermissionError as error:
        raise StartFailed(f"{error.filename or root}: {_whose(root)}") from None
    except OSError as error:
        raise StartFailed(
            f"{error.filename or root}: the owner's lock cannot be made: {error.strerror}"
        ) from None


def _whose(root: Path) -> str:
    """Who owns the house where this user may not even look at its lock."""
    process = place.owner_process(root)
    runs = "" if process is None else f"an owner runs already (process {process}), and "
    folder = root / place.FOLDER
    try:
        return f"{runs}this user may not own the house: `sudo -u {user_of(folder)} ...` may"
    except OSError:
        return f"{runs}this user may not own the house"


def start_owner(root: Path, site: Site, twin: TwinProcess | None) -> Owner:
    """An owner that runs, with its state folder. Raises StartFailed."""
    prove_state_folder(root)
    bus, link = open_fast(site)
    owner = build(root, site, bus, link, trainer=twin.do if twin is not None else None)
    owner.start()
    return owner


def prove_state_folder(root: Path) -> None:
    """It is there and takes the latch. Raises StartFailed."""
    state_folder = root / STATE_FOLDER
    try:
        state_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(f"{state_folder}: cannot be made: {error.strerror or error}") from None
    # A disk that has turned read-only must not keep the house dark: it can be lit, though not closed to the street.
    read_only = os.statvfs(state_folder).f_flag & os.ST_RDONLY
    if not read_only and not os.access(state_folder, os.W_OK):
        raise StartFailed(f"{state_folder}: not writable; the open latch must be kept there")


def build(
    root: Path,
    site: Site,
    bus: Bus,
    link: LogicControllerLink,
    *,
    trainer: Trainer | None = None,
) -> Owner:
    """An owner that does not run yet, and from here on goes before what has no deadline."""
    before_others()
    circuit_ids = [circuit.id for circuit in site.settings.loads.circuits]
    centre = site.comm.load_centre
    return Owner(
        site.settings,
        bus,
        link,
        lambda emit: slow_devices(site, circuit_ids, emit),
        root / STATE_FOLDER / LATCH_FILE,
        trainer=trainer,
        incidents=root / INCIDENTS_FOLDER,
        audit=AuditWriter(root / audit.FOLDER),
        twin=site.comm.twin,
        relays=None if centre is None else Relays(centre.name, relay_count(circuit_ids)),
        latch_aside=root / place.FOLDER / LATCH_FILE,
    )
