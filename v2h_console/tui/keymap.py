"""Which key does which action. Actions themselves are in ``actions``."""

from __future__ import annotations

from textual.binding import Binding

from v2h_console.tui.actions import ACTIONS

#: action -> (keys by their Textual names, the keys as written for a person). Ctrl+Z and Ctrl+S stay free: the one
#: stops a process, the other a terminal.
KEYS: dict[str, tuple[str, str]] = {
    "open_mid": ("O,ctrl+o", "O, Ctrl+O"),
    "close_mid": ("c", "c"),
    "reset_lockout": ("R", "R"),
    "helm": ("t", "t"),
    "acknowledge": ("a", "a"),
    "explain": ("enter", "Enter"),
    "away": ("W", "w, W"),
    "absence_or_loads": ("w", ""),
    "faults_only": ("f", "f"),
    "copy": ("y", "y"),
    "what_if": ("", "w in 3"),
    "down": ("j,down", "j, Down"),
    "up": ("k,up", "k, Up"),
    "back": ("escape", "Esc"),
    "palette": ("colon,ctrl+p", ":, Ctrl+P"),
    "help": ("question_mark,f1", "?, F1"),
    "trainer": ("exclamation_mark", "!"),
    "theme": ("", ""),
    "island": ("", ""),
    "ask_quit": ("q", "q"),
    "quit": ("ctrl+q", "Ctrl+Q"),
    "tell_quit": ("ctrl+c", "Ctrl+C"),
    **{f"view_{number}": (str(number), str(number)) for number in range(1, 10)},
}

#: These work in a text field and in any dialog as well.
_EVERYWHERE = {"ctrl+o", "ctrl+q", "ctrl+c"}


def bindings() -> list[Binding]:
    """The application's bindings, each with an id so that a site can give it another key."""
    return [
        Binding(
            key,
            f"act('{name}')",
            ACTIONS[name].title,
            show=False,
            priority=key in _EVERYWHERE,
            id=name if place == 0 else f"{name}.{place}",
        )
        for name, (keys, _) in KEYS.items()
        for place, key in enumerate(filter(None, keys.split(",")))
    ]


def shown_key(name: str) -> str:
    """The keys of an action as a person reads them."""
    return KEYS.get(name, ("", ""))[1]
