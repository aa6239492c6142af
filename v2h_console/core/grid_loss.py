"""Why the site must leave the grid: lost, rejected, or not sensed; and since when, as the logic controller timed it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_console.core import grid_trips
from v2h_console.core.export import ExportState
from v2h_console.core.grid_trips import TripClocks
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, GridSettings, Separation
from v2h_drivers.capabilities.fast_readings import GridFast, SideCycle
from v2h_drivers.capabilities.quality import Quality

#: Quick separation may be armed while export is under this share of the nameplate.
EXPORT_SHARE = 0.10
#: An inverter that gave up so near to the fall of the voltage had hidden the loss: its own anti-islanding found it. It
#: also stops, some milliseconds later, at a loss that nothing hid.
HIDDEN_NS = 300 * NS_PER_MS
#: No street gives this much on a leg; a neutral that has come off may, and is left as quickly.
IMPLAUSIBLE_PU = 1.6
#: The inverter's state is heard of every 10 ms; half of that, so that a plain loss keeps its own class.
SEEN_NS = 1 * NS_PER_MS


class Kind(str, Enum):
    """What happened to the grid, from the site's side of it."""

    LOST = "lost"
    REJECTED = "rejected"
    NOT_SENSED = "not sensed"


@dataclass(frozen=True, slots=True)
class Loss:
    """``transfer_class``: hard | backfeed | brownout | balanced | sense_fault; ``reason`` in words; when it began."""

    transfer_class: str
    reason: str
    fell_at_ns: int
    kind: Kind = Kind.LOST


def quick_separation_refusal(settings: GridSettings, rated_w: float, export: ExportState, now_ns: int) -> str:
    """Why the site may not leave sooner than its category rides through; "" = it may."""
    if settings.separation is Separation.PERMITTED:
        return ""
    if settings.separation is Separation.RIDE_THROUGH:
        return "the site rides through as its category asks"
    recent_w = export.recent_w(now_ns)
    if recent_w is None:
        return "the site's export is not known"
    if recent_w >= EXPORT_SHARE * rated_w:
        return f"the site has exported {recent_w / 1000:.1f} kW within 30 s"
    return ""


def judge(
    settings: GridSettings,
    senses: Senses,
    fast: GridFast | None,
    cycle: SideCycle | None,
    clocks: TripClocks,
    *,
    quick: bool,
    stuck: str,
    neutral_open: bool,
    gave_up_ns: int | None,
    now_ns: int,
) -> Loss | None:
    """The reason to separate now, or ``None``.

    ``quick``: the site may leave before its trip elements say so. ``stuck``: words of a frozen sensor.
    ``gave_up_ns``: when the inverter stopped following by itself.
    """
    if fast is None:
        newest = senses.grid_fast
        if newest is None:
            return Loss("sense_fault", "the grid has never been sensed", now_ns, Kind.NOT_SENSED)
        words = "implausible" if newest.quality is not Quality.GOOD else "silent"
        return Loss("sense_fault", f"the grid sensing is {words}", newest.at_ns, Kind.NOT_SENSED)
    if fast.l1_pu is None or fast.l2_pu is None:
        return Loss("sense_fault", "a leg's sensing is missing", fast.at_ns, Kind.NOT_SENSED)
    if max(fast.l1_pu, fast.l2_pu) > IMPLAUSIBLE_PU:
        words = (
            f"a leg reads {100.0 * max(fast.l1_pu, fast.l2_pu):.0f} %: the sensing or the neutral is at fault"
        )
        return Loss("sense_fault", words, fast.at_ns, Kind.NOT_SENSED)
    if cycle is None and senses.grid_cycle is not None:
        newest_cycle = senses.grid_cycle
        words = "implausible" if newest_cycle.quality is not Quality.GOOD else "silent"
        return Loss("sense_fault", f"the grid's RMS is {words}", newest_cycle.at_ns, Kind.NOT_SENSED)
    if stuck:
        return Loss("sense_fault", stuck, fast.at_ns, Kind.NOT_SENSED)
    if neutral_open:
        words = "the neutral is open: the legs drift apart while L1-L2 stays"
        return Loss("hard", words, fast.at_ns, Kind.REJECTED)
    if quick:
        found = _quick(settings, fast, gave_up_ns)
        if found is not None:
            return found
    tripped = grid_trips.tripped(settings.trips, clocks, now_ns)
    if tripped is None:
        return None
    element, since_ns = tripped
    gone = element.quantity == "v" and not element.over and max(fast.l1_pu, fast.l2_pu) < element.limit / 2
    kind = Kind.LOST if gone else Kind.REJECTED
    return Loss("brownout", grid_trips.words(element, cycle), since_ns, kind)


def _quick(settings: GridSettings, fast: GridFast, gave_up_ns: int | None) -> Loss | None:
    detector = settings.detector
    below_050, below_088 = fast.below_050_ms, fast.below_088_ms
    if below_050 is not None and below_050 >= detector.below_050_hold_ms:
        fell_ms = max(below_050, below_088 or 0.0)
        fell_ns = fast.at_ns - int(fell_ms * NS_PER_MS)
        reason = f"below 50 % for {below_050:.1f} ms"
        if gave_up_ns is not None and -SEEN_NS <= fell_ns - gave_up_ns <= HIDDEN_NS:
            return Loss("balanced", f"{reason}, after the inverter's own islanding detection", gave_up_ns)
        return Loss("hard", reason, fell_ns)
    if below_088 is not None and below_088 >= detector.below_088_hold_ms:
        fell_ns = fast.at_ns - int(below_088 * NS_PER_MS)
        # A grid that decays smoothly under its house's motors is gone, not low; the screen need not tell them apart.
        return Loss("brownout", f"below 88 % for {below_088:.1f} ms", fell_ns)
    return None
