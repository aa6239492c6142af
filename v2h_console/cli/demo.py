"""``v2h-console demo``: the console against the built-in twin, over real protocols on loopback."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2h_console.cli import console, script
from v2h_console.cli.console import Refusal, refuse

if TYPE_CHECKING:
    from v2h_console.session.snapshot import Snapshot
    from v2h_console.wiring.running import Running

#: How long a demo without a screen lives where nobody says.
HEADLESS_S = 10.0


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``demo`` to the command line."""
    parser = commands.add_parser("demo", parents=parents, help="the console on a simulated house")
    parser.add_argument(
        "--scenario",
        metavar="FILE|NAME",
        help="a scenario that is played in real time: a file, or a shipped one",
    )
    parser.add_argument("--headless", action="store_true", help="no screen: print what was seen")
    parser.add_argument(
        "--for",
        dest="for_s",
        type=float,
        metavar="S",
        help="seconds, with --headless; 10 unless said otherwise",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, with --headless")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo with or without a screen."""
    root: Path | None = getattr(arguments, "root", None)
    scenario = None if arguments.scenario is None else script.read(arguments.scenario)
    if arguments.headless:
        for_s = HEADLESS_S if arguments.for_s is None else arguments.for_s
        if not 0 < for_s <= 86_400:
            return refuse(f"--for takes 0 to 86400 seconds, not {for_s:g}")
        return run_headless(root, scenario, for_s, as_json=arguments.json)
    if arguments.json or arguments.for_s is not None:
        return refuse("--json and --for are for a demo without a screen: add --headless")
    return run_screen(root, scenario)


@contextmanager
def private_root(root: Path | None) -> Iterator[Path]:
    """The given root, or a private folder that goes with the demo. Raises Refusal."""
    if root is not None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refusal(f"{root}: cannot be made: {error.strerror or error}") from None
        yield root
        return
    folder = Path(tempfile.mkdtemp(prefix="v2h-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_screen(root: Path | None, scenario: script.Script | None) -> int:
    """The full-screen demo."""
    with private_root(root) as folder:

        def start() -> Running:
            return _start(folder, scenario)

        # A private folder's name is known to nobody else: that demo ends with its line.
        return console.run_screen(start, outlives=root is not None, root=folder)


def _start(folder: Path, scenario: script.Script | None) -> Running:
    """The demo; with a scenario, whatever in it is a person's to do is done here."""
    from v2h_console.wiring.starting import start_demo

    running = start_demo(folder, scenario=str(scenario.path) if scenario else None)
    if scenario is not None:
        scenario.play(running.owner.order)
    return running


def run_headless(root: Path | None, scenario: script.Script | None, for_s: float, *, as_json: bool) -> int:
    """Run the owner and the twin for a while and print the last picture. Exit 0 when every device answers."""
    from v2h_console.runtime import garbage
    from v2h_console.site.errors import ConfigError
    from v2h_console.twin.launch import TwinFailed
    from v2h_console.wiring.running import StartFailed

    with private_root(root) as folder:
        garbage.take_over()
        try:
            running = _start(folder, scenario)
        except (ConfigError, TwinFailed, StartFailed) as error:
            return refuse(str(error))
        garbage.take_over()
        session = running.session()
        asked = threading.Event()
        running.desk.on_stop = asked.set
        try:
            ends_at = time.monotonic() + for_s
            while (left_s := ends_at - time.monotonic()) > 0:
                if asked.wait(min(0.25, left_s)) or running.defect:
                    break
                session.watch()
            snapshot = session.watch()
        finally:
            running.stop()
    if running.defect:
        print(f"v2h-console: {running.defect}", file=sys.stderr)
    result = summary(snapshot)
    if as_json:
        json.dump(result, sys.stdout, indent=2)
        print()
    else:
        print(f"{snapshot.mode}, MID {snapshot.mid.position}: {snapshot.sentence}")
        for device in snapshot.devices:
            print(f"  {device.name:<14} {device.protocol:<12} {device.state:<10} {device.reason}")
    well = snapshot.devices and all(device.state == "ok" for device in snapshot.devices)
    return 0 if well and not running.defect else 1


def summary(snapshot: Snapshot) -> dict[str, object]:
    """``mode, mid, readings{...}, devices[...]`` as the command contract says; unknown is null."""
    return {
        "mode": snapshot.mode,
        "mid": snapshot.mid.position,
        "twin": snapshot.twin,
        "readings": {
            "grid": {
                "l1_v": snapshot.grid.sides.l1_v.value,
                "l2_v": snapshot.grid.sides.l2_v.value,
                "l1l2_v": snapshot.grid.sides.l1l2_v.value,
                "frequency_hz": snapshot.grid.sides.frequency_hz.value,
                "in_window": None
                if snapshot.grid.condition == "unknown"
                else snapshot.grid.condition == "in_window",
            },
            "house": {
                "l1_v": snapshot.house.l1_v.value,
                "l2_v": snapshot.house.l2_v.value,
                "l1l2_v": snapshot.house.l1l2_v.value,
                "frequency_hz": snapshot.house.frequency_hz.value,
            },
            "inverter": {
                "mode": snapshot.inverter.mode,
                "power_w": snapshot.inverter.power_w.value,
                "temperature_c": snapshot.inverter.heatsink_c.value,
                "set_w": snapshot.inverter.set_w,
                "held_w": snapshot.inverter.holds_w.value,
                "rated_w": snapshot.inverter.rated_w or None,
            },
            "car": {
                "soc_pct": snapshot.car.soc_pct.value,
                "dc_v": snapshot.car.dc_v.value,
                "dc_a": snapshot.car.dc_a.value,
            },
            "solar_w": snapshot.solar_w.value,
            "loads": [
                {"id": load.id, "state": load.state, "power_w": load.power_w.value} for load in snapshot.loads
            ],
        },
        "last_transfer": transfer_summary(snapshot),
        "alarms": [{"code": alarm.code, "severity": alarm.severity} for alarm in snapshot.alarms],
        "events": [
            {"code": event.code, "severity": event.severity, "text": event.text} for event in snapshot.events
        ],
        "devices": [
            {
                "name": device.name,
                "protocol": device.protocol,
                "address": device.address,
                "ok": device.state == "ok",
                "last_age_ms": device.last_age_ms,
                "state": device.state,
                "reason": device.reason,
                "identity": device.identity,
            }
            for device in snapshot.devices
        ],
        "lane": {
            "steps": snapshot.lane.steps,
            "lateness_p99_ms": snapshot.lane.lateness_p99_ms,
            "lateness_max_ms": snapshot.lane.lateness_max_ms,
            "missed": snapshot.lane.missed,
            "step_mean_us": snapshot.lane.step_mean_us,
            "step_max_us": snapshot.lane.step_max_us,
            "gc_pause_max_ms": snapshot.lane.gc_pause_max_ms,
        },
    }


def transfer_summary(snapshot: Snapshot) -> dict[str, object] | None:
    """The last transfer in its parts, or null."""
    last = snapshot.last_transfer
    if last is None:
        return None
    return {
        "class": last.transfer_class,
        "cause": last.cause,
        "detect_ms": last.detect_ms,
        "open_ms": last.open_ms,
        "prove_ms": last.prove_ms,
        "form_ms": last.form_ms,
        "total_ms": last.total_ms,
        "budget_ms": last.budget_ms,
        "ok": last.ok,
    }
