"""The audit's lines: each carries the hash of the one before and its own, so that a change is found where it was made.

A chain alone shows neither a tail that was cut off nor one that was forged from some line on to its end: for that its
head (last sequence and hash), as `v2h-console check` prints it, has to be noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: What the first line of all follows.
GENESIS = "0" * 64
#: A chain that was rewritten breaks at every line; nobody reads more of them than this.
MOST_BREAKS = 20
_LINE = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"\}')


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain; ``sequence`` 0 is the one before the first."""

    sequence: int = 0
    digest: str = GENESIS


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is what it was when it was written. ``entry`` has sequence and hashes too."""

    head: Head
    before: str
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold: file, line in it from 1, and in words what is wrong there."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """A chain as it was found. ``torn_bytes``: of a last line that the power or a writer at work cut off; ``first_at``:
    the date of the line with which it begins, as that says it."""

    lines: int
    first: int
    head: Head
    breaks: tuple[Break, ...]
    torn_bytes: int = 0
    first_at: str = ""


def write_line(head: Head, entry: Mapping[str, Any]) -> tuple[bytes, Head]:
    """The line that follows ``head``, with its line end, and the head that it makes."""
    sequence = head.sequence + 1
    body = json.dumps({"sequence": sequence, **entry, "previous": head.digest}, separators=(",", ":"))
    digest = hashlib.sha256(body.encode("ascii")).hexdigest()
    return f'{body[:-1]},"hash":"{digest}"}}\n'.encode("ascii"), Head(sequence, digest)


def read_line(raw: bytes) -> Line | None:
    """A line without its line end; ``None`` for one that is not as it was written."""
    match = _LINE.fullmatch(raw)
    if match is None or hashlib.sha256(match[1] + b"}").hexdigest().encode() != match[2]:
        return None
    try:
        entry = json.loads(raw)
        return Line(Head(int(entry["sequence"]), str(entry["hash"])), str(entry["previous"]), entry)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def last_good(data: bytes) -> tuple[Line | None, int]:
    """The last line of a file that is as it was written, and where it ends."""
    end = len(data)
    while end:
        end = data.rfind(b"\n", 0, end) + 1
        if not end:
            break
        begin = data.rfind(b"\n", 0, end - 1) + 1
        line = read_line(data[begin : end - 1])
        if line is not None:
            return line, end
        end = begin
    return None, 0


def verify(files: Sequence[tuple[str, bytes]]) -> Report:
    """Check a chain over its files, oldest first."""
    head: Head | None = None
    before = ("", 0)
    known = True
    first = lines = torn_bytes = 0
    first_at = ""
    breaks: list[Break] = []
    for nth, (name, data) in enumerate(files):
        rows = data.split(b"\n")
        rest = rows.pop()
        if rest and nth == len(files) - 1:
            torn_bytes = len(rest)
        elif rest:
            rows.append(rest)
        for number, raw in enumerate(rows, 1):
            lines += 1
            line = read_line(raw)
            if line is None:
                expected = 1 if head is None else head.sequence + 1
                breaks.append(Break(name, number, f"altered (sequence {expected} by its place)"))
                # Its own hash cannot be asked: the next line is only held against its sequence.
                head, known = Head(expected, GENESIS), False
            else:
                if head is None:
                    first, first_at = line.head.sequence, str(line.entry.get("at", ""))
                what = _wrong(head, line, known)
                if what is not None:
                    breaks.append(Break(name, number, what) if what else Break(*before, _FORGED))
                head, known = line.head, True
            before = name, number
    return Report(lines, first, head or Head(), tuple(breaks[:MOST_BREAKS]), torn_bytes, first_at)


_FORGED = "altered, with a hash made to fit: the next line knows another one"


def _wrong(head: Head | None, line: Line, known: bool) -> str | None:
    """What is wrong with a line that follows ``head``; "" = the line before was replaced, ``None`` = nothing."""
    found = line.head.sequence
    if head is None:
        # The oldest files are given up in time: a chain may begin anywhere, but the very first line follows nothing.
        return "the first line follows another one" if found == 1 and line.before != GENESIS else None
    expected = head.sequence + 1
    if found > expected:
        missing = f"{expected}" if found == expected + 1 else f"{expected} to {found - 1}"
        return f"sequence {found} where {expected} was due: {missing} removed, or put elsewhere"
    if found < expected:
        return f"sequence {found} where {expected} was due: put out of its order"
    return "" if known and line.before != head.digest else None
