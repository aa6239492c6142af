"""What a person is told before this screen ends: it is another thing on an owner's own screen than on an attached one."""

from __future__ import annotations

from v2h_console.session.snapshot import Snapshot
from v2h_console.tui.console import Console, SeatFacts
from v2h_console.tui.lines import fit
from v2h_console.tui.picture import urgent

_NAMES_CELLS = 200


def leaving(console: Console) -> tuple[str, list[str]]:
    """The question's title and lines."""
    seat, snapshot = console.seat, console.snapshot
    if not seat.started:
        return "LEAVE THE CONSOLE?", ["The owner has not started yet; it is ended as soon as it has."]
    others = [name for name in snapshot.consoles if name != seat.name]
    if seat.owns:
        title = "END THE OWNER WITH THIS SCREEN?"
        lines = _owner_ends(snapshot, console.has_trainer, others)
    else:
        title, lines = "LEAVE THIS SCREEN?", _owner_stays(snapshot, seat, console.has_trainer, others)
    worst = urgent(snapshot)
    if worst is not None:
        lines += ["", f"An alarm stands and is not acknowledged: {worst.code}."]
    return title, lines


def _owner_ends(snapshot: Snapshot, simulated: bool, others: list[str]) -> list[str]:
    if snapshot.house_dark is True:
        then = "The house is dark, and stays dark until an owner runs again."
    elif snapshot.mode == "tied":
        then = "The house is on the grid now and GOES DARK: an open MID parts it from the grid."
    elif snapshot.house_dark is False:
        then = "The house is lit from the car now and GOES DARK."
    else:
        then = "Whether the house is lit now is not known; it will be DARK."
    lines = [
        "This console runs the control of the house, and the control ends with it:",
        "the logic controller hears no heartbeat, opens the MID within 0.25 s and stops the inverter.",
        then,
    ]
    if simulated:
        lines.append("It is a simulated house, and ends as well: nothing real goes dark.")
    else:
        lines.append(
            "A house that must go on is run by v2h-manager; consoles attach to it and leave it as they like."
        )
    lines.append("")
    if others:
        lines.append(f"These consoles lose their owner: {fit(', '.join(others), _NAMES_CELLS)}.")
    else:
        lines.append("No other console is attached.")
    return lines


def _owner_stays(snapshot: Snapshot, seat: SeatFacts, simulated: bool, others: list[str]) -> list[str]:
    if seat.gone:
        return ["The owner has gone already: this screen shows and controls nothing."]
    house = "simulated house" if simulated else "house"
    lines = [f"Only this screen ends. The owner goes on: the {house} stays as it is, under control."]
    if snapshot.helm == "you":
        lines.append("You have the helm: it falls free, and whoever is attached can take it.")
    if others:
        lines += ["", f"Still attached: {fit(', '.join(others), _NAMES_CELLS)}."]
    else:
        lines += ["", "Nobody else is attached: until the next login nobody sees an alarm on a screen."]
    return lines
