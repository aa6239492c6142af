"""The twin as a process: the World in real time, its faces on loopback, truth on stdout, commands on stdin.

One thread owns World and controller; the Modbus faces take the same lock for the blink of a register read. The
first line of stdout is one JSON document with every address; then one JSON line for each change of the truth.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import secrets
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from v2h_console.twin import scenario as scenarios
from v2h_console.twin.faces.logic_controller import LogicController
from v2h_console.twin.faces.modbus_faces import ModbusFaces
from v2h_console.twin.house import House
from v2h_console.twin.scenario import Scenario
from v2h_console.twin.truth import Truth
from v2h_console.twin.vocabulary import OWNER_VERBS, ScenarioError
from v2h_console.twin.world import World
from v2h_drivers.can.bus import DEFAULT_GROUP, Bus, open_bus

#: Short: whoever polls a register may not hold the loop up.
SWITCH_INTERVAL_S = 0.0001
#: A frame later than this makes the twin itself the slow one: said in the truth, so that a benchmark can void it.
LATE_NS = 2_000_000
#: The twin plays hardware: where the system lets it, its loop runs before the programs that it plays for.
REAL_TIME_PRIORITY = 20
#: Of everything else in the process.
NICE = -15
YOUNG_GC_EVERY_NS = 500_000_000
FULL_GC_EVERY_NS = 60_000_000_000
S = 1_000_000_000

Params = Mapping[str, float | str | bool]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run the twin."""

    modbus_port: int = 0
    can_interface: str = "udp_multicast"
    can_channel: str = DEFAULT_GROUP
    can_port: int | None = None
    seed: int = 0
    scenario: Path | None = None


def free_udp_port() -> int:
    """A UDP port that nobody uses now, so that two twins on one machine do not hear each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TwinServer:
    """Everything that runs. ``start`` raises OSError (busy port), BusError or ScenarioError with one line each."""

    def __init__(self, options: Options, out: TextIO) -> None:
        self._options = options
        self._out = out
        self._lock = threading.Lock()
        self._commands: queue.SimpleQueue[tuple[str, dict[str, float | str | bool]]] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[list[dict[str, Any]] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._scenario: Scenario | None = scenarios.read(options.scenario) if options.scenario else None
        self._began_ns = time.monotonic_ns()
        house = House() if self._scenario is None else self._scenario.house(House())
        # In real time the owner is another process: it boots on an open MID whatever the scenario's start says.
        self._world = World(house, options.seed, start_ns=0)
        self._controller = LogicController(self._world, nonce=secrets.randbelow(0xFFFE - 1) + 1)
        port = options.can_port
        if port is None and options.can_interface == "udp_multicast":
            port = free_udp_port()
        self._can_port = port
        self._bus: Bus = open_bus(options.can_interface, options.can_channel, port)
        self._faces = ModbusFaces(self._world, self._lock, port=options.modbus_port)

    def run(self, commands: TextIO | None) -> None:
        """Until ``commands`` ends, a signal asks, or nobody listens to stdout any more; ``None``: there are none."""
        if os.getpriority(os.PRIO_PROCESS, 0) > NICE:
            with suppress(PermissionError):
                # All of it: a face that holds the interpreter's lock and is put aside would hold the bus up.
                os.setpriority(os.PRIO_PROCESS, 0, NICE)
        self._faces.start()
        self._write({"twin": True, **self._addresses()})
        if commands is not None:
            threading.Thread(target=self._listen, args=(commands,), name="twin-stdin", daemon=True).start()
        writer = threading.Thread(target=self._speak, name="twin-stdout", daemon=True)
        writer.start()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REAL_TIME_PRIORITY))
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._loop()
        finally:
            self._said.put(None)
            writer.join(1.0)
            self._faces.stop()
            self._bus.shutdown()

    def stop(self) -> None:
        """Ask for the end; safe in a signal handler."""
        self._ended.set()

    def _addresses(self) -> dict[str, Any]:
        can = {
            "interface": self._options.can_interface,
            "channel": self._options.can_channel,
            "port": self._can_port,
        }
        circuits = [
            {"id": circuit.id, "name": circuit.name, "legs": circuit.legs} for circuit in self._world.circuits
        ]
        return {"pid": os.getpid(), "can": can, **self._faces.addresses, "house": {"circuits": circuits}}

    # ------------------------------------------------------------ real time

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._began_ns

    def _loop(self) -> None:
        world, controller, bus = self._world, self._controller, self._bus
        # What a person does in it is not the house's to do.
        script = (
            [line for line in self._scenario.steps if line.do not in OWNER_VERBS] if self._scenario else []
        )
        # The house begins now: what was spent on getting here is no frame's lateness.
        self._began_ns = time.monotonic_ns() - world.now_ns
        young_gc_ns = full_gc_ns = self._now_ns()
        while not self._ended.is_set():
            due_ns = min(controller.wake_at_ns(), world.next_event_ns())
            if script:
                due_ns = min(due_ns, int(script[0].s * S))
            received = bus.recv(max(0, min(due_ns - self._now_ns(), 20_000_000)) / 1e9)
            with self._lock:
                if received is not None:
                    arbitration_id, data, at_ns = received
                    # An event that fell due first happens first, whatever the bus brought.
                    at_ns = max(world.now_ns, at_ns - self._began_ns)
                    world.advance(at_ns)
                    controller.receive(arbitration_id, data, at_ns)
                now_ns = max(world.now_ns, self._now_ns())
                world.advance(now_ns)
                while script and script[0].s * S <= now_ns:
                    line = script.pop(0)
                    self._do(line.do, line.params)
                while not self._commands.empty():
                    self._do(*self._commands.get())
                late_ns = now_ns - controller.wake_at_ns()
                frames = controller.frames_due(now_ns)
                truths = self._truths()
            for arbitration_id, data in frames:
                bus.send(arbitration_id, data)
            if late_ns > LATE_NS:
                truths.append({"at_s": now_ns / S, "truth": "twin.late", "late_ms": late_ns / 1e6})
            if truths:
                self._said.put(truths)
            if now_ns - full_gc_ns >= FULL_GC_EVERY_NS:
                full_gc_ns = young_gc_ns = now_ns
                gc.collect(1)
            elif now_ns - young_gc_ns >= YOUNG_GC_EVERY_NS:
                young_gc_ns = now_ns
                gc.collect(0)

    def _do(self, name: str, params: Params) -> None:
        if name in OWNER_VERBS:
            self._said.put([{"error": f"{name}: an owner does this, not the house alone"}])
            return
        try:
            self._world.do(name, params)
        except ScenarioError as error:
            self._said.put([{"error": str(error)}])

    def _truths(self) -> list[dict[str, Any]]:
        events: list[Truth] = [*self._world.drain_truth(), *self._controller.drain_truth()]
        events.sort(key=lambda event: event.at_ns)
        return [{"at_s": event.at_ns / S, "truth": event.truth, **event.detail} for event in events]

    # ------------------------------------------------------------ lines

    def _listen(self, commands: TextIO) -> None:
        for line in commands:
            text = line.strip()
            if not text:
                continue
            try:
                self._commands.put(parse_command(text))
            except ValueError as error:
                self._said.put([{"error": str(error)}])
        self.stop()

    def _speak(self) -> None:
        while (documents := self._said.get()) is not None:
            self._write(*documents)

    def _write(self, *documents: dict[str, Any]) -> None:
        try:
            self._out.write("".join(json.dumps(document) + "\n" for document in documents))
            self._out.flush()
        except (OSError, ValueError):
            self.stop()


def parse_command(text: str) -> tuple[str, dict[str, float | str | bool]]:
    """A ``do`` line, as JSON ``{"do": "grid.loss", "leg": 1}`` or plain ``grid.loss leg=1``. Raises ValueError."""
    if len(text) > 2000:
        raise ValueError("a command is at most 2000 characters")
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ValueError(f"not valid JSON: {error}") from None
        name = document.pop("do", None)
        if not isinstance(name, str):
            raise ValueError('a command needs "do", such as {"do": "grid.loss"}')
        for key, value in document.items():
            if not isinstance(value, str | bool | int | float):
                raise ValueError(f"{key}: a number, a text or true/false, not {type(value).__name__}")
        return name, {key: float(value) if type(value) is int else value for key, value in document.items()}
    name, *pairs = text.split()
    params: dict[str, float | str | bool] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ValueError(f"{pair!r}: write key=value")
        params[key] = _plain(value)
    return name, params


def _plain(value: str) -> float | str | bool:
    if value in ("true", "false"):
        return value == "true"
    try:
        return float(value)
    except ValueError:
        return value
