"""Whether a circuit can be switched at all: what the polled load centre would not take is refused before it is accepted."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import State
from v2h_console.runtime.snapshots import SLOW_LIMIT_MS
from v2h_drivers.capabilities.slow_readings import LinkState


@dataclass(frozen=True, slots=True)
class Relays:
    """The load centre, as the site names it, and how many circuits it switches: the first ones of the table."""

    device: str
    count: int


def refusal(relays: Relays | None, circuit: int, state: State, now_ns: int) -> str:
    """Why this circuit is not switched now, "" = it is asked for."""
    if relays is None:
        return "this site has no load centre that could switch it"
    if circuit >= relays.count:
        return f"it has no relay: {relays.device} switches the first {relays.count} circuits of loads.conf"
    link = next((one for one in state.senses.links if one.device == relays.device), None)
    if link is None:
        return f"{relays.device} has not been heard yet"
    if link.state is LinkState.LOST or now_ns - link.at_ns > SLOW_LIMIT_MS * NS_PER_MS:
        return f"{relays.device} does not answer: {link.reason or 'its driver is silent'}"
    return ""
