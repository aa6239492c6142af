"""One scenario in virtual time, judged: what happened, what was broken, how the house ended."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from v2h_console.core.settings import ParallelSettings, Settings, UnitSettings
from v2h_console.core.step import step
from v2h_console.core.transfer import UNCERTAINTY_MS, Transfer
from v2h_console.proving import modbus_faults
from v2h_console.proving.hops import Hops
from v2h_console.proving.judge.judging import Judge
from v2h_console.proving.judge.violation import Violation
from v2h_console.proving.plans import Ambush
from v2h_console.proving.site_faults import STALL_S
from v2h_console.proving.virtual import MS, Run, VirtualSite
from v2h_console.proving.virtual_owner import StepFunction
from v2h_console.site import demo_site
from v2h_console.twin.house import House
from v2h_console.twin.scenario import Scenario
from v2h_console.twin.scene import scene
from v2h_console.twin.truth import Truth
from v2h_console.twin.vocabulary import Params

S = 1_000_000_000
#: Between events the judge looks at the house this often while time passes finely.
LOOK_NS = 5 * MS


@dataclass(slots=True)
class Course:
    """What a judged run gave."""

    scenario: Scenario
    seed: int
    run: Run
    site: VirtualSite
    violations: list[Violation]
    wall_s: float

    @property
    def trace(self) -> str:
        """A digest of everything that happened: truth, events and modes, with their instants."""
        digest = hashlib.blake2b(digest_size=16)
        for truth in self.run.truths:
            digest.update(f"{truth.at_ns} {truth.truth} {sorted(truth.detail.items())}\n".encode())
        for event in self.run.events:
            digest.update(f"{event.at_ns} {event.code} {event.text}\n".encode())
        return digest.hexdigest()

    def document(self) -> dict[str, Any]:
        """The contract's JSON for one scenario."""
        state = self.site.state
        return {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "simulated_s": self.scenario.duration_s,
            "wall_s": round(self.wall_s, 3),
            "trace": self.trace,
            "transfers": [_transfer(transfer) for transfer in self.run.transfers],
            "events": [
                {
                    "at_s": round(event.at_ns / S, 4),
                    "code": event.code,
                    "severity": event.severity.value,
                    "text": event.text,
                }
                for event in self.run.events
            ],
            "violations": [violation_document(violation) for violation in self.violations],
            "end": {
                "mode": state.islanding.mode.value,
                "mid": _mid(self.site),
                "soc_pct": round(self.site.world.car.soc_pct, 2),
                "heatsink_c": round(self.site.world.thermal.heatsink_c, 1),
                "house_v": [round(self.site.world.rms_v("house", leg), 1) for leg in (1, 2)],
                "alarms": [alarm.code for alarm in state.alarms],
            },
            "loads": self._loads(),
        }

    def _loads(self) -> list[dict[str, Any]]:
        end_ns = self.site.world.now_ns
        since: dict[str, int] = {
            circuit.id: 0
            for circuit in self.site.world.house.circuits
            if circuit.wants_on and not self.scenario.start.boot
        }
        energised_ns: dict[str, int] = {}
        opened: dict[str, int] = {}
        for truth in self.run.truths:
            name = str(truth.detail.get("circuit", ""))
            if truth.truth == "circuit.energised":
                since.setdefault(name, truth.at_ns)
            elif truth.truth == "circuit.deenergised" and name in since:
                energised_ns[name] = energised_ns.get(name, 0) + truth.at_ns - since.pop(name)
            elif truth.truth == "circuit.switch_opened":
                opened[name] = opened.get(name, 0) + 1
        for name, began_ns in since.items():
            energised_ns[name] = energised_ns.get(name, 0) + end_ns - began_ns
        return [
            {
                "id": circuit.id,
                "energised_s": round(energised_ns.get(circuit.id, 0) / S, 1),
                "shed_count": opened.get(circuit.id, 0),
            }
            for circuit in self.site.world.circuits
        ]


def _mid(site: VirtualSite) -> str:
    poles = [site.world.mid.main_closed(1), site.world.mid.main_closed(2)]
    return "closed" if all(poles) else "open" if not any(poles) else "unknown"


def _transfer(transfer: Transfer) -> dict[str, Any]:
    def offset_ms(at_ns: int | None) -> float | None:
        return None if at_ns is None else round((at_ns - transfer.fell_ns) / MS, 2)

    total_ms = transfer.total_ms
    return {
        "class": transfer.transfer_class,
        "cause": transfer.cause,
        "at_s": round(transfer.fell_ns / S, 4),
        "detected_ms": offset_ms(transfer.commanded_ns),
        "commanded_ms": offset_ms(transfer.commanded_ns),
        "opened_ms": offset_ms(transfer.opened_ns),
        "proven_ms": offset_ms(transfer.proven_ns),
        "formed_ms": offset_ms(transfer.formed_ns),
        "total_ms": None if total_ms is None else round(total_ms, 2),
        "budget_ms": transfer.budget_ms,
        "uncertainty_ms": UNCERTAINTY_MS,
        "ok": total_ms is not None and total_ms <= transfer.budget_ms,
    }


def violation_document(violation: Violation) -> dict[str, Any]:
    """One violation as JSON."""
    return {
        "invariant": violation.invariant,
        "at_s": round(violation.at_ns / S, 4),
        "detail": violation.detail,
    }


def settings_for(scenario: Scenario) -> Settings:
    """The demo's site with the scenario's enter-service delay."""
    settings = demo_site.settings(scenario.start.enter_service_s)
    count = scenario.start.inverters
    if count == 1:
        return settings
    names = ["Inverter", *(f"Inverter {number}" for number in range(2, count + 1))]
    return replace(settings, parallel=ParallelSettings(tuple(UnitSettings(name) for name in names)))


class JudgedSite:
    """A virtual site with a judge at its side."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        house: House | None = None,
        fixed: bool = False,
        record: bool = False,
        modbus_links: frozenset[str] | None = None,
        step_function: StepFunction = step,
    ) -> None:
        """``modbus_links`` ``None``: those whose bytes the scenario's faults touch."""
        self.scenario = scenario
        self.seed = seed
        self.judge = Judge(scenario.start.enter_service_s, settled=not scenario.start.boot)
        self.site = VirtualSite(
            settings_for(scenario),
            scenario.house(house or House()),
            seed=seed,
            booting=scenario.start.boot,
            local_hour=scenario.start.local_hour,
            record=record,
            modbus_links=modbus_faults.links(scenario.steps) if modbus_links is None else modbus_links,
            step_function=step_function,
            witness=self._saw,
        )
        self._looked_ns = 0
        #: Somebody else who looks at the house after every instant.
        self.also: Callable[[], None] | None = None
        if not fixed:
            self.site.pass_over = Hops(self.site).pass_over
        self.site.after = self._look
        self.judge.look(scene(self.site.world))

    def _saw(self, truth: Truth) -> None:
        self.judge.saw(truth, scene(self.site.world))

    def _look(self) -> None:
        now_ns = self.site.world.now_ns
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            self.judge.look(scene(self.site.world))
        if self.also is not None:
            self.also()

    def do(self, name: str, params: Params) -> None:
        """One line of the scenario; the judge hears of people, and of an owner that goes away."""
        now_ns = self.site.world.now_ns
        fault = str(params.get("fault", ""))
        if name == "owner.restart":
            self.judge.owner_ended(now_ns)
            self.site.do(name, params)
            self.judge.owner_began(now_ns)
            return
        if name.startswith("operator."):
            self.judge.ordered(name, now_ns)
        elif name == "fault.inject" and fault == "control.tick_overrun":
            stall_s = params.get("for_s", STALL_S)
            self.judge.owner_ended(now_ns, now_ns + int(float(stall_s) * S))
        self.site.do(name, params)

    def onset(self, fault: str) -> None:
        """A fault of the plan begins now; its first line follows."""

    def play(self, ambushes: Sequence[Ambush] = ()) -> Course:
        """The whole scenario, and what waits for its moment."""
        began = time.perf_counter()
        site = self.site
        end_ns = int(self.scenario.duration_s * S)
        agenda = [(int(line.s * S), nth, "", line) for nth, line in enumerate(self.scenario.steps)]
        heapq.heapify(agenda)
        waiting = list(ambushes)
        seen = 0
        while True:
            for nth in range(seen, len(site.run.modes)):
                at_ns, mode = site.run.modes[nth]
                sprung = [one for one in waiting if one.mode == mode.value and at_ns >= one.not_before_s * S]
                for ambush in sprung:
                    waiting.remove(ambush)
                    for number, line in enumerate(ambush.lines):
                        when_ns = site.world.now_ns + int((ambush.delay_s + line.s) * S)
                        tag = "" if number else ambush.fault
                        heapq.heappush(agenda, (when_ns, 1_000 + len(agenda), tag, line))
            seen = len(site.run.modes)
            if agenda and agenda[0][0] <= site.world.now_ns:
                _, _, fault, line = heapq.heappop(agenda)
                if fault:
                    self.onset(fault)
                self.do(line.do, line.params)
                continue
            if site.world.now_ns >= end_ns:
                break
            to_ns = min(end_ns, agenda[0][0]) if agenda else end_ns
            site.advance(to_ns, until_mode=frozenset(one.mode for one in waiting))
        wall_s = time.perf_counter() - began
        return Course(self.scenario, self.seed, self.site.run, self.site, self.judge.violations, wall_s)
