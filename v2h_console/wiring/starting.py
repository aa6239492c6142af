"""Starts an owner where there is none: on a real site, or on a twin of its own."""

from __future__ import annotations

from pathlib import Path

from v2h_console.runtime.config_keeper import ConfigKeeper
from v2h_console.runtime.lock import OwnerLock
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring import building
from v2h_console.wiring.demo_site import refuse_real_site, write_demo_site
from v2h_console.wiring.running import Running
from v2h_console.wiring.serving import serve


def start_site(root: Path, lock: OwnerLock | None = None) -> Running:
    """The owner on a real site; ``lock``: one that is held already. Raises ConfigError or StartFailed."""
    if lock is None:
        lock = building.lock(root)
    try:
        # Read by whoever owns it: the one before may have changed it until its end.
        config = ConfigKeeper(root)
        loaded = config.load(adopt=False)
        owner = building.start_owner(root, loaded.site, None)
    except BaseException:
        lock.release()
        raise
    return serve(root, config, config.adopt(loaded), owner, lock)


def start_demo(root: Path, *, scenario: str | None = None, enter_service_s: float = 15.0) -> Running:
    """A twin of its own and the owner on it, over loopback. Raises ConfigError, TwinFailed or StartFailed."""
    refuse_real_site(root)
    lock = building.lock(root)
    try:
        twin = TwinProcess(["--scenario", scenario] if scenario else [])
    except BaseException:
        lock.release()
        raise
    try:
        write_demo_site(root, twin.addresses, enter_service_s)
        config = ConfigKeeper(root)
        loaded = config.load(adopt=False)
        owner = building.start_owner(root, loaded.site, twin)
    except BaseException:
        twin.stop()
        lock.release()
        raise
    return serve(root, config, config.adopt(loaded), owner, lock, twin)
