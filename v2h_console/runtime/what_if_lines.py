"""What would happen to each circuit, in words for the loads screen: from the very rules of the core."""

from __future__ import annotations

from v2h_console.core import discharge_limit, load_manager, sharing
from v2h_console.core.load_what_if import StartConditions, what_if
from v2h_console.core.settings import Settings
from v2h_console.core.state import Mode, State
from v2h_console.session.snapshot import LoadView

#: The control lane shares the interpreter with this: what takes tens of milliseconds is done rarely.
RENEW_NS = 60_000_000_000


class WhatIfLines:
    """The lines, worked out anew at most once a minute: 1,200 steps of the load manager on paper."""

    def __init__(self) -> None:
        self._at_ns: int | None = None
        self._mode: Mode | None = None
        self._lines: tuple[str, ...] = ()

    def lines(
        self, settings: Settings, state: State, loads: tuple[LoadView, ...], now_ns: int
    ) -> tuple[str, ...]:
        """The newest lines for this state."""
        mode = state.islanding.mode
        if self._at_ns is None or mode is not self._mode or now_ns - self._at_ns >= RENEW_NS:
            self._at_ns, self._mode = now_ns, mode
            self._lines = lines(settings, state, loads, now_ns)
        return self._lines


def lines(settings: Settings, state: State, loads: tuple[LoadView, ...], now_ns: int) -> tuple[str, ...]:
    """On the island: why each circuit that waits may not return now. Otherwise: the first two minutes of an island."""
    limit_w, _ = discharge_limit.allowed_power_w(settings, state)
    whole_w, spare_w = sharing.capacity_w(settings.parallel, state.parallel, limit_w)
    source = load_manager.Source(state.parallel.units_running, spare_w, car=state.car)
    if state.islanding.mode in (Mode.ISLANDED, Mode.SYNCING):
        found = load_manager.refusals(settings, state.loads, state.senses, whole_w, now_ns, source)
        told = [f"{loads[index].name}: may not return now: {reason}." for index, reason in found.items()]
        told += [
            f"{load.name}: {load.reason}."
            for index, load in enumerate(loads)
            if load.reason and index not in found
        ]
        told += _spare([load.name for index, load in enumerate(loads) if state.loads.spare_mask >> index & 1])
        return tuple(told) or ("Nothing is held off.",)
    if no_backup := state.car.refusal or discharge_limit.refusal(settings, state):
        return (f"No backup: {no_backup}. Nothing would be lit.",)
    car = state.senses.car
    soc_pct = state.car.known_soc_pct
    if car is None or car.capacity_wh is None or soc_pct is None:
        return ("The car has not said how much it holds: how long it would last is unknown.",)
    drawing = frozenset(load.id for load in loads if load.power_w.value is None or load.power_w.value > 5.0)
    start = StartConditions(drawing, soc_pct, car.capacity_wh, limit_w, state.car.shed, source, whole_w, car)
    told_of = what_if(settings, settings.loads.circuits, start)
    names = {load.id: load.name for load in loads}
    told = [
        f"{moment.at_s:5.0f} s  {names[moment.circuit]} {_words(moment.kind, moment.reason)}"
        for moment in told_of.moments
    ]
    hours = ", ".join(
        f"{label} {'--' if one is None else f'{one:.1f} h'}"
        for label, one in zip(("tier 1", "tiers 1-2", "tiers 1-3"), told_of.runtime_h, strict=True)
    )
    told += _spare([names[one] for one in told_of.spare])
    return (*told, f"The car would last: {hours}.")


def _words(kind: str, reason: str) -> str:
    said = {"held": "is held off", "starts": "may start", "shed": "is shed", "refused": "may not start"}[kind]
    return f"{said}: {reason}." if reason else f"{said}."


def _spare(names: list[str]) -> list[str]:
    return [f"If the largest inverter is lost, at once off: {', '.join(names)}."] if names else []
