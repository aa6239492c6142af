"""The logic controller's recorder: four voltages at 7.68 kHz for 217 ms, sent one sample every 2 ms.

Waveforms exist only while somebody asked for them: the house itself is phasors. What a phasor does not carry, the
harmonics of the street's and the inverter's voltage and the converter's noise, is added here.
"""

from __future__ import annotations

import cmath
import math

from v2h_console.twin.physics.streams import uniform
from v2h_console.twin.world import World

MS = 1_000_000
WAVE = 0x700
SAMPLES = 1_664
RATE_HZ = 7_680
STEP_NS = 1_000_000_000 / RATE_HZ
PERIOD_NS = 2 * MS
#: Beside the state frames of several inverters the bus has less room.
SHARED_PERIOD_NS = 7 * MS
SCALE_V = 0.15
LARGEST = 2_047
NOT_AVAILABLE = 0x800
PEAK_V = 120.0 * math.sqrt(2.0)
#: Four channels: (side, leg).
CHANNELS = (("grid", 0), ("grid", 1), ("house", 0), ("house", 1))
NOISE_V = 0.08


class Waves:
    """One window at a time. ``record`` must be called at least every half cycle while ``recording``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._number = 0
        self._began_ns = 0
        self._words: list[int] = []
        self._queue: list[int] = []
        self.due_ns = 1 << 62
        self._period_ns = SHARED_PERIOD_NS if world.units.all else PERIOD_NS

    @property
    def recording(self) -> bool:
        """Whether samples are still to be taken."""
        return self._number != 0 and len(self._words) < SAMPLES

    def request(self, number: int, first: int, count: int, now_ns: int) -> None:
        """Start window ``number``, or send samples of the present one again. Anything else changes nothing."""
        if number == 0 or first >= SAMPLES or not 1 <= count <= SAMPLES - first:
            return
        if number != self._number:
            self._number, self._began_ns, self._words = number, now_ns, []
        self._queue = list(range(first, first + count))
        self.due_ns = now_ns + self._period_ns

    def record(self, now_ns: int) -> None:
        """Take every sample up to now."""
        while self.recording:
            at_ns = self._began_ns + round(len(self._words) * STEP_NS)
            if at_ns > now_ns:
                return
            self._words.append(self._sample(at_ns))

    def frames_due(self, now_ns: int) -> list[tuple[int, bytes]]:
        """The next sample, when its time has come."""
        sent: list[tuple[int, bytes]] = []
        while self._queue and self.due_ns <= now_ns:
            index = self._queue[0]
            if index >= len(self._words):
                break
            self._queue.pop(0)
            sent.append((WAVE, (index | self._words[index] << 16).to_bytes(8, "little")))
            self.due_ns = max(self.due_ns + self._period_ns, now_ns + MS)
        if not self._queue:
            self.due_ns = 1 << 62
        return sent

    def _sample(self, at_ns: int) -> int:
        word = 0
        for nth, (side, leg) in enumerate(CHANNELS):
            word |= self._channel(side, leg, at_ns) << 12 * nth
        return word

    def _channel(self, side: str, leg: int, at_ns: int) -> int:
        fault = self._world.sense_fault(f"{side}_sense")
        if fault == "off":
            return NOT_AVAILABLE
        wave = self._world.nodes[side, leg].value(at_ns)
        size = abs(wave)
        volts = PEAK_V * wave.real
        if size > 1e-3:
            turn = wave / size
            for order, pct in self._harmonics(side):
                volts += PEAK_V * size * pct / 100.0 * _power(turn, order).real
        volts += uniform(self._world.seed, f"wave.{side}{leg}", at_ns, (-NOISE_V, NOISE_V))
        if fault == "garbage":
            volts = SCALE_V * LARGEST
        return round(max(-LARGEST, min(LARGEST, volts / SCALE_V))) & 0xFFF

    def _harmonics(self, side: str) -> tuple[tuple[int, float], ...]:
        world = self._world
        own = side == "house" and world.inverter.mode == "forming" and not world.mid.main_closed(1)
        return world.house.inverter_harmonics_pct if own else world.house.grid_harmonics_pct


def _power(turn: complex, order: int) -> complex:
    """The harmonic's own angle: shifted, so that the orders do not all peak together."""
    return cmath.exp(1j * (order * cmath.phase(turn) + 0.7 * order))
