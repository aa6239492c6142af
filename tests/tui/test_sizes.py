"""A terminal of any size: every view and page is drawn to an end, and none takes the screen with it."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.pilot import Pilot

from v2h_console.session.snapshot import AlarmView, OutletView, Snapshot, UnitView
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.lines import Line, fit, wrap
from v2h_console.tui.panes.away import away_rows
from v2h_console.tui.panes.bar import bar
from v2h_console.tui.panes.tables import device_rows, load_rows
from v2h_console.tui.picture import Picture
from v2h_console.tui.screens.confirm import ConfirmScreen
from v2h_console.tui.screens.text import TextScreen
from v2h_console.tui.views import VIEWS

from .conftest import shown, whole
from .houses import FAULT, ISLANDED, WALL_S, FakeSession, v
from .test_away import LOST

_LONG = "the broker answers nothing and a word_that_is_longer_than_any_terminal_is_wide_" + "x" * 300
CROWDED = msgspec.structs.replace(
    FAULT,
    outlets=(OutletView("MQTT", "broker.example:1883", "failing", _LONG), OutletView("HTTP", ":8080", "")),
    units=(
        UnitView("Unit A", "primary", "forming", v(0.0), v(12.0), v(64.0)),
        UnitView("Unit B", "out", reason=_LONG),
    ),
    devices=tuple(msgspec.structs.replace(device, state="lost", reason=_LONG) for device in FAULT.devices),
    loads=tuple(msgspec.structs.replace(load, reason=_LONG) for load in FAULT.loads),
    alarms=(*FAULT.alarms, AlarmView("LONG", "alarm", _LONG, WALL_S, False, _LONG)),
    sentence=_LONG,
)
HOUSES = {"crowded": CROWDED, "empty": Snapshot(), "ordinary": ISLANDED}
#: What a dragged window passes through.
SIZES = [
    (1, 1),
    (2, 40),
    (20, 5),
    (51, 30),
    (52, 9),
    (60, 12),
    (80, 5),
    (100, 9),
    (120, 6),
    (200, 5),
    (300, 2),
]


def drawn_everywhere(snapshot: Snapshot, width: int, height: int) -> None:
    """Each view and page once, on a body of this size."""
    for cursor in (None, 0, 3):
        picture = Picture(snapshot, WALL_S, width, height, cursor=cursor)
        assert bar(picture)
        for view in VIEWS.values():
            view.draw(picture)
        away_rows(LOST, picture, "view 4 Links")
        away_rows(msgspec.structs.replace(LOST, happened=False, events=()), picture, "")
    text = TextScreen()
    text.begin("A TITLE", ["A HEADING", _LONG, f"      {_LONG}", ""])
    text.lines(picture)


@pytest.mark.parametrize("house", HOUSES)
@pytest.mark.parametrize("size", SIZES)
def test_every_view_and_page_is_drawn_at_any_size(house: str, size: tuple[int, int]) -> None:
    drawn_everywhere(HOUSES[house], *size)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(HOUSES)), st.integers(1, 260), st.integers(1, 70))
def test_no_width_and_height_break_a_view(house: str, width: int, height: int) -> None:
    drawn_everywhere(HOUSES[house], width, height)


@pytest.mark.parametrize("room", [-50, -1, 0])
def test_text_that_has_no_room_comes_to_an_end(room: int) -> None:
    assert fit("one reply in four is late", room) == ""
    assert wrap("one 漢", room) == ["o", "n", "e", "漢"]


@pytest.mark.parametrize("count", [-3, 0, 1, 2])
def test_a_table_without_room_for_its_lines_says_how_many_there_are(count: int) -> None:
    picture = Picture(ISLANDED, WALL_S)
    loads, devices = load_rows(picture, count), device_rows(picture, count)
    assert [len(rows) for rows in (loads, devices)] == [2, 2]
    assert loads[1].line()[0][0].strip() == "and 10 more: view 3 Loads"
    assert devices[1].line()[0][0].strip() == "and 4 more"


async def resized(pilot: Pilot[int], width: int, height: int) -> None:
    """Another size of the terminal, and time to lay out."""
    await pilot.resize_terminal(width, height)
    await pilot.pause()


@pytest.mark.parametrize(
    "keys", [("1",), ("3",), ("4",), ("6",), ("question_mark",), ("colon",), ("w",), ("4", "c")]
)
@pytest.mark.parametrize("house", ["crowded", "empty"])
async def test_a_window_that_is_dragged_through_every_size_shows_the_same_again(
    app: ConsoleApp, session: FakeSession, house: str, keys: tuple[str, ...]
) -> None:
    session.put(HOUSES[house])
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.press(*keys)
        await pilot.pause()
        before = shown(app)
        for size in SIZES:
            await resized(pilot, *size)
            app._poll()
        await resized(pilot, 80, 24)
        app._poll()
        await pilot.pause()
        assert shown(app) == before


async def test_what_is_hidden_behind_the_small_screen_is_not_drawn(
    app: ConsoleApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []

    def draw(picture: Picture) -> list[Line]:
        widths.append(picture.width)
        return []

    async with app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setitem(VIEWS, 1, dataclasses.replace(VIEWS[1], draw=draw))
        for size in SIZES:
            await resized(pilot, *size)
            app._poll()
        assert "Too small: 300 x 2" in whole(app)
        assert widths == []
        await resized(pilot, 90, 30)
        assert set(widths) == {90}


async def test_a_question_on_a_narrow_terminal_is_drawn(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)):
        page = ConfirmScreen()
        page.begin("CLOSE THE MID", [_LONG], "CLOSE", lambda: None)
        for size in SIZES:
            assert page.lines(Picture(ISLANDED, WALL_S, *size))
