"""Starting, repainting and ending."""

from __future__ import annotations

import subprocess
import sys
import threading

import msgspec
import pytest

from v2h_console.session.protocol import Session
from v2h_console.session.snapshot import LegView
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.widgets.columns import Columns
from v2h_console.tui.widgets.rows import Rows, changed_cells

from .conftest import Clock, shown, whole
from .houses import ISLANDED, FakeSession, v


async def test_the_first_frame_stands_before_anything_slow_starts_and_the_house_at_once_after_it(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2h_console.tui.app.POLL_S", 3_600.0)
    order: list[str] = []
    go_on = threading.Event()

    def start() -> Session:
        order.append("start")
        assert go_on.wait(5)
        return session

    app = ConsoleApp(None, start, first_painted=lambda: order.append("painted"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        text = whole(app)
        assert text.startswith(" UNKNOWN       MID UNKNOWN no proof  GRID UNKNOWN")
        assert " Starting..." in text
        await pilot.press("O")
        assert "Not sent: the owner has not started yet." in whole(app)
        go_on.set()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert shown(app)[0].startswith(" ISLANDED")
    assert order == ["painted", "start"]
    assert session.closed == 1


async def test_a_poll_or_an_answer_that_comes_when_the_screens_are_down_already_does_nothing(
    session: FakeSession, app: ConsoleApp
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j")
    assert app.screen_stack == []
    before = list(session.places)
    app.session = session
    app._poll()
    app.tell("The order failed on its way.")
    assert session.places == before


async def test_a_start_that_fails_ends_with_one_plain_line() -> None:
    def start() -> Session:
        raise OSError("Port 502 is in use by another program.\nStop it, or set another.")

    app = ConsoleApp(None, start)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
    assert app.failure == "Port 502 is in use by another program. Stop it, or set another."
    assert app.return_value == 2
    assert app.return_code == 2


async def test_a_session_that_comes_after_the_person_left_is_closed(session: FakeSession) -> None:
    go_on = threading.Event()
    done = threading.Event()

    def start() -> Session:
        assert go_on.wait(5)
        done.set()
        return session

    app = ConsoleApp(None, start)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+q")
    go_on.set()
    assert done.wait(5)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "executor" in thread.name.lower():
            thread.join(0.2)
    assert app.session is None
    assert session.closed == 1


def painted(app: ConsoleApp) -> int:
    """Repaints that the frame's widgets have asked for."""
    return sum(rows.painted for rows in app.screen.query(Rows))


async def test_nothing_is_repainted_while_no_shown_string_changes(
    app: ConsoleApp, session: FakeSession, clock: Clock
) -> None:
    async with app.run_test(size=(120, 40)):
        app._poll()
        before = painted(app)
        for _ in range(20):
            app._poll()
        assert painted(app) == before
        # Below what is shown: the third decimal of a volt.
        house = msgspec.structs.replace(ISLANDED.house, l1_v=v(119.803))
        session.put(msgspec.structs.replace(ISLANDED, house=house))
        app._poll()
        assert painted(app) == before


async def test_a_changed_number_repaints_its_own_part_only(app: ConsoleApp, session: FakeSession) -> None:
    async with app.run_test(size=(80, 24)):
        app._poll()
        parts = app.screen.query_one("#body", Columns).parts
        before = [part.painted for part in parts]
        session.put(msgspec.structs.replace(ISLANDED, legs=(LegView(v(21.5), 31.7), ISLANDED.legs[1])))
        app._poll()
        assert [part.painted - was for part, was in zip(parts, before, strict=True)] == [1, 0, 0, 0]
        assert "21.5 / 31.7 A" in whole(app)


def test_the_repainted_cells_reach_from_the_first_change_to_the_last() -> None:
    before = (("L1 ", "plain"), ("119.8", "value"), (" V", "plain"))
    after = (("L1 ", "plain"), ("119.9", "value"), (" V", "plain"))
    assert changed_cells(before, after) == (7, 8)
    marked = (("L1 ", "plain"), ("119.8", "alarm"), (" V", "plain"))
    assert changed_cells(before, marked) == (3, 8)


def test_the_first_screen_needs_neither_hardware_nor_plots() -> None:
    script = (
        "import sys, v2h_console.tui.app\n"
        "heavy = {'numpy', 'plotext', 'can', 'cantools', 'pymodbus', 'serial', 'sunspec2', 'v2h_drivers'}\n"
        "ours = {'v2h_console.' + room for room in ('runtime', 'core', 'twin', 'site', 'wiring', 'signals')}\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in heavy or any(m.startswith(o) for o in ours)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("state", ["islanded", "unknown", "tied", "returning", "fault"])
async def test_every_state_survives_two_polls_at_both_sizes(clock: Clock, state: str) -> None:
    session = FakeSession()
    session.show(state)
    app = ConsoleApp(session, steady=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        app._poll()
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        clock.now_s += 0.25
        app._poll()
        assert len(shown(app)) == 40
