"""The pages on a view: used again, so that opening them leaves nothing behind that stops the control."""

from __future__ import annotations

import gc

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from v2h_console.tui.app import ConsoleApp

from .conftest import shown, whole
from .houses import ISLANDED, FakeSession

#: Objects that hold each other, each time that a page is opened and closed. A page that was built anew left 15,000.
GARBAGE_MOST = 1_500


async def press(pilot: Pilot[int], *keys: str) -> None:
    """One key after the other, each with what it does."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


@pytest.mark.parametrize(
    "keys",
    [
        ("q", "n"),
        ("question_mark", "escape"),
        ("exclamation_mark", "q"),
        ("c", "escape"),
        ("colon", "escape"),
    ],
)
async def test_a_key_that_opens_and_closes_for_ever_leaves_no_garbage(
    app: ConsoleApp, keys: tuple[str, ...]
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *keys, *keys)
        gc.collect()
        gc.disable()
        try:
            await press(pilot, *keys * 4)
            left = gc.collect()
        finally:
            gc.enable()
        assert left / 4 < GARBAGE_MOST


@pytest.mark.parametrize("key", ["question_mark", "exclamation_mark", "colon"])
async def test_a_key_that_is_held_down_piles_up_nothing(app: ConsoleApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *[key] * 6)
        assert len(app.screen_stack) == 2
        await press(pilot, "escape")
        assert shown(app)[3].startswith(" GRID (street side)")


async def test_help_on_a_page_leads_back_to_that_page(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        explained = shown(app)[3]
        assert explained == " LOAD_SHED"
        await press(pilot, "question_mark")
        assert shown(app)[3].startswith(" HELP")
        await press(pilot, "exclamation_mark", "question_mark")
        # Help lay open already: what was put on it goes, instead of a second help.
        assert shown(app)[3].startswith(" HELP")
        await press(pilot, "escape")
        assert shown(app)[3] == explained
        await press(pilot, "escape")
        assert shown(app)[3].startswith(" GRID (street side)")


async def test_a_long_page_begins_at_its_top_again(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "question_mark")
        top = shown(app)[5]
        await press(pilot, "j", "j", "j")
        assert shown(app)[5] != top
        await press(pilot, "escape", "question_mark")
        assert shown(app)[5] == top


async def test_a_word_half_typed_is_gone_when_the_question_comes_again(
    app: ConsoleApp, session: FakeSession
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "c", *"CLO", "escape", "c")
        assert app.screen.query_one(Input).value == ""
        await press(pilot, *"SE", "enter")
        assert session.orders == []
        assert "Not done: type CLOSE in capital letters" in whole(app)


async def test_the_question_that_is_asked_is_the_one_that_is_answered(session: FakeSession) -> None:
    session.put(msgspec.structs.replace(ISLANDED, locked_out=True))
    app = ConsoleApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "c", "escape", "R")
        assert "Type RESET above" in whole(app)
        await press(pilot, *"CLOSE", "enter")
        assert session.orders == []
        await press(pilot, "escape", "R", *"RESET", "enter")
        assert [order.do for order in session.orders] == ["operator.reset_lockout"]


async def test_a_search_begins_with_nothing_typed_and_its_first_line(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "colon", *"links", "escape", "colon")
        assert app.screen.query_one(Input).value == ""
        assert " > O, Ctrl+O   Open the MID now" in whole(app)


async def test_a_page_that_was_closed_has_the_new_theme_and_the_new_size(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "question_mark", "escape")
        app.theme = "sun"
        await pilot.resize_terminal(120, 40)
        await press(pilot, "question_mark")
        strips = app.screen._compositor.render_strips()
        assert len(strips) == 40
        assert shown(app)[38] or shown(app)[39]
        title = next(segment for strip in strips for segment in strip if "HELP" in segment.text)
        assert title.style is not None
        assert title.style.bgcolor is not None
        assert title.style.bgcolor.number == 15


async def test_the_small_screen_comes_and_goes(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "question_mark")
        for _ in range(3):
            await pilot.resize_terminal(60, 20)
            await pilot.pause()
            assert "Too small: 60 x 20" in whole(app)
            await pilot.resize_terminal(80, 24)
            await pilot.pause()
            assert shown(app)[3].startswith(" HELP")
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1
