"""The logic controller's firmware: a pure machine between the World and the frames of docs/can.md.

It opens the MID by itself when the console's heartbeat stops, ANDs gate and form with its own proof of open, and
never trusts a frame that is stale, replayed or broken.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.twin.faces import lc_frames as frames
from v2h_console.twin.faces.lc_samples import Samples
from v2h_console.twin.faces.waves import Waves
from v2h_console.twin.truth import Truth
from v2h_console.twin.world import World

MS = 1_000_000
HEARTBEAT_LIMIT_NS = 100 * MS
TOKEN_LIFE_NS = 50 * MS
PROOF_NS = 12 * MS
PERMITTED_CLOSE_NS = 100 * MS
MAX_COUNTER_JUMP = 5
EDGE_SPACING_NS = 2 * MS
HALF_CYCLE_NS = 8_333_333

BOOT, RUN, FAIL_SAFE = 0, 1, 2

#: id → period, and the phase of its first frame, so that not everything leaves in one burst.
PERIODS_NS = {
    frames.GRID_FAST: 2 * MS,
    frames.HOUSE_FAST: 4 * MS,
    frames.MID_STATE: 10 * MS,
    frames.INV_STATE: 10 * MS,
    frames.SYNC: 10 * MS,
    frames.CURRENTS: HALF_CYCLE_NS,
    frames.GRID_CYC: HALF_CYCLE_NS,
    frames.HOUSE_CYC: HALF_CYCLE_NS,
    frames.HB_LC: 20 * MS,
    frames.LOAD_FB: 50 * MS,
    frames.TEMPS: 100 * MS,
    frames.SUPPLY: 100 * MS,
    frames.CFG: 1000 * MS,
    frames.CAR_SESSION: 50 * MS,
}

UNIT_PERIOD_NS = 20 * MS


@dataclass(slots=True)
class _Accepted:
    """The last valid CMD and when it came; ``None`` = none since the start or the last fail-safe."""

    command: frames.Command | None = None
    at_ns: int = 0
    counter: int | None = None


class LogicController:
    """Give it received frames and the time, take from it frames to send. ``world`` must be advanced to the time."""

    def __init__(self, world: World, nonce: int, *, running: bool = False) -> None:
        """``running``: it has long been commanded to hold a closed MID with the gate on; else it starts, open."""
        if not 0 < nonce < 0xFFFF:
            raise ValueError("a nonce is 1 to 65534")
        self._world = world
        self._nonce = nonce
        self._samples = Samples(world, nonce, world.now_ns)
        self._accepted = _Accepted()
        self._state = BOOT
        self._token_used = 0
        self._token_seen = 0
        self._token_seen_ns = 0
        self._closed_by_token_ns: int | None = None
        self._open_since_ns: int | None = None
        self._drove_ns = world.now_ns
        self._periods_ns = PERIODS_NS | {
            arbitration_id: UNIT_PERIOD_NS
            for arbitration_id, index in frames.UNIT_STATES.items()
            if index < len(world.units.all)
        }
        self._counters = dict.fromkeys(self._periods_ns, 0)
        self._due_ns = {
            arbitration_id: world.now_ns + index * 300_000
            for index, arbitration_id in enumerate(self._periods_ns)
        }
        self._next_due_ns = min(self._due_ns.values())
        self._last_contacts = (world.mid.nc_closed, world.mid.no_closed)
        self._last_mid_sent_ns = 0
        self._last_feedback = -1
        self._last_session: tuple[object, ...] = ()
        self._truth: list[Truth] = []
        self._waves = Waves(world)
        self.rejected = 0
        if running:
            hold = frames.Command(False, False, True, False, 1, 0, nonce)
            self._state, self._accepted = RUN, _Accepted(hold, world.now_ns)
            return
        world.set_coil(False)
        world.set_gate(False)
        world.set_form(False)

    def drain_truth(self) -> list[Truth]:
        """What the controller itself noticed, in time order."""
        taken, self._truth = self._truth, []
        return taken

    # ------------------------------------------------------------ receiving

    def receive(self, arbitration_id: int, data: bytes, now_ns: int) -> None:
        """One frame from the bus. Anything not addressed to the controller, or not valid, changes nothing."""
        if self._world.supply.dead or arbitration_id not in (
            frames.CMD,
            frames.INV_SET,
            frames.SHED,
            frames.FAN,
            frames.WAVE_REQ,
        ):
            return
        if len(data) != 8 or frames.crc8(arbitration_id, data[:7]) != data[7]:
            self.rejected += 1
            return
        signals = int.from_bytes(data[:6], "little")
        if arbitration_id == frames.CMD:
            self._receive_command(frames.unpack_command(signals), data[6], now_ns)
        elif not self._alive(now_ns):
            self.rejected += 1
        elif arbitration_id == frames.SHED:
            self._world.set_shed(signals & 0xFFFFFFFF)
        elif arbitration_id == frames.FAN:
            self._world.set_fan(min(100, signals & 0xFF))
        elif arbitration_id == frames.WAVE_REQ:
            self._waves.request(*frames.unpack_wave_request(signals), now_ns)
        else:
            setpoint = frames.unpack_setpoint(signals)
            if setpoint is not None:
                self._world.set_setpoint(*setpoint)

    def _receive_command(self, command: frames.Command, counter: int, now_ns: int) -> None:
        if command.nonce != self._nonce:
            self.rejected += 1
            return
        accepted = self._accepted
        if accepted.counter is not None and self._alive(now_ns):
            jump = (counter - accepted.counter) & 0xFF
            if not 1 <= jump <= MAX_COUNTER_JUMP:
                self.rejected += 1
                return
        before = accepted.command
        self._accepted = _Accepted(command, now_ns, counter)
        if self._state != RUN:
            self._state = RUN
            self._tell(now_ns, "lc.running")
        if command.open_mid and not (before and before.open_mid):
            self._tell(now_ns, "lc.open_received")
        if command.form and not (before and before.form):
            self._tell(now_ns, "lc.form_received")
        if command.close_token and command.close_token != self._token_seen:
            self._token_seen, self._token_seen_ns = command.close_token, now_ns
        self._drive(now_ns)

    def _alive(self, now_ns: int) -> bool:
        return self._accepted.command is not None and now_ns - self._accepted.at_ns <= HEARTBEAT_LIMIT_NS

    # ------------------------------------------------------------ acting

    def _drive(self, now_ns: int) -> None:
        """Put coil, gate and form where the last valid command and the controller's own proof say."""
        command = self._accepted.command
        world = self._world
        self._drove_ns = now_ns
        self._watch_contacts()
        if command is None or not self._alive(now_ns):
            if self._state == RUN:
                self._state = FAIL_SAFE
                self._accepted = _Accepted()
                self._tell(now_ns, "lc.fail_safe")
            world.units.command(False, 0, world.units.primary)
            self._set(coil=False, gate=False, form=False)
            return
        coil = world.mid.coil_on
        if command.open_mid:
            coil = False
        elif command.close_mid and self._token_is_good(command.close_token, now_ns):
            self._token_used = command.close_token
            self._closed_by_token_ns = now_ns
            coil = True
            self._tell(now_ns, "lc.close_received")
        gate = command.gate
        form = gate and command.form and self._may_form(now_ns)
        if command.form and gate and not form and world.inverter.form_on:
            # A contact moved under a forming inverter: nothing but gate-off is quick enough.
            gate = False
            self._tell(now_ns, "lc.forming_stopped")
        world.units.command(gate, command.inverter_mask, command.primary)
        if world.units.all:
            gate = world.units.gate_for(gate, command.inverter_mask)
            form = form and gate and command.primary == world.units.primary
        self._set(coil=coil, gate=gate, form=form)

    def _token_is_good(self, token: int, now_ns: int) -> bool:
        return (
            token != 0
            and token != self._token_used
            and token == self._token_seen
            and now_ns - self._token_seen_ns <= TOKEN_LIFE_NS
        )

    def _may_form(self, now_ns: int) -> bool:
        if self._open_since_ns is not None and now_ns - self._open_since_ns >= PROOF_NS:
            return True
        closed_ns = self._closed_by_token_ns
        already = self._world.inverter.form_on
        return already and closed_ns is not None and now_ns - closed_ns <= PERMITTED_CLOSE_NS

    def _watch_contacts(self) -> None:
        mid = self._world.mid
        if mid.nc_closed and not mid.no_closed:
            edge_ns = mid.last_edge_ns
            if self._open_since_ns is None or edge_ns > self._open_since_ns:
                self._open_since_ns = edge_ns
        else:
            self._open_since_ns = None

    def _set(self, *, coil: bool, gate: bool, form: bool) -> None:
        world = self._world
        if world.mid.coil_on != coil:
            world.set_coil(coil)
        if world.inverter.gate_on != gate:
            world.set_gate(gate)
        if world.inverter.form_on != form:
            world.set_form(form)

    def _tell(self, now_ns: int, truth: str) -> None:
        self._truth.append(Truth(now_ns, truth, {}))

    # ------------------------------------------------------------ sending

    def wake_at_ns(self) -> int:
        """When ``frames_due`` next has something to do."""
        return min(self._next_due_ns, self._waves.due_ns, self._act_at_ns())

    def _act_at_ns(self) -> int:
        """When time alone makes the controller act: the heartbeat's end, or its own proof."""
        at_ns = 1 << 62
        if self._accepted.command is not None:
            at_ns = self._accepted.at_ns + HEARTBEAT_LIMIT_NS + 1
        if self._open_since_ns is not None:
            ripe_ns = self._open_since_ns + PROOF_NS
            if self._drove_ns < ripe_ns < at_ns:
                at_ns = ripe_ns
        return at_ns

    def frames_due(self, now_ns: int, *, moved: bool = True) -> list[tuple[int, bytes]]:
        """Act on the time that has passed, then sample and pack what is due: by period, edges at once.

        ``moved`` false: nothing has reached the controller and nothing has happened since the last call.
        """
        world = self._world
        if moved or now_ns >= self._act_at_ns():
            self._drive(now_ns)
        contacts = (world.mid.nc_closed, world.mid.no_closed)
        if contacts != self._last_contacts and now_ns - self._last_mid_sent_ns >= EDGE_SPACING_NS:
            self._due_ns[frames.MID_STATE] = self._next_due_ns = now_ns
        if moved:
            feedback = self._samples.feedback_mask()
            if feedback != self._last_feedback:
                self._due_ns[frames.LOAD_FB] = self._next_due_ns = now_ns
            if world.car_link.steps() != self._last_session:
                self._due_ns[frames.CAR_SESSION] = self._next_due_ns = now_ns
        sent = self._waves_due(now_ns)
        if self._next_due_ns > now_ns:
            return sent
        for arbitration_id, due_ns in self._due_ns.items():
            if due_ns > now_ns:
                continue
            if self._is_silent(arbitration_id):
                self._due_ns[arbitration_id] = now_ns + self._periods_ns[arbitration_id]
                continue
            if arbitration_id == frames.MID_STATE:
                self._last_contacts, self._last_mid_sent_ns = contacts, now_ns
            elif arbitration_id == frames.LOAD_FB:
                self._last_feedback = self._samples.feedback_mask()
            elif arbitration_id == frames.CAR_SESSION:
                self._last_session = world.car_link.steps()
            counter = self._counters[arbitration_id] = (self._counters[arbitration_id] + 1) & 0xFF
            signals = self._samples.signals(arbitration_id, now_ns, self._state)
            sent.append((arbitration_id, frames.frame(arbitration_id, signals, counter)))
            period = self._periods_ns[arbitration_id]
            # Late frames are not made up for: the next one keeps to the raster.
            behind = (now_ns - due_ns) // period
            self._due_ns[arbitration_id] = due_ns + (behind + 1) * period
        self._next_due_ns = min(self._due_ns.values())
        return [] if world.supply.dead else sent

    def _waves_due(self, now_ns: int) -> list[tuple[int, bytes]]:
        if self._waves.recording:
            self._waves.record(now_ns)
        return self._waves.frames_due(now_ns) if self._waves.due_ns <= now_ns else []

    # ------------------------------------------------------------ passing over time in which nothing happens

    def newest_before(self, to_ns: int) -> list[tuple[int, int, bytes]]:
        """The newest frame of each kind that is due before ``to_ns``: (due, id, frame), in order of time.

        Of the temperatures also the first: between the two they only drift, one way. Changes nothing but the instant that the world is looked at; true only while nothing happens until ``to_ns``.
        """
        if self._world.supply.dead:
            return []
        found: list[tuple[int, int]] = []
        for arbitration_id, due_ns in self._due_ns.items():
            if due_ns < to_ns and not self._is_silent(arbitration_id):
                period = self._periods_ns[arbitration_id]
                newest_ns = due_ns + (to_ns - 1 - due_ns) // period * period
                if arbitration_id == frames.TEMPS and newest_ns > due_ns:
                    found.append((due_ns, arbitration_id))
                found.append((newest_ns, arbitration_id))
        found.sort()
        newest: list[tuple[int, int, bytes]] = []
        for due_ns, arbitration_id in found:
            self._world.look_at(due_ns)
            passed = (due_ns - self._due_ns[arbitration_id]) // self._periods_ns[arbitration_id] + 1
            counter = (self._counters[arbitration_id] + passed) & 0xFF
            signals = self._samples.signals(arbitration_id, due_ns, self._state)
            newest.append((due_ns, arbitration_id, frames.frame(arbitration_id, signals, counter)))
        return newest

    def pass_over(self, to_ns: int, heard: tuple[int, int] | None = None) -> None:
        """Go on at ``to_ns`` as if every frame before it had been sent and the same command been heard all along.

        ``heard``: when the newest CMD came, and its counter.
        """
        for arbitration_id, due_ns in self._due_ns.items():
            if due_ns < to_ns:
                period = self._periods_ns[arbitration_id]
                passed = (to_ns - 1 - due_ns) // period + 1
                self._due_ns[arbitration_id] = due_ns + passed * period
                self._counters[arbitration_id] = (self._counters[arbitration_id] + passed) & 0xFF
        self._next_due_ns = min(self._due_ns.values())
        if self._accepted.command is not None and heard is not None:
            self._accepted.at_ns, self._accepted.counter = heard

    def follows(self, counter: int) -> bool:
        """Whether the command in force is the one with this counter."""
        return self._accepted.command is not None and self._accepted.counter == counter

    def _is_silent(self, arbitration_id: int) -> bool:
        """A unit whose own link is dead: the controller has nothing to say of it."""
        units = self._world.units
        if not units.all:
            return False
        if arbitration_id == frames.INV_STATE:
            return units.all[0].silent
        index = frames.UNIT_STATES.get(arbitration_id)
        return index is not None and units.all[index].silent
