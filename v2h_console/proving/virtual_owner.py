"""The console's side of the bus in virtual time: what one life of the owner has heard, when it steps, what it asks for.

One object is one life of the process; a restart is a new one.
"""

from __future__ import annotations

from collections.abc import Callable

from v2h_console.core.commands import Command
from v2h_console.core.observation import CoreOrder, LatchReceipt, Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step
from v2h_console.runtime.urgency import matters, tick_of, turn_of
from v2h_console.twin.physics.streams import uniform
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.devices import Reading

MS = 1_000_000
#: Lateness of a step after the frame that asked for it, as deciles of `bench transfer` beside a busy screen (ns).
LATENESS_NS = (
    100_000,
    300_000,
    600_000,
    900_000,
    1_200_000,
    1_500_000,
    1_800_000,
    2_300_000,
    3_000_000,
    5_300_000,
)
#: The slow lane hands over what it has read this often, on a raster that no whole second falls on.
POLL_NS = 300 * MS
POLL_PHASE_NS = 137 * MS
HEALTH_NS = 200 * MS

StepFunction = Callable[[Settings, State, Observation, int], Step]


class VirtualOwner:
    """``link`` hears and speaks, ``state`` is what the core knows. Everything here may be remembered and put back."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        found: LatchReceipt,
        now_ns: int,
        *,
        seed: int,
        step_function: StepFunction,
    ) -> None:
        self.settings = settings
        self.state = state
        self.link = LogicControllerLink("Controller", "virtual")
        #: What was heard on the bus, with the instant at which it arrived, and what the slow lane brought.
        self.heard: list[tuple[int, Reading]] = []
        self.polled: list[Reading] = []
        self.orders: list[CoreOrder] = []
        self.receipts = [found]
        #: What the last step asked for.
        self.commands: tuple[Command, ...] = ()
        self.poll_ns = now_ns + (POLL_PHASE_NS - now_ns) % POLL_NS
        self.deadline_ns: int | None = None
        self.step_at_ns = now_ns
        self._seed = seed
        self._step = step_function
        self._stalled_until_ns = 0
        self._sequence = 0
        self._health_ns = now_ns

    # ------------------------------------------------------------ what comes in

    def hear(self, arbitration_id: int, data: bytes, at_ns: int) -> None:
        """A frame that arrives at ``at_ns``, soon: what it says waits for the step that comes after."""
        reading = self.link.receive(arbitration_id, data, at_ns)
        if reading is None:
            return
        self.heard.append((at_ns, reading))
        if matters(reading, self.state):
            self.step_soon(at_ns)

    def step_soon(self, at_ns: int) -> None:
        """Step as soon after ``at_ns`` as a busy machine does."""
        turn_ns = turn_of(self.state)
        if turn_ns:
            # Nobody reads it before.
            at_ns += -at_ns % turn_ns
        drawn = uniform(self._seed, "lateness", at_ns, (0.0, float(len(LATENESS_NS))))
        lateness_ns = LATENESS_NS[min(len(LATENESS_NS) - 1, int(drawn))]
        self.step_at_ns = min(self.step_at_ns, max(at_ns + lateness_ns, self._stalled_until_ns))

    def stall(self, until_ns: int) -> None:
        """Nothing is done before ``until_ns``."""
        self._stalled_until_ns = self.step_at_ns = until_ns

    def stalled(self, now_ns: int) -> bool:
        """Whether it is held up."""
        return now_ns < self._stalled_until_ns

    def speak_at_ns(self) -> int:
        """When the lane says again what was commanded last; it cannot while it is stalled."""
        return max(self._stalled_until_ns, self.link.wake_at_ns())

    # ------------------------------------------------------------ the core

    def observe(self, now_ns: int, *, everything: bool = False) -> Observation:
        """What has come in by ``now_ns``; ``everything``: what is on the wire, too."""
        heard = self.heard
        count = len(heard)
        if not everything:
            while count and heard[count - 1][0] > now_ns:
                count -= 1
        readings = [reading for _, reading in heard[:count]]
        del heard[:count]
        # Machines may be ahead of a step that somebody asked for in between.
        readings += [one for one in self.polled if one.at_ns <= now_ns]
        self.polled = [one for one in self.polled if one.at_ns > now_ns]
        if now_ns >= self._health_ns:
            self._health_ns = now_ns - now_ns % HEALTH_NS + HEALTH_NS
            readings.append(self.link.health(now_ns))
        self._sequence += 1
        return Observation(self._sequence, tuple(readings), tuple(self.orders), tuple(self.receipts))

    def step(self, observation: Observation, now_ns: int) -> Step:
        """What the core makes of it; nothing is taken for what is yet."""
        return self._step(self.settings, self.state, observation, now_ns)

    def follow(self, result: Step, now_ns: int) -> None:
        """Take a step's result as what is."""
        self.orders, self.receipts = [], []
        self.state, self.commands, self.deadline_ns = result.state, result.commands, result.deadline_ns
        tick_ns = tick_of(self.state)
        next_tick_ns = now_ns - now_ns % tick_ns + tick_ns
        wake_ns = min(next_tick_ns, max(now_ns + 1, result.wake_at_ns))
        self.step_at_ns = max(self._stalled_until_ns, wake_ns)
