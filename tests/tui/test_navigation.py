"""Views, lists, help, palette, themes, leaving, and terminals that are too small."""

from __future__ import annotations

import msgspec
import pytest
from textual.pilot import Pilot

from v2h_console.tui.app import ConsoleApp

from .conftest import Clock, shown, whole
from .houses import ISLANDED, FakeSession


@pytest.mark.parametrize(("key", "head"), [("3", "   CIRCUIT"), ("4", "   DEVICE"), ("6", "   TIME")])
async def test_a_digit_shows_its_view_and_esc_leads_back(app: ConsoleApp, key: str, head: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        assert shown(app)[3].startswith(head)
        assert shown(app)[0].startswith(" ISLANDED      MID OPEN")
        await pilot.press("escape")
        assert shown(app)[3].startswith(" GRID (street side)")


@pytest.mark.parametrize(
    ("key", "name"),
    [("2", "Commission"), ("5", "Waveforms"), ("7", "Incidents"), ("8", "Settings"), ("9", "Security")],
)
async def test_a_view_to_come_says_so(app: ConsoleApp, key: str, name: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        assert shown(app)[22] == f" View {key} {name} is not in this version yet."
        assert shown(app)[3].startswith(" GRID (street side)")


async def test_a_digit_in_a_field_types(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon")
        await pilot.pause()
        await pilot.press("4")
        await pilot.pause()
        assert shown(app)[4] == " ANY ACTION"


@pytest.mark.parametrize("keys", [("j", "j"), ("down", "down"), ("j", "j", "j", "k")])
async def test_the_chosen_line_moves_and_is_explained(app: ConsoleApp, keys: tuple[str, ...]) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        assert shown(app)[19].startswith(">  14:02:11  HVAC held")
        await pilot.press("enter")
        await pilot.pause()
        assert shown(app)[3] == " LOAD_HELD"
        await pilot.press("escape")
        await pilot.press("escape")
        await pilot.pause()
        assert shown(app)[19].startswith("   14:02:11  HVAC held")


async def test_enter_explains_the_worst_alarm(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        text = whole(app)
        assert " LOAD_SHED\n" in text
        assert "WARNING since 14:02:11" in text
        assert "Nothing: it restores when there is room." in text


async def test_faults_only_leaves_the_information_out(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        assert "HVAC held" not in whole(app)
        assert "Dryer shed" in whole(app)
        await pilot.press("f")
        assert "HVAC held" in whole(app)


async def test_copy_takes_the_chosen_line(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j", "y")
        assert (
            app.clipboard
            == "14:02:11  info  LOAD_HELD  HVAC held for the first 60 s of islanding (rule, not a fault)."
        )


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_lists_the_keys_and_scrolls(app: ConsoleApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert "O, Ctrl+O  Open the MID now" in whole(app)
        await pilot.press("pagedown", "pagedown", "j", "k", "pagedown")
        text = whole(app)
        assert "ISLANDED means lit by the car; HOUSE DARK means dark." in text
        assert "more lines below" not in text


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_finds_an_action_by_its_words_and_shows_its_key(app: ConsoleApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert " > O, Ctrl+O   Open the MID now" in whole(app)
        await pilot.press(*"links")
        await pilot.pause()
        assert shown(app)[6:8] == [" > 4           View 4 Links", ""]
        await pilot.press("enter")
        await pilot.pause()
        assert shown(app)[3].startswith("   DEVICE")


async def test_the_palette_turns_the_themes(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        for name in ("sun", "mono", "terminal"):
            await pilot.press("ctrl+p")
            await pilot.pause()
            await pilot.press(*"theme", "enter")
            await pilot.pause()
            assert app.theme == name


async def test_no_color_means_mono(monkeypatch: pytest.MonkeyPatch, session: FakeSession) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ConsoleApp(session)
    async with app.run_test(size=(80, 24)):
        assert app.theme == "mono"
        styles = [segment.style for strip in app.screen._compositor.render_strips() for segment in strip]
        colours = {style.color.name for style in styles if style is not None and style.color is not None}
        assert colours <= {"default"}


async def test_alarms_are_in_reverse_video_in_every_theme(clock: Clock) -> None:
    session = FakeSession()
    session.show("fault")
    app = ConsoleApp(session, steady=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        for name in ("terminal", "sun", "mono"):
            app.theme = name
            await pilot.pause()
            alarm = next(
                segment
                for strip in app.screen._compositor.render_strips()
                for segment in strip
                if "!131.4" in segment.text
            )
            assert alarm.style is not None
            assert alarm.style.reverse


async def test_q_asks_and_n_stays(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert "LEAVE THIS SCREEN?" in whole(app)
        await pilot.press("enter")
        assert "Press y or n." in whole(app)
        await pilot.press("n")
        await pilot.pause()
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("keys", [("q", "y"), ("ctrl+q",), ("c", "ctrl+q")])
async def test_leaving_closes_this_persons_session(
    app: ConsoleApp, session: FakeSession, keys: tuple[str, ...]
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
    assert app.return_value == 0
    assert session.closed == 1


@pytest.mark.parametrize("opener", [(), ("c",)])
async def test_ctrl_c_says_how_to_leave(app: ConsoleApp, opener: tuple[str, ...]) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*opener)
        await pilot.pause()
        await pilot.press("ctrl+c")
        assert shown(app)[22] == " Ctrl+C does nothing here. Ctrl+Q leaves at once; q asks first."


async def resized(pilot: Pilot[int], width: int, height: int) -> None:
    """Another size of the terminal, and time to lay out."""
    await pilot.resize_terminal(width, height)
    await pilot.pause(0.1)


async def test_a_terminal_made_too_small_says_so_and_still_opens_the_mid(
    app: ConsoleApp, session: FakeSession
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await resized(pilot, 60, 12)
        rows = shown(app)
        assert rows[:4] == [
            "Too small: 60 x 12, needs 80 x 24.",
            "ISLANDED",
            "MID OPEN aux+volts",
            "GRID DEAD 00:42",
        ]
        assert "TWIN" in rows
        # No other key acts on a screen that nobody can see.
        await pilot.press("q", "4", "c")
        await pilot.press("O")
        await pilot.pause()
        assert [order.do for order in session.orders] == ["operator.open_mid"]
        assert shown(app)[0].startswith("MID told to open.")
        await resized(pilot, 80, 24)
        assert shown(app)[3].startswith(" GRID (street side)")


async def test_growing_and_shrinking_redraws(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await resized(pilot, 120, 40)
        assert "CIRCUIT" in whole(app)
        await resized(pilot, 80, 24)
        assert shown(app)[4].endswith("L1      119.8 V          110 - 126")
        assert ISLANDED.sentence in shown(app)[1]


async def test_w_on_the_loads_says_what_would_happen(app: ConsoleApp, session: FakeSession) -> None:
    told = (
        "HVAC: may not return now: 6653 VA on leg 2 (10 s), allowed 6120 VA.",
        "Range: not carried while islanded.",
    )
    async with app.run_test(size=(80, 24)) as pilot:
        session.put(msgspec.structs.replace(ISLANDED, what_if=told))
        app._poll()
        await pilot.press("3")
        assert "w what would happen" in shown(app)[23]
        await pilot.press("w")
        await pilot.pause()
        assert "WHY THEY WAIT" in whole(app)
        for line in told:
            assert line in whole(app)
