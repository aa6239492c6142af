"""What the house gets, by its own volts and hertz: proven forming is not the same as a voltage that appliances bear.

The curve of the Information Technology Industry Council (ITIC, 2000) says what they bear: 1.2 times the nominal for half a
second, 1.1 and 0.9 for good. Above the first the island ends; outside the others a person is told, because a start or an
overload may pass, and a dark house bears nothing better. On the grid a closed MID that feeds no voltage is told as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.senses import CYCLE_LIMIT_MS, GRID_FAST_LIMIT_MS, HOUSE_FAST_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S
from v2h_console.core.since import since
from v2h_drivers.capabilities.fast_readings import HouseFast

#: Appliances bear this for half a second.
MOST_PU = 1.2
MOST_NS = 500 * NS_PER_MS
#: And these for good; what lasts shorter is a start or a shed.
GOOD_PU = (0.88, 1.1)
#: Wider than frequency is ever raised against a roof, or turned after a street that may be closed onto.
GOOD_HZ = (58.0, 62.0)
POOR_NS = 2 * NS_PER_S
#: The house's sense is silent for so long before it is said: the controller's own silence ends the island long before.
BLIND_NS = 500 * NS_PER_MS
#: The street is there and the house is not, behind contacts that say closed.
FED_PU = 0.88
UNFED_PU = 0.5
UNFED_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class HouseWatch:
    """Since when each of these has held without a break; ``None`` = it does not."""

    high_since_ns: int | None = None
    volts_since_ns: int | None = None
    hertz_since_ns: int | None = None
    blind_since_ns: int | None = None
    unfed_since_ns: int | None = None


IDLE = HouseWatch()


def update(watch: HouseWatch, senses: Senses, *, lit: bool, closed: bool, now_ns: int) -> HouseWatch:
    """One look. ``lit``: the house stands on a voltage of ours alone; ``closed``: on the grid, by contacts that say so."""
    if not (lit or closed):
        return watch if watch == IDLE else IDLE
    house = fresh(senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    legs = _legs(house)
    hertz = None
    if lit:
        cycle = fresh(senses.house_cycle, now_ns, CYCLE_LIMIT_MS)
        hertz = None if cycle is None else cycle.frequency_hz
    high = lit and legs is not None and max(legs) > MOST_PU
    poor = lit and legs is not None and not (GOOD_PU[0] <= min(legs) and max(legs) <= GOOD_PU[1])
    following = HouseWatch(
        high_since_ns=since(watch.high_since_ns, high, now_ns),
        volts_since_ns=since(watch.volts_since_ns, poor, now_ns),
        hertz_since_ns=since(
            watch.hertz_since_ns, hertz is not None and not GOOD_HZ[0] <= hertz <= GOOD_HZ[1], now_ns
        ),
        blind_since_ns=since(watch.blind_since_ns, lit and legs is None, now_ns),
        unfed_since_ns=since(watch.unfed_since_ns, closed and _unfed(senses, legs, now_ns), now_ns),
    )
    return watch if following == watch else following


def _legs(house: HouseFast | None) -> tuple[float, float] | None:
    return None if house is None or house.l1_pu is None or house.l2_pu is None else (house.l1_pu, house.l2_pu)


def _unfed(senses: Senses, legs: tuple[float, float] | None, now_ns: int) -> bool:
    grid = fresh(senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    if grid is None or grid.l1_pu is None or grid.l2_pu is None or legs is None:
        return False
    return min(grid.l1_pu, grid.l2_pu) >= FED_PU and min(legs) < UNFED_PU


def too_high(watch: HouseWatch, now_ns: int) -> bool:
    """A leg has had more than appliances bear for as long as they bear it: the island must end."""
    return _lasts(watch.high_since_ns, MOST_NS, now_ns)


def _lasts(since_ns: int | None, for_ns: int, now_ns: int) -> bool:
    return since_ns is not None and now_ns - since_ns >= for_ns


def poor_volts(watch: HouseWatch, senses: Senses, now_ns: int) -> str:
    """What is wrong with the island's voltage, in words; "" = nothing, or not for long."""
    legs = _legs(senses.house_fast)
    if legs is None or not _lasts(watch.volts_since_ns, POOR_NS, now_ns):
        return ""
    volts = " and ".join(f"{pu * NOMINAL_V:.0f} V" for pu in legs)
    return f"L1 and L2 have {volts}, appliances bear {GOOD_PU[0] * NOMINAL_V:.0f} to {GOOD_PU[1] * NOMINAL_V:.0f} V"


def poor_hertz(watch: HouseWatch, senses: Senses, now_ns: int) -> str:
    """The same of its frequency."""
    cycle = senses.house_cycle
    if cycle is None or cycle.frequency_hz is None or not _lasts(watch.hertz_since_ns, POOR_NS, now_ns):
        return ""
    return f"{cycle.frequency_hz:.1f} Hz, allowed {GOOD_HZ[0]:.0f} to {GOOD_HZ[1]:.0f} Hz"


def blind(watch: HouseWatch, now_ns: int) -> bool:
    """Nobody knows what voltage the lit house has."""
    return _lasts(watch.blind_since_ns, BLIND_NS, now_ns)


def unfed(watch: HouseWatch, now_ns: int) -> bool:
    """The MID says closed, the street is there, and a leg of the house has nothing."""
    return _lasts(watch.unfed_since_ns, UNFED_NS, now_ns)


def deadlines_ns(watch: HouseWatch) -> tuple[int, ...]:
    """When time alone changes something."""
    clocks = (
        (watch.high_since_ns, MOST_NS),
        (watch.volts_since_ns, POOR_NS),
        (watch.hertz_since_ns, POOR_NS),
        (watch.blind_since_ns, BLIND_NS),
        (watch.unfed_since_ns, UNFED_NS),
    )
    return tuple(since_ns + for_ns for since_ns, for_ns in clocks if since_ns is not None)
