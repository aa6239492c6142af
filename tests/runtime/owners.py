"""An owner in this process, on a bus that says nothing, with the memory of a house on the grid."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from v2h_console.core.settings import NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_console.proving.course import JudgedSite
from v2h_console.runtime.owner import Owner, Trainer
from v2h_console.runtime.relays import Relays
from v2h_console.twin.scenario import Scenario, Start
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.devices import SlowDevice


class QuietBus:
    """Nothing comes. ``defect``: what the lane's next look at it ends with; ``held``: the lane waits in it while clear."""

    def __init__(self) -> None:
        self.bad_datagrams = 0
        self.defect: Exception | None = None
        self.held = threading.Event()
        self.held.set()

    def recv(self, timeout_s: float) -> tuple[int, bytes, int] | None:
        self.held.wait(10.0)
        if self.defect is not None:
            raise self.defect
        time.sleep(min(timeout_s, 0.005))
        return None

    def send(self, arbitration_id: int, data: bytes) -> None:
        """Nobody hears it."""

    def fileno(self) -> int:
        return -1

    def shutdown(self) -> None:
        """Nothing to let go of."""


@cache
def on_the_grid() -> tuple[Settings, State]:
    """A house that has been on the grid for a while."""
    site = JudgedSite(Scenario("house", 20.0, Start(enter_service_s=1.0), ()), 3, fixed=True).site
    site.advance(8 * NS_PER_S)
    assert site.state.islanding.mode is Mode.TIED
    return site.settings, site.state


def made(
    folder: Path,
    bus: QuietBus,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    *,
    incidents: bool = False,
    relays: Relays | None = None,
    slow: Sequence[SlowDevice] = (),
    trainer: Trainer | None = None,
) -> Owner:
    """It has taken that house up, and does not run yet."""
    settings, state = on_the_grid()
    owner = Owner(
        settings,
        bus,
        LogicControllerLink("Controller", "nowhere"),
        lambda emit: slow,
        folder / "mid_latch.json",
        incidents=folder / "incidents" if incidents else None,
        relays=relays,
        trainer=trainer,
        clock_ns=clock_ns,
    )
    owner.lane.take_up(state)
    return owner


def until(holds: Callable[[], bool]) -> None:
    """Wait for another thread, at most 5 s."""
    ends_at = time.monotonic() + 5.0
    while not holds():
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.002)
