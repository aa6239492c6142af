"""A house that takes more than the car allows, with nothing left to shed.

A car that is drawn beyond its limit opens its contactors under the load after about two seconds, and its session is over.
The inverter stops before that: the house is dark either way, but a limit that rises again lights it.
"""

from __future__ import annotations

from v2h_console.core.car_session import FRESH_MS
from v2h_console.core.load_state import LoadState
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_MS

#: A motor's start may pass for so long: a car bears it for two seconds.
PATIENCE_NS = 1_500 * NS_PER_MS
#: One poll and its answer's way: an older measurement says nothing of what is drawn now.
MEASURED_MS = 700.0
#: What a current sensor and a limit that was rounded may differ by.
MARGIN = 1.05


def reason(loads: LoadState, senses: Senses, now_ns: int) -> str:
    """What is too much, in words; "" = nothing is, or something can still be shed."""
    over_ns, helpless_ns = loads.over_since_ns, loads.helpless_since_ns
    if over_ns is None or helpless_ns is None or now_ns - over_ns < PATIENCE_NS:
        return ""
    car = fresh(senses.car, now_ns, MEASURED_MS)
    session = fresh(senses.car_session, now_ns, FRESH_MS)
    if car is None or car.dc_current_a is None or session is None or session.limit_a is None:
        return ""
    # What was measured before the last shed took effect is no evidence.
    if car.at_ns < helpless_ns or car.dc_current_a <= MARGIN * session.limit_a:
        return ""
    drawn_a, limit_a = car.dc_current_a, session.limit_a
    return f"it took {drawn_a:.1f} A from the car, which allows {limit_a:.1f} A, and nothing is left to shed"
