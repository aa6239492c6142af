"""A line that hangs up, a stop from outside, a terminal that stalls: the house keeps its power."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.live.sites import Site, goes_on_and_ends_when_asked
from tests.live.terminals import MAIN, Terminal
from tests.live.test_twin import until
from v2h_console.session.orders import Order
from v2h_console.session.remote import RemoteSession

pytestmark = pytest.mark.live


def test_a_hang_up_ends_the_screen_and_not_the_control(site: Site) -> None:
    os.kill(site.console.process.pid, signal.SIGHUP)
    site.console.await_text("this screen has ended on a hang-up; the control goes on.", 5.0)
    site.console.await_text(f"v2h-console --root {site.root} stop ends the control.")
    until(lambda: site.console.is_sane, "the terminal as it was found")
    goes_on_and_ends_when_asked(site)


def test_a_terminal_that_closes_under_it(site: Site) -> None:
    os.close(site.console.slave)
    os.close(site.console.master)
    goes_on_and_ends_when_asked(site)


def test_a_hang_up_on_a_line_that_has_stalled(site: Site) -> None:
    site.console.stall()
    time.sleep(1.0)
    site.stays_lit()
    os.kill(site.console.process.pid, signal.SIGHUP)
    goes_on_and_ends_when_asked(site)


def test_a_stop_from_outside_does_not_stop_the_control(site: Site) -> None:
    os.kill(site.console.process.pid, signal.SIGTSTP)
    site.stays_lit()
    assert site.attached()["mode"] == "islanded"


def test_sigterm_is_an_orderly_end_of_both(site: Site) -> None:
    site.console.process.terminate()
    site.console.process.wait(10)
    until(lambda: site.happened("gate.off"), "gates off")
    assert site.console.is_sane


def test_a_second_console_attaches_watches_and_takes_the_helm(site: Site) -> None:
    second = Terminal([*MAIN, "attach", "--root", str(site.root)], columns=120, rows=40)
    try:
        second.await_text("HELM other", 10.0)
        # What a third console is told: only changed cells are painted, so the screens' own words come in pieces.
        assert site.attached()["helm"] == "other"
        site.console.type("t")
        until(lambda: site.attached()["helm"] == "", "the helm to be free")
        second.type("t")
        until(lambda: site.attached()["helm"] == "other", "the helm to be taken")
        os.kill(second.process.pid, signal.SIGHUP)
        second.process.wait(10)
        site.stays_lit(0.5)
        assert site.attached()["helm"] == ""
    finally:
        second.close()


def test_the_next_login_tells_what_happened_and_stands_where_the_lost_screen_stood(site: Site) -> None:
    site.console.type("4")
    site.console.await_text("DEVICE")
    time.sleep(0.6)  # two polls: the owner is told of keys and places
    os.kill(site.console.process.pid, signal.SIGHUP)
    site.stays_lit(1.2)
    other = RemoteSession(site.root)
    assert other.ask(Order("by hand", "operator.open_mid")).result(5.0).accepted
    other.close()
    for columns, rows in ((80, 24), (120, 40)):
        again = Terminal([*MAIN, "--root", str(site.root)], columns=columns, rows=rows)
        try:
            # The first of these hangs up without a key: nobody has read its page, so that the next one has it too.
            again.await_text("WHILE YOU WERE AWAY", 10.0)
            again.await_text("Your screen went away")
            again.await_text(f"(process {os.getpid()})")
            again.await_text("lit from the car")
            if columns == 120:
                again.type("c")
                again.await_text("DEVICE")
                assert b"CLOSE THE MID" not in again.seen
            os.kill(again.process.pid, signal.SIGHUP)
            again.process.wait(10)
        finally:
            again.close()
    site.stays_lit(0.5)


def test_a_screen_whose_owner_goes_says_so_and_finds_the_next_one(site: Site) -> None:
    screen = Terminal([*MAIN, "attach", "--root", str(site.root)], columns=120, rows=40)
    try:
        screen.await_text("HELM other", 10.0)
        os.kill(site.console.process.pid, signal.SIGKILL)
        site.console.process.wait()
        screen.await_text("OWNER GONE since", 5.0)
        screen.await_text("HELM unknown")
        again = Terminal([*MAIN, "--root", str(site.root)])
        try:
            screen.await_text("A new owner answers after", 20.0)
            assert b"HELM you" not in screen.seen
            watcher = RemoteSession(site.root)
            until(lambda: watcher.watch().owner_ready, "a picture")
            assert any("did not end orderly" in event.text for event in watcher.watch().events)
            watcher.close()
        finally:
            site.stop()
            again.process.wait(10)
            again.close()
    finally:
        screen.close()
