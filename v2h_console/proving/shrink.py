"""A failing plan with less in it: what can go without losing the failure goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from v2h_console.proving.plans import Plan
from v2h_console.twin.scenario import Start, Step

#: What a run was found to have done wrong, e.g. ("I8",) or ("late", "ct.off").
Findings = frozenset[tuple[str, ...]]
#: Runs in a shrinking at most: each costs as much as the run that failed.
MOST_RUNS = 60
#: How much of the run is kept after the failure.
AFTER_S = 1.0


def shrink(planned: Plan, find: Callable[[Plan], tuple[Findings, float]]) -> Plan:
    """The smallest plan found that still shows one of the failures of ``planned``.

    ``find`` runs a plan and gives its findings and the second of the first one.
    """
    wanted, at_s = find(planned)
    if not wanted:
        return planned
    runs = 1

    def fails(candidate: Plan) -> bool:
        nonlocal runs
        runs += 1
        return runs <= MOST_RUNS and bool(wanted & find(candidate)[0])

    best = planned
    shorter = _with_end(best, min(best.scenario.duration_s, at_s + AFTER_S))
    if shorter.scenario.duration_s < best.scenario.duration_s and fails(shorter):
        best = shorter
    best = _without_ambushes(best, fails)
    gone = True
    while gone:
        gone = False
        for line in best.scenario.steps:
            fewer = tuple(one for one in best.scenario.steps if one is not line)
            candidate = replace(best, scenario=replace(best.scenario, steps=fewer))
            if fails(candidate):
                best, gone = candidate, True
    plain = True
    while plain:
        plain = False
        for start in _plainer(best.scenario.start):
            candidate = replace(best, scenario=replace(best.scenario, start=start))
            if fails(candidate):
                best, plain = candidate, True
                break
    return best


def _with_end(planned: Plan, end_s: float) -> Plan:
    steps = tuple(line for line in planned.scenario.steps if line.s < end_s)
    return replace(planned, scenario=replace(planned.scenario, duration_s=end_s, steps=steps))


def _without_ambushes(planned: Plan, fails: Callable[[Plan], bool]) -> Plan:
    for ambush in planned.ambushes:
        fewer = tuple(one for one in planned.ambushes if one is not ambush)
        candidate = replace(planned, ambushes=fewer)
        if fails(candidate):
            planned = candidate
    return planned


def _plainer(start: Start) -> Iterator[Start]:
    """The start with one of its overrides left as the house has it."""
    if start.ambient_c is not None:
        yield replace(start, ambient_c=None)
    if start.pv_kw is not None:
        yield replace(start, pv_kw=None)
    if start.soc_pct is not None:
        yield replace(start, soc_pct=None)
    if start.boot:
        yield replace(start, boot=False)


def lines(planned: Plan) -> list[str]:
    """A plan in words, one line each."""
    start = planned.scenario.start
    words = [f"delay {start.enter_service_s:g} s", f"until {planned.scenario.duration_s:g} s"]
    words += [
        f"{name} {value:g}"
        for name, value in (
            ("soc_pct", start.soc_pct),
            ("ambient_c", start.ambient_c),
            ("pv_kw", start.pv_kw),
        )
        if value is not None
    ]
    words += ["boot"] if start.boot else []
    words += [f"loads {' '.join(start.loads_on)}"] if start.loads_on is not None else []
    told = ["start: " + ", ".join(words)]
    told += [f"{line.s:9.3f} s  {_words(line)}" for line in planned.scenario.steps]
    for ambush in planned.ambushes:
        told += [
            f"{1000.0 * ambush.delay_s + 1000.0 * line.s:7.1f} ms into {ambush.mode}  {_words(line)}"
            for line in ambush.lines
        ]
    return told


def _words(line: Step) -> str:
    return " ".join([line.do, *(f"{key}={_value(value)}" for key, value in line.params.items())])


def _value(value: float | str | bool) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def toml(planned: Plan) -> str:
    """The plan as a scenario file that `simulate` reads; an ambush stays a remark, because a file has only times."""
    scenario, start = planned.scenario, planned.scenario.start
    text = [
        f"# v2h-console simulate THIS --seed {planned.seed}",
        f"name = {json.dumps(scenario.name)}",
        f"duration_s = {scenario.duration_s!r}",
        "[start]",
        f"enter_service_s = {start.enter_service_s!r}",
        f"boot = {_toml(start.boot)}",
    ]
    for name, value in (("soc_pct", start.soc_pct), ("ambient_c", start.ambient_c), ("pv_kw", start.pv_kw)):
        if value is not None:
            text.append(f"{name} = {value!r}")
    if start.loads_on is not None:
        text.append(f"loads_on = {json.dumps(list(start.loads_on))}")
    for line in scenario.steps:
        text += ["[[at]]", f"s = {line.s!r}", f"do = {json.dumps(line.do)}"]
        text += [f"{key} = {_toml(value)}" for key, value in line.params.items()]
    text += [f"# {told.strip()}" for told in lines(planned) if " ms into " in told]
    return "\n".join(text) + "\n"


def _toml(value: float | str | bool) -> str:
    return json.dumps(value) if isinstance(value, (str, bool)) else repr(value)
