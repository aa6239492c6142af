"""The controller's clock, as its heartbeats show it: whether a beat goes on from the ones before it."""

from __future__ import annotations

from dataclasses import dataclass

MS = 1_000_000
#: It wraps here. After half of a round it cannot tell any more by itself whether it went on.
LC_TIME_MS = 65_535
HALF_MS = LC_TIME_MS // 2
#: A beat shows what ours says that it must show by now, give or take this.
AGREES_MS = 100
#: Beats that all came late at once were kept while nobody read. What came late for longer than this is so from now on.
LATE_TOGETHER_NS = 200 * MS


@dataclass(slots=True)
class ControllerClock:
    """What it showed last, and what it must show by ours."""

    shown_ms: int | None = None
    #: When the newest beat came, whether it was a sign of life or not: a clock that stands still is no silence.
    beat_ns: int = 0
    #: The newest beat that agreed with ours, and since when good ones have not.
    agreed_ns: int = 0
    agreed_ms: int = 0
    apart_ns: int | None = None
    #: Nothing but good beats, or such as showed no clock at all, came since then.
    unbroken: bool = False

    def begin(self, time_ms: int, now_ns: int) -> None:
        """Of a controller that has just been met."""
        self.shown_ms = self.agreed_ms = time_ms
        self.beat_ns = self.agreed_ns = now_ns
        self.apart_ns, self.unbroken = None, True

    def goes_on(self, time_ms: int | None, now_ns: int) -> bool:
        """Whether a beat that shows this is a sign of life; then it is the newest."""
        silent_ns, self.beat_ns = now_ns - self.beat_ns, now_ns
        if time_ms is None or self.shown_ms is None:
            return False
        ahead_ms = (time_ms - self.shown_ms) % LC_TIME_MS
        agrees = self._agrees(time_ms, now_ns)
        if ahead_ms == 0 or not (
            ahead_ms <= HALF_MS
            or silent_ns > HALF_MS * MS
            # The beats that were read last may have waited for as long: then it only seems to have gone back.
            or (agrees and self.unbroken and now_ns - self.agreed_ns > (HALF_MS - AGREES_MS) * MS)
        ):
            self.unbroken = False
            return False
        self.shown_ms, self.unbroken = time_ms, True
        if self.apart_ns is None:
            self.apart_ns = now_ns
        if agrees or now_ns - self.apart_ns > LATE_TOGETHER_NS:
            self.agreed_ns, self.agreed_ms, self.apart_ns = now_ns, time_ms, None
        return True

    def halted(self, for_ns: int) -> None:
        """Ours did not go on for so long."""
        self.beat_ns -= for_ns
        self.agreed_ns -= for_ns

    def _agrees(self, time_ms: int, now_ns: int) -> bool:
        must_ms = self.agreed_ms + (now_ns - self.agreed_ns) // MS
        return (time_ms - must_ms + AGREES_MS) % LC_TIME_MS <= 2 * AGREES_MS
