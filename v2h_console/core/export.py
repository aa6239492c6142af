"""How much the site has fed into the grid of late: the right to separate quickly hangs on it.

Estimated from the inverter's and the roof's own power and the house's load currents. Unknown is not "no export".
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NOMINAL_V, NS_PER_MS, NS_PER_S

#: The most of the last 30 s counts; kept as the most of two windows of 15 s and the one that runs.
WINDOW_NS = 15 * NS_PER_S
LOOK_NS = 250 * NS_PER_MS
POLLED_LIMIT_MS = 3_000.0
CURRENTS_LIMIT_MS = 100.0


@dataclass(frozen=True, slots=True)
class ExportState:
    """Watts into the grid: ``most_w`` of the window that began at ``since_ns``, and of the two before it. ``newest_w``
    joins them with the look after it: where currents collapse with the grid, the powers that were polled before stand a
    while longer, and would pass for export in the very moment in which it is asked for."""

    looked_ns: int = 0
    since_ns: int = 0
    most_w: float = 0.0
    newest_w: float = 0.0
    before_w: tuple[float, float] = (0.0, 0.0)
    known_ns: int | None = None

    def recent_w(self, now_ns: int) -> float | None:
        """The most of the last 30 to 45 s; ``None`` when nothing is known of the last 3 s."""
        if self.known_ns is None or now_ns - self.known_ns > POLLED_LIMIT_MS * NS_PER_MS:
            return None
        return max(self.most_w, *self.before_w)


def update(state: ExportState, senses: Senses, now_ns: int, *, roof: bool = False) -> ExportState:
    """Look four times a second. ``roof``: the site has one that is polled."""
    if now_ns - state.looked_ns < LOOK_NS and state.known_ns is not None:
        return state
    export_w = _export_w(senses, now_ns, roof)
    if now_ns - state.since_ns >= WINDOW_NS:
        state = replace(state, since_ns=now_ns, most_w=0.0, before_w=(state.most_w, state.before_w[0]))
    if export_w is None:
        return replace(state, looked_ns=now_ns)
    most_w = max(state.most_w, state.newest_w)
    return replace(state, looked_ns=now_ns, known_ns=now_ns, most_w=most_w, newest_w=export_w)


def _export_w(senses: Senses, now_ns: int, roof: bool) -> float | None:
    inverter = fresh(senses.inverter, now_ns, POLLED_LIMIT_MS)
    currents = fresh(senses.currents, now_ns, CURRENTS_LIMIT_MS)
    if inverter is None or inverter.power_w is None or currents is None:
        return None
    if currents.l1_a is None or currents.l2_a is None:
        return None
    # A roof that has not been heard yet, or not for long, may still export.
    solar_w = 0.0
    if roof or senses.solar is not None:
        solar = fresh(senses.solar, now_ns, POLLED_LIMIT_MS)
        if solar is None or solar.power_w is None:
            return None
        solar_w = solar.power_w
    return inverter.power_w + solar_w - (currents.l1_a + currents.l2_a) * NOMINAL_V
