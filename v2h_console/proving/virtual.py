"""One house, its logic controller, the driver's link and the core in virtual time: no threads, sockets or sleeps.

The frames are real bytes on both sides; only what carries them is a queue. Around every discontinuity time passes
exactly as it would: frames by their periods, steps with the lateness that a real lane shows. While nothing moves and
no deadline is near, a hop looks ahead: the newest frame of each kind before its end, and one step. Only when that step
would have asked for nothing new does the hop hold; otherwise it is taken back and the time is lived through. Whatever
recurs (ticks, polls, heartbeats) keeps to a raster of the clock, and every random number is named by what it is for,
so that hops change neither what happens nor when.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from v2h_console.core import load_state, thermal
from v2h_console.core.commands import Command, PersistLatch
from v2h_console.core.events import Event
from v2h_console.core.observation import CoreOrder, Kept, LatchReceipt, Observation, OrderKind
from v2h_console.core.settings import Settings
from v2h_console.core.state import IslandingState, Mode, State, boot
from v2h_console.core.step import Step, step
from v2h_console.core.storage import LATCH
from v2h_console.core.transfer import Transfer
from v2h_console.proving import can_faults, modbus_faults, slow_readings, torn_latch
from v2h_console.proving.can_faults import Tamper
from v2h_console.proving.memory import Memory
from v2h_console.proving.modbus_lane import ModbusLane
from v2h_console.runtime.urgency import TICK_NS, matters, tick_of, turn_of
from v2h_console.twin.faces import lc_frames
from v2h_console.twin.faces.logic_controller import SLOW_NOISE_NS, LogicController
from v2h_console.twin.house import House
from v2h_console.twin.physics.streams import uniform
from v2h_console.twin.scenario import OWNER_VERBS, SITE_FAULTS, Params
from v2h_console.twin.truth import Truth
from v2h_console.twin.world import World
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities import (
    DischargeLimitRequest,
    Quality,
    Reading,
    RelayRequest,
    SlowRequest,
    SolarPermitRequest,
    StorageState,
    Temperatures,
    WallClock,
)

MS = 1_000_000
S = 1_000_000_000

#: Time on the wire and through both kernels.
BUS_NS = 300_000
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
#: The raster of CMD.
COMMAND_NS = 20 * MS
#: fsync of one small file, least and most.
FSYNC_MS = (2.0, 12.0)
#: A polled device is asked this often; it takes a request after ``REQUEST_NS``.
VOICE_NS = 20 * MS
POLL_NS = 300 * MS
REQUEST_NS = 60 * MS
#: Polls keep to a raster that no whole second falls on.
POLL_PHASE_NS = 137 * MS
HEALTH_NS = 200 * MS
#: Time passes finely for so long after a discontinuity, and before a deadline.
FINE_AFTER_NS = 150 * MS
FINE_BEFORE_NS = 20 * MS
#: Three frames of the slowest kind (1 s): a repeated one counts, and a hop would not hear it.
REPEATS_NS = 3_500 * MS
#: The longest hop while nothing happens, and the shortest that is worth its look ahead.
QUIET_HOP_NS = 1 * S
LEAST_HOP_NS = 40 * MS
FROM_CONSOLE = frozenset((lc_frames.CMD, lc_frames.INV_SET, lc_frames.SHED, lc_frames.FAN))
SETTLED_MODES = (Mode.TIED, Mode.ISLANDED, Mode.DARK, Mode.FAULT_OPEN)
#: A voltage as near as this to a threshold crosses it with its noise (6 standard deviations).
NOISE_REACH_PU = 0.0025
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
#: A Wednesday; every run's wall clock begins on it, and steps by an hour where nothing else is said.
FIRST_DAY = 739_945
DAY_S = 86_400
STEP_S = 3_600.0
#: How long an overrun stalls the owner where nothing else is said.
STALL_S = 0.5

_ORDERS = {
    "operator.open_mid": OrderKind.OPEN_MID,
    "operator.island": OrderKind.ISLAND,
    "operator.close_mid": OrderKind.CLOSE_MID,
    "operator.reset_lockout": OrderKind.RESET_LOCKOUT,
    "operator.set_discharge_limit": OrderKind.SET_DISCHARGE_LIMIT,
}

StepFunction = Callable[[Settings, State, Observation, int], Step]


@dataclass(frozen=True, slots=True)
class _Voice:
    """The next command of a second master, and its counter."""

    counter: int


@dataclass(slots=True)
class Storage:
    """The latch file's stand-in. ``failing``: nothing is written, no receipt comes; the newest ``unwritten`` waits."""

    sequence: int = 0
    locked: bool = True
    kept: Kept = Kept()
    failing: bool = False
    unwritten: PersistLatch | None = None
    #: The record before the newest; how the newest was torn, "": it is whole.
    older: PersistLatch = PersistLatch(0, True, "start")
    torn: str = ""
    #: When the newest record is down: from then on no cut of the power brings the older one back.
    durable_at_ns: int = 0


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
        fixed: bool = False,
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
        self._ahead: deque[Truth] = deque()
        #: Called after every instant that was lived through.
        self.after: Callable[[], None] | None = None
        self.storage = Storage()
        self.run = Run()
        self.to_console: Tamper | None = None
        self.to_controller: Tamper | None = None
        self.polling = True
        #: The wall clock's local seconds at the run's beginning, and by how much it has stepped since.
        self._wall_s = FIRST_DAY * DAY_S + local_hour * 3_600.0
        self._stepped_s = 0.0
        self._foreign = False
        self._every_frame = False
        self._fixed = fixed
        self._record = record
        self._step = step_function
        self._nonce = 1 + seed % 60_000
        self.controller = LogicController(self.world, self._nonce, running=not booting)
        self._queue: list[tuple[int, int, int, bytes | LatchReceipt | SlowRequest | _Voice]] = []
        self._serial = 0
        self._fine_until_ns = FINE_AFTER_NS
        self._hop_ns = QUIET_HOP_NS
        #: Something reached the controller since it last looked around.
        self._touched = True
        self._thresholds_pu = _thresholds_pu(settings)
        self.owner_runs = True
        self._begin_owner(settled=not booting)
        self.world.witness = self._witnessed

    # ------------------------------------------------------------ the owner's life

    def _begin_owner(self, *, settled: bool) -> None:
        now_ns = self.world.now_ns
        self.link = LogicControllerLink("Controller", "virtual")
        self.state = boot(self.settings, now_ns)
        if settled:
            self.state = _settled(self.settings, self.state, now_ns)
        self.run.modes.append((now_ns, self.state.islanding.mode))
        #: What was heard on the bus, with the instant at which it arrived, and what the slow lane brought.
        self._heard: list[tuple[int, Reading]] = []
        self._polled: list[Reading] = []
        self._commands: tuple[Command, ...] = ()
        self._orders: list[CoreOrder] = []
        self._receipts = [self._found_on_disk()]
        self.storage.unwritten = None
        self._poll_ns = now_ns + (POLL_PHASE_NS - now_ns) % POLL_NS
        self._stalled_until_ns = 0
        self._sequence = 0
        self._deadline_ns: int | None = None
        self._step_at_ns = now_ns
        self._health_ns = now_ns
        self.owner_runs = True
        if self.modbus is not None:
            self.modbus.begin()
        if self.storage.failing:
            self._polled.append(self._storage_state(now_ns))
        if settled:
            # One frame of each kind, as the stream before the beginning would have left them.
            for arbitration_id, data in self.controller.frames_due(now_ns + 10 * MS):
                reading = self.link.receive(arbitration_id, data, now_ns)
                if reading is not None:
                    self._heard.append((now_ns, reading))
            self._polled.extend([*slow_readings.poll(self.world, now_ns), self._wall_clock(now_ns)])
            self._take_step(now_ns)

    def _found_on_disk(self) -> LatchReceipt:
        storage = self.storage
        if not storage.torn or (storage.torn == "older" and self.world.now_ns >= storage.durable_at_ns):
            return LatchReceipt(storage.sequence, storage.locked, storage.kept)
        record = PersistLatch(storage.sequence, storage.locked, "torn", storage.kept)
        return torn_latch.found(record, storage.older, storage.torn, self.seed)

    def kill_owner(self) -> None:
        """The console's process ends without a word."""
        self.owner_runs = False
        # Nothing that its machines would have done after now has happened.
        self._ahead.clear()
        if self.modbus is not None:
            self.modbus.end()
        self._disturbed()

    def start_owner(self) -> None:
        """It is started again: from the latch file, with every timer at zero."""
        self.world.tell("owner.started")
        self._begin_owner(settled=False)
        self._disturbed()

    def order(self, name: str, params: Params) -> None:
        """An operator's order, checked and confirmed already."""
        kw = params.get("kw", 0.0)
        value_w = 1000.0 * float(kw) if isinstance(kw, float | int) else 0.0
        nonce = f"{name}@{self.world.now_ns}"
        self.world.tell("order.given", order=name)
        self._orders.append(CoreOrder(_ORDERS[name], nonce, self.world.now_ns + ORDER_LIFE_NS, "", value_w))
        self._step_soon(self.world.now_ns)
        self._disturbed()

    def do(self, name: str, params: Params) -> None:
        """One line of a scenario, now."""
        fault = str(params.get("fault", ""))
        if name == "owner.restart":
            self.kill_owner()
            self.start_owner()
        elif fault in SITE_FAULTS:
            self._site_fault(fault, params, begins=name == "fault.inject")
        elif name in OWNER_VERBS:
            self.order(name, params)
        else:
            self.world.do(name, params)
            self._disturbed()

    def _site_fault(self, fault: str, params: Params, *, begins: bool) -> None:
        """What happens around the house: on its bus, in its storage, in the owner's own process."""
        told: Params = {name: params[name] for name in ("how", "frame") if begins and name in params}
        self.world.tell("fault.injected" if begins else "fault.cleared", at_ns=None, fault=fault, **told)
        match fault:
            case "can.bus_off":
                self.to_console = self.to_controller = _lose if begins else None
            case "can.frames_lost":
                self.to_console = can_faults.lost(params, self.seed) if begins else None
                self._every_frame = begins and params.get("how") in can_faults.BY_CHANCE
            case "lc.frozen":
                self.to_console = can_faults.frozen(params) if begins else None
                if begins:
                    self._fine_until_ns = self.world.now_ns + REPEATS_NS
            case _ if fault in modbus_faults.FAULTS:
                if fault == "modbus.timeout":
                    self.polling = not begins
                if self.modbus is not None:
                    modbus_faults.put(self.modbus, self.world, fault, params if begins else None)
            case "control.second_master":
                self._foreign = begins
                if begins:
                    # Far from the owner's own: hops do not count what it says in them, and a voice that happened to
                    # count along with it would be its echo.
                    counter = (self.link.counters()["CMD"] + 100) & 0xFF
                    self._push(self.world.now_ns + VOICE_NS, 0, _Voice(counter))
            case "clock.steps":
                self._stepped_s = float(params.get("by_s", STEP_S)) if begins else 0.0
            case "storage.torn_write":
                self.storage.torn = str(params.get("how", "truncated")) if begins else ""
            case "storage.full":
                self.storage.failing = begins
                self._polled.append(self._storage_state(self.world.now_ns))
                if not begins and self.storage.unwritten is not None:
                    self._persist(self.storage.unwritten, self.world.now_ns)
            case "control.tick_overrun" if begins:
                stall_s = params.get("for_s", STALL_S)
                self._stalled_until_ns = self.world.now_ns + int(float(stall_s) * S)
                self._step_at_ns = self._stalled_until_ns
        self._disturbed()

    # ------------------------------------------------------------ time

    def advance(self, to_ns: int, *, until_mode: frozenset[str] = frozenset()) -> None:
        """Live until ``to_ns``, or until the core enters one of these modes."""
        changes = len(self.run.modes)
        while self.world.now_ns < to_ns:
            hopped = self._may_hop() and self._hop(to_ns)
            # A hop ends before what falls on its last instant; what is done to the house there comes after that.
            if not hopped or self.world.now_ns == to_ns:
                self._live_fine(to_ns)
            if self.after is not None:
                self.after()
            if until_mode and len(self.run.modes) > changes:
                changes = len(self.run.modes)
                if self.run.modes[-1][1].value in until_mode:
                    return

    def _may_hop(self) -> bool:
        now_ns = self.world.now_ns
        if self._fixed or self._every_frame or now_ns < self._fine_until_ns:
            return False
        if self._queue and not self._only_voices():
            return False
        if not self.owner_runs:
            return True
        if self.modbus is not None and self.modbus.writing:
            return False
        return (
            self.state.islanding.mode in SETTLED_MODES
            and self._step_at_ns >= now_ns - now_ns % TICK_NS + TICK_NS
        )

    def _only_voices(self) -> bool:
        """Whether nothing is on its way but a second master's next command, which the core knows for what it is."""
        known = self.owner_runs and bool(self.state.parallel.second_master)
        return known and len(self._queue) == 1 and isinstance(self._queue[0][3], _Voice)

    def _disturbed(self) -> None:
        self._touched = True
        self._fine_until_ns = max(self._fine_until_ns, self.world.now_ns + FINE_AFTER_NS)

    def _witnessed(self, truth: Truth) -> None:
        self.run.truths.append(truth)
        if self._witness is not None:
            self._witness(truth)
        if truth.truth not in CALM_TRUTHS:
            self._disturbed()

    def _live_fine(self, to_ns: int) -> None:
        """To the next instant at which anything happens, and everything that happens then."""
        world, controller = self.world, self.controller
        wake_ns = controller.wake_at_ns()
        due_ns = min(to_ns, wake_ns, world.next_event_ns())
        if self._queue:
            due_ns = min(due_ns, self._queue[0][0])
        if self._ahead:
            due_ns = min(due_ns, self._ahead[0].at_ns)
        if self.owner_runs:
            due_ns = min(due_ns, self._step_at_ns, self._poll_ns, self._speak_at_ns())
            if self.modbus is not None:
                due_ns = min(due_ns, self.modbus.next_ns())
        now_ns = max(world.now_ns, due_ns)
        lived = world.agenda.taken
        world.advance(now_ns)
        self._tell_ahead(now_ns)
        while self._queue and self._queue[0][0] <= now_ns:
            _, _, arbitration_id, what = heapq.heappop(self._queue)
            self._arrive(arbitration_id, what, now_ns)
        if self.owner_runs:
            if self._poll_ns <= now_ns:
                self._poll_ns += POLL_NS
                if self.polling:
                    self._polled.extend(self._poll(now_ns))
                self._polled.append(self._wall_clock(now_ns))
            if self.modbus is not None:
                self._polled.extend(self.modbus.live_until(now_ns))
            if self._step_at_ns <= now_ns:
                self._take_step(now_ns)
            elif self._speak_at_ns() <= now_ns:
                self._say_again(now_ns)
        # The controller has something to do only when its time has come or something has moved.
        moved = world.agenda.taken != lived or self._touched
        if moved or wake_ns <= now_ns:
            self._touched = False
            for arbitration_id, data in controller.frames_due(now_ns, moved=moved):
                self._hear(arbitration_id, data, now_ns + BUS_NS)
        self._collect()

    def _poll(self, at_ns: int) -> list[Reading]:
        """What is read off the house: everything that has no bytes of its own."""
        readings, modbus = slow_readings.poll(self.world, at_ns), self.modbus
        return readings if modbus is None else [one for one in readings if not modbus.has_bytes(one)]

    def _hop(self, to_ns: int) -> bool:
        """Pass over time in which nothing happens; False when something would, or the way is too short."""
        world, now_ns = self.world, self.world.now_ns
        slot_ns = now_ns - now_ns % SLOW_NOISE_NS + SLOW_NOISE_NS
        end_ns = min(to_ns, world.next_event_ns(), now_ns + self._hop_ns, slot_ns)
        if not self.owner_runs:
            end_ns -= end_ns % TICK_NS
            if end_ns - now_ns < LEAST_HOP_NS:
                return False
            world.look_at(end_ns)
            self.controller.pass_over(end_ns)
            return True
        if self.modbus is not None:
            # Machines cannot be taken back: they live on as far as the next step, before which nothing is decided.
            end_ns = min(end_ns, max(self._step_at_ns, self.modbus.next_ns() - 1))
        if self._deadline_ns is not None:
            end_ns = min(end_ns, self._deadline_ns - FINE_BEFORE_NS)
        end_ns -= end_ns % TICK_NS
        least_ns = LEAST_HOP_NS if self.modbus is None else LEAST_HOP_NS // 2
        if end_ns - now_ns < least_ns or self._noise_decides(now_ns):
            return False
        if self.modbus is not None and not self._machines_live(self.modbus, end_ns):
            return False
        if not self._look_ahead(end_ns):
            self._hop_ns = (end_ns - now_ns) // 2
            if self._hop_ns < LEAST_HOP_NS:
                self._fine_until_ns = end_ns + TICK_NS
                self._hop_ns = QUIET_HOP_NS
            return False
        self._hop_ns = QUIET_HOP_NS
        self._tell_ahead(end_ns)
        self._collect()
        return True

    def _machines_live(self, modbus: ModbusLane, end_ns: int) -> bool:
        """The polled devices' machines until ``end_ns``, in a house in which nothing changes; False as soon as one of
        them is about to change something. What they tell is told when its time has come, whichever way one gets there.
        """
        world, now_ns = self.world, self.world.now_ns
        world.witness = self._ahead.append
        while not modbus.writing and (due_ns := modbus.next_ns()) <= end_ns:
            world.look_at(due_ns)
            self._polled.extend(modbus.live_until(due_ns))
        world.witness = self._witnessed
        world.look_at(now_ns)
        return not modbus.writing

    def _tell_ahead(self, now_ns: int) -> None:
        while self._ahead and self._ahead[0].at_ns <= now_ns:
            self._witnessed(self._ahead.popleft())

    def _look_ahead(self, end_ns: int) -> bool:
        """Hear what will have been heard by ``end_ns`` and step; all of it taken back when that asks for anything new."""
        world, now_ns = self.world, self.world.now_ns
        memory = Memory(self.link)
        heard, polled, poll_ns, health_ns = self._heard.copy(), self._polled, self._poll_ns, self._health_ns
        for due_ns, arbitration_id, data in self.controller.newest_before(end_ns):
            self._hear(arbitration_id, data, due_ns + BUS_NS)
        turns = any(
            isinstance(one, Temperatures) and thermal.turns(self.settings.thermal, self.state.thermal, one)
            for _, one in self._heard
        )
        voice = self._newest_voice(end_ns)
        if self._poll_ns <= end_ns:
            self._poll_ns += (end_ns - self._poll_ns) // POLL_NS * POLL_NS
            self._polled = [*polled, self._wall_clock(self._poll_ns)]
            if self.polling:
                world.look_at(self._poll_ns)
                self._polled = [*polled, *self._poll(self._poll_ns), self._polled[-1]]
            self._poll_ns += POLL_NS
        observation = self._observe(end_ns, everything=True)
        result = self._step(self.settings, self.state, observation, end_ns)
        if (
            turns
            or result.events
            or result.commands != self._commands
            or result.state.islanding.mode is not self.state.islanding.mode
            or _begun(result.state) != _begun(self.state)
        ):
            memory.restore()
            self._heard, self._polled, self._poll_ns, self._health_ns = heard, polled, poll_ns, health_ns
            self._sequence -= 1
            world.look_at(now_ns)
            return False
        world.look_at(end_ns)
        # The controller goes on with whom it followed: the other one's counters are far from what it expects.
        followed = voice is not None and self.controller.follows((voice[1] - 1) & 0xFF)
        self._follow(observation, result, end_ns, passed_over=True)
        if voice is not None:
            self._queue.clear()
            self._push(voice[0] + VOICE_NS, 0, _Voice((voice[1] + 1) & 0xFF))
            if followed:
                self.controller.pass_over(end_ns, voice)
        return True

    def _newest_voice(self, end_ns: int) -> tuple[int, int] | None:
        """When a second master speaks last until ``end_ns``, and its counter: like the owner's own, it counts a hop once."""
        if not self._queue or self._queue[0][0] > end_ns:
            return None
        at_ns, _, _, voice = self._queue[0]
        assert isinstance(voice, _Voice)
        last_ns = at_ns + (end_ns - at_ns) // VOICE_NS * VOICE_NS
        self._hear(lc_frames.CMD, self._foreign_frame(voice), last_ns)
        return last_ns, voice.counter

    def _noise_decides(self, now_ns: int) -> bool:
        """Whether a voltage lies so near to a threshold that every single frame counts."""
        for node in self.world.nodes.values():
            level = abs(node.steady(now_ns))
            for threshold in self._thresholds_pu:
                if abs(level - threshold) < NOISE_REACH_PU:
                    return True
        return False

    def _collect(self) -> None:
        for truth in self.controller.drain_truth():
            self.run.truths.append(truth)
            if self._witness is not None:
                self._witness(truth)
            self._disturbed()
        self.world.drain_truth()

    # ------------------------------------------------------------ what travels

    def _push(
        self,
        at_ns: int,
        arbitration_id: int,
        what: bytes | LatchReceipt | SlowRequest | _Voice,
    ) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (at_ns, self._serial, arbitration_id, what))

    def _arrive(
        self,
        arbitration_id: int,
        what: bytes | LatchReceipt | SlowRequest | _Voice,
        now_ns: int,
    ) -> None:
        match what:
            case bytes():
                self._deliver_to_controller(arbitration_id, what, now_ns)
            case _Voice():
                self._speak_up(what, now_ns)
            case LatchReceipt():
                self.world.tell("latch.written", locked=what.locked, held=what.kept.held_open)
                self._receipts.append(what)
            case _ if self.modbus is not None and self.modbus.submit(what):
                pass  # a device has taken it, and says what became of it
            case DischargeLimitRequest():
                self.world.set_discharge_limit(what.power_w)
            case SolarPermitRequest():
                self.world.set_solar_permit(what.permitted)
            case RelayRequest():
                self.world.set_relay(what.circuit, what.closed)

    def _speak_up(self, voice: _Voice, now_ns: int) -> None:
        """Somebody else's owner commands the same controller: everyone on the bus hears it."""
        if not self._foreign:
            return
        frame = self._foreign_frame(voice)
        self._hear(lc_frames.CMD, frame, now_ns)
        self._deliver_to_controller(lc_frames.CMD, frame, now_ns)
        self._push(now_ns + VOICE_NS, 0, _Voice((voice.counter + 1) & 0xFF))

    def _foreign_frame(self, voice: _Voice) -> bytes:
        """Hold, gate on, with the nonce that it has heard like we have."""
        return lc_frames.frame(lc_frames.CMD, 1 << 2 | 1 << 8 | self._nonce << 24, voice.counter)

    def _deliver_to_controller(self, arbitration_id: int, data: bytes, now_ns: int) -> None:
        tampered = data if self.to_controller is None else self.to_controller(arbitration_id, data, now_ns)
        if tampered is not None:
            self._touched = True
            self.controller.receive(arbitration_id, tampered, now_ns)

    def _hear(self, arbitration_id: int, data: bytes, at_ns: int) -> None:
        """A frame that reaches the console at ``at_ns``, soon: what it says waits for the step that comes after."""
        if not self.owner_runs:
            return
        tampered = data if self.to_console is None else self.to_console(arbitration_id, data, at_ns)
        if tampered is None:
            return
        reading = self.link.receive(arbitration_id, tampered, at_ns)
        if reading is None:
            return
        self._heard.append((at_ns, reading))
        if matters(reading, self.state):
            self._step_soon(at_ns)

    def _step_soon(self, at_ns: int) -> None:
        turn_ns = turn_of(self.state)
        if turn_ns:
            # Nobody reads it before.
            at_ns += -at_ns % turn_ns
        soon_ns = max(at_ns + self._lateness_ns(at_ns), self._stalled_until_ns)
        self._step_at_ns = min(self._step_at_ns, soon_ns)

    def _storage_state(self, at_ns: int) -> StorageState:
        failure = "No space left on device" if self.storage.failing else ""
        return StorageState(at_ns, Quality.GOOD, LATCH, failure)

    def _wall_clock(self, at_ns: int) -> WallClock:
        local_s = int(self._wall_s + self._stepped_s + at_ns / S)
        return WallClock(at_ns, Quality.GOOD, local_s // DAY_S, local_s % DAY_S, True)

    def _lateness_ns(self, now_ns: int) -> int:
        drawn = uniform(self.seed, "lateness", now_ns, (0.0, float(len(LATENESS_NS))))
        return LATENESS_NS[min(len(LATENESS_NS) - 1, int(drawn))]

    # ------------------------------------------------------------ the core

    def _observe(self, now_ns: int, *, everything: bool = False) -> Observation:
        """What has come in by ``now_ns``; ``everything``: what is on the wire, too."""
        heard = self._heard
        count = len(heard)
        if not everything:
            while count and heard[count - 1][0] > now_ns:
                count -= 1
        readings = [reading for _, reading in heard[:count]]
        del heard[:count]
        # Machines may be ahead of a step that somebody asked for in between.
        readings += [one for one in self._polled if one.at_ns <= now_ns]
        self._polled = [one for one in self._polled if one.at_ns > now_ns]
        if now_ns >= self._health_ns:
            self._health_ns = now_ns - now_ns % HEALTH_NS + HEALTH_NS
            readings.append(self.link.health(now_ns))
        self._sequence += 1
        return Observation(self._sequence, tuple(readings), tuple(self._orders), tuple(self._receipts))

    def _take_step(self, now_ns: int) -> None:
        observation = self._observe(now_ns)
        self._follow(observation, self._step(self.settings, self.state, observation, now_ns), now_ns)

    def _follow(
        self, observation: Observation, result: Step, now_ns: int, *, passed_over: bool = False
    ) -> None:
        """Take a step's result as what is, and carry out what it commands; ``passed_over``: it has all been said."""
        before = self.state
        self._orders, self._receipts = [], []
        if self._record:
            self.run.observations.append((now_ns, observation))
        self.state = result.state
        if result.commands != self._commands:
            # What is new may wait for its frame's period: a hop would take it for said.
            self._disturbed()
        self._commands = result.commands
        self.run.steps += 1
        self.run.events.extend(result.events)
        if result.state.last_transfer is not before.last_transfer and result.state.last_transfer is not None:
            self.run.transfers.append(result.state.last_transfer)
        if result.state.islanding.mode is not before.islanding.mode:
            self.run.modes.append((now_ns, result.state.islanding.mode))
            self._disturbed()
        for command in result.commands:
            match command:
                case PersistLatch():
                    self._persist(command, now_ns)
                case DischargeLimitRequest() | RelayRequest() | SolarPermitRequest():
                    self._push(now_ns + REQUEST_NS, 0, command)
                case _:
                    self.link.request(command, now_ns)
        heard: tuple[int, int] | None = None
        for arbitration_id, data in self.link.frames_due(now_ns):
            if not passed_over:
                self._push(now_ns + BUS_NS, arbitration_id, data)
            elif arbitration_id == lc_frames.CMD:
                heard = (now_ns - now_ns % COMMAND_NS + BUS_NS, data[6])
        if passed_over:
            self.controller.pass_over(now_ns, heard)
        self._deadline_ns = result.deadline_ns
        tick_ns = tick_of(self.state)
        next_tick_ns = now_ns - now_ns % tick_ns + tick_ns
        self._step_at_ns = max(self._stalled_until_ns, min(next_tick_ns, max(now_ns + 1, result.wake_at_ns)))

    def _speak_at_ns(self) -> int:
        """When the lane says again what was commanded last; it cannot while it is stalled."""
        return max(self._stalled_until_ns, self.link.wake_at_ns())

    def _say_again(self, now_ns: int) -> None:
        for arbitration_id, data in self.link.frames_due(now_ns):
            self._push(now_ns + BUS_NS, arbitration_id, data)
        if self.link.wake_at_ns() <= now_ns:
            # Something that the link does not say without being asked anew.
            self._step_at_ns = now_ns
            self._take_step(now_ns)

    def _persist(self, command: PersistLatch, now_ns: int) -> None:
        if self.storage.failing:
            self.storage.unwritten = command
            return
        delay_ms = uniform(self.seed, "fsync", command.sequence, FSYNC_MS)
        self.storage.unwritten = None
        self.storage.older = PersistLatch(
            self.storage.sequence, self.storage.locked, "older", self.storage.kept
        )
        self.storage.sequence, self.storage.locked = command.sequence, command.locked
        self.storage.kept = command.kept
        receipt = LatchReceipt(command.sequence, command.locked, command.kept)
        self.storage.durable_at_ns = now_ns + round(delay_ms * MS)
        self._push(self.storage.durable_at_ns, 0, receipt)


def _thresholds_pu(settings: Settings) -> tuple[float, ...]:
    """Where a voltage means something else on the other side."""
    window = settings.grid.enter_service
    trips = [element.limit for element in settings.grid.trips if element.quantity == "v"]
    return (0.05, 0.25, 0.5, 0.88, 0.9, window.v_lo_pu, window.v_hi_pu, *trips)


def _begun(state: State) -> tuple[int | float | None, ...]:
    """What must not begin somewhere in a hop: an inverter that waits to join has its angle, heat allows more or less."""
    return (state.thermal.judged_c, *(unit.in_phase_since_ns for unit in state.parallel.units))


def _settled(settings: Settings, state: State, now_ns: int) -> State:
    """A core that has long been tied: what a scenario starts with."""
    return replace(
        state, loads=load_state.initial(settings), islanding=IslandingState(mode=Mode.TIED, since_ns=now_ns)
    )


def _lose(_arbitration_id: int, _data: bytes, _now_ns: int) -> bytes | None:
    """A bus that carries nothing."""
    return None
