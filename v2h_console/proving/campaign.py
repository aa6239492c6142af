"""Many runs with random faults, judged: what broke, what was not reacted to in time, how fast it went."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.pool import Pool
from typing import Any

from v2h_console.core import guards, lockouts
from v2h_console.core.events import Event, Severity
from v2h_console.core.state import FaultCause, Mode, State
from v2h_console.core.step import step
from v2h_console.proving import modbus_faults, onsets
from v2h_console.proving import shrink as shrinking
from v2h_console.proving.campaign_file import CampaignFile
from v2h_console.proving.course import Course, JudgedSite, violation_document
from v2h_console.proving.expected import EXPECTED, MASKED_BY, MASKING, NAMED_BY
from v2h_console.proving.fault_table import BY_NAME
from v2h_console.proving.judge.limits import DEAD_PU, UNLIT_NS
from v2h_console.proving.judge.violation import Violation
from v2h_console.proving.outcome import Answer, Outcome
from v2h_console.proving.plans import MAKERS, Plan, plan
from v2h_console.proving.virtual_owner import StepFunction
from v2h_console.twin.scene import Scene, scene
from v2h_console.twin.truth import Truth
from v2h_console.twin.vocabulary import ScenarioError

S = 1_000_000_000
Progress = Callable[[str, int, int, str], None]
MODES = tuple(mode.value for mode in Mode)
#: Two faults this close together: whose reaction is whose cannot be told.
APART_NS = 2 * S
#: So long after its delay a house that could go back to the grid has gone: three tries to close, 30 s apart.
IDLE_S = 95.0
#: These the table gives no way out of but a person's.
HARD_CAUSES = (FaultCause.DISAGREEMENT, FaultCause.UNBIDDEN, FaultCause.BACKFEED)
#: Failures that are shrunk; each takes up to a minute.
MOST_SHRUNK = 5


@dataclass(frozen=True, slots=True)
class Onset:
    """How the house and the core stood as a fault began: ``position`` in the truths, ``told`` in the events."""

    fault: str
    at_ns: int
    scene: Scene
    mode: str
    position: int
    told: int
    #: Faults still there that can hide the reaction to this one.
    masked: bool
    #: Forming is locked out until a person resets it: there is nothing to leave the grid for but the trip elements.
    barred: bool


class _WatchedSite(JudgedSite):
    """A judged site that notes how the house and the core stood at each fault's onset."""

    def __init__(self, planned: Plan, *, fixed: bool, step_function: StepFunction) -> None:
        steps = [*planned.scenario.steps, *(line for one in planned.ambushes for line in one.lines)]
        super().__init__(
            planned.scenario,
            planned.seed,
            fixed=fixed,
            modbus_links=modbus_faults.links(steps),
            step_function=step_function,
        )
        self._left = list(planned.mishaps)
        self._active: set[str] = set()
        self.onsets: list[Onset] = []
        self.refused: list[str] = []
        #: The first time that the house was left dark beside a car that could light it.
        self.left_dark: list[Violation] = []
        #: When it last waited for a person.
        self._waited_ns = 0

    def onset(self, fault: str) -> None:
        """Note it."""
        run, world = self.site.run, self.site.world
        mode = self.site.state.islanding.mode.value
        self.onsets.append(
            Onset(
                fault,
                world.now_ns,
                scene(world),
                mode,
                len(run.truths),
                len(run.events),
                bool(self._active & (MASKING | MASKED_BY.get(fault, frozenset()))),
                bool(self.site.state.islanding.lk_form),
            )
        )

    def do(self, name: str, params: dict[str, float | str | bool]) -> None:
        """Do the line. A line that the house cannot take as it stands (a fault that is there already) is left out."""
        now_s = self.site.world.now_ns / S
        for mishap in [one for one in self._left if one.at_s <= now_s + 1e-6]:
            self._left.remove(mishap)
            self.onset(mishap.name)
        try:
            super().do(name, params)
        except ScenarioError as error:
            self.refused.append(str(error))
            return
        if name == "fault.inject":
            self._active.add(str(params["fault"]))
        elif name == "fault.clear":
            self._active.discard(str(params["fault"]))

    def _look(self) -> None:
        super()._look()
        site, now_ns = self.site, self.site.world.now_ns
        if _waits_for_a_person(site.state):
            self._waited_ns = now_ns
        unlit_ns = min(self.judge.unlit_for(now_ns), now_ns - self._waited_ns)
        if self.left_dark or unlit_ns < UNLIT_NS:
            return
        why = guards.forming_refusal(site.settings, site.state, now_ns) or site.state.islanding.mode.value
        self.left_dark.append(Violation("left dark", now_ns, f"beside a car that could light it: {why}"))


def _waits_for_a_person(state: State) -> bool:
    """Whether the core says so: a lockout, or a fault of the contacts that does not end by itself."""
    islanding = state.islanding
    return bool(islanding.lk_form) or islanding.fault_cause in HARD_CAUSES


def run_plan(
    planned: Plan, *, fixed: bool = False, step_function: StepFunction = step
) -> tuple[Outcome, Course]:
    """One run. ``fixed``: every frame lived through, no hops."""
    judged = _WatchedSite(planned, fixed=fixed, step_function=step_function)
    course = judged.play(planned.ambushes)
    answers = tuple(_answer(course, judged.onsets, nth) for nth in range(len(judged.onsets)))
    scenario = planned.scenario
    faultless = not (planned.mishaps or planned.ambushes)
    outcome = Outcome(
        planned.seed,
        scenario.duration_s,
        course.wall_s,
        f"{len(judged.onsets)} faults, delay {scenario.start.enter_service_s:g} s",
        (*course.violations, *judged.left_dark, *_idle(course), *(_needless(course) if faultless else ())),
        answers,
        course.trace,
    )
    return outcome, course


def _needless(course: Course) -> list[Violation]:
    """Lockouts left in a house where nothing was ever wrong: each would keep it as it is until somebody comes."""
    islanding = course.site.state.islanding
    why = islanding.lk_form or islanding.lk_close
    return [Violation("needless lockout", course.site.world.now_ns, why)] if why else []


def _idle(course: Course) -> list[Violation]:
    """A house left dark beside a grid that has long been good, with nothing that refuses the close: it waits for nobody.

    It asks the core, as ``left_dark`` does: for its reason, and whether it has one.
    """
    site = course.site
    state, now_ns = site.state, site.world.now_ns
    served_ns = int((course.scenario.start.enter_service_s + IDLE_S) * S)
    if (
        not site.owner_runs
        or state.islanding.mode is not Mode.DARK
        or state.grid.ok_for_ns(now_ns) < served_ns
        or now_ns - state.islanding.since_ns < served_ns
        or guards.closing_refusal(site.settings, state, now_ns)
        or lockouts.gate_stays(state, now_ns)
        or max(scene(site.world).house_pu) > DEAD_PU
    ):
        return []
    return [Violation("idle in the dark", now_ns, "beside a good grid, and nothing refuses the close")]


def _answer(course: Course, begun: Sequence[Onset], nth: int) -> Answer:
    """What the fault asked for, looked for until the next one begins."""
    onset, truths, events = begun[nth], course.run.truths, course.run.events
    expected = EXPECTED[onset.fault]
    later = begun[nth + 1] if nth + 1 < len(begun) else None
    apart = all(one is onset or abs(one.at_ns - onset.at_ns) >= APART_NS for one in begun)
    owed = not (onset.barred and expected.applies is onsets.can_leave)
    judged = apart and owed and not onset.masked and expected.applies(onset.scene)
    bound_ms = expected.bound_ms(_owned_for_ms(truths[: onset.position], onset.at_ns))
    if later is not None and later.at_ns - onset.at_ns < bound_ms * 1e6:
        judged = False
    reacted_ms: float | None = None
    if judged:
        after = truths[onset.position : later.position if later else None]
        reacted_ms = expected.reaction(onset.at_ns, onset.scene, after)
    in_time = not judged or (reacted_ms is not None and reacted_ms <= bound_ms)
    said = events[onset.told : later.told if later else None]
    return Answer(onset.fault, onset.mode, judged, reacted_ms, in_time, _named(onset.fault, said))


def _owned_for_ms(before: Sequence[Truth], now_ns: int) -> float | None:
    """For how long the owner has run that began last; ``None`` = it has run from the beginning."""
    began = [truth.at_ns for truth in before if truth.truth == "owner.started"]
    return (now_ns - began[-1]) / 1e6 if began else None


def _named(fault: str, said: Sequence[Event]) -> bool | None:
    """Whether the first thing said after the onset that is not normal life has the code that names this fault."""
    codes = NAMED_BY.get(fault)
    if codes is None:
        return None
    for event in said:
        if event.severity is not Severity.INFO:
            return event.code.startswith(codes)
    return None


@dataclass(slots=True)
class Report:
    """All runs of a campaign. ``rechecked``: seed and whether every frame lived through gave the same trace."""

    faults: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)
    wall_s: float = 0.0
    rechecked: list[tuple[int, bool]] = field(default_factory=list)
    shrunk: dict[int, Plan] = field(default_factory=dict)

    @property
    def broken(self) -> list[Outcome]:
        """Runs with a violation or a fault that was not met in time."""
        return [outcome for outcome in self.outcomes if outcome.failed]

    @property
    def failed(self) -> bool:
        """Whether anything at all was not as it must be."""
        return bool(self.broken) or not all(same for _, same in self.rechecked)

    def document(self) -> dict[str, Any]:
        """The contract's JSON."""
        cpu_s = sum(outcome.wall_s for outcome in self.outcomes)
        seen = {(answer.fault, answer.mode) for outcome in self.outcomes for answer in outcome.answers}
        pairs = len(self.faults) * len(MODES)
        kinds = sorted({outcome.kind for outcome in self.outcomes})
        return {
            "runs": len(self.outcomes),
            "simulated_s": round(sum(outcome.simulated_s for outcome in self.outcomes), 1),
            "wall_s": round(self.wall_s, 2),
            "cpu_s": round(cpu_s, 2),
            "speed": _speed(self.outcomes),
            "speed_by_class": {
                kind: _speed([outcome for outcome in self.outcomes if outcome.kind == kind]) for kind in kinds
            },
            "violations": [
                {"seed": outcome.seed, **violation_document(violation), "replay": self.replay(outcome.seed)}
                for outcome in self.outcomes
                for violation in outcome.violations
            ],
            "late": [
                {
                    "seed": outcome.seed,
                    "fault": answer.fault,
                    "reacted_ms": answer.reacted_ms,
                    "bound_ms": EXPECTED[answer.fault].within_ms,
                    "replay": self.replay(outcome.seed),
                }
                for outcome in self.outcomes
                for answer in outcome.answers
                if not answer.in_time
            ],
            "shrunk": [
                {
                    "seed": seed,
                    "replay": self.replay(seed),
                    "plan": shrinking.lines(planned),
                    "scenario": shrinking.toml(planned),
                }
                for seed, planned in sorted(self.shrunk.items())
            ],
            "rechecked": {
                "runs": len(self.rechecked),
                "identical": sum(same for _, same in self.rechecked),
                "different": [seed for seed, same in self.rechecked if not same],
            },
            "faults": {name: self._fault(name) for name in self.faults},
            "state_fault_coverage_pct": round(100.0 * len(seen) / pairs, 1) if pairs else None,
        }

    def replay(self, seed: int) -> str:
        """The command that runs this seed alone."""
        return f"v2h-console campaign --first {seed} --seeds 1 --faults {_faults_word(self.faults)} --json"

    def _fault(self, name: str) -> dict[str, Any]:
        answers = [answer for outcome in self.outcomes for answer in outcome.answers if answer.fault == name]
        runs = [outcome for outcome in self.outcomes if any(a.fault == name for a in outcome.answers)]
        named = [answer.named for answer in answers if answer.named is not None]
        worst = max((a.reacted_ms for a in answers if a.reacted_ms is not None), default=None)
        return {
            "injected": len(answers),
            "judged": sum(answer.judged for answer in answers),
            "reacted_in_time": sum(answer.in_time for answer in answers),
            "named_first": sum(named) if named else None,
            "told": len(named),
            "worst_ms": None if worst is None else round(worst, 2),
            "bound_ms": EXPECTED[name].within_ms,
            "required_ms": BY_NAME[name].within_ms,
            "modes": sorted({answer.mode for answer in answers}),
            "speed": _speed(runs),
        }


def _what_broke(outcome: Outcome) -> str:
    found = [violation.invariant for violation in outcome.violations]
    found += [f"{answer.fault} late" for answer in outcome.answers if not answer.in_time]
    return f"seed {outcome.seed}: {', '.join(dict.fromkeys(found))}" if found else ""


def _speed(outcomes: Sequence[Outcome]) -> float | None:
    """Simulated time over the time it took, on one core."""
    cpu_s = sum(outcome.wall_s for outcome in outcomes)
    return round(sum(outcome.simulated_s for outcome in outcomes) / cpu_s, 1) if cpu_s else None


def _faults_word(faults: Sequence[str]) -> str:
    if not faults:
        return "none"
    return "all" if set(faults) == set(MAKERS) else ",".join(faults)


def _one(job: tuple[int, tuple[str, ...]]) -> Outcome:
    seed, faults = job
    return run_plan(plan(seed, faults))[0]


def _again(job: tuple[int, tuple[str, ...], str]) -> tuple[int, bool]:
    """The same seed with every frame lived through: whether it leaves the same trace."""
    seed, faults, trace = job
    return seed, run_plan(plan(seed, faults), fixed=True)[0].trace == trace


def run(
    first: int,
    seeds: int,
    faults: Sequence[str],
    jobs: int,
    *,
    recheck_pct: float = 0.0,
    keep: CampaignFile | None = None,
    progress: Progress | None = None,
) -> Report:
    """``seeds`` runs from ``first`` on, in ``jobs`` processes; ``recheck_pct`` of them again without any hop.

    What ``keep`` holds already is not run again, and what is run goes into it. ``progress`` is called after each run:
    what is counted, how many of how many, and what broke in it ("": nothing).
    """
    report = Report(tuple(faults))
    began = time.perf_counter()
    wanted = range(first, first + seeds)
    if keep is not None:
        report.outcomes += [keep.runs[seed] for seed in wanted if seed in keep.runs]
    done = {outcome.seed for outcome in report.outcomes}
    with _Workers(jobs) as workers:
        for outcome in workers.over(_one, [(seed, tuple(faults)) for seed in wanted if seed not in done]):
            report.outcomes.append(outcome)
            if keep is not None:
                keep.add_run(outcome)
            if progress is not None:
                progress("runs", len(report.outcomes), seeds, _what_broke(outcome))
        report.outcomes.sort(key=lambda outcome: outcome.seed)
        report.wall_s = time.perf_counter() - began
        _repeat(report, int(seeds * recheck_pct / 100.0), workers, keep, progress)
    for outcome in report.broken[:MOST_SHRUNK]:
        report.shrunk[outcome.seed] = shrink(plan(outcome.seed, tuple(faults)))
    return report


def _repeat(
    report: Report, count: int, workers: _Workers, keep: CampaignFile | None, progress: Progress | None
) -> None:
    """``count`` of the runs again, evenly spread, every frame lived through."""
    outcomes, held = report.outcomes, {} if keep is None else keep.again
    chosen = [outcomes[(nth + 1) * len(outcomes) // count - 1] for nth in range(count)]
    report.rechecked = [(outcome.seed, held[outcome.seed]) for outcome in chosen if outcome.seed in held]
    work = [
        (outcome.seed, tuple(report.faults), outcome.trace) for outcome in chosen if outcome.seed not in held
    ]
    for seed, same in workers.over(_again, work):
        report.rechecked.append((seed, same))
        if keep is not None:
            keep.add_again(seed, same)
        if progress is not None:
            broke = "" if same else f"seed {seed}: another trace without hops"
            progress("repeats", len(report.rechecked), count, broke)
    report.rechecked.sort()


def _pool(jobs: int) -> Pool:
    """Ctrl+C reaches every process of the terminal: one of them is enough to end the campaign, and to say so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Inherited while a worker still imports; its own Python sets no other.
        return multiprocessing.get_context("spawn").Pool(jobs)
    finally:
        signal.signal(signal.SIGINT, before)


class _Workers:
    """Processes, or this one alone."""

    def __init__(self, jobs: int) -> None:
        self._pool = _pool(jobs) if jobs > 1 else None

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    def over(self, function: Any, work: Sequence[Any]) -> Iterator[Any]:
        if self._pool is None:
            return map(function, work)
        each: Iterator[Any] = self._pool.imap_unordered(function, work, 4 if len(work) > 40 else 1)
        return each


def shrink(planned: Plan, step_function: StepFunction = step) -> Plan:
    """The same failure with fewer lines."""

    def find(candidate: Plan) -> tuple[shrinking.Findings, float]:
        outcome, _ = run_plan(candidate, step_function=step_function)
        late = {("late", answer.fault) for answer in outcome.answers if not answer.in_time}
        broken: set[tuple[str, ...]] = {(violation.invariant,) for violation in outcome.violations}
        # A reaction that never comes is known at the end only.
        at_s = min((violation.at_ns / S for violation in outcome.violations), default=0.0)
        return frozenset(broken | late), candidate.scenario.duration_s if late else at_s

    return shrinking.shrink(planned, find)
