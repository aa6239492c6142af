"""What comes in from a terminal: a byte that says nothing and a sequence that breaks the parser cost themselves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from v2h_console.tui.keyboard import Keyboard

#: Key codes past the last character, and past what a C integer holds; as the key itself, and as the text it gives.
HOSTILE = [b"\x1b[1114112u", b"\x1b[99999999999999999999u", b"\x1b[97;1;1114112u", b"\x1b[9999999:9999999;5u"]


def keys(*reads: bytes) -> list[str]:
    """The keys of these reads, by name."""
    keyboard = Keyboard()
    return [
        message.key for read in reads for message in keyboard.take(read) if isinstance(message, events.Key)
    ]


@pytest.mark.parametrize("odd", [b"\xe4", b"\xff", b"\xc3", b"\xf0\x9f\x98", b"\x80\x80", b"\xed\xa0\x80"])
def test_the_key_behind_bytes_that_are_no_utf8_counts(odd: bytes) -> None:
    heard = keys(b"a" + odd + b"O")
    assert (heard[0], heard[-1]) == ("a", "O")
    assert keys(b"a" + odd, b"O")[-1] == "O"
    assert keys(b"a", odd, b"O")[-1] == "O"


@pytest.mark.parametrize("sequence", HOSTILE)
def test_the_key_behind_a_hostile_sequence_counts(sequence: bytes) -> None:
    assert keys(sequence + b"O")[-1] == "O"
    assert keys(sequence, b"O")[-1] == "O"
    assert keys(sequence * 3, sequence + b"\x1b[A" + b"O")[-2:] == ["up", "O"]


def test_a_character_in_two_reads_is_one_key() -> None:
    assert keys("ä".encode()[:1], "ä".encode()[1:]) == ["ä"]


def test_a_size_that_no_terminal_has_is_not_believed() -> None:
    sizes = b"\x1b[48;40;120;0;0t\x1b[48;40;9999999;0;0t\x1b[48;9999999;120;0;0t"
    told = [message.size for message in Keyboard().take(sizes) if isinstance(message, events.Resize)]
    assert told == [(120, 40)]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_input_at_all_makes_it_deaf(reads: list[bytes]) -> None:
    keyboard = Keyboard()
    for read in reads:
        list(keyboard.take(read))
        list(keyboard.tick())
    # Whatever was begun (a character, a sequence, a paste) is brought to its end first.
    list(keyboard.take(b"\x1b" + b"x" * 40 + b"\x1b[201~"))
    heard = [message.key for message in keyboard.take(b"O") if isinstance(message, events.Key)]
    assert heard == ["O"]
