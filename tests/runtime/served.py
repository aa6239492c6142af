"""An owner that is served as on a real site: door, audit, log and ledger, without port 8080."""

from __future__ import annotations

from pathlib import Path

from tests.runtime.owners import QuietBus, made
from v2h_console.runtime import audit
from v2h_console.runtime.audit import AuditWriter
from v2h_console.runtime.config_keeper import ConfigKeeper
from v2h_console.runtime.lock import OwnerLock
from v2h_console.wiring.demo_site import write_demo_site
from v2h_console.wiring.running import Running
from v2h_console.wiring.serving import serve

_NOWHERE = {
    "can": {"interface": "udp_multicast", "channel": "239.74.163.77", "port": 43977},
    "modbus_tcp": {"host": "127.0.0.1", "port": 59020, "units": {"inverter": 1, "solar": 2}},
    "load_centre": {"tty": "/dev/pts/99", "baud": 9600, "units": {"relays": 1, "meters": {}}},
}


def served(root: Path, bus: QuietBus) -> Running:
    """It has the owner's lock, its core runs, and it polls nothing."""
    write_demo_site(root, _NOWHERE, 15.0)
    comm = root / "etc/energy/comm_stack.conf"
    comm.write_text(comm.read_text() + "\n[http]\nenabled = false\n")
    config = ConfigKeeper(root)
    loaded = config.load()
    owner = made(root, bus)
    owner.audit = AuditWriter(root / audit.FOLDER)
    lock = OwnerLock(root)
    owner.start_core()
    return serve(root, config, loaded, owner, lock)


def audited(root: Path) -> str:
    """All lines of the audit."""
    return "".join(path.read_text() for path in sorted((root / audit.FOLDER).glob("audit-*")))
