"""Waveforms over the logic controller's bus: one window of four voltages on request, missing samples asked for again.

WAVE frames (0x700) carry an index and four 12-bit samples, without counter and checksum: a sample that arrives is a
sample, one that does not is asked for again, and a damaged one is one of 1,664. A sans-I/O machine like its link.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from v2h_drivers.capabilities.requests import WaveCapture

MS = 1_000_000
WAVE_ID = 0x700
SAMPLES = 1_664
RATE_HZ = 7_680.0
CHANNELS = 4
#: Volts a step; 12 bits reach ±307 V.
SCALE_V = 0.15
NOT_AVAILABLE = -2_048
#: The controller sends one sample every 2 ms; this long without any means that it has sent what it had.
QUIET_NS = 60 * MS
#: Asked again so often before the window is given up.
MAX_ASKED = 5
#: The most that one request is good for.
LONGEST_NS = 12_000 * MS


@dataclass(slots=True)
class WaveAssembler:
    """``begin`` a window, ``receive`` its frames, ask ``wanted`` what to request, ``take`` it when it is whole."""

    active: bool = False
    failure: str = ""
    _number: int = 0
    _samples: list[tuple[int, ...] | None] = field(default_factory=list)
    _missing: int = 0
    _began_ns: int = 0
    _heard_ns: int = 0
    _asked: int = 0
    _request: tuple[int, int, int] | None = None
    _done: WaveCapture | None = None

    def begin(self, now_ns: int) -> None:
        """Start a new window; one that runs is forgotten."""
        self._number = self._number % 255 + 1
        self._samples = [None] * SAMPLES
        self._missing = SAMPLES
        self._began_ns = self._heard_ns = now_ns
        self._asked = 1
        self._request = (self._number, 0, SAMPLES)
        self._done = None
        self.active, self.failure = True, ""

    def receive(self, data: bytes, now_ns: int) -> None:
        """One WAVE frame. Anything that is not a sample of this window changes nothing."""
        if not self.active or len(data) != 8:
            return
        word = int.from_bytes(data, "little")
        index = word & 0xFFFF
        if index >= SAMPLES:
            return
        self._heard_ns = now_ns
        if self._samples[index] is None:
            self._missing -= 1
        self._samples[index] = tuple(_signed(word >> 16 + 12 * nth & 0xFFF) for nth in range(CHANNELS))
        if not self._missing:
            self._finish()

    def wanted(self, now_ns: int) -> tuple[int, int, int] | None:
        """The request that is due now as (window number, first index, count), once each."""
        if self._request is None and self.active and now_ns - self._heard_ns > QUIET_NS:
            self._ask_again(now_ns)
        request, self._request = self._request, None
        return request

    def _ask_again(self, now_ns: int) -> None:
        if self._asked >= MAX_ASKED or now_ns - self._began_ns > LONGEST_NS:
            self.active = False
            got = SAMPLES - self._missing
            self.failure = (
                "the controller sends no waveform" if not got else f"only {got} of {SAMPLES} samples came"
            )
            return
        self._asked += 1
        self._heard_ns = now_ns
        first = next(index for index, sample in enumerate(self._samples) if sample is None)
        last = max(index for index, sample in enumerate(self._samples) if sample is None)
        self._request = (self._number, first, last - first + 1)

    def _finish(self) -> None:
        columns: list[tuple[float | None, ...]] = []
        for nth in range(CHANNELS):
            raw = [sample[nth] for sample in self._samples if sample is not None]
            columns.append(tuple(None if value == NOT_AVAILABLE else value * SCALE_V for value in raw))
        self.active = False
        self._done = WaveCapture(self._began_ns, RATE_HZ, *columns)

    def take(self) -> WaveCapture | str | None:
        """The finished window, or why there is none; each once. ``None`` while it runs."""
        done, self._done = self._done, None
        failure, self.failure = self.failure, ""
        return done or failure or None


def _signed(raw: int) -> int:
    return raw - 4096 if raw & 0x800 else raw
