"""The logic controller's firmware: a pure machine between the World and the frames of docs/can.md.

It opens the MID by itself when the console's heartbeat stops, ANDs gate and form with its own proof of open, and
never trusts a frame that is stale, replayed or broken.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.twin.faces import lc_frames as frames
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

#: Relative noise of a voltage channel, as a 12-bit sensor with a good divider has it.
VOLTAGE_NOISE = 0.0004
#: A burst of interference on a sense lead.
BURST_NOISE = 0.05
#: What a zero-crossing counter reads too little at the edge of a sag.
SPIKE_HZ = 3.6
NOMINAL_V = 120.0
CURRENT_NOISE_A = 0.02
PHASE_NOISE_DEG = 0.1
TEMPERATURE_NOISE_C = 0.04
#: The noise of currents and temperatures wanders: it is drawn once for so long.
SLOW_NOISE_NS = 1000 * MS


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
        self._started_ns = world.now_ns
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
            feedback = self._feedback_mask()
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
                self._last_feedback = self._feedback_mask()
            elif arbitration_id == frames.CAR_SESSION:
                self._last_session = world.car_link.steps()
            counter = self._counters[arbitration_id] = (self._counters[arbitration_id] + 1) & 0xFF
            sent.append(
                (arbitration_id, frames.frame(arbitration_id, self._sample(arbitration_id, now_ns), counter))
            )
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
            signals = self._sample(arbitration_id, due_ns)
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

    def _feedback_mask(self) -> int:
        mask = 0
        for index, circuit in enumerate(self._world.circuits):
            if circuit.relay_closed and not circuit.shed:
                mask |= 1 << index
        return mask

    def _sample(self, arbitration_id: int, now_ns: int) -> int:
        world = self._world
        match arbitration_id:
            case frames.GRID_FAST:
                return frames.grid_fast(
                    self._amplitude("grid", 1),
                    self._amplitude("grid", 2),
                    world.below_050_ms(),
                    world.below_088_ms(),
                )
            case frames.HOUSE_FAST:
                l1, l2 = self._amplitude("house", 1), self._amplitude("house", 2)
                shift = None if l1 is None or l2 is None else (l1 - l2) / 2.0
                return frames.house_fast(l1, l2, shift)
            case frames.MID_STATE:
                mid = world.mid
                since_ms = (now_ns - mid.last_edge_ns) / MS
                pole_a = abs(world.pole_current_a() + self._slow_noise("pole", CURRENT_NOISE_A))
                return frames.mid_state(
                    mid.nc_closed,
                    mid.no_closed,
                    mid.coil_on,
                    mid.bond_closed,
                    # The neutral former's own contact is in the interlock's loop.
                    not world.network.neutral_lost,
                    since_ms,
                    pole_a,
                    mid.operations,
                )
            case _ if arbitration_id in frames.UNIT_STATES:
                return self._unit_state(frames.UNIT_STATES[arbitration_id], now_ns)
            case frames.INV_STATE if world.units.all and world.units.primary != 0:
                first = world.units.all[0]
                inverter = first.inverter
                return frames.inv_state(
                    world.units.mode(first),
                    first.gate_on,
                    False,
                    bool(first.fault),
                    world.inverter.voltage_v,
                    world.inverter.frequency_hz,
                    first.share_w / 2.0 / world.house.nominal_v,
                    inverter.limit_a,
                )
            case frames.INV_STATE:
                inverter = world.inverter
                return frames.inv_state(
                    inverter.mode,
                    inverter.gate_on,
                    inverter.form_on,
                    bool(inverter.fault),
                    inverter.voltage_v,
                    inverter.frequency_hz,
                    inverter.current_a,
                    inverter.limit_a,
                )
            case frames.SYNC:
                measured = world.sync()
                time_ms = (now_ns - self._started_ns) // MS
                if measured is None:
                    return frames.sync(None, None, None, time_ms)
                phase, slip, difference = measured
                return frames.sync(phase + self._noise("phase", PHASE_NOISE_DEG), slip, difference, time_ms)
            case frames.CURRENTS:
                if world.sense_fault("ct"):
                    return frames.currents(None, None, None)
                l1_a, l2_a, n_a = world.leg_currents_a()
                return frames.currents(
                    l1_a + self._slow_noise("ct1", CURRENT_NOISE_A),
                    l2_a + self._slow_noise("ct2", CURRENT_NOISE_A),
                    n_a,
                )
            case frames.GRID_CYC:
                return self._cycle("grid")
            case frames.HOUSE_CYC:
                return self._cycle("house")
            case frames.HB_LC:
                uptime_ns = now_ns - self._started_ns
                return frames.heartbeat(self._nonce, uptime_ns // 1_000_000_000, self._state, uptime_ns // MS)
            case frames.LOAD_FB:
                return frames.load_feedback(self._feedback_mask())
            case frames.TEMPS:
                return self._temperatures()
            case frames.SUPPLY:
                return frames.supply(world.supply.voltage_v, world.supply.hold_up_min)
            case frames.CAR_SESSION:
                link = world.car_link
                return frames.car_session(
                    link.stage, link.commanded, *link.contactors,
                    link.dc_v, link.pack_v, link.insulation_ohm_per_v, link.limit_a,
                )  # fmt: skip
            case _:
                return 0x5C0F_F1E5  # the configuration's CRC: one firmware, one configuration

    def _unit_state(self, index: int, now_ns: int) -> int:
        world = self._world
        unit = world.units.all[index]
        if index == world.units.primary:
            inverter = world.inverter
            return frames.unit_state(
                inverter.mode, inverter.gate_on, inverter.form_on, bool(inverter.fault), 0.0, 0.0, 0.0,
                inverter.current_a, inverter.limit_a,
            )  # fmt: skip
        phase_deg = unit.phase_deg(now_ns)
        # A phase comparator knows half a turn either way.
        wrapped = None if phase_deg is None else (phase_deg + 180.0) % 360.0 - 180.0
        noisy = None if wrapped is None else wrapped + self._noise(f"unit{index}", PHASE_NOISE_DEG)
        volts = world.house.nominal_v
        amperes = abs(unit.share_w) / 2.0 / volts + unit.circulating_a(now_ns, volts)
        return frames.unit_state(
            world.units.mode(unit), unit.gate_on, False, bool(unit.fault), noisy, unit.slip_hz(now_ns),
            None if wrapped is None else 0.0, amperes, unit.limit_a,
        )  # fmt: skip

    def _amplitude(self, side: str, leg: int) -> float | None:
        world = self._world
        fault = world.sense_fault(f"{side}_sense")
        if fault == "off":
            return None
        if fault == "garbage":
            return 1.9 + 0.04 * leg
        if fault == "stuck":
            return world.frozen_pu(side, leg)
        return abs(world.amplitude_pu(side, leg) * self._gain(side, f"{side}{leg}", fault))

    def _gain(self, side: str, channel: str, fault: str | None) -> float:
        """A healthy channel's own noise, and what its fault adds: a wandering gain, or a burst of interference."""
        gain = 1.0 + self._noise(channel, VOLTAGE_NOISE)
        if fault == "drift":
            gain *= 1.0 + self._world.sense_drift(side)
        elif fault == "noise":
            gain += self._noise(f"{channel}.burst", BURST_NOISE)
        return gain

    def _cycle(self, side: str) -> int:
        world = self._world
        fault = world.sense_fault(f"{side}_sense")
        if fault == "off":
            return frames.cycle(None, None, None, None)
        frequency_hz = world.frequency_hz(side)
        if frequency_hz is not None and world.voltage_stepped(side):
            # A zero-crossing counter lies for two cycles after a step.
            frequency_hz -= SPIKE_HZ
        if fault == "garbage":
            gains = (3.3, 3.3, 3.3)
        elif fault == "stuck":
            volts = (world.frozen_pu(side, 1) * NOMINAL_V, world.frozen_pu(side, 2) * NOMINAL_V)
            return frames.cycle(volts[0], volts[1], volts[0] + volts[1], frequency_hz)
        else:
            gain = self._gain(side, f"{side}_rms", fault)
            gains = (gain, gain, gain)
        l1_v, l2_v, l1l2_v = (
            world.rms_v(side, leg) * gain for leg, gain in zip((1, 2, 0), gains, strict=True)
        )
        return frames.cycle(l1_v, l2_v, l1l2_v, frequency_hz)

    def _temperatures(self) -> int:
        thermal = self._world.thermal
        heatsink: float | None = thermal.heatsink_c + self._slow_noise("heatsink", TEMPERATURE_NOISE_C)
        fault = self._world.sense_fault("inverter_temp")
        if fault == "off":
            heatsink = None
        elif fault == "stuck":
            # A broken thermistor reads its rail, a hung converter its last value.
            frozen_c = self._world.frozen_c
            heatsink = -40.0 if frozen_c is None else frozen_c
        return frames.temperatures(heatsink, thermal.ambient_c, thermal.fan_rpm)

    def _noise(self, channel: str, sigma: float) -> float:
        return self._world.sensor_noise(channel, self._world.now_ns, sigma)

    def _slow_noise(self, channel: str, sigma: float) -> float:
        return self._world.sensor_noise(channel, self._world.now_ns // SLOW_NOISE_NS, sigma)
