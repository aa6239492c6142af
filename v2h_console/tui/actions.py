"""Everything a person can do, by name and apart from the keys that do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from v2h_console.tui.console import Choice, Console
from v2h_console.tui.leaving import leaving
from v2h_console.tui.panes.events import entry_text
from v2h_console.tui.views import NAMES
from v2h_console.tui.words import clock

LOADS_VIEW = 3


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its title as the palette and the help show it, and what it does."""

    title: str
    run: Callable[[Console], None]
    trainer: bool = False
    listed: bool = True


def open_mid(console: Console) -> None:
    """Open the MID at once: no helm, no question."""
    delay_s = console.snapshot.grid.delay_s
    condition = f", after {delay_s:.0f} s of good grid" if delay_s > 0 else ""
    console.send("operator.open_mid", f"MID told to open. Only c closes it again{condition}.")


def island(console: Console) -> None:
    """Leave a healthy grid by choice; refused in words where the house could not be carried or come back."""
    console.send("operator.island", "Asked to leave the grid: c brings the house back.")


def close_mid(console: Console) -> None:
    """Close the MID, after the word was typed."""
    snapshot = console.snapshot
    delay_s = snapshot.grid.delay_s
    after = f"{delay_s:.0f} s of good grid" if delay_s > 0 else "the grid's delay"
    lines = [
        "This lifts the hold by which O keeps the MID open. From then on it CLOSES BY ITSELF, also when you have left:",
        f"after {after}, in step with the house or onto a dead one. O holds it open again.",
        "Let nobody work on either side. You need the helm.",
    ]
    if snapshot.locked_out:
        lines.append("A lockout stands: where it forbids closing, R comes first.")
    console.ask_word(
        "CLOSE THE MID",
        tuple(lines),
        "CLOSE",
        _confirmed(console, "operator.close_mid", "No hold stood: the MID closes by itself when it may."),
    )


def _confirmed(console: Console, do: str, accepted: str) -> Callable[[], None]:
    """What is typed releases what is shown now, not what may come while the person types."""
    # Before the owner's first picture there is nothing that a person could have seen.
    seen_ns = max(1, console.snapshot.at_ns)
    return partial(console.send, do, accepted, None, True, seen_ns)


def reset_lockout(console: Console) -> None:
    """Reset a lockout, after the word was typed."""
    snapshot = console.snapshot
    if not snapshot.locked_out and all(alarm.severity != "lockout" for alarm in snapshot.alarms):
        console.tell("No lockout stands: there is nothing to reset.")
        return
    console.ask_word(
        "RESET THE LOCKOUT",
        (
            "A lockout stands because the MID did not do what it was told, or could not be proved.",
            "Reset it only when you have found the cause and removed it. You need the helm.",
        ),
        "RESET",
        _confirmed(console, "operator.reset_lockout", "Reset asked for: what still stands is in view 6."),
    )


def helm(console: Console) -> None:
    """Take the helm, or pass it on."""
    if console.snapshot.helm == "you":
        console.send("helm.pass_on", "The helm is free: t on another console takes it.")
    else:
        console.send("helm.take", "You have the helm.")


def take_helm(console: Console) -> None:
    """Take the helm, and never give it away."""
    if console.snapshot.helm != "you":
        helm(console)


def acknowledge(console: Console) -> None:
    """Acknowledge the chosen alarm, or all that stand."""
    snapshot = console.snapshot
    open_ones = [alarm for alarm in snapshot.alarms if not alarm.acknowledged]
    if not open_ones:
        console.tell("No alarm waits to be acknowledged.")
        return
    cursor = console.picture().cursor
    if cursor is not None:
        entry = console.chosen()
        if entry is None or not entry.standing:
            console.tell("The chosen line is an event, not a standing alarm: nothing to acknowledge.")
            return
        console.send("operator.acknowledge", f"Acknowledged: {entry.code}.", {"code": entry.code})
        return
    console.send(
        "operator.acknowledge", f"Acknowledged: {len(open_ones)}. They stand until their cause is gone."
    )


def explain(console: Console) -> None:
    """Say all that is known of the chosen alarm or event."""
    entry = console.chosen()
    if entry is None:
        console.tell("Nothing to explain: no alarm and no event yet.")
        return
    lines = [
        f"{entry.severity.upper()} since {clock(entry.wall_s)}"
        if entry.standing
        else f"{entry.severity} at {clock(entry.wall_s)}",
        "",
        entry.text,
    ]
    if entry.what_to_do:
        lines += ["", "WHAT TO DO"]
        lines += [part.strip() for part in entry.what_to_do.replace(";", "\n").splitlines() if part.strip()]
    elif entry.standing:
        lines += ["", "No advice came with this alarm."]
    if entry.standing:
        lines += ["", "Acknowledged." if entry.acknowledged else "Not acknowledged yet: a acknowledges it."]
    console.show_text(entry.code, lines)


def copy_event(console: Console) -> None:
    """Put the chosen alarm or event on the clipboard."""
    entry = console.chosen()
    if entry is None:
        console.tell("Nothing to copy: no alarm and no event yet.")
        return
    console.copy(entry_text(entry))
    console.tell(f"Copied: {entry.code} {clock(entry.wall_s)}.")


def what_if(console: Console) -> None:
    """What would happen to the loads: the first two minutes of an island, or why one may not return now."""
    lit = console.snapshot.mode in ("islanded", "syncing")
    title = "WHY THEY WAIT" if lit else "WHAT WOULD HAPPEN IF THE GRID FELL NOW"
    console.show_text(title, console.snapshot.what_if or ("Nothing is known of the loads yet.",))


def absence_or_loads(console: Console) -> None:
    """``w``: the loads have a meaning of their own for it, as the last row there says."""
    if console.place.view == LOADS_VIEW:
        what_if(console)
    else:
        console.show_absence()


def show_help(console: Console) -> None:
    """All keys, and how to read the screen."""
    from v2h_console.tui.help import help_lines

    console.show_text("HELP", help_lines(console.has_trainer))


def palette(console: Console) -> None:
    """Every action with its key, by typing a part of its name."""
    from v2h_console.tui.keymap import shown_key

    choices = [
        Choice(action.title, partial(action.run, console), (), shown_key(name))
        for name, action in ACTIONS.items()
        if action.listed and (console.has_trainer or not action.trainer)
    ]
    if console.has_trainer:
        from v2h_console.tui.trainer import trainer_choices

        choices += [
            Choice(f"Trainer: {choice.title}", choice.run, (), f"! {choice.shown_key}")
            for choice in trainer_choices(console)
        ]
    console.show_list("ANY ACTION", choices, search=True)


def trainer(console: Console) -> None:
    """What can be done to the simulated house."""
    if not console.has_trainer:
        console.tell("The trainer works on the simulated house only; this one has real devices.")
        return
    from v2h_console.tui.trainer import trainer_choices

    console.show_list("TRAINER: the simulated house", trainer_choices(console))


def ask_quit(console: Console) -> None:
    """Leave, after a question."""
    console.ask_yes(*leaving(console), console.leave)


def tell_quit(console: Console) -> None:
    """Ctrl+C stops many programs; here a house hangs on it."""
    if console.seat.owns:
        console.tell(
            "Ctrl+C does nothing here. Ctrl+Q ends the control at once, and the house with it; q asks first."
        )
    else:
        console.tell("Ctrl+C does nothing here. Ctrl+Q leaves at once; q asks first.")


ACTIONS: dict[str, Action] = {
    "open_mid": Action("Open the MID now", open_mid),
    "island": Action("Leave the grid by choice: the house on the car", island),
    "close_mid": Action("Close the MID (typed confirmation)", close_mid),
    "reset_lockout": Action("Reset a lockout (typed confirmation)", reset_lockout),
    "helm": Action("Take the helm, or pass it on", helm),
    "acknowledge": Action("Acknowledge the chosen alarm, or all", acknowledge),
    "explain": Action("Explain the chosen alarm or event", explain),
    "away": Action("What happened while you were away", lambda console: console.show_absence()),
    "absence_or_loads": Action("While you were away; on the loads, what if", absence_or_loads, listed=False),
    "faults_only": Action("Show faults only, or all events", lambda console: console.toggle_faults_only()),
    "what_if": Action("Loads: what would happen", what_if),
    "copy": Action("Copy the chosen event line", copy_event),
    "down": Action("Next line", lambda console: console.move(1), listed=False),
    "up": Action("Previous line", lambda console: console.move(-1), listed=False),
    "back": Action("Back one level", lambda console: console.back(), listed=False),
    **{
        f"view_{number}": Action(f"View {number} {name}", lambda console, number=number: console.go(number))  # type: ignore[misc]  # a default argument binds the number; mypy cannot infer its type in a lambda
        for number, name in enumerate(NAMES, 1)
    },
    "palette": Action("Any action by name", palette, listed=False),
    "help": Action("Help", show_help),
    "theme": Action("Next theme: terminal, sun, mono", lambda console: console.next_theme()),
    "trainer": Action("Trainer menu", trainer, trainer=True),
    "ask_quit": Action("Leave the console (asks)", ask_quit),
    "quit": Action(
        "Leave at once; on the owner's own screen the control ends", lambda console: console.leave()
    ),
    "tell_quit": Action("How to leave", tell_quit, listed=False),
}
