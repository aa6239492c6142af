"""An incident run again: the same observations at the same instants must lead to the same commands, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from v2h_console.core.step import step
from v2h_console.proving.virtual_owner import StepFunction
from v2h_console.runtime.incident_file import Incident, IncidentError, commands_bytes


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step that came out otherwise."""

    step: int
    at_s: float
    what: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """``modes``: (seconds from the first step, mode) as the replay went."""

    incident: Incident
    difference: Difference | None
    modes: tuple[tuple[float, str], ...]

    def document(self) -> dict[str, Any]:
        """The contract's JSON."""
        entries = self.incident.entries
        first, last = entries[0].now_ns, entries[-1].now_ns
        difference = self.difference
        return {
            "identical": difference is None,
            "title": self.incident.title,
            "site": self.incident.site,
            "steps": len(entries),
            "commands": sum(len(entry.commands) for entry in entries),
            "duration_s": round((last - first) / 1e9, 3),
            "modes": [{"at_s": at_s, "mode": mode} for at_s, mode in self.modes],
            "events": [
                {"at_s": round((event.at_ns - first) / 1e9, 4), "code": event.code, "text": event.text}
                for entry in entries
                for event in entry.events
            ],
            "first_difference": None
            if difference is None
            else {
                "step": difference.step,
                "at_s": difference.at_s,
                "what": difference.what,
                "recorded": difference.recorded,
                "replayed": difference.replayed,
            },
        }


def run(incident: Incident, step_function: StepFunction = step) -> Replayed:
    """Step through the incident; it ends at the first difference, or where the step raises. Raises IncidentError for one
    without steps."""
    if not incident.entries:
        raise IncidentError("holds no steps: there is nothing to replay")
    state = incident.state
    modes = [(0.0, state.islanding.mode.value)]
    first_ns = incident.entries[0].now_ns
    for nth, entry in enumerate(incident.entries):
        at_s = round((entry.now_ns - first_ns) / 1e9, 4)
        try:
            result = step_function(incident.settings, state, entry.observation, entry.now_ns)
        except Exception as error:  # noqa: BLE001  (a core that raises where it did not, or a file that no core wrote)
            said = f"{type(error).__name__}: {error}"
            return Replayed(incident, Difference(nth, at_s, "step", "it went on", said), tuple(modes))
        if commands_bytes(result.commands) != commands_bytes(entry.commands):
            found = Difference(nth, at_s, "commands", repr(entry.commands), repr(result.commands))
            return Replayed(incident, found, tuple(modes))
        if result.events != entry.events:
            found = Difference(nth, at_s, "events", repr(entry.events), repr(result.events))
            return Replayed(incident, found, tuple(modes))
        state = result.state
        if state.islanding.mode.value != modes[-1][1]:
            modes.append((at_s, state.islanding.mode.value))
    return Replayed(incident, None, tuple(modes))
