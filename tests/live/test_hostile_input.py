"""A line that garbles what is typed: the emergency key behind it still opens the MID."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.terminals import MAIN, Terminal

pytestmark = pytest.mark.live


@pytest.fixture
def demo() -> Iterator[Terminal]:
    """The demo's screen, with a house that runs."""
    terminal = Terminal([*MAIN, "demo"])
    terminal.await_text("House lit from the car")
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    "garbage", [b"a\xe4", b"\x1b[1114112u", b"\x1b[99999999999999999999u"], ids=["byte", "code", "number"]
)
def test_the_key_that_opens_the_mid_counts_behind_what_cannot_be_read(demo: Terminal, garbage: bytes) -> None:
    demo.send(garbage + b"O")
    demo.await_text("MID told to open.", 5.0)
