"""The trainer: what can be done to the simulated house. The owner refuses all of it where the devices are real."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from v2h_console.tui.console import Choice, Console
from v2h_console.tui.words import kilowatts, known

Params = Mapping[str, float | str | bool]

#: key, title, order, its parameters, the answer when it is taken.
_WORLD: tuple[tuple[str, str, str, Params, str], ...] = (
    ("g", "Lose the grid", "grid.loss", {}, "The grid is gone."),
    ("l", "Lose one leg of the grid (L1)", "grid.loss", {"leg": 1}, "Leg L1 of the grid is gone."),
    (
        "b",
        "Lose the grid while a motor feeds back",
        "grid.loss",
        {"backfeed": True},
        "The grid is gone; a motor holds its voltage up.",
    ),
    ("r", "Return the grid", "grid.return", {}, "The grid is back."),
    (
        "s",
        "Sag: 0.70 of the voltage for 1 s",
        "grid.sag",
        {"pu": 0.7, "for_s": 1.0},
        "The grid sags for 1 s.",
    ),
    ("w", "Weld the MID's relay", "fault.inject", {"fault": "mid.welded"}, "The relay is welded."),
    ("x", "Clear the weld", "fault.clear", {"fault": "mid.welded"}, "The relay is whole again."),
    ("u", "Unplug the car", "ev.unplug", {}, "The car is unplugged."),
    ("p", "Plug the car in", "ev.plug", {}, "The car is plugged in."),
)


def trainer_choices(console: Console) -> list[Choice]:
    """The trainer's list."""
    choices = [
        Choice(title, partial(console.send, do, answer, params), (key,), key)
        for key, title, do, params, answer in _WORLD
    ]
    loads = Choice("Switch a load on or off...", partial(_loads, console), ("d",), "d")
    return [*choices[:5], loads, *choices[5:]]


def _loads(console: Console) -> None:
    choices = []
    for load in console.snapshot.loads:
        on = load.state == "on"
        power = f"{kilowatts(load.power_w.value)} kW" if known(load.power_w) else "-- kW"
        do, verb, done = ("load.off", "off", "switched off") if on else ("load.on", "on", "switched on")
        choices.append(
            Choice(
                f"{load.name}: {load.state}, {power}. Switch {verb}",
                partial(console.send, do, f"{load.name} {done} at its socket.", {"load": load.id}),
            )
        )
    if not choices:
        console.tell("No circuits are known yet.")
        return
    console.show_list("TRAINER: switch a load", choices)
