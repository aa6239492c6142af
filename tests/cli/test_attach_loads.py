"""What a second login waits for: the screen and the line to the owner, and no more."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from v2h_console.cli import attach, main

def on_a_running_owner(root):
    from v2h_console.session import remote, returning
    from v2h_console.tui import app
    return 0

attach.screen_if_owned = on_a_running_owner
assert main.main([]) == 0
needless = ("v2h_console.core", "v2h_console.site", "v2h_console.wiring", "v2h_drivers", "importlib.metadata")
print(sorted(name for name in sys.modules if name.startswith(needless)))
"""


def test_attaching_loads_no_core_no_driver_and_no_configuration() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
