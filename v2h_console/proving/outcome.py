"""What one run of a campaign gave."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.proving.judge.violation import Violation


@dataclass(frozen=True, slots=True)
class Answer:
    """How one fault was met. ``reacted_ms`` ``None``: not, or not yet; ``judged`` false: nothing was owed;
    ``named`` ``None``: there was nothing to name."""

    fault: str
    mode: str
    judged: bool
    reacted_ms: float | None
    in_time: bool
    named: bool | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run."""

    seed: int
    simulated_s: float
    wall_s: float
    kind: str
    violations: tuple[Violation, ...]
    answers: tuple[Answer, ...]
    trace: str

    @property
    def failed(self) -> bool:
        """A violation, or a fault that was not met in time."""
        return bool(self.violations) or not all(answer.in_time for answer in self.answers)
