"""Three themes on the terminal's own sixteen colours. Colour repeats what words and symbols say, never adds to it."""

from __future__ import annotations

from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

#: role -> (colour, text style), per theme. No dim anywhere: bad light is the normal case.
_STYLES: dict[str, dict[str, tuple[str, str]]] = {
    "terminal": {
        "plain": ("default", ""),
        "value": ("default", "bold"),
        "title": ("cyan", ""),
        "ok": ("green", "bold"),
        "warn": ("yellow", "bold"),
        "alarm": ("bright_red", "bold reverse"),
        "twin": ("magenta", "bold reverse"),
        "key": ("default", "bold"),
        "rule": ("default", ""),
        "mark": ("cyan", ""),
        "field": ("default", "underline"),
    },
    "sun": {
        "plain": ("black", ""),
        "value": ("black", "bold"),
        "title": ("black", ""),
        "ok": ("black", "bold"),
        "warn": ("black", "bold underline"),
        "alarm": ("black", "bold reverse"),
        "twin": ("black", "bold reverse"),
        "key": ("black", "bold"),
        "rule": ("black", ""),
        "mark": ("black", ""),
        "field": ("black", "underline"),
    },
    "mono": {
        "plain": ("default", ""),
        "value": ("default", "bold"),
        "title": ("default", ""),
        "ok": ("default", "bold"),
        "warn": ("default", "bold"),
        "alarm": ("default", "bold reverse"),
        "twin": ("default", "bold reverse"),
        "key": ("default", "bold"),
        "rule": ("default", ""),
        "mark": ("default", ""),
        "field": ("default", "underline"),
    },
}

NAMES = tuple(_STYLES)
_GROUNDS = {"terminal": "default", "sun": "bright_white", "mono": "default"}
_INKS = {"terminal": "default", "sun": "black", "mono": "default"}

#: theme -> role -> how its cells are painted. Not in the style sheet: Textual builds a node for every role of every
#: widget there, and again with every page that is opened, of which each is garbage that holds itself.
CELLS: dict[str, dict[str, Style]] = {
    name: {
        role: Style.parse(f"{style} {colour} on {_GROUNDS[name]}") for role, (colour, style) in roles.items()
    }
    for name, roles in _STYLES.items()
}


def variables(name: str) -> dict[str, str]:
    """The style sheet's variables of one theme."""
    return {"ground": f"ansi_{_GROUNDS[name]}", "ink": f"ansi_{_INKS[name]}"}


def themes() -> list[Theme]:
    """The themes as Textual takes them."""
    found = []
    for name in NAMES:
        # Textual's own style sheets name variables that only its ANSI themes define.
        held = {**BUILTIN_THEMES["ansi-light" if name == "sun" else "ansi-dark"].variables, **variables(name)}
        # Textual's own input draws its cursor and selection with these.
        held |= {
            "input-cursor-background": held["ink"],
            "input-cursor-foreground": held["ground"],
            "input-cursor-text-style": "reverse",
            "input-selection-background": "ansi_default",
            "input-selection-foreground": held["ink"],
        }
        found.append(
            Theme(
                name=name,
                ansi=True,
                primary=held["ink"],
                secondary=held["ink"],
                warning=held["ink"],
                error=held["ink"],
                success=held["ink"],
                accent=held["ink"],
                foreground=held["ink"],
                background=held["ground"],
                surface=held["ground"],
                panel=held["ground"],
                boost=held["ground"],
                dark=name != "sun",
                variables=held,
            )
        )
    return found
