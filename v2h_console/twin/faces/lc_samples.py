"""What the logic controller's sensors tell of the house: the signals of each of its frames (docs/can.md).

A healthy channel has its own noise; an injected fault of the senses is put in here, and nowhere in the physics.
"""

from __future__ import annotations

import math

from v2h_console.twin.faces import lc_frames as frames
from v2h_console.twin.world import World

MS = 1_000_000

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


class Samples:
    """Of ``world`` as it stands; ``nonce`` and ``started_ns`` are what the heartbeat says."""

    def __init__(self, world: World, nonce: int, started_ns: int) -> None:
        self._world = world
        self._nonce = nonce
        self._started_ns = started_ns

    def feedback_mask(self) -> int:
        """Bit n: circuit n is on."""
        mask = 0
        for index, circuit in enumerate(self._world.circuits):
            if circuit.relay_closed and not circuit.shed:
                mask |= 1 << index
        return mask

    def signals(self, arbitration_id: int, now_ns: int, state: int) -> int:
        """The signals of one frame, as the sensors have them now; ``state`` is the controller's own, for its heartbeat."""
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
                noisy = _half_turn(phase + self._noise("phase", PHASE_NOISE_DEG))
                return frames.sync(noisy, slip, difference, time_ms)
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
                return frames.heartbeat(self._nonce, uptime_ns // 1_000_000_000, state, uptime_ns // MS)
            case frames.LOAD_FB:
                return frames.load_feedback(self.feedback_mask())
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
        noisy = (
            None if wrapped is None else _half_turn(wrapped + self._noise(f"unit{index}", PHASE_NOISE_DEG))
        )
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


def _half_turn(noisy_deg: float) -> float:
    """What a phase comparator says of an angle that its noise carried over half a turn."""
    return noisy_deg - math.copysign(360.0, noisy_deg) if abs(noisy_deg) > 180.0 else noisy_deg
