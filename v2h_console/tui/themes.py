"""Three themes on the terminal's own sixteen colours. Colour repeats what words and symbols say, never adds to it."""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

#: role -> (colour, text style), per theme. No dim anywhere: bad light is the normal case.
_STYLES: dict[str, dict[str, tuple[str, str]]] = {
    "terminal": {
        "plain": ("ansi_default", "none"),
        "value": ("ansi_default", "bold"),
        "title": ("ansi_cyan", "none"),
        "ok": ("ansi_green", "bold"),
        "warn": ("ansi_yellow", "bold"),
        "alarm": ("ansi_bright_red", "bold reverse"),
        "twin": ("ansi_magenta", "bold reverse"),
        "key": ("ansi_default", "bold"),
        "rule": ("ansi_default", "none"),
        "mark": ("ansi_cyan", "none"),
        "field": ("ansi_default", "underline"),
    },
    "sun": {
        "plain": ("ansi_black", "none"),
        "value": ("ansi_black", "bold"),
        "title": ("ansi_black", "none"),
        "ok": ("ansi_black", "bold"),
        "warn": ("ansi_black", "bold underline"),
        "alarm": ("ansi_black", "bold reverse"),
        "twin": ("ansi_black", "bold reverse"),
        "key": ("ansi_black", "bold"),
        "rule": ("ansi_black", "none"),
        "mark": ("ansi_black", "none"),
        "field": ("ansi_black", "underline"),
    },
    "mono": {
        "plain": ("ansi_default", "none"),
        "value": ("ansi_default", "bold"),
        "title": ("ansi_default", "none"),
        "ok": ("ansi_default", "bold"),
        "warn": ("ansi_default", "bold"),
        "alarm": ("ansi_default", "bold reverse"),
        "twin": ("ansi_default", "bold reverse"),
        "key": ("ansi_default", "bold"),
        "rule": ("ansi_default", "none"),
        "mark": ("ansi_default", "none"),
        "field": ("ansi_default", "underline"),
    },
}

NAMES = tuple(_STYLES)


def variables(name: str) -> dict[str, str]:
    """The style sheet's variables of one theme."""
    found = {}
    for role, (colour, style) in _STYLES[name].items():
        found[f"role-{role}"] = colour
        found[f"role-{role}-style"] = style
    found["ground"] = "ansi_bright_white" if name == "sun" else "ansi_default"
    found["ink"] = "ansi_black" if name == "sun" else "ansi_default"
    return found


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
