"""Many runs with random faults, judged: what broke, what was not reacted to in time, how fast it went."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from v2h_console.core.step import step
from v2h_console.proving.course import Course, JudgedSite, violation_document
from v2h_console.proving.judge import Violation
from v2h_console.proving.plans import MAKERS, Mishap, Plan, plan
from v2h_console.proving.reactions import EXPECTED
from v2h_console.proving.virtual import StepFunction
from v2h_console.twin.scenario import ScenarioError
from v2h_console.twin.scene import Scene, scene

S = 1_000_000_000
#: The modes in which a fault can find a site that is not in the middle of a transfer.
MODES_COVERED = ("tied", "islanded", "syncing", "dark", "fault_open")


@dataclass(frozen=True, slots=True)
class Answer:
    """How one fault was met. ``reacted_ms`` ``None``: not, or not yet; ``judged`` false: nothing was owed."""

    fault: str
    mode: str
    judged: bool
    reacted_ms: float | None
    in_time: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run."""

    seed: int
    simulated_s: float
    wall_s: float
    violations: tuple[Violation, ...]
    answers: tuple[Answer, ...]
    trace: str


@dataclass(slots=True)
class Report:
    """All runs of a campaign."""

    faults: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def broken(self) -> list[Outcome]:
        """Runs with a violation or a fault that was not met in time."""
        return [o for o in self.outcomes if o.violations or not all(a.in_time for a in o.answers)]

    def document(self) -> dict[str, Any]:
        """The contract's JSON."""
        simulated_s = sum(outcome.simulated_s for outcome in self.outcomes)
        cpu_s = sum(outcome.wall_s for outcome in self.outcomes)
        seen = {(a.fault, a.mode) for o in self.outcomes for a in o.answers if a.mode in MODES_COVERED}
        pairs = len(self.faults) * len(MODES_COVERED)
        return {
            "runs": len(self.outcomes),
            "simulated_s": round(simulated_s, 1),
            "wall_s": round(self.wall_s, 2),
            "cpu_s": round(cpu_s, 2),
            "speed": round(simulated_s / cpu_s, 1) if cpu_s else None,
            "violations": [
                {"seed": o.seed, **violation_document(v), "replay": self.replay(o.seed)}
                for o in self.outcomes
                for v in o.violations
            ],
            "late": [
                {"seed": o.seed, "fault": a.fault, "reacted_ms": a.reacted_ms, "replay": self.replay(o.seed)}
                for o in self.outcomes
                for a in o.answers
                if not a.in_time
            ],
            "faults": {name: self._fault(name) for name in self.faults},
            "state_fault_coverage_pct": round(100.0 * len(seen) / pairs, 1) if pairs else None,
        }

    def replay(self, seed: int) -> str:
        """The command that runs this seed alone."""
        return f"v2h-console campaign --first {seed} --seeds 1 --faults {_faults_word(self.faults)} --json"

    def _fault(self, name: str) -> dict[str, Any]:
        answers = [a for o in self.outcomes for a in o.answers if a.fault == name]
        judged = [a for a in answers if a.judged]
        runs = [o for o in self.outcomes if any(a.fault == name for a in o.answers)]
        cpu_s = sum(o.wall_s for o in runs)
        worst = max((a.reacted_ms for a in judged if a.reacted_ms is not None), default=None)
        return {
            "injected": len(answers),
            "judged": len(judged),
            "reacted_in_time": sum(a.in_time for a in answers),
            "worst_ms": None if worst is None else round(worst, 2),
            "bound_ms": EXPECTED[name].within_ms,
            "named_first": None,
            "speed": round(sum(o.simulated_s for o in runs) / cpu_s, 1) if cpu_s else None,
        }


def _faults_word(faults: Sequence[str]) -> str:
    if not faults:
        return "none"
    return "all" if set(faults) == set(MAKERS) else ",".join(faults)


class _WatchedSite(JudgedSite):
    """A judged site that notes how the house and the core stood at each fault's onset."""

    def __init__(self, planned: Plan, **options: Any) -> None:
        super().__init__(planned.scenario, planned.seed, **options)
        self._left = list(planned.mishaps)
        self.onsets: list[tuple[Mishap, int, Scene, str, int]] = []
        self.refused: list[str] = []

    def do(self, name: str, params: dict[str, float | str | bool]) -> None:
        """Do the line. A line that the house cannot take as it stands (a fault that is there already) is left out."""
        now_s = self.site.world.now_ns / S
        for mishap in [one for one in self._left if one.at_s <= now_s + 1e-6]:
            self._left.remove(mishap)
            mode = self.site.state.islanding.mode.value
            truths = len(self.site.run.truths)
            self.onsets.append((mishap, self.site.world.now_ns, scene(self.site.world), mode, truths))
        try:
            super().do(name, params)
        except ScenarioError as error:
            self.refused.append(str(error))


def run_plan(
    planned: Plan, *, fixed: bool = False, step_function: StepFunction = step
) -> tuple[Outcome, Course]:
    """One run."""
    judged = _WatchedSite(planned, fixed=fixed, step_function=step_function)
    course = judged.play()
    onsets_ns = [onset_ns for _, onset_ns, _, _, _ in judged.onsets]
    answers = []
    for mishap, onset_ns, then, mode, position in judged.onsets:
        expected = EXPECTED[mishap.name]
        # With a second fault within the bound, whose reaction is whose cannot be told: only the invariants judge.
        alone = sum(abs(other - onset_ns) < 2 * S for other in onsets_ns) == 1
        judged_here = alone and len(onsets_ns) == 1 and expected.applies(then)
        reacted_ms = expected.reaction(onset_ns, then, course.run.truths[position:]) if judged_here else None
        in_time = not judged_here or (reacted_ms is not None and reacted_ms <= expected.within_ms)
        answers.append(Answer(mishap.name, mode, judged_here, reacted_ms, in_time))
    outcome = Outcome(
        planned.seed,
        planned.scenario.duration_s,
        course.wall_s,
        tuple(course.violations),
        tuple(answers),
        course.trace,
    )
    return outcome, course


def _one(job: tuple[int, tuple[str, ...]]) -> Outcome:
    seed, faults = job
    return run_plan(plan(seed, faults))[0]


def run(first: int, seeds: int, faults: Sequence[str], jobs: int, *, progress: Any = None) -> Report:
    """``seeds`` runs from ``first`` on, in ``jobs`` processes. ``progress(done, seeds)`` is called after each."""
    report = Report(tuple(faults))
    began = time.perf_counter()
    work = [(seed, tuple(faults)) for seed in range(first, first + seeds)]
    for outcome in _outcomes(work, jobs):
        report.outcomes.append(outcome)
        if progress is not None:
            progress(len(report.outcomes), seeds)
    report.outcomes.sort(key=lambda outcome: outcome.seed)
    report.wall_s = time.perf_counter() - began
    return report


def _outcomes(work: list[tuple[int, tuple[str, ...]]], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(_one, work)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_one, work, chunksize=4)


def shrink(planned: Plan, step_function: StepFunction = step) -> Plan:
    """The same failure with fewer lines: each line that can go without losing the first violation goes."""
    wanted = {
        violation.invariant for violation in run_plan(planned, step_function=step_function)[0].violations
    }
    lines = list(planned.scenario.steps)
    for line in list(lines):
        fewer = tuple(one for one in lines if one is not line)
        candidate = replace(planned, scenario=replace(planned.scenario, steps=fewer), mishaps=())
        found = {v.invariant for v in run_plan(candidate, step_function=step_function)[0].violations}
        if wanted and wanted & found:
            lines = list(fewer)
    return replace(planned, scenario=replace(planned.scenario, steps=tuple(lines)), mishaps=())


def lines(planned: Plan) -> Iterable[str]:
    """A plan in words, one line each."""
    start = planned.scenario.start
    yield f"start soc {start.soc_pct:.1f} %, {start.ambient_c:.0f} °C, delay {start.enter_service_s:g} s, boot {start.boot}"
    for one in planned.scenario.steps:
        words = " ".join(f"{key}={value}" for key, value in one.params.items())
        yield f"{one.s:9.3f} s  {one.do} {words}"
