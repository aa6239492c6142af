"""A person comes back: what happened, what stands, what to do; and no key that leads past the page does anything else."""

from __future__ import annotations

import msgspec
import pytest

from v2h_console.session.absence import Absence
from v2h_console.session.protocol import OwnerGone
from v2h_console.session.snapshot import EventView
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.panes.away import away_for, moment
from v2h_console.tui.screens.away import AwayScreen

from .conftest import Clock, shown, whole
from .houses import FAULT, ISLANDED, WALL_S, FakeSession

EVENTS = (
    EventView(7, WALL_S - 147, "GRID_LOST", "warning", "Grid lost: both legs below 0.50. MID told to open."),
    EventView(8, WALL_S - 147, "TRANSFER_DONE", "info", "House back after 61 of 100 ms (hard)."),
    EventView(9, WALL_S - 90, "ORDER_TAKEN", "info", "anna (process 4): switch off hvac."),
    EventView(10, WALL_S - 80, "MID_SLOW", "lockout", "MID opened in 131 ms, over 100 ms."),
)
LOST = Absence(
    since_wall_s=WALL_S - 148,
    away_s=148.0,
    how="lost",
    place="4",
    key_wall_s=WALL_S - 200,
    happened=True,
    tally={"outage": 1, "transfer": 1, "order": 1, "lockout": 1, "alarm": 0, "restart": 0},
    events=EVENTS,
)

PAGE_80 = """\
 WHILE YOU WERE AWAY      2 min 28 s                     the owner never stopped
   Your screen went away 14:00:25, its line was lost; the owner went on. Your
   last key there: 13:59:33.
   In all: 1 outage, 1 transfer, 1 lockout, 1 order.

 ! 14:00:26  Grid lost: both legs below 0.50. MID told to open.
   14:00:26  House back after 61 of 100 ms (hard).
   14:01:23  anna (process 4): switch off hvac.
 ! 14:01:33  MID opened in 131 ms, over 100 ms.
────────────────────────────────────────────────────────────────────────────────
 NOW         House  lit from the car, 4.13 kW, 64 %, about 6 h 40 min
             Helm   you have it
             Alarms 1: Dryer shed: L2 would have passed 31.7 A for 10 s...

 WHAT TO DO  No alarm needs you. Waiting for the grid; then 300 s in window,
             then a synchronised close.
             Enter or any key goes on to view 4 Links, where you stood.
"""


@pytest.fixture
def back(session: FakeSession, app: ConsoleApp) -> ConsoleApp:
    """The console of a person whose line was lost at view 4."""
    session.absence = LOST
    return app


async def test_the_first_screen_tells_what_happened_what_stands_and_what_to_do(back: ConsoleApp) -> None:
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        rows = shown(back)
        assert "\n".join(rows[3:20]) + "\n" == PAGE_80
        assert rows[0].startswith(" ISLANDED      MID OPEN aux+volts    GRID DEAD 00:42     HELM you")
        assert rows[23] == " O OPEN MID   Enter go on   w shows this again later"


async def test_a_wide_screen_holds_all_of_it(back: ConsoleApp, session: FakeSession) -> None:
    many = tuple(msgspec.structs.replace(EVENTS[0], sequence=n, wall_s=WALL_S - n) for n in range(60))
    session.absence = msgspec.structs.replace(LOST, events=many, more=7)
    async with back.run_test(size=(120, 40)) as pilot:
        back._poll()
        await pilot.pause()
        text = whole(back)
        assert text.count("Grid lost: both legs") == 24
        assert "and 43 more: view 6 Log, and the log files" in text
        assert "Enter or any key goes on to view 4 Links" in text
        assert len(shown(back)) == 40


@pytest.mark.parametrize("key", ["enter", "escape", "c", "R", "a", "q", "x", "space", "j", "1", "colon", "w"])
async def test_any_key_goes_on_to_where_the_last_screen_stood_and_does_nothing_else(
    back: ConsoleApp, session: FakeSession, key: str
) -> None:
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert shown(back)[3].startswith("   DEVICE")
        assert len(back.screen_stack) == 1
        assert session.orders == []


@pytest.mark.parametrize("key", ["O", "ctrl+o"])
async def test_o_opens_the_mid_from_here_too(back: ConsoleApp, session: FakeSession, key: str) -> None:
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert [order.do for order in session.orders] == ["operator.open_mid"]
        assert isinstance(back.screen, AwayScreen)


@pytest.mark.parametrize(("helm", "asked"), [("", ["helm.take"]), ("other", ["helm.take"]), ("you", [])])
async def test_t_takes_the_helm_and_never_gives_it_away(
    back: ConsoleApp, session: FakeSession, helm: str, asked: list[str]
) -> None:
    session.put(msgspec.structs.replace(ISLANDED, helm=helm, helm_name="anna (process 4)"))
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        words = {"": "Helm   nobody has it: t takes it", "other": "Helm   anna (process 4) has it"}
        assert words.get(helm, "Helm   you have it") in whole(back)
        await pilot.press("t")
        await pilot.pause()
        assert [order.do for order in session.orders] == asked
        assert shown(back)[3].startswith("   DEVICE")


async def test_w_shows_it_again_at_any_time(back: ConsoleApp) -> None:
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        await pilot.press("enter", "6")
        await pilot.pause()
        await pilot.press("w")
        await pilot.pause()
        assert "WHILE YOU WERE AWAY" in whole(back)
        assert "Enter or any key goes back" in whole(back)
        await pilot.press("x")
        await pilot.pause()
        assert shown(back)[3].startswith("   TIME")
        await pilot.press("3", "W")
        await pilot.pause()
        assert "WHILE YOU WERE AWAY" in whole(back), "on the loads w is theirs; W tells it from anywhere"


async def test_nothing_happened_shows_nothing(app: ConsoleApp, session: FakeSession) -> None:
    session.absence = msgspec.structs.replace(LOST, happened=False, events=(), how="left", tally={})
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.pause()
        assert shown(app)[3].startswith(" GRID (street side)")
        await pilot.press("w")
        await pilot.pause()
        assert "Nothing happened." in whole(app)
        assert "You left your screen 14:00:25; the owner went on." in whole(app)


async def test_a_line_that_broke_without_news_leads_back_to_its_place(
    app: ConsoleApp, session: FakeSession
) -> None:
    session.absence = msgspec.structs.replace(LOST, happened=False, events=(), tally={})
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.pause()
        assert shown(app)[3].startswith("   DEVICE")
        assert "Your last screen was lost; nothing has happened since." in whole(app)


async def test_nobody_knows_of_an_earlier_screen(app: ConsoleApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.press("w")
        assert "knows of no earlier screen of yours" in whole(app)


async def test_an_alarm_that_stands_is_what_to_do_first(back: ConsoleApp, session: FakeSession) -> None:
    session.put(FAULT)
    session.absence = msgspec.structs.replace(LOST, tally={"restart": 2, "order": 2}, how="ended")
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        text = whole(back)
        assert "the owner started anew 2 times" in text
        assert "Your screen was ended 14:00:25, not by you." in text
        assert "never stopped" not in text
        assert "went on" not in text
        assert "House  DARK" in text
        assert "WHAT TO DO  MID_SLOW: Open and lock the main" in text
        assert "In all: 2 orders, 2 restarts." in text


async def test_what_one_person_has_acknowledged_is_the_first_thing_for_the_next(
    back: ConsoleApp, session: FakeSession
) -> None:
    advice = "Stand clear. Open and lock the main."
    alarm = msgspec.structs.replace(
        FAULT.alarms[0], code="MID_DID_NOT_OPEN", severity="lockout", what_to_do=advice, acknowledged=True
    )
    session.put(msgspec.structs.replace(FAULT, alarms=(alarm,), locked_out=True))
    session.absence = LOST
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        assert f"WHAT TO DO  MID_DID_NOT_OPEN: {advice}" in whole(back)


async def test_an_owner_that_goes_meanwhile_leaves_no_now(back: ConsoleApp, session: FakeSession) -> None:
    async with back.run_test(size=(80, 24)) as pilot:
        back._poll()
        await pilot.pause()
        session.gone = OwnerGone(WALL_S)
        back._poll()
        text = whole(back)
        assert "House  not known whether it is lit: treat it as LIVE" in text
        assert "Helm   not known" in text
        assert "Alarms not known" in text
        assert "4.13 kW" not in text
        assert "never stopped" not in text


async def test_the_page_waits_until_the_terminal_is_large_enough(
    back: ConsoleApp, session: FakeSession
) -> None:
    async with back.run_test(size=(60, 12)) as pilot:
        back._poll()
        await pilot.pause(0.1)
        assert "Too small" in whole(back)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.1)
        back._poll()
        await pilot.pause()
        assert "WHILE YOU WERE AWAY" in whole(back)


async def test_another_owner_does_not_interrupt_whoever_looks_on(
    app: ConsoleApp, session: FakeSession
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        session.gone = OwnerGone(WALL_S)
        app._poll()
        session.gone, session.run, session.absence = None, "two", LOST
        app._poll()
        await pilot.pause()
        assert shown(app)[3].startswith(" GRID (street side)")
        await pilot.press("w")
        await pilot.pause()
        assert "WHILE YOU WERE AWAY" in whole(app)


async def test_the_owner_hears_of_keys_and_places_and_how_it_ended(
    app: ConsoleApp, session: FakeSession, clock: Clock
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        assert session.places == [], "a screen that nobody touches is no sign of life"
        await pilot.press("escape")
        app._poll()
        await pilot.press("escape")
        app._poll()
        assert session.places == ["1"]
        await pilot.press("4")
        app._poll()
        assert session.places == ["1", "4"]
        clock.now_s += 5.0
        app._poll()
        assert session.places == ["1", "4"]
        await pilot.press("4")
        app._poll()
        assert session.places == ["1", "4", "4"]
        await pilot.press("ctrl+q")
    assert session.ends == ["left"]


@pytest.mark.parametrize(("code", "how"), [(129, "lost"), (143, "ended")])
async def test_a_line_that_is_lost_and_an_end_from_outside_are_told_apart(
    app: ConsoleApp, session: FakeSession, code: int, how: str
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.end(code)
        app._poll()
        await pilot.pause()
    assert session.ends == [how]


def test_durations_and_moments_in_words() -> None:
    assert [away_for(s) for s in (1.9, 148, 3 * 3600 + 310, 50 * 3600)] == [
        "1 s",
        "2 min 28 s",
        "3 h 05 min",
        "2 d 2 h",
    ]
    assert moment(WALL_S, WALL_S + 60) == "14:02:53"
    assert moment(WALL_S - 86400, WALL_S) == "07-13 14:02"
    assert moment(float("inf"), WALL_S) == "--:--:--"


async def test_the_next_login_stands_on_the_line_that_was_chosen(
    app: ConsoleApp, session: FakeSession, clock: Clock
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.press("6", "f", "j", "j")
        app._poll()
        chosen, place = app.chosen(), app.place
    assert chosen is not None
    assert place.faults_only
    session.absence = msgspec.structs.replace(
        LOST, happened=False, events=(), tally={}, place=session.places[-1]
    )
    session.run = "two"
    again = ConsoleApp(session, wall=lambda: WALL_S, steady=clock)
    async with again.run_test(size=(80, 24)) as pilot:
        again._poll()
        await pilot.pause()
        assert shown(again)[3].startswith("   TIME")
        assert again.chosen() == chosen
        assert again.place == place
