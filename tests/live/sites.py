"""A site with a twin of its own, its owner on a terminal beside it: what the live tests of screens and lines are made on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.terminals import MAIN, Terminal
from tests.live.test_twin import until
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.demo_site import write_demo_site


def _plain(root: Path) -> Terminal:
    """The console alone on its terminal."""
    return Terminal([*MAIN, "--root", str(root)])


class Site:
    """A twin of its own, with an owner on a terminal beside it."""

    def __init__(self, root: Path, console: Callable[[Path], Terminal] = _plain) -> None:
        self.root = root
        self.twin = TwinProcess()
        write_demo_site(root, self.twin.addresses, 600.0)
        self.seen: list[dict[str, Any]] = []
        self.console = console(root)
        until(lambda: self.happened("inverter.mode", mode="forming"), "the island")
        self.console.await_text("House lit from the car")

    def happened(self, name: str, **detail: object) -> dict[str, Any] | None:
        """The newest truth of that name."""
        self.seen.extend(self.twin.drain())
        wanted = {"truth": name, **detail}
        return next((line for line in reversed(self.seen) if wanted.items() <= line.items()), None)

    def forget(self) -> None:
        """What has happened so far is no news."""
        self.seen.extend(self.twin.drain())
        self.seen.clear()

    def attached(self) -> dict[str, Any]:
        """The picture as a new console gets it."""
        command = [*MAIN, "attach", "--json", "--for", "0.5", "--root", str(self.root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        return dict(json.loads(done.stdout))

    def stays_lit(self, for_s: float = 1.5) -> None:
        """No gate goes off and no leg falls, by the twin's truth."""
        ends_s = time.monotonic() + for_s
        while time.monotonic() < ends_s:
            time.sleep(0.05)
            assert self.happened("gate.off") is None
            assert self.happened("house.below_088") is None

    def stop(self) -> int:
        """`v2h-console stop`."""
        return subprocess.run([*MAIN, "stop", "--root", str(self.root)], check=False, timeout=20).returncode

    def close(self) -> None:
        """End all of it."""
        if self.console.process.poll() is None:
            os.kill(self.console.process.pid, signal.SIGKILL)
            self.console.process.wait()
        self.twin.stop()


def goes_on_and_ends_when_asked(site: Site) -> None:
    """The owner without a screen: lit, attachable, orderly in its end."""
    site.stays_lit()
    assert site.console.process.poll() is None
    assert site.attached()["mode"] == "islanded"
    assert site.stop() == 0
    site.console.process.wait(10)
    until(lambda: site.happened("gate.off"), "the orderly end")
