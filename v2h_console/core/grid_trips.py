"""The trip elements' clocks: how long each has been beyond its limit, and which of them says "leave".

Comparisons are strict: at the limit nothing trips (IEEE 1547-2018, 6.4 and 6.5). The worst of L1, L2 and L1-L2 counts.
A zero-crossing frequency lies for two cycles after a voltage step (56 Hz at the edge of a 50 % sag on a healthy grid).
No element can trip on that: a clock needs every half cycle of its clearing time, and the shortest is 9.6 cycles. Who
judges single readings asks ``blind_until_ns``.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.grid_code import TripElement
from v2h_console.core.settings import NOMINAL_V, NS_PER_S
from v2h_drivers.capabilities.fast_readings import SideCycle
from v2h_drivers.capabilities.quality import Quality

#: A change of a leg from one half cycle to the next by this much is a step.
STEP_V = 0.08 * NOMINAL_V
GATE_NS = round(2 / 60 * NS_PER_S)
_LEGS = ("L1", "L2", "L1-L2")


@dataclass(frozen=True, slots=True)
class TripClocks:
    """``since_ns`` per element, ``None`` = within its limit; ``blind_until_ns``: no frequency is believed before."""

    since_ns: tuple[int | None, ...] = ()
    last_v: tuple[float, float] | None = None
    blind_until_ns: int = 0


def advance(elements: tuple[TripElement, ...], clocks: TripClocks, cycle: SideCycle) -> TripClocks:
    """One half-cycle reading. A reading that is not to be trusted moves no clock, and stops none."""
    if cycle.quality is not Quality.GOOD:
        return clocks
    since_ns = clocks.since_ns or (None,) * len(elements)
    blind_until_ns, last_v = clocks.blind_until_ns, clocks.last_v
    if cycle.l1_v is not None and cycle.l2_v is not None:
        now_v = (cycle.l1_v, cycle.l2_v)
        if last_v is not None and max(abs(now_v[0] - last_v[0]), abs(now_v[1] - last_v[1])) > STEP_V:
            blind_until_ns = cycle.at_ns + GATE_NS
        last_v = now_v
    volts = _per_unit(cycle)
    lowest, highest = (min(volts), max(volts)) if volts else (None, None)
    result: list[int | None] = []
    for element, started in zip(elements, since_ns, strict=True):
        value = (highest if element.over else lowest) if element.quantity == "v" else cycle.frequency_hz
        beyond = value is not None and (value > element.limit if element.over else value < element.limit)
        result.append((started if started is not None else cycle.at_ns) if beyond else None)
    following = tuple(result)
    if following == since_ns:
        following = since_ns
    return replace(clocks, since_ns=following, last_v=last_v, blind_until_ns=blind_until_ns)


def _per_unit(cycle: SideCycle) -> list[float]:
    pairs = ((cycle.l1_v, NOMINAL_V), (cycle.l2_v, NOMINAL_V), (cycle.l1l2_v, 2 * NOMINAL_V))
    return [value / nominal_v for value, nominal_v in pairs if value is not None]


def tripped(
    elements: tuple[TripElement, ...], clocks: TripClocks, now_ns: int
) -> tuple[TripElement, int] | None:
    """The first element whose clearing time has run out, and since when it has been beyond its limit."""
    for element, since_ns in zip(elements, clocks.since_ns, strict=False):
        if since_ns is not None and now_ns - since_ns >= element.clearing_s * NS_PER_S:
            return element, since_ns
    return None


def words(element: TripElement, cycle: SideCycle | None) -> str:
    """Which element, by how much, and on which leg, as far as the newest reading tells."""
    unit = "pu" if element.quantity == "v" else "Hz"
    limit = f"{element.name}: {'over' if element.over else 'under'} {element.limit:g} {unit}"
    limit += f" for {element.clearing_s:g} s"
    if cycle is None:
        return limit
    if element.quantity == "f":
        return limit if cycle.frequency_hz is None else f"{limit} ({cycle.frequency_hz:.2f} Hz)"
    volts = (cycle.l1_v, cycle.l2_v, None if cycle.l1l2_v is None else cycle.l1l2_v / 2)
    known = [(value / NOMINAL_V, leg) for value, leg in zip(volts, _LEGS, strict=True) if value is not None]
    if not known:
        return limit
    worst, leg = max(known) if element.over else min(known)
    return f"{limit} ({leg} {worst:.2f} pu)"


def deadlines_ns(elements: tuple[TripElement, ...], clocks: TripClocks) -> list[int]:
    """When each running clock runs out."""
    return [
        since_ns + int(element.clearing_s * NS_PER_S)
        for element, since_ns in zip(elements, clocks.since_ns, strict=False)
        if since_ns is not None
    ]
