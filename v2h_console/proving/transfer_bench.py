"""``bench transfer``: outages in real time over loopback devices, latencies as the twin saw them.

The enter-service delay is 1 s and the twin brings the grid back in phase, so that an outage takes a few seconds;
what is measured is untouched by that. An outage in which the twin itself was more than 2 ms late is void, never
passed. A house that leaves a healthy grid between two outages was opened for nothing: counted, and waited for.

Software is what Python adds, two hops an outage: from the instant at which the loss was ripe to the OPEN that the
controller received; and from the instant at which the proof was ripe (12 ms after the later auxiliary contact moved,
and no current in a pole) to the FORM that it received.
"""

from __future__ import annotations

import math
import os
import platform
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from v2h_console.core.settings import STEADY
from v2h_console.runtime import garbage
from v2h_console.runtime.lateness import Lateness
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.starting import start_demo

#: A healthy outage and return take about 4 s; a stuck one is not waited for longer.
SETTLE_LIMIT_S = 40.0
RESTORE_LIMIT_S = 5.0
PROOF_MS = 12.0
TWIN_LATE_LIMIT_MS = 2.0
FIRST_PAINT_S = 1.0
#: What a failure tells of the owner's log.
EVENTS_TOLD = 6


class BenchFailed(Exception):
    """The benchmark could not be run. ``str()`` is one line."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage; all in ms. ``software_ms`` holds its two hops. ``void`` says why it does not count."""

    detect_ms: float
    open_ms: float
    prove_ms: float
    form_ms: float
    total_ms: float
    software_ms: tuple[float, float]
    void: str = ""


@dataclass(slots=True)
class Result:
    """What all outages gave."""

    asked: int
    outages: list[Outage] = field(default_factory=list)
    not_restored: int = 0
    #: How often the house left a grid that was there.
    needless: int = 0
    #: It ended before all that was asked for: the house did not get back to the grid.
    stopped: bool = False
    #: Why, in the order in which it happened: of each outage that was not restored and of each needless opening.
    said: list[str] = field(default_factory=list)
    missed_ticks: int = 0
    #: The worst of ten minutes, with its cause.
    why_missed: list[str] = field(default_factory=list)
    lateness_max_ms: float = 0.0
    step_max_us: float = 0.0
    gc_pause_max_ms: float = 0.0
    screen: dict[str, float] = field(default_factory=dict)
    wall_s: float = 0.0

    @property
    def counted(self) -> list[Outage]:
        """The outages that are not void."""
        return [outage for outage in self.outages if not outage.void]

    @property
    def holds(self) -> bool:
        """Every outage restored the house, every counted one within 100 ms, and nothing else opened the MID."""
        whole = not (self.stopped or self.not_restored or self.needless)
        return whole and bool(self.counted) and max(o.total_ms for o in self.counted) < 100.0

    def document(self) -> dict[str, Any]:
        """The contract's JSON."""
        counted = self.counted
        hops = [hop for outage in counted for hop in outage.software_ms]
        return {
            "outages": self.asked,
            "counted": len(counted),
            "void": len(self.outages) - len(counted),
            "not_restored": self.not_restored,
            "needless_openings": self.needless,
            "stopped_early": self.stopped,
            "said": self.said,
            "software_ms": spread(hops),
            "transfer_ms": spread([outage.total_ms for outage in counted]),
            "parts_ms": {
                name: spread([getattr(outage, f"{name}_ms") for outage in counted])
                for name in ("detect", "open", "prove", "form")
            },
            "missed_ticks": self.missed_ticks,
            "why_missed": self.why_missed,
            "lane": {
                "lateness_max_ms": round(self.lateness_max_ms, 3),
                "step_max_us": round(self.step_max_us, 1),
                "gc_pause_max_ms": round(self.gc_pause_max_ms, 3),
            },
            "screen": self.screen,
            "host": {
                "python": platform.python_version(),
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "kernel": platform.release(),
            },
            "wall_s": round(self.wall_s, 1),
        }

    def text(self) -> str:
        """A few lines for people."""
        document = self.document()
        lines = [f"{document['counted']} of {self.asked} outages counted, {document['void']} void"]
        for name in ("transfer_ms", "software_ms"):
            figures = document[name]
            lines.append(f"{name:<12} p50 {figures['p50']}  p99 {figures['p99']}  max {figures['max']}")
        lines.extend(
            f"  {name:<10} p50 {figures['p50']}  max {figures['max']}"
            for name, figures in document["parts_ms"].items()
        )
        lines.append(
            f"not restored {self.not_restored}, needless openings {self.needless}, missed ticks {self.missed_ticks}"
        )
        lines.extend([*self.why_missed, *self.said])
        return "\n".join(lines)


def spread(values: list[float]) -> dict[str, float | None]:
    """p50, p99, p999 and max (nearest rank); nulls without values."""
    ordered = sorted(values)

    def rank(share: float) -> float | None:
        if not ordered:
            return None
        return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)

    return {"p50": rank(0.50), "p99": rank(0.99), "p999": rank(0.999), "max": rank(1.0)}


def run(root: Path, outages: int, *, busy_screen: bool, seed: int = 1) -> Result:
    """Run ``outages`` outages. Raises BenchFailed when the house does not even reach the grid once."""
    began_at = time.monotonic()
    running = start_demo(root, enter_service_s=1.0)
    result = Result(asked=outages)
    assert running.twin is not None
    assert running.hold_ups is not None
    lane = running.owner.lane
    hold_ups = running.hold_ups

    def begin() -> None:
        """From here on it counts: the start's own lateness is not an outage's."""
        lane.lateness = Lateness()
        lane.garbage.pause_max_ns = 0
        hold_ups.afresh()

    watching = running.session()

    def standing() -> str:
        snapshot = watching.watch()
        alarms = [alarm.text.rstrip(".") for alarm in snapshot.alarms if alarm.severity != "info"]
        newest = sorted(snapshot.events, key=lambda event: event.sequence)[-EVENTS_TOLD:]
        told = "; ".join(f"{event.code} {event.text.rstrip('.')}" for event in newest)
        return f"{'; '.join(alarms) or 'no alarm stands'}. Last events: {told or 'none'}"

    worker = _Worker(running.twin, outages, random.Random(seed), result, begin, standing)
    try:
        if busy_screen:
            from v2h_console.proving.busy_screen import BusyScreen

            screen = BusyScreen(running.session())
            thread = threading.Thread(target=worker.run_then, args=(screen.stop,), daemon=True)
            thread.start()
            screen.draw()
            thread.join(SETTLE_LIMIT_S)
            result.screen = {"bytes_per_s": round(screen.bytes_per_s, 1), "cpu_pct": round(screen.cpu_pct, 2)}
        else:
            worker.run()
        result.missed_ticks = lane.lateness.missed
        result.lateness_max_ms = lane.lateness.max_ns / 1e6
        result.step_max_us = lane.lateness.step_max_ns / 1000
        result.gc_pause_max_ms = lane.garbage.pause_max_ns / 1e6
    finally:
        running.stop()
    result.why_missed = list(hold_ups.told)
    result.wall_s = time.monotonic() - began_at
    if worker.failure:
        raise BenchFailed(worker.failure)
    return result


class _Worker:
    """Takes the grid away and gives it back, and reads what the twin says about it."""

    def __init__(
        self,
        twin: TwinProcess,
        outages: int,
        chance: random.Random,
        result: Result,
        begin: Callable[[], None],
        standing: Callable[[], str],
    ) -> None:
        self._begin = begin
        self._standing = standing
        self._late_ms = 0.0
        self._twin = twin
        self._outages = outages
        self._chance = chance
        self._result = result
        self.failure = ""

    def run_then(self, after: Callable[[], None]) -> None:
        """``run``, then ``after()`` whatever happened."""
        try:
            self.run()
        finally:
            after()

    def run(self) -> None:
        """All outages."""
        # As the console does: once it has painted, and long before the house is closed for the first time.
        time.sleep(FIRST_PAINT_S)
        garbage.take_over()
        if not self._await_tied(SETTLE_LIMIT_S):
            self.failure = "the house never reached the grid: no outage could be measured"
            return
        self._begin()
        for _ in range(self._outages):
            # A random pause, so that the loss falls anywhere on the wave and anywhere between the frames.
            while not self._stays_tied(0.7 + 0.1 * self._chance.random()):
                self._result.needless += 1
                self._tell("the house left a grid that was there")
                if not self._await_tied(SETTLE_LIMIT_S):
                    self._give_up()
                    return
            self._late_ms = 0.0
            self._twin.do("grid.loss", {})
            outage = self._measure()
            if outage is None:
                self._result.not_restored += 1
                self._tell(f"not restored within {RESTORE_LIMIT_S:.0f} s")
            else:
                self._result.outages.append(outage)
            self._twin.do("grid.return", {"in_phase": True})
            if not self._await_tied(SETTLE_LIMIT_S):
                self._give_up()
                return

    @property
    def _nth(self) -> int:
        return len(self._result.outages) + self._result.not_restored

    def _tell(self, what: str) -> None:
        self._result.said.append(
            f"outage {self._nth}: {what} ({self._standing()}; the twin itself was up to {self._late_ms:.0f} ms late)"
        )

    def _give_up(self) -> None:
        self._tell("the house did not get back to the grid")
        if self._nth:
            self._result.stopped = True
        else:
            self.failure = self._result.said[-1]

    def _stays_tied(self, for_s: float) -> bool:
        """Let a while pass; whether the MID stayed closed in it."""
        ends_at = time.monotonic() + for_s
        stayed = True
        while (left_s := ends_at - time.monotonic()) > 0:
            line = self._twin.truth(left_s)
            if line is not None:
                self._note_lateness(line)
                stayed = stayed and line.get("truth") != "mid.opened"
        return stayed

    def _await_tied(self, limit_s: float) -> bool:
        """Until the inverter follows the grid with the MID closed."""
        ends_at = time.monotonic() + limit_s
        closed = False
        while time.monotonic() < ends_at:
            line = self._twin.truth(0.2)
            if line is None:
                continue
            self._note_lateness(line)
            if line.get("truth") == "mid.closed":
                closed = True
            elif line.get("truth") == "mid.opened":
                closed = False
            elif closed and line.get("truth") == "inverter.mode" and line.get("mode") == "following":
                return True
        return False

    def _note_lateness(self, line: dict[str, Any]) -> None:
        if line.get("truth") == "twin.late":
            self._late_ms = max(self._late_ms, float(line["late_ms"]))

    def _measure(self) -> Outage | None:
        """The marks of one outage, from the truth alone."""
        marks: dict[str, float] = {}
        late: list[tuple[float, float]] = []
        ends_at = time.monotonic() + RESTORE_LIMIT_S
        wanted = {
            "grid.below_088": "fell",
            "grid.below_050": "low",
            "lc.open_received": "commanded",
            "mid.no_opened": "no_open",
            "mid.nc_closed": "nc_closed",
            "mid.opened": "opened",
            "lc.form_received": "formed",
            "house.restored": "restored",
        }
        while time.monotonic() < ends_at:
            line = self._twin.truth(0.1)
            if line is None:
                continue
            truth = str(line.get("truth"))
            self._note_lateness(line)
            if truth == "twin.late":
                late.append((float(line["at_s"]) * 1000.0, float(line["late_ms"])))
            name = wanted.get(truth)
            if name is not None and name not in marks:
                marks[name] = float(line["at_s"]) * 1000.0
            if "restored" in marks and len(marks) == len(wanted):
                # A lateness before the loss or after the end cannot have touched what was measured.
                within = [late_ms for at_ms, late_ms in late if at_ms >= marks["fell"]]
                return _outage(marks, max(within, default=0.0))
        return None


def _outage(marks: dict[str, float], late_ms: float) -> Outage:
    fell, commanded, opened, formed, restored = (
        marks[name] for name in ("fell", "commanded", "opened", "formed", "restored")
    )
    # A hard loss is ripe when the SOGI amplitude has been below half for the detector's hold.
    ripe = marks["low"] + STEADY.below_050_hold_ms
    proof_ripe = max(max(marks["no_open"], marks["nc_closed"]) + PROOF_MS, opened)
    return Outage(
        detect_ms=commanded - fell,
        open_ms=opened - commanded,
        prove_ms=formed - opened,
        form_ms=restored - formed,
        total_ms=restored - fell,
        software_ms=(commanded - ripe, formed - proof_ripe),
        void=f"the twin was {late_ms:.1f} ms late" if late_ms > TWIN_LATE_LIMIT_MS else "",
    )
