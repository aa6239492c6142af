"""Contacts that move although nobody moves them: chatter, and an open pole that carries current.

A weak coil, a broken spring or a loose wire lets contacts flutter; each flutter is an arc. Bounce after a command is
over in 5 ms and is not counted. The cap is on edges, so that it counts for a pole that opens for 3 ms as for one that
opens for 15: after it the coil is let go and closing is locked out.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, MidSettings
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import MidState
from v2h_drivers.capabilities.quality import Quality

#: Edges of the two contacts within ``WINDOW_NS``: two for an opening that somebody else asked for, then no more.
MOST_EDGES = 5
WINDOW_NS = NS_PER_S
#: An open pole that carries current for this long: two frames, so that one sample of noise locks nothing out.
CURRENT_HOLD_NS = 15 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class ContactWatch:
    """``edges_ns``: when the contacts moved unbidden; ``current_since_ns``: since when an open pole carries current."""

    edges_ns: tuple[int, ...] = ()
    contacts: tuple[bool, bool] | None = None
    current_since_ns: int | None = None

    @property
    def chatters(self) -> bool:
        """Whether the contacts have moved unbidden too often."""
        return len(self.edges_ns) >= MOST_EDGES

    def conducts(self, now_ns: int) -> bool:
        """Whether an open pole has carried current for too long to be noise."""
        return self.current_since_ns is not None and now_ns - self.current_since_ns >= CURRENT_HOLD_NS


def update(
    settings: MidSettings, state: ContactWatch, readings: tuple[Reading, ...], *, bidden: bool, now_ns: int
) -> ContactWatch:
    """``bidden``: the core moves the MID now, or has just done so."""
    edges, contacts, current_since_ns = state.edges_ns, state.contacts, state.current_since_ns
    for reading in readings:
        if not isinstance(reading, MidState) or reading.quality is not Quality.GOOD:
            continue
        seen = (reading.nc_mirror_closed, reading.no_contact_closed)
        if contacts is not None and seen != contacts and not bidden:
            edges = (*edges, reading.at_ns)[-MOST_EDGES:]
        contacts = seen
        is_open = seen == (True, False)
        flows = reading.pole_current_a is not None and reading.pole_current_a >= settings.proof_max_pole_a
        if not (is_open and flows):
            current_since_ns = None
        elif current_since_ns is None:
            current_since_ns = reading.at_ns
    if edges and (bidden or now_ns - edges[0] > WINDOW_NS):
        edges = () if bidden else tuple(at_ns for at_ns in edges if now_ns - at_ns <= WINDOW_NS)
    if edges == state.edges_ns and contacts == state.contacts and current_since_ns == state.current_since_ns:
        return state
    return replace(state, edges_ns=edges, contacts=contacts, current_since_ns=current_since_ns)
