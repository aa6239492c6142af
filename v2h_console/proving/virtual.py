"""One house, its logic controller, the driver's link and the core in virtual time: no threads, sockets or sleeps.

The frames are real bytes on both sides; only what carries them is a queue. Time passes from one instant at which
anything happens to the next: frames by their periods, steps with the lateness that a real lane shows. Whatever recurs
(ticks, polls, heartbeats) keeps to a raster of the clock, and every random number is named by what it is for.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from v2h_console.core import load_state
from v2h_console.core.commands import PersistLatch
from v2h_console.core.events import Event
from v2h_console.core.observation import CoreOrder, LatchReceipt, Observation, OrderKind
from v2h_console.core.settings import Settings
from v2h_console.core.state import IslandingState, Mode, State, boot
from v2h_console.core.step import Step, step
from v2h_console.core.transfer import Transfer
from v2h_console.proving import site_faults, slow_readings
from v2h_console.proving.can_faults import Tamper
from v2h_console.proving.modbus_lane import ModbusLane
from v2h_console.proving.second_master import SecondMaster
from v2h_console.proving.virtual_disk import VirtualDisk
from v2h_console.proving.virtual_owner import POLL_NS, StepFunction, VirtualOwner
from v2h_console.twin.faces import lc_frames
from v2h_console.twin.faces.logic_controller import LogicController
from v2h_console.twin.house import House
from v2h_console.twin.truth import Truth
from v2h_console.twin.vocabulary import OWNER_VERBS, SITE_FAULTS, Params
from v2h_console.twin.world import World
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import (
    DischargeLimitRequest,
    RelayRequest,
    SlowRequest,
    SolarPermitRequest,
)
from v2h_drivers.capabilities.slow_readings import WallClock

MS = 1_000_000
S = 1_000_000_000

#: Time on the wire and through both kernels.
BUS_NS = 300_000
#: The raster of CMD.
COMMAND_NS = 20 * MS
#: A polled device that is read off the house takes a request after this.
REQUEST_NS = 60 * MS
#: Time is lived through for so long after a discontinuity.
FINE_AFTER_NS = 150 * MS
#: Truth that tells of slow drifts, of bookkeeping, and of what a polled device's wire carried: no discontinuity.
CALM_TRUTHS = frozenset(
    (
        "fault.injected",
        "fault.cleared",
        "solar.available",
        "inverter.limit",
        "latch.written",
        "modbus.tampered",
        "modbus.refused",
        "modbus.believed",
        "modbus.wrote",
    )
)
ORDER_LIFE_NS = 2 * S
#: A Wednesday; every run's wall clock begins on it.
FIRST_DAY = 739_945
DAY_S = 86_400

_ORDERS = {
    "operator.open_mid": OrderKind.OPEN_MID,
    "operator.island": OrderKind.ISLAND,
    "operator.close_mid": OrderKind.CLOSE_MID,
    "operator.reset_lockout": OrderKind.RESET_LOCKOUT,
    "operator.set_discharge_limit": OrderKind.SET_DISCHARGE_LIMIT,
}


@dataclass(slots=True)
class Run:
    """What a run leaves behind. ``observations`` only where they are recorded."""

    truths: list[Truth] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    observations: list[tuple[int, Observation]] = field(default_factory=list)
    steps: int = 0
    modes: list[tuple[int, Mode]] = field(default_factory=list)


class VirtualSite:
    """A site that lives by itself until told otherwise. ``advance`` moves it; ``world`` and ``state`` may be read."""

    def __init__(
        self,
        settings: Settings,
        house: House,
        *,
        seed: int = 0,
        booting: bool = True,
        local_hour: float = 12.0,
        record: bool = False,
        modbus_links: frozenset[str] = frozenset(),
        step_function: StepFunction = step,
        witness: Callable[[Truth], None] | None = None,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.world = World(house, seed, start_ns=0, boot=booting)
        self._witness = witness
        #: The polled devices' real machines, where their bytes are what matters; else they are read off the house.
        self.modbus = ModbusLane(self.world, modbus_links) if modbus_links else None
        #: What the machines told before its time.
        self.told_ahead: deque[Truth] = deque()
        #: Moves the site over quiet time, to the given instant at most; False: it has to be lived through.
        self.pass_over: Callable[[int], bool] | None = None
        #: Called after every instant that was lived through.
        self.after: Callable[[], None] | None = None
        self.disk = VirtualDisk(seed)
        self.run = Run()
        self.to_console: Tamper | None = None
        self.to_controller: Tamper | None = None
        self.polling = True
        #: The wall clock's local seconds at the run's beginning, and by how much it has stepped since.
        self._wall_s = FIRST_DAY * DAY_S + local_hour * 3_600.0
        self.stepped_s = 0.0
        #: Every single frame counts, whatever happens.
        self.every_frame = False
        self._record = record
        self._step_function = step_function
        nonce = 1 + seed % 60_000
        self.second_master = SecondMaster(nonce)
        self.controller = LogicController(self.world, nonce, running=not booting)
        self._queue: list[tuple[int, int, int, bytes | LatchReceipt | SlowRequest]] = []
        self._serial = 0
        #: Until then something goes on that has to be lived through.
        self.fine_until_ns = FINE_AFTER_NS
        #: Something reached the controller since it last looked around.
        self._touched = True
        self.owner_runs = True
        self.owner = self._begin_owner(settled=not booting)
        if not booting:
            self._catch_up()
        self.world.witness = self.witnessed

    @property
    def state(self) -> State:
        """What the core knows, or knew last."""
        return self.owner.state

    # ------------------------------------------------------------ the owner's life

    def _begin_owner(self, *, settled: bool) -> VirtualOwner:
        now_ns = self.world.now_ns
        state = boot(self.settings, now_ns)
        if settled:
            state = _settled(self.settings, state, now_ns)
        owner = VirtualOwner(
            self.settings,
            state,
            self.disk.found(now_ns),
            now_ns,
            seed=self.seed,
            step_function=self._step_function,
        )
        self.run.modes.append((now_ns, state.islanding.mode))
        self.owner_runs = True
        if self.modbus is not None:
            self.modbus.begin()
        if self.disk.failing:
            owner.polled.append(self.disk.state(now_ns))
        return owner

    def _catch_up(self) -> None:
        """One frame of each kind, as the stream before the beginning would have left them."""
        now_ns = self.world.now_ns
        for arbitration_id, data in self.controller.frames_due(now_ns + 10 * MS):
            reading = self.owner.link.receive(arbitration_id, data, now_ns)
            if reading is not None:
                self.owner.heard.append((now_ns, reading))
        self.owner.polled.extend([*slow_readings.poll(self.world, now_ns), self.wall_clock(now_ns)])
        self._take_step(now_ns)

    def kill_owner(self) -> None:
        """The console's process ends without a word."""
        self.owner_runs = False
        # Nothing that its machines would have done after now has happened.
        self.told_ahead.clear()
        if self.modbus is not None:
            self.modbus.end()
        self.disturbed()

    def start_owner(self) -> None:
        """It is started again: from the latch file, with every timer at zero."""
        self.world.tell("owner.started")
        self.owner = self._begin_owner(settled=False)
        self.disturbed()

    def order(self, name: str, params: Params) -> None:
        """An operator's order, checked and confirmed already."""
        now_ns = self.world.now_ns
        kw = params.get("kw", 0.0)
        value_w = 1000.0 * float(kw) if isinstance(kw, float | int) else 0.0
        self.world.tell("order.given", order=name)
        self.owner.orders.append(
            CoreOrder(_ORDERS[name], f"{name}@{now_ns}", now_ns + ORDER_LIFE_NS, "", value_w)
        )
        self.owner.step_soon(now_ns)
        self.disturbed()

    def do(self, name: str, params: Params) -> None:
        """One line of a scenario, now."""
        fault = str(params.get("fault", ""))
        if name == "owner.restart":
            self.kill_owner()
            self.start_owner()
        elif fault in SITE_FAULTS:
            site_faults.put(self, fault, params, begins=name == "fault.inject")
            self.disturbed()
        elif name in OWNER_VERBS:
            self.order(name, params)
        else:
            self.world.do(name, params)
            self.disturbed()

    # ------------------------------------------------------------ time

    def advance(self, to_ns: int, *, until_mode: frozenset[str] = frozenset()) -> None:
        """Live until ``to_ns``, or until the core enters one of these modes."""
        changes = len(self.run.modes)
        while self.world.now_ns < to_ns:
            passed = self.pass_over is not None and self.pass_over(to_ns)
            # Passing over ends before what falls on its last instant; what is done to the house there comes after that.
            if not passed or self.world.now_ns == to_ns:
                self._live_fine(to_ns)
            if self.after is not None:
                self.after()
            if until_mode and len(self.run.modes) > changes:
                changes = len(self.run.modes)
                if self.run.modes[-1][1].value in until_mode:
                    return

    def disturbed(self) -> None:
        """Something is no longer as it was: what follows has to be lived through for a while."""
        self._touched = True
        self.fine_until_ns = max(self.fine_until_ns, self.world.now_ns + FINE_AFTER_NS)

    def witnessed(self, truth: Truth) -> None:
        """The house tells what has happened in it."""
        self.run.truths.append(truth)
        if self._witness is not None:
            self._witness(truth)
        if truth.truth not in CALM_TRUTHS:
            self.disturbed()

    def tell_ahead(self, now_ns: int) -> None:
        """Tell what the machines told before its time, as far as it has come."""
        while self.told_ahead and self.told_ahead[0].at_ns <= now_ns:
            self.witnessed(self.told_ahead.popleft())

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to anybody."""
        return not self._queue

    def _live_fine(self, to_ns: int) -> None:
        """To the next instant at which anything happens, and everything that happens then."""
        world, controller, owner, foreign = self.world, self.controller, self.owner, self.second_master
        wake_ns = controller.wake_at_ns()
        due_ns = min(to_ns, wake_ns, world.next_event_ns())
        if self._queue:
            due_ns = min(due_ns, self._queue[0][0])
        if foreign.at_ns is not None:
            due_ns = min(due_ns, foreign.at_ns)
        if self.told_ahead:
            due_ns = min(due_ns, self.told_ahead[0].at_ns)
        if self.owner_runs:
            due_ns = min(due_ns, owner.step_at_ns, owner.poll_ns, owner.speak_at_ns())
            if self.modbus is not None:
                due_ns = min(due_ns, self.modbus.next_ns())
        now_ns = max(world.now_ns, due_ns)
        lived = world.agenda.taken
        world.advance(now_ns)
        self.tell_ahead(now_ns)
        while self._queue and self._queue[0][0] <= now_ns:
            _, _, arbitration_id, what = heapq.heappop(self._queue)
            self._arrive(arbitration_id, what, now_ns)
        if foreign.at_ns is not None and foreign.at_ns <= now_ns:
            self.hear(lc_frames.CMD, foreign.frame(), now_ns)
            self._deliver_to_controller(lc_frames.CMD, foreign.frame(), now_ns)
            foreign.spoke(now_ns)
        if self.owner_runs:
            self._live_owner(now_ns)
        # The controller has something to do only when its time has come or something has moved.
        moved = world.agenda.taken != lived or self._touched
        if moved or wake_ns <= now_ns:
            self._touched = False
            for arbitration_id, data in controller.frames_due(now_ns, moved=moved):
                self.hear(arbitration_id, data, now_ns + BUS_NS)
        self.collect()

    def _live_owner(self, now_ns: int) -> None:
        owner = self.owner
        if owner.poll_ns <= now_ns:
            owner.poll_ns += POLL_NS
            owner.polled.extend(self.poll(now_ns))
            owner.polled.append(self.wall_clock(now_ns))
        if self.modbus is not None:
            owner.polled.extend(self.modbus.live_until(now_ns))
        if owner.step_at_ns <= now_ns:
            self._take_step(now_ns)
        elif owner.speak_at_ns() <= now_ns:
            self._say_again(now_ns)

    def poll(self, at_ns: int) -> list[Reading]:
        """What is read off the house: everything that has no bytes of its own."""
        if not self.polling:
            return []
        readings, modbus = slow_readings.poll(self.world, at_ns), self.modbus
        return readings if modbus is None else [one for one in readings if not modbus.has_bytes(one)]

    def wall_clock(self, at_ns: int) -> WallClock:
        """The site's clock, with whatever step it has made."""
        local_s = int(self._wall_s + self.stepped_s + at_ns / S)
        return WallClock(at_ns, Quality.GOOD, local_s // DAY_S, local_s % DAY_S, True)

    def collect(self) -> None:
        """What the controller has to tell."""
        for truth in self.controller.drain_truth():
            self.run.truths.append(truth)
            if self._witness is not None:
                self._witness(truth)
            self.disturbed()
        self.world.drain_truth()

    # ------------------------------------------------------------ what travels

    def _push(self, at_ns: int, arbitration_id: int, what: bytes | LatchReceipt | SlowRequest) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (at_ns, self._serial, arbitration_id, what))

    def _arrive(self, arbitration_id: int, what: bytes | LatchReceipt | SlowRequest, now_ns: int) -> None:
        match what:
            case bytes():
                self._deliver_to_controller(arbitration_id, what, now_ns)
            case LatchReceipt():
                self.world.tell("latch.written", locked=what.locked, held=what.kept.held_open)
                self.owner.receipts.append(what)
            case _ if self.modbus is not None and self.modbus.submit(what):
                pass  # a device has taken it, and says what became of it
            case DischargeLimitRequest():
                self.world.set_discharge_limit(what.power_w)
            case SolarPermitRequest():
                self.world.set_solar_permit(what.permitted)
            case RelayRequest():
                self.world.set_relay(what.circuit, what.closed)

    def _deliver_to_controller(self, arbitration_id: int, data: bytes, now_ns: int) -> None:
        tampered = data if self.to_controller is None else self.to_controller(arbitration_id, data, now_ns)
        if tampered is not None:
            self._touched = True
            self.controller.receive(arbitration_id, tampered, now_ns)

    def hear(self, arbitration_id: int, data: bytes, at_ns: int) -> None:
        """A frame that reaches the console at ``at_ns``, soon, if anything does."""
        if not self.owner_runs:
            return
        tampered = data if self.to_console is None else self.to_console(arbitration_id, data, at_ns)
        if tampered is not None:
            self.owner.hear(arbitration_id, tampered, at_ns)

    # ------------------------------------------------------------ the core

    def _take_step(self, now_ns: int) -> None:
        observation = self.owner.observe(now_ns)
        self.follow(observation, self.owner.step(observation, now_ns), now_ns)

    def follow(
        self, observation: Observation, result: Step, now_ns: int, *, passed_over: bool = False
    ) -> None:
        """Take a step's result as what is, and carry out what it commands; ``passed_over``: it has all been said."""
        owner, before = self.owner, self.owner.state
        if self._record:
            self.run.observations.append((now_ns, observation))
        if result.commands != owner.commands:
            # What is new may wait for its frame's period: a hop would take it for said.
            self.disturbed()
        owner.follow(result, now_ns)
        self.run.steps += 1
        self.run.events.extend(result.events)
        if result.state.last_transfer is not before.last_transfer and result.state.last_transfer is not None:
            self.run.transfers.append(result.state.last_transfer)
        if result.state.islanding.mode is not before.islanding.mode:
            self.run.modes.append((now_ns, result.state.islanding.mode))
            self.disturbed()
        for command in result.commands:
            match command:
                case PersistLatch():
                    self.persist(command, now_ns)
                case DischargeLimitRequest() | RelayRequest() | SolarPermitRequest():
                    self._push(now_ns + REQUEST_NS, 0, command)
                case _:
                    owner.link.request(command, now_ns)
        heard: tuple[int, int] | None = None
        for arbitration_id, data in owner.link.frames_due(now_ns):
            if not passed_over:
                self._push(now_ns + BUS_NS, arbitration_id, data)
            elif arbitration_id == lc_frames.CMD:
                heard = (now_ns - now_ns % COMMAND_NS + BUS_NS, data[6])
        if passed_over:
            self.controller.pass_over(now_ns, heard)

    def _say_again(self, now_ns: int) -> None:
        for arbitration_id, data in self.owner.link.frames_due(now_ns):
            self._push(now_ns + BUS_NS, arbitration_id, data)
        if self.owner.link.wake_at_ns() <= now_ns:
            # Something that the link does not say without being asked anew.
            self.owner.step_at_ns = now_ns
            self._take_step(now_ns)

    def persist(self, command: PersistLatch, now_ns: int) -> None:
        """Give the record to the disk; its receipt comes once that has it."""
        written = self.disk.write(command, now_ns)
        if written is not None:
            self._push(written[0], 0, written[1])


def _settled(settings: Settings, state: State, now_ns: int) -> State:
    """A core that has long been tied: what a scenario starts with."""
    return replace(
        state, loads=load_state.initial(settings), islanding=IslandingState(mode=Mode.TIED, since_ns=now_ns)
    )
