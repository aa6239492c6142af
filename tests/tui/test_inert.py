"""Text from outside stays text."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.session.snapshot import LoadView, Snapshot
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.inert import CAP, clean
from v2h_console.tui.lines import Row, crop, fit, plain_text, wrap
from v2h_console.tui.panes.overview import overview
from v2h_console.tui.panes.tables import links_view, loads_view, log_view
from v2h_console.tui.picture import Picture

from .conftest import Clock, shown
from .houses import ISLANDED, WALL_S, FakeSession


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ("[/] [bold]x", "[/] [bold]x"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;QUJD\x1b\\after", "after"),
        ("\x9b2Jafter", "after"),
        ("\x1bcafter", "after"),
        ("a\x00b\x7fc\x08", "abc"),
        ("two\nlines\tand", "two lines and"),
        ("\u202edrawkcab\u202c", "drawkcab"),
        ("ze\u200bro\ufeff", "zero"),
        ("cafe\u0301", "café"),
        ("z\u0363\u0363\u0363", "z"),
        ("\ud800lone", "lone"),
        ("38.6 °C ± 4 Ω · │█░", "38.6 °C ± 4 Ω · │█░"),
    ],
)
def test_what_could_move_the_cursor_is_gone(text: str, shown_as: str) -> None:
    assert clean(text) == shown_as


def test_a_flood_is_cut() -> None:
    assert len(clean("x" * 10_000_000)) == CAP


@given(st.text(st.characters(codec=None)))
def test_no_text_leaves_a_control_or_a_hidden_character(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert not {unicodedata.category(char) for char in cleaned} & {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Mn",
        "Me",
        "Zl",
        "Zp",
    }
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned


@given(st.text(), st.integers(1, 40), st.integers(-3, 45), st.integers(0, 45))
def test_a_row_keeps_its_width_whatever_is_written(text: str, width: int, column: int, room: int) -> None:
    from rich.cells import cell_len

    line = Row(width).at(column, text, "value", room).line()
    assert cell_len(plain_text(line)) == width
    for start in range(0, width, 7):
        assert cell_len(plain_text(crop(line, start, min(start + 7, width)))) == min(7, width - start)


@given(st.text(), st.integers(1, 60))
def test_fitted_and_wrapped_text_never_overflows(text: str, room: int) -> None:
    from rich.cells import cell_len

    assert cell_len(fit(text, room)) <= room
    if room >= 2:
        assert all(cell_len(line) <= room for line in wrap(text, room))


@given(st.text(), st.sampled_from([(80, 19), (120, 35)]))
def test_no_device_name_breaks_a_view(name: str, size: tuple[int, int]) -> None:
    load = LoadView(name, name, name, 1, name, reason=name)
    device = msgspec.structs.replace(ISLANDED.devices[0], name=name, protocol=name, address=name, state=name)
    snapshot = msgspec.structs.replace(
        ISLANDED, loads=(load,), devices=(device,), sentence=name, helm=name, mode=name, site=name
    )
    picture = Picture(snapshot, WALL_S, *size)
    overview(picture)
    for view in (loads_view, links_view, log_view):
        view(picture)


@pytest.mark.parametrize("keys", [(), ("3",), ("4",), ("6",), ("enter",), ("exclamation_mark", "d")])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_hostile_house_is_shown_inert_on_every_screen(
    clock: Clock, keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    session = FakeSession()
    session.show("hostile")
    session.refuse = "[/] \x1b[2J \u202e"
    app = ConsoleApp(session, wall=lambda: WALL_S, steady=clock)
    async with app.run_test(size=size) as pilot:
        await pilot.press("O")
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        text = "".join(shown(app))
        assert text.isprintable()
        assert "\x1b" not in text
        assert " [bold]x red gnol [/]" in text


def test_the_empty_snapshot_draws() -> None:
    assert overview(Picture(Snapshot(), 0.0))
