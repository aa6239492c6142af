"""The core, or its controller, broken on purpose, one rule at a time: each break must be caught by the judge.

A mutant replaces a rule of the core, or of the twin's controller where that is what keeps an invariant (I5, I6, I13), for
the length of its runs: at least one for each invariant that leaves a trace in a house. It is run over plans with the faults that bring
its rule into play until the judge finds a violation of its invariant; a mutant that nobody finds shows that the judge
or the campaign is blind there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from v2h_console.core import (
    car_reserve,
    discharge_limit,
    guards,
    kept_latch,
    latch,
    load_holds,
    load_manager,
    load_overload,
    mid_proof,
    mode_commands,
    sharing,
    street_trial,
    synchronism,
    thermal,
)
from v2h_console.core.car_reserve import CarState
from v2h_console.core.car_session import SessionState
from v2h_console.core.load_state import LoadState
from v2h_console.core.mid_proof import Position, ProofState
from v2h_console.core.state import Mode, State
from v2h_console.proving.campaign import run_plan
from v2h_console.proving.plans import Plan, plan
from v2h_console.twin.faces import logic_controller
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_drivers.capabilities.requests import ControlRequest


@dataclass(frozen=True, slots=True)
class Mutant:
    """``invariants``: any of these counts as caught. ``replacements``: (module or class, name, what stands there
    instead).

    ``inverters`` of the house; ``lines``: what brings the rule into play, run first; then random plans with ``faults``.
    """

    name: str
    invariants: tuple[str, ...]
    faults: tuple[str, ...]
    replacements: tuple[tuple[ModuleType | type, str, Any], ...]
    lines: tuple[Step, ...] = ()
    inverters: int = 1
    ambient_c: float | None = None
    duration_s: float = 120.0


def _no_refusal(*_args: Any) -> str:
    return ""


def _proof_of_the_command(settings: Any, state: ProofState, senses: Any, now_ns: int) -> ProofState:
    """Believes the command: once told to open it is open."""
    return replace(
        _true_proof(settings, state, senses, now_ns),
        position=Position.OPEN,
        proven=True,
        doubt="",
        opened_at_ns=now_ns - 20_000_000,
    )


def _always_forms(state: State) -> ControlRequest:
    """Asks for forming whatever the mode."""
    return replace(_true_control(state), gate=True, form=True)


def _keeps_the_gate(state: State) -> ControlRequest:
    request = _true_control(state)
    return replace(request, gate=True) if state.islanding.mode is not Mode.TIED else request


def _forms_into_the_close(state: State) -> ControlRequest:
    """The hand-back never ends."""
    if state.islanding.mode in (Mode.HANDBACK, Mode.TIED):
        return ControlRequest(open_mid=False, close_mid=False, gate=True, form=True)
    return _true_control(state)


def _car_is_fine(*_args: Any) -> CarState:
    return CarState(own_refusal="", known_soc_pct=80.0, session=SessionState(refusal="", limit_w=10_000.0))


def _nothing_drops(_settings: Any, state: LoadState, *_args: Any, **_options: Any) -> LoadState:
    return state


def _everything_stays(_settings: Any, state: LoadState, *_args: Any, **_named: Any) -> LoadState:
    return state


def _admits_all(settings: Any, state: LoadState, *_args: Any, **_options: Any) -> LoadState:
    return load_holds.release_all(settings, state, 1 << 62)


def _never_hot(_settings: Any, _inverter: Any, state: Any, *_args: Any) -> Any:
    return replace(state, limit_w=20_000.0, stopped=False, blind=False)


def _unlimited(*_args: Any) -> tuple[float, str]:
    return 50_000.0, "none"


def _any_phase(*_args: Any) -> bool:
    return True


_true_proof = mid_proof.update
_true_control = mode_commands.request


def _at(at_s: float, do: str, **params: float | str | bool) -> Step:
    """A line of a scripted run."""
    return Step(at_s, do, params)


#: A controller that never tires of the last command: what the owner's silence must not lead to is judged on it.
_NEVER_TIRES = ((logic_controller, "HEARTBEAT_LIMIT_NS", 3_600_000_000_000),)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "closes before the clearing is on disk",
        ("I3",),
        (),
        (
            (kept_latch, "keep", lambda _settings, state, _now_ns: (state, None)),
            (latch.LatchState, "clear_is_durable", property(lambda _: True)),
        ),
        (_at(5.0, "grid.loss"), _at(15.0, "grid.return")),
    ),
    Mutant(
        "trusts an inverter whose heat it does not know",
        ("I4",),
        ("inverter_temp.stuck",),
        ((thermal, "BLIND_LIMIT_W", 7_600.0),),
        (_at(5.0, "grid.loss"), _at(10.0, "fault.inject", fault="inverter_temp.stuck")),
    ),
    Mutant(
        "the MID stays closed without an owner",
        ("I5",),
        (),
        _NEVER_TIRES,
        (_at(5.0, "fault.inject", fault="can.bus_off"),),
    ),
    Mutant(
        "the gate stays on without an owner",
        ("I6",),
        (),
        _NEVER_TIRES,
        (_at(5.0, "grid.loss"), _at(15.0, "fault.inject", fault="can.bus_off")),
    ),
    Mutant(
        "forms again with nobody to command it",
        ("I13",),
        (),
        _NEVER_TIRES,
        (
            _at(5.0, "grid.loss"),
            _at(15.0, "fault.inject", fault="can.bus_off"),
            _at(16.0, "fault.inject", fault="mid.uncommanded_close"),
            _at(17.0, "fault.clear", fault="mid.uncommanded_close"),
        ),
    ),
    Mutant(
        "closes because a person asks for it",
        ("I16",),
        (),
        ((guards, "closing_refusal", _no_refusal),),
        (_at(5.0, "grid.loss"), _at(15.0, "operator.close_mid"), _at(15.5, "grid.return")),
    ),
    Mutant(
        "closes without the delay",
        ("I1",),
        ("grid.flaps",),
        ((guards, "closing_refusal", _no_refusal),),
    ),
    Mutant(
        "closes at any angle",
        ("I1",),
        ("grid.out_of_phase",),
        (
            (synchronism.SyncState, "held", lambda *_: True),
            # Else the close is taken back while the relay travels: two rules keep this one invariant.
            (guards, "out_of_phase", lambda *_: False),
        ),
    ),
    Mutant(
        "believes the command, not the contacts",
        ("I2a", "I2b"),
        ("mid.slow", "mid.welded"),
        ((mid_proof, "update", _proof_of_the_command),),
        (_at(5.0, "fault.inject", fault="mid.welded", pole=1.0), _at(8.0, "grid.loss")),
    ),
    Mutant(
        "forms into the close",
        ("I2a", "I14"),
        (),
        ((mode_commands, "request", _forms_into_the_close),),
        (_at(5.0, "grid.loss"), _at(15.0, "grid.return")),
    ),
    Mutant(
        "never asks whose voltage the street has",
        ("I2a",),
        (),
        ((street_trial, "update", lambda *_args, **_named: street_trial.FREE),),
        (_at(5.0, "grid.loss"), _at(20.0, "bypass.close", street_ohm=500.0)),
    ),
    Mutant("heavy loads stay on", ("I10",), (), ((load_holds, "drop_for_forming", _nothing_drops),)),
    Mutant("admits everything at once", ("I8", "I10"), (), ((load_manager, "update_island", _admits_all),)),
    Mutant(
        "never sheds",
        ("I8",),
        ("load.locked_rotor", "load.uncontrolled"),
        ((load_overload, "shed_excess", _everything_stays),),
        # The heat pump is back by then, and could go.
        (_at(5.0, "grid.loss"), _at(195.0, "fault.inject", fault="load.uncontrolled", va=6_500.0, leg=1.0)),
        duration_s=240.0,
    ),
    Mutant("drains the car", ("I7",), ("ev.soc_low",), ((car_reserve, "update", _car_is_fine),)),
    Mutant(
        "knows no DC window",
        ("I9",),
        ("dc_bus.out_of_range",),
        ((car_reserve, "update", _car_is_fine),),
        (_at(5.0, "grid.loss"), _at(20.0, "fault.inject", fault="dc_bus.out_of_range", volts=520.0)),
    ),
    Mutant(
        "joins others at any angle",
        ("I14",),
        ("parallel.phase_error",),
        ((sharing, "_in_window", _any_phase), (sharing, "_wrong", _no_refusal)),
        (_at(5.0, "grid.loss"), _at(5.5, "fault.inject", fault="parallel.phase_error", deg=40.0)),
        inverters=2,
    ),
    Mutant(
        "ignores heat",
        ("I11",),
        ("fan.dead",),
        ((thermal, "update", _never_hot), (discharge_limit, "allowed_power_w", _unlimited)),
        (
            _at(2.0, "fault.inject", fault="fan.dead"),
            _at(5.0, "grid.loss"),
            _at(10.0, "fault.inject", fault="load.uncontrolled", va=3_000.0, leg=1.0),
        ),
        ambient_c=50.0,
        duration_s=900.0,
    ),
)


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The core with this break in it."""
    kept = [(module, name, getattr(module, name)) for module, name, _ in mutant.replacements]
    try:
        for module, name, function in mutant.replacements:
            setattr(module, name, function)
        yield
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def run_one(mutant: Mutant, seeds: int, first: int = 0) -> dict[str, Any]:
    """Run until it is caught, at most ``seeds`` runs."""
    with applied(mutant):
        for seed in range(first, first + seeds):
            start = Start(
                soc_pct=70.0,
                enter_service_s=15.0,
                inverters=mutant.inverters,
                ambient_c=mutant.ambient_c,
                loads_on=("fridge", "lights", "furnace_fan", "hvac"),
            )
            scripted = Plan(seed, Scenario(mutant.name, mutant.duration_s, start, mutant.lines), ())
            planned = scripted if mutant.lines and seed == first else plan(seed, mutant.faults)
            outcome, _ = run_plan(planned)
            for violation in outcome.violations:
                if violation.invariant in mutant.invariants:
                    return _result(mutant, caught=True, by=violation.invariant, seed=seed)
    return _result(mutant, caught=False, by=None, seed=None)


def _result(mutant: Mutant, *, caught: bool, by: str | None, seed: int | None) -> dict[str, Any]:
    return {
        "name": mutant.name,
        "invariant": "/".join(mutant.invariants),
        "caught": caught,
        "by": by,
        "seed": seed,
    }


def run_all(seeds: int, first: int = 0) -> list[dict[str, Any]]:
    """Every mutant in turn."""
    return [run_one(mutant, seeds, first) for mutant in MUTANTS]
