"""What comes in from the terminal, as Textual's messages: no byte and no sequence makes the keyboard deaf.

Textual decodes strictly and keeps one parser: one byte that is not UTF-8 (a Latin-1 paste, a line that flips a bit), or a key
code past the last character, ended its input thread, and the ``O`` behind it opened nothing. Here a byte that says nothing is
one key that means nothing, and a sequence that breaks the parser costs itself alone.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from textual import events
from textual._xterm_parser import XTermParser
from textual.geometry import Size
from textual.message import Message

#: A terminal may tell its size among the keys. More cells than any has would be drawn into memory until that is full.
MOST_COLUMNS, MOST_ROWS = 2_000, 1_000


class Keyboard:
    """One terminal's input, read by read; everything is called from one thread."""

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parser = XTermParser(debug)

    def take(self, data: bytes) -> Iterator[Message]:
        """The messages of one read; half a character waits for the next."""
        # One by one: whatever breaks the parser, the keys behind it are still there.
        for char in self._decoder.decode(data):
            yield from self._parsed(self._parser.feed(char))

    def tick(self) -> Iterator[Message]:
        """Nothing more came for a moment: an Esc that waited for its sequence is the key."""
        yield from self._parsed(self._parser.tick())

    def _parsed(self, messages: Iterable[Message]) -> Iterator[Message]:
        try:
            for message in messages:
                if not (isinstance(message, events.Resize) and _is_absurd(message.size)):
                    yield message
        except Exception:  # noqa: BLE001  # a parser that broke is at its end, whatever broke it
            self._parser = XTermParser(self._debug)


def _is_absurd(size: Size) -> bool:
    return size.width > MOST_COLUMNS or size.height > MOST_ROWS
