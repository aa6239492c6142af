"""What the judge remembers: since when a condition holds, which faults are there, whether anybody commands."""

from __future__ import annotations

from dataclasses import dataclass, field

from v2h_console.proving.judge.limits import STILL_NS
from v2h_console.twin.truth import Truth

SECOND_MASTER = "control.second_master"
LYING_CAR = "ev.soc_jumps"
FILLED_CAR = "pv.surplus"


@dataclass(slots=True)
class Since:
    """Since when a condition has held without a break."""

    at_ns: int | None = None

    def update(self, holds: bool, now_ns: int) -> int:
        """How long it has held."""
        if not holds:
            self.at_ns = None
            return 0
        if self.at_ns is None:
            self.at_ns = now_ns
        return now_ns - self.at_ns


@dataclass(slots=True)
class Circumstances:
    """Faults that are there, since when (``faults``) and that ever were (``ever``); from when to when no owner was."""

    faults: dict[str, int] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)
    away_ns: int | None = None
    back_ns: int | None = None
    #: Until when somebody else's commands reached the controller.
    spoken_ns: int = 0
    #: A car that lies says more than there is: less costs nobody the reserve.
    told_more: bool = False

    def injected(self, truth: Truth) -> None:
        """A fault begins; a sense that stands still at a value that could be true is a lie from the time when it can be known."""
        fault = str(truth.detail.get("fault"))
        still = truth.detail.get("reads") == "last"
        self.faults.setdefault(fault, truth.at_ns + STILL_NS if still else truth.at_ns)
        self.ever.add(fault)
        if fault == LYING_CAR:
            pct = truth.detail.get("pct")
            self.told_more = not (isinstance(pct, float) and pct < 0.0)

    def cleared(self, truth: Truth) -> None:
        """A fault ends."""
        fault = str(truth.detail.get("fault"))
        self.faults.pop(fault, None)
        if fault == SECOND_MASTER:
            self.spoken_ns = truth.at_ns

    def away_for(self, now_ns: int) -> int:
        """For how long no command of the owner's has reached the controller; 0 = they do."""
        away: list[int] = []
        if self.away_ns is not None and not (self.back_ns is not None and now_ns >= self.back_ns):
            away.append(self.away_ns)
        if "can.bus_off" in self.faults:
            away.append(self.faults["can.bus_off"])
        return now_ns - min(away) if away else 0

    def silent_for(self, now_ns: int) -> int:
        """For how long no command of anybody's has reached it: another master's are obeyed like the owner's."""
        away_ns = self.away_for(now_ns)
        if "can.bus_off" in self.faults:
            return away_ns
        return 0 if SECOND_MASTER in self.faults else max(0, min(away_ns, now_ns - self.spoken_ns))

    def lied_for(self, now_ns: int, *faults: str) -> int:
        """For how long one of these faults has been there."""
        since = [self.faults[fault] for fault in faults if fault in self.faults]
        return now_ns - min(since) if since else 0
