"""The fast lane: a thread of its own that blocks on the CAN bus, steps the core and sends what it commands.

Nothing here touches disk, logging, sockets other than the bus, or the screen. Everything from outside arrives in
``Inbox`` (appended by other threads, drained here); everything to the outside leaves through bounded queues and the
``published`` slot, which holds an immutable State: readers build their picture from it at their own cost.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from v2h_console.core.commands import Command, PersistLatch
from v2h_console.core.events import Event
from v2h_console.core.observation import CoreOrder, LatchReceipt, Observation
from v2h_console.core.settings import NS_PER_MS, Settings
from v2h_console.core.state import State, boot
from v2h_console.core.step import Step, step
from v2h_console.runtime.captures import Captures
from v2h_console.runtime.garbage import GarbagePlan
from v2h_console.runtime.halts import Halts
from v2h_console.runtime.hand_over import Yielding
from v2h_console.runtime.lateness import Lateness
from v2h_console.runtime.precedence import real_time
from v2h_console.runtime.urgency import QUIET_TICK_NS, matters, tick_of, turn_of
from v2h_drivers.can.bus import Bus, BusError
from v2h_drivers.capabilities.devices import FastDevice, Reading
from v2h_drivers.capabilities.requests import (
    ControlRequest,
    DischargeLimitRequest,
    FanRequest,
    InverterSetpoint,
    RelayRequest,
    ShedRequest,
    SlowRequest,
    SolarPermitRequest,
)

#: The interpreter hands the GIL over after this; the default of 5 ms alone would cost half of a hop.
SWITCH_INTERVAL_S = 0.0005
#: Frames taken in one go before stepping, so that a burst cannot keep the core from its commands: 0.3 s of the
#: controller's, 5 ms of work.
MAX_BURST = 256
#: By a lane that was held up: more than any bus keeps for it, 40 ms of work.
MAX_BACKLOG = 2_048
#: Who comes back to the bus this late was held up itself (a garbage pass, another process, a halted machine), and what
#: the devices said meanwhile waits to be read.
BEHIND_NS = 8 * NS_PER_MS
HEALTH_EVERY_NS = 200 * NS_PER_MS

Item = TypeVar("Item")


@dataclass(slots=True)
class Inbox:
    """What other threads bring: appended there, drained by the lane. Readings drop the oldest, orders never."""

    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=4096))
    orders: deque[CoreOrder] = field(default_factory=deque)
    receipts: deque[LatchReceipt] = field(default_factory=deque)
    captures: Captures = field(default_factory=Captures)
    #: Around "the lane takes orders, so here is one", and around giving the core away: an order that was taken is
    #: carried out by this core, or is in what the next one gets.
    gate: threading.Lock = field(default_factory=threading.Lock)


class FastLane(threading.Thread):
    """Owns the core's state. ``slow_request`` and ``persist`` must not block: they only queue."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        link: FastDevice,
        inbox: Inbox,
        *,
        slow_request: Callable[[SlowRequest], None],
        persist: Callable[[PersistLatch], None],
        recorded: Callable[[State, Observation, int, Step], None] | None = None,
        slow_busy: Callable[[], bool] = lambda: False,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        pause: Callable[[float], None] = time.sleep,
        halts: Halts | None = None,
    ) -> None:
        super().__init__(name="fast-lane", daemon=True)
        self._halts = Halts() if halts is None else halts
        self._settings = settings
        self._bus = bus
        self._link = link
        self._inbox = inbox
        self._slow_request, self._slow_busy = slow_request, slow_busy
        self._persist = persist
        self._recorded = recorded
        self._clock_ns = clock_ns
        self._pause = pause
        self._stop_asked = threading.Event()
        self._sequence = 0
        self._health_at_ns = 0
        self.published: State = boot(settings, clock_ns())
        self._yielding: Yielding | None = None
        self.published_ns: int = clock_ns()
        self.events: deque[Event] = deque(maxlen=2048)
        self.lateness = Lateness()
        self.garbage = GarbagePlan()
        self.send_failures = 0
        self.failure: BaseException | None = None
        #: What the present step began from; after a failure, the step in which the core ended.
        self.stepping: tuple[State, Observation, int] | None = None
        #: Another owner has the core's memory.
        self.handed_over = False

    def stop(self) -> None:
        """Ask the lane to end; the controller opens the MID by itself when the heartbeat stops."""
        self._stop_asked.set()

    def take_up(self, state: State) -> None:
        """Begin where another owner's core has ended, instead of with an open MID; before the lane is started."""
        self.published = replace(state, taken_up_ns=self._clock_ns())

    def hand_over(self, yielding: Yielding) -> str:
        """End after a quiet step and give the state away; why not, or "" once the lane has sent its last frame."""
        if not self.is_alive():
            return "the control core has stopped"
        self._yielding = yielding
        return yielding.wait()

    def run(self) -> None:
        """Until asked to stop. A defect in the core ends the lane, and so the heartbeat: the MID opens by itself."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            with real_time():
                self._loop()
        except BaseException as error:
            self.failure = error
            raise

    def _loop(self) -> None:
        state = self.published
        wake_ns = self._clock_ns()
        while not self._stop_asked.is_set():
            readings, due_ns = self._gather(state, wake_ns)
            now_ns = self._clock_ns()
            late_ns = max(0, now_ns - due_ns)
            readings.extend(_drain(self._inbox.readings))
            if now_ns >= self._health_at_ns:
                self._health_at_ns = now_ns + HEALTH_EVERY_NS
                halted_ns = self._halts.newly_ns()
                if halted_ns:
                    self._link.halted(halted_ns)
                readings.append(self._link.health(now_ns))
            self._sequence += 1
            observation = Observation(
                self._sequence,
                tuple(readings),
                tuple(_drain(self._inbox.orders)),
                tuple(_drain(self._inbox.receipts)),
            )
            before = state
            self.stepping = before, observation, now_ns
            result = step(self._settings, before, observation, now_ns)
            state = result.state
            for command in result.commands:
                self._carry_out(command, now_ns)
            self._capture(now_ns)
            self._send_due(now_ns)
            if self._recorded is not None:
                # After the frames have gone: what is kept for later never delays what is due now.
                self._recorded(before, observation, now_ns, result)
            self.stepping = None
            self.events.extend(result.events)
            self.published = state
            self.published_ns = now_ns
            if self._yielding is not None and self._given_away(self._yielding, state):
                return
            wake_ns = result.wake_at_ns
            done_ns = self._clock_ns()
            self.lateness.tick(late_ns, done_ns - now_ns, now_ns)
            quiet = tick_of(state) == QUIET_TICK_NS and wake_ns - now_ns > NS_PER_MS
            self.garbage.run_if_due(done_ns, quiet)

    def _given_away(self, yielding: Yielding, state: State) -> bool:
        """Whether another owner has the core's memory from here on; not while an order waits for the next step, or one
        that is in no memory of the core's for its relay."""
        with self._inbox.gate:
            if self._slow_busy():
                yielding.put_off("a circuit is being switched")
            elif not self._inbox.orders:
                self.handed_over = yielding.offer(state, self._last_words)
        return self.handed_over

    def _last_words(self) -> dict[str, int]:
        """One more command, so that the controller's patience begins with the end of this lane; the counters after it."""
        now_ns = self._clock_ns()
        self._link.hurry(now_ns)
        self._send_due(now_ns)
        return self._link.counters()

    def _gather(self, state: State, wake_ns: int) -> tuple[list[Reading], int]:
        """Block for frames until one matters or the wake time comes; returns readings and when the step was due.

        In a quiet house, what was commanded last is said again between two steps, for as long as the link lets it.
        A lane that was held up first reads all that waits for it: stepping on the oldest of it alone, it would take
        its own absence for the controller's silence.
        """
        turn_ns = turn_of(state)
        if turn_ns:
            return self._gather_in_turns(state, wake_ns, turn_ns)
        readings: list[Reading] = []
        tick_ns = tick_of(state)
        now_ns = self._clock_ns()
        due_ns = min(wake_ns, now_ns + tick_ns)
        behind = now_ns - due_ns > BEHIND_NS
        repeats = tick_ns == QUIET_TICK_NS
        send_ns = self._link.wake_at_ns()
        read = 0
        while read < (MAX_BACKLOG if behind else MAX_BURST):
            read += 1
            until_ns = min(due_ns, send_ns)
            received = self._bus.recv(0.0 if behind else max(0, until_ns - now_ns) / 1e9)
            if received is not None:
                arbitration_id, data, at_ns = received
                if at_ns - now_ns > BEHIND_NS and not behind:
                    behind = True
                    due_ns = min(due_ns, at_ns)
                now_ns = at_ns
                reading = self._link.receive(arbitration_id, data, now_ns)
                if reading is not None:
                    readings.append(reading)
                if behind:
                    continue
                if reading is not None and matters(reading, state):
                    return readings, now_ns
                if self._inbox.orders:
                    # A person waits, at most for the next frame.
                    return readings, now_ns
                if now_ns < until_ns:
                    continue
            now_ns = self._clock_ns()
            if behind or not repeats or now_ns < send_ns or now_ns >= due_ns:
                return readings, min(until_ns, now_ns)
            self._send_due(now_ns)
            send_ns = self._link.wake_at_ns()
            if send_ns <= now_ns:
                # Something that the link does not say without being asked anew.
                return readings, send_ns
        return readings, min(due_ns, self._clock_ns())

    def _gather_in_turns(self, state: State, wake_ns: int, turn_ns: int) -> tuple[list[Reading], int]:
        """The same where what comes may wait for its turn: then all of it is read, and nothing is decided on a part."""
        readings: list[Reading] = []
        now_ns = self._clock_ns()
        due_ns = turns_ns = min(wake_ns, now_ns + tick_of(state))
        while True:
            read = len(readings)
            for _ in range(MAX_BACKLOG if now_ns - turns_ns > BEHIND_NS else MAX_BURST):
                received = self._bus.recv(0.0)
                if received is None:
                    break
                reading = self._link.receive(*received)
                if reading is not None:
                    readings.append(reading)
            now_ns = self._clock_ns()
            if now_ns >= due_ns:
                return readings, due_ns
            if self._inbox.orders or any(matters(reading, state) for reading in readings[read:]):
                return readings, now_ns
            send_ns = self._link.wake_at_ns()
            if send_ns <= now_ns:
                self._send_due(now_ns)
                send_ns = self._link.wake_at_ns()
                if send_ns <= now_ns:
                    # Something that the link does not say without being asked anew.
                    return readings, send_ns
            turns_ns = min(due_ns, send_ns, now_ns - now_ns % turn_ns + turn_ns)
            self._pause((turns_ns - now_ns) / 1e9)
            now_ns = self._clock_ns()

    def _capture(self, now_ns: int) -> None:
        """One window of waveforms at a time, for whoever asked first."""
        if self._inbox.captures.begins():
            self._link.capture(now_ns)
            return
        captured = self._link.captured()
        if captured is not None:
            self._inbox.captures.ended(captured)

    def _carry_out(self, command: Command, now_ns: int) -> None:
        match command:
            case ControlRequest() | InverterSetpoint() | ShedRequest() | FanRequest():
                self._link.request(command, now_ns)
            case PersistLatch():
                self._persist(command)
            case DischargeLimitRequest() | RelayRequest() | SolarPermitRequest():
                self._slow_request(command)

    def _send_due(self, now_ns: int) -> None:
        for arbitration_id, data in self._link.frames_due(now_ns):
            try:
                self._bus.send(arbitration_id, data)
            except BusError:
                # A frame that the bus does not take is a heartbeat missed: the controller acts on that by
                # itself. Counted, shown; the next period tries again.
                self.send_failures += 1


def _drain(queue: deque[Item]) -> list[Item]:
    taken: list[Item] = []
    while queue:
        taken.append(queue.popleft())
    return taken
