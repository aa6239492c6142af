"""Builds an owner: with the command line and the proving code, the only place that knows every room."""

from v2h_console.wiring.building import INCIDENTS_FOLDER, LATCH_FILE, STATE_FOLDER
from v2h_console.wiring.demo_site import write_demo_site
from v2h_console.wiring.running import Running, StartFailed
from v2h_console.wiring.starting import start_demo, start_site
from v2h_console.wiring.succession import take_over

__all__ = [
    "INCIDENTS_FOLDER",
    "LATCH_FILE",
    "STATE_FOLDER",
    "Running",
    "StartFailed",
    "start_demo",
    "start_site",
    "take_over",
    "write_demo_site",
]
