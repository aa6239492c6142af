"""What a trainer asks of the twin, checked before it is sent: the twin's own refusal does not come back to who asked.

What depends on the moment (a fault that is injected already) the twin alone knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from v2h_console.twin.house import CIRCUITS
from v2h_console.twin.vocabulary import SITE_FAULTS, WORLD_VERBS, ScenarioError, check

#: An order's own words come back in the refusal; they may be as long as an order; the list of faults has its room.
MOST_WORDS = 1_200


def refusal(do: str, params: Mapping[str, object]) -> str:
    """Why the simulated house cannot do this, in the twin's words; "" = it can."""
    try:
        checked = check(do, params, WORLD_VERBS)
    except ScenarioError as error:
        return str(error)[:MOST_WORDS]
    fault = checked.get("fault")
    if fault in SITE_FAULTS:
        return f"{do}: {fault} is a fault of the site, not of the house alone"
    known = [circuit.id for circuit in CIRCUITS]
    if "load" in checked and checked["load"] not in known:
        return f"load must be one of {', '.join(known)}, not {checked['load']!r}"[:MOST_WORDS]
    return ""
