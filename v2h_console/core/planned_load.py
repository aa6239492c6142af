"""What the house will draw once all that waits has returned."""

from __future__ import annotations

from v2h_console.core.load_state import LoadState, known
from v2h_console.core.settings import LoadSettings


def held_w(settings: LoadSettings, state: LoadState) -> float:
    """Table watts of the circuits that are held off and may come back while islanded."""
    return sum(
        known(circuit, held).running_va
        for circuit, held in zip(settings.circuits, state.circuits, strict=True)
        if held.shed and circuit.tier < 4 and not held.culprit
    )
