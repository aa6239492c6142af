"""The grid as the site must judge it: gone, tripped, out of its window, or good for how long.

Per leg and line to line: the worst value trips, all must qualify. Trip comparisons are strict, enter-service limits
inclusive (IEEE 1547-2018, 6.4, 6.5 and 4.10). Timers count integer nanoseconds of the monotonic clock and start anew
with every excursion that a reading shows, each reading looked at, not only the last of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_console.core import grid_loss, grid_trips
from v2h_console.core.export import ExportState
from v2h_console.core.frozen import replace
from v2h_console.core.grid_loss import Loss
from v2h_console.core.grid_trips import TripClocks
from v2h_console.core.sense_plausibility import SensePlausibility
from v2h_console.core.senses import CYCLE_LIMIT_MS, GRID_FAST_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S, EnterService, GridSettings, Settings
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import GridFast, Side, SideCycle
from v2h_drivers.capabilities.quality import Quality

#: Below this on both legs the grid counts as dead (I1's dead bus uses the same figure).
DEAD_PU = 0.05
#: The grid is "gone" for the screen below this; between it and the window it is "out of window".
GONE_PU = 0.5
#: A sagging grid restarts the enter-service count at once, without waiting for a half-cycle value.
FAST_DIP_PU = 0.88
#: 0 V counts as dead only on a channel that was seen live within this (I4): a blown sense fuse reads 0 V too.
SEEN_LIVE_NS = 60 * NS_PER_S
#: Half cycles come each 8.33 ms. After a gap of more than this nobody knows what the grid did meanwhile: the count begins
#: anew (an owner that stood still reads the newest frames, none of those that were lost).
UNSEEN_NS = 1_250 * NS_PER_MS


class GridCondition(str, Enum):
    """The grid in one word."""

    UNKNOWN = "unknown"
    DEAD = "dead"
    OUT_OF_WINDOW = "out_of_window"
    IN_WINDOW = "in_window"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the monitor looks at beside the new readings.

    ``gave_up_ns``: when the inverter stopped following by itself while the site was tied. ``tied``: the site is part of
    the grid, and owes it the ride-through; while a close is still under way it may leave at once. ``sourceless``: why
    nothing could light the house now, "" = it could.
    """

    senses: Senses
    plausibility: SensePlausibility
    export: ExportState
    gave_up_ns: int | None = None
    tied: bool = False
    sourceless: str = ""


@dataclass(frozen=True, slots=True)
class GridState:
    """``ok_since_ns``: start of the unbroken time in the window; ``loss``: set while something asks for separation."""

    condition: GridCondition = GridCondition.UNKNOWN
    since_ns: int = 0
    reason: str = "not heard yet"
    ok_since_ns: int | None = None
    clocks: TripClocks = TripClocks()
    live_l1_ns: int | None = None
    live_l2_ns: int | None = None
    #: The newest half cycle that was looked at.
    cycle_ns: int | None = None
    loss: Loss | None = None
    #: Why the site may not leave the grid quickly; "" = it may.
    ride_through: str = ""

    def ok_for_ns(self, now_ns: int) -> int:
        """How long the grid has been in its window without a break."""
        return 0 if self.ok_since_ns is None else now_ns - self.ok_since_ns


def update(
    settings: Settings, state: GridState, seen: Seen, readings: tuple[Reading, ...], now_ns: int
) -> GridState:
    """One look at what is new. Pure; ``now_ns`` also ages what is not."""
    grid, senses = settings.grid, seen.senses
    ok_since_ns, clocks = state.ok_since_ns, state.clocks
    live_l1_ns, live_l2_ns, cycle_ns = state.live_l1_ns, state.live_l2_ns, state.cycle_ns
    for reading in readings:
        if isinstance(reading, SideCycle) and reading.side is Side.GRID:
            clocks = grid_trips.advance(grid.trips, clocks, reading)
            if window_fault(grid.enter_service, reading, blind=reading.at_ns < clocks.blind_until_ns):
                ok_since_ns = None
            elif ok_since_ns is None or (cycle_ns is not None and reading.at_ns - cycle_ns > UNSEEN_NS):
                ok_since_ns = reading.at_ns
            cycle_ns = reading.at_ns
        elif isinstance(reading, GridFast):
            if reading.quality is not Quality.GOOD or _dips(reading):
                ok_since_ns = None
            if reading.l1_pu is not None and reading.l1_pu > GONE_PU:
                live_l1_ns = reading.at_ns
            if reading.l2_pu is not None and reading.l2_pu > GONE_PU:
                live_l2_ns = reading.at_ns
    cycle = fresh(senses.grid_cycle, now_ns, CYCLE_LIMIT_MS)
    fast = fresh(senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    if cycle is None or fast is None or seen.plausibility.stuck:
        ok_since_ns = None
    condition, reason = _judge(grid, cycle, fast, live_l1_ns, live_l2_ns, now_ns)
    ride_through = ""
    if seen.tied:
        ride_through = grid_loss.quick_separation_refusal(
            grid, settings.inverter.rated_w, seen.export, now_ns
        )
    loss = grid_loss.judge(
        grid,
        senses,
        fast,
        cycle,
        clocks,
        # Opened for a dip, the MID would stay open for the whole delay, beside a street that was back at once.
        quick=not (ride_through or (seen.tied and seen.sourceless)),
        stuck=seen.plausibility.stuck,
        neutral_open=seen.plausibility.neutral_open,
        gave_up_ns=seen.gave_up_ns,
        now_ns=now_ns,
    )
    return replace(
        state,
        condition=condition,
        since_ns=state.since_ns if condition is state.condition else now_ns,
        reason=reason,
        ok_since_ns=ok_since_ns,
        clocks=clocks,
        live_l1_ns=live_l1_ns,
        live_l2_ns=live_l2_ns,
        cycle_ns=cycle_ns,
        loss=loss,
        ride_through=ride_through,
    )


def restart(state: GridState, now_ns: int) -> GridState:
    """Start the enter-service count anew: after every opening the whole delay is served again."""
    if state.ok_since_ns is None:
        return state
    return replace(state, ok_since_ns=now_ns)


def window_fault(window: EnterService, cycle: SideCycle, *, blind: bool = False) -> str:
    """What is out of the enter-service window, in words; "" when all is inside (limits inclusive).

    ``blind``: the frequency means nothing yet, for a voltage step has just been.
    """
    if cycle.quality is not Quality.GOOD:
        return "the sensing is not to be trusted"
    for name, volts, nominal_v in (
        ("L1", cycle.l1_v, NOMINAL_V),
        ("L2", cycle.l2_v, NOMINAL_V),
        ("L1-L2", cycle.l1l2_v, 2 * NOMINAL_V),
    ):
        if volts is None:
            return f"{name} is unknown"
        if volts < window.v_lo_pu * nominal_v:
            return f"{name} {volts:.1f} V is under {window.v_lo_pu * nominal_v:.1f} V"
        if volts > window.v_hi_pu * nominal_v:
            return f"{name} {volts:.1f} V is over {window.v_hi_pu * nominal_v:.1f} V"
    frequency = cycle.frequency_hz
    if frequency is None:
        return "the frequency is unknown"
    if not blind and not window.f_lo_hz <= frequency <= window.f_hi_hz:
        return f"{frequency:.2f} Hz is outside {window.f_lo_hz:.1f} to {window.f_hi_hz:.1f} Hz"
    return ""


def silence_ns(senses: Senses) -> int | None:
    """When silence of the fast frames would make the grid unknown; ``None`` = never heard."""
    if senses.grid_fast is None:
        return None
    return senses.grid_fast.at_ns + int(GRID_FAST_LIMIT_MS * NS_PER_MS) + 1


def deadlines_ns(settings: GridSettings, state: GridState) -> list[int]:
    """The ends of the counts that run: the enter-service delay and the trip elements' clearing times."""
    ends = grid_trips.deadlines_ns(settings.trips, state.clocks)
    if state.ok_since_ns is not None:
        ends.append(state.ok_since_ns + int(settings.enter_service.delay_s * NS_PER_S))
    return ends


def _dips(fast: GridFast) -> bool:
    return fast.l1_pu is None or fast.l2_pu is None or min(fast.l1_pu, fast.l2_pu) < FAST_DIP_PU


def _judge(
    settings: GridSettings,
    cycle: SideCycle | None,
    fast: GridFast | None,
    live_l1_ns: int | None,
    live_l2_ns: int | None,
    now_ns: int,
) -> tuple[GridCondition, str]:
    if fast is None or cycle is None:
        return GridCondition.UNKNOWN, "the grid sensing is silent or not to be trusted"
    if fast.l1_pu is None or fast.l2_pu is None:
        return GridCondition.UNKNOWN, "a leg's sensing is missing"
    if max(fast.l1_pu, fast.l2_pu) < DEAD_PU:
        seen = [at for at in (live_l1_ns, live_l2_ns) if at is not None and now_ns - at <= SEEN_LIVE_NS]
        words = (
            "no voltage"
            if len(seen) == 2
            else "no voltage (a channel not seen live for 60 s may be a blown fuse)"
        )
        return GridCondition.DEAD, words
    fault = window_fault(settings.enter_service, cycle)
    if fault:
        return GridCondition.OUT_OF_WINDOW, fault
    return GridCondition.IN_WINDOW, ""
