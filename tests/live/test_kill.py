"""The console is killed without a word: the logic controller makes the house safe by itself."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.terminals import MAIN, Terminal
from tests.live.test_twin import until
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.demo_site import write_demo_site

pytestmark = pytest.mark.live

#: I5 and I6, from the last valid command, which is at most one period older than the kill.
OPEN_WITHIN_S = 0.250
GATE_OFF_WITHIN_S = 0.105 + 0.020


class Site:
    """A twin of its own with a console on a terminal beside it."""

    def __init__(self, root: Path, enter_service_s: float) -> None:
        self.root = root
        self.twin = TwinProcess()
        write_demo_site(root, self.twin.addresses, enter_service_s)
        self.console: Terminal | None = None
        self.seen: list[dict[str, Any]] = []

    def start(self) -> None:
        """Start the console."""
        self.console = Terminal([*MAIN, "--root", str(self.root)])

    def happened(self, name: str, **detail: object) -> dict[str, Any] | None:
        """The newest truth of that name."""
        self.seen.extend(self.twin.drain())
        wanted = {"truth": name, **detail}
        return next((line for line in reversed(self.seen) if wanted.items() <= line.items()), None)

    def locked(self) -> bool:
        """What the latch file says."""
        return bool(json.loads((self.root / "var/lib/v2h/mid_latch.json").read_text())["locked"])

    def kill(self) -> float:
        """SIGKILL; the twin's time just before it."""
        self.seen.extend(self.twin.drain())
        self.seen.clear()
        self.twin.do("fault.inject", {"fault": "fan.dead"})
        until(lambda: self.happened("fault.injected"), "the mark")
        mark = self.happened("fault.injected")
        assert self.console is not None
        assert mark is not None
        os.kill(self.console.process.pid, signal.SIGKILL)
        self.console.process.wait()
        return float(mark["at_s"])

    def close(self) -> None:
        """End both."""
        if self.console is not None:
            self.console.close()
        self.twin.stop()


@pytest.fixture
def site(tmp_path: Path, enter_service_s: float) -> Iterator[Site]:
    """A site that goes with the test."""
    made = Site(tmp_path, enter_service_s)
    made.start()
    yield made
    made.close()


#: With a short delay a slow start finds the grid qualified before the inverter may form, and closes instead.
stays_an_island = pytest.mark.parametrize("enter_service_s", [600.0])
closes = pytest.mark.parametrize("enter_service_s", [1.0])


@stays_an_island
def test_killed_while_islanded_the_gates_go_off_and_the_mid_stays_open(site: Site) -> None:
    until(lambda: site.happened("inverter.mode", mode="forming"), "the island")
    killed_s = site.kill()
    until(lambda: site.happened("gate.off"), "gates off")
    gate_off = site.happened("gate.off")
    assert gate_off is not None
    assert gate_off["at_s"] - killed_s <= GATE_OFF_WITHIN_S + 0.020
    assert site.happened("mid.pole_closed") is None


@closes
def test_killed_on_the_grid_the_mid_opens_by_itself_and_the_latch_holds(site: Site) -> None:
    until(lambda: site.happened("mid.pole_closed"), "the close", 30.0)
    until(lambda: site.happened("inverter.mode", mode="following"), "following")
    # Setting the latch is write-behind: it is on disk some milliseconds after the close.
    until(site.locked, "the latch on disk")
    killed_s = site.kill()
    until(lambda: site.happened("mid.opened"), "the opening")
    opened = site.happened("mid.opened")
    assert opened is not None
    assert opened["at_s"] - killed_s <= OPEN_WITHIN_S
    assert site.locked()


@stays_an_island
def test_started_again_it_boots_open_and_the_house_is_lit_again(site: Site) -> None:
    until(lambda: site.happened("inverter.mode", mode="forming"), "the island")
    site.kill()
    assert site.console is not None
    site.console.close()
    until(lambda: site.happened("gate.off"), "gates off")
    site.seen.clear()
    site.start()
    until(lambda: site.happened("inverter.mode", mode="forming"), "the black start", 10.0)
    assert site.happened("mid.pole_closed") is None
