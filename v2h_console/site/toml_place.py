"""Where a key stands in a TOML file's text, so that an error can name the line."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A key and, in an array, its place there.
Part = tuple[str, int | None]

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
#: Texts and remarks, also those without an end: whatever stands there, it is gone over once.
_ASIDE = re.compile(
    r'''"""(?:\\.|.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:\\[^\n]|[^"\\\n])*+"?|'[^'\n]*+'?|#[^\n]*+''',
    re.DOTALL,
)
_BETWEEN = re.compile(r"[=,{}\[\]]")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=")


def longest_key(text: str) -> tuple[int, int]:
    """How many parts the key with the most dots has, and on which line; no parser is asked."""
    plain = _ASIDE.sub(lambda aside: "_" + "\n" * aside[0].count("\n"), text)
    keys = (
        (key.count(".") + 1, number)
        for number, line in enumerate(plain.split("\n"), start=1)
        for key in _BETWEEN.split(line)
    )
    return max(keys, key=lambda key: key[0])


def line_of(text: str, where: str) -> int | None:
    """The line of ``where`` ("inverter[1].port"; the first [[inverter]] is 0), or of the nearest table that holds it.

    ``None``: the text has neither. What stands within a value's own brackets counts as on the line of its key.
    """
    wanted = _parts(where)
    best: tuple[int, int] | None = None
    for number, place in _places(text):
        if _holds(place, wanted) and (best is None or len(place) > best[0]):
            best = len(place), number
    return None if best is None else best[1]


def at(path: object, text: str, where: str) -> str:
    """``FILE, line N``; the file alone where it has no such line."""
    line = line_of(text, where)
    return f"{path}{'' if line is None else f', line {line}'}"


def _places(text: str) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Each line that names a key or a table, and what it names."""
    table: tuple[Part, ...] = ()
    newest: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            names = _names(header[2])
            if header[1] == "[[":
                newest[names] = newest.get(names, -1) + 1
            table = tuple((name, newest.get(names[: nth + 1])) for nth, name in enumerate(names))
            yield number, table
        elif entry := _ENTRY.match(line):
            yield number, (*table, *((name, None) for name in _names(entry[1])))


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(name.strip("\"'") for name in re.findall(_KEY, dotted))


def _parts(where: str) -> tuple[Part, ...]:
    found = (re.fullmatch(r"(.*?)(?:\[(\d+|\*)\])*", part) for part in where.split(".") if part)
    return tuple(
        (one[1], int(one[2]) if one[2] and one[2].isdigit() else None) for one in found if one is not None
    )


def _holds(place: tuple[Part, ...], wanted: tuple[Part, ...]) -> bool:
    """Whether what a line names is what is wanted, or holds it."""
    return len(place) <= len(wanted) and all(
        name == other and (nth is None or which is None or nth == which)
        for (name, nth), (other, which) in zip(place, wanted, strict=False)
    )
