"""An owner whose screen has gone, lost or broken: nothing that the terminal still sends darkens the house."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live.sites import Site, goes_on_and_ends_when_asked
from tests.live.terminals import MAIN, Terminal
from tests.live.test_twin import until

pytestmark = pytest.mark.live

#: What a terminal, its shell and its kernel send: the last two are natural keys at a prompt that does not come back.
SENT = [
    signal.SIGCONT,
    signal.SIGWINCH,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGINT,
    signal.SIGQUIT,
]

#: The console with a view that cannot be drawn.
BREAKING = """
import dataclasses, sys
from v2h_console.tui import views
def broken(picture):
    raise IndexError("no such row \\x1b[2J")
views.VIEWS[4] = dataclasses.replace(views.VIEWS[4], draw=broken)
from v2h_console.cli.main import main
sys.exit(main())
"""

#: The same, and neither its end nor the terminal's is orderly: what broke comes out of the application.
BREAKING_TWICE = BREAKING.replace(
    "from v2h_console.cli.main",
    "from v2h_console.tui.driver import LineDriver\nLineDriver.disable_input = broken\nfrom v2h_console.cli.main",
)
#: The console with a signal and a key that break what should take them.
CLUMSY = """
import sys
from textual import events
from v2h_console.cli.showing import Showing
from v2h_console.tui.driver import LineDriver
def broken(self):
    raise IndexError("no such line \\x1b[2J")
Showing._continued = broken
process = LineDriver.process_message
def clumsy(self, message):
    if isinstance(message, events.Key) and message.key == "x":
        raise RuntimeError("no such key")
    process(self, message)
LineDriver.process_message = clumsy
from v2h_console.cli.main import main
sys.exit(main())
"""
#: A screen whose line goes, and whose terminal then says that it has another size and that it goes on.
LOST = """
import os, signal
from v2h_console.tui.app import ConsoleApp
from v2h_console.tui.driver import LineDriver
app = ConsoleApp(None, first_painted=lambda: (app.driver.line_lost(), app.end(1)), driver_class=LineDriver)
app.run(mouse=False)
for number in (signal.SIGWINCH, signal.SIGCONT):
    os.kill(os.getpid(), number)
"""
#: A command on the terminal of its session, as a login has it.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_a_screen_that_was_hung_up_leaves_an_owner_that_no_key_or_signal_of_the_terminal_ends(
    site: Site,
) -> None:
    os.kill(site.console.process.pid, signal.SIGHUP)
    site.console.await_text("this screen has ended on a hang-up", 5.0)
    for number in SENT:
        os.kill(site.console.process.pid, number)
        site.stays_lit(0.3)
    # The shell waits for the job on a terminal that lives; so these are typed there.
    until(lambda: site.console.is_sane, "the terminal as it was found")
    goes_on_and_ends_when_asked(site)


def test_what_comes_in_the_moment_of_the_hang_up_does_not_end_the_owner_either(site: Site) -> None:
    for number in (signal.SIGHUP, signal.SIGCONT, signal.SIGWINCH):
        os.kill(site.console.process.pid, number)
    site.console.await_text("this screen has ended on a hang-up", 5.0)
    for number in SENT:
        os.kill(site.console.process.pid, number)
    goes_on_and_ends_when_asked(site)


def test_a_size_and_a_start_that_come_after_the_screens_end_break_nothing() -> None:
    terminal = Terminal([sys.executable, "-c", LOST])
    try:
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_a_terminal_that_closes_under_a_shell_and_its_console(tmp_path: Path) -> None:
    # The shell leads the session of that terminal: as it ends, the kernel sends what it left another hang-up and a SIGCONT.
    def below_a_shell(root: Path) -> Terminal:
        shell = f"trap 'sleep 1' EXIT; {shlex.join([*MAIN, '--root', str(root)])}; true"
        return Terminal([sys.executable, "-c", OWN_TERMINAL, "bash", "-c", shell])

    site = Site(tmp_path, below_a_shell)
    shell = site.console.process.pid
    owner = int(Path(f"/proc/{shell}/task/{shell}/children").read_text())
    try:
        site.forget()
        os.close(site.console.slave)
        os.close(site.console.master)
        site.console.process.wait(10)
        site.stays_lit()
        assert site.attached()["mode"] == "islanded"
        assert site.stop() == 0
        until(lambda: site.happened("gate.off"), "the orderly end")
    finally:
        with suppress(ProcessLookupError):
            os.kill(owner, signal.SIGKILL)
        site.close()


def test_a_stopped_screen_that_is_continued_is_a_whole_screen_again(site: Site) -> None:
    site.console.seen = b""
    for _ in range(3):
        os.kill(site.console.process.pid, signal.SIGCONT)
    # All of it is painted again, and the one reader of the keys is the one from before.
    site.console.await_text("HOUSE", 5.0)
    site.console.type("4")
    site.console.await_text("DEVICE", 5.0)
    site.stays_lit(0.3)


@pytest.mark.parametrize("script", [BREAKING, BREAKING_TWICE], ids=["once", "twice"])
def test_a_screen_that_breaks_leaves_the_owner_and_the_next_login_is_told(
    tmp_path: Path, script: str
) -> None:
    site = Site(tmp_path, lambda root: Terminal([sys.executable, "-c", script, "--root", str(root)]))
    try:
        site.forget()
        site.console.type("4")
        site.console.await_text("the screen failed; the control goes on.", 5.0)
        site.console.await_text(f"v2h-console --root {tmp_path} stop ends the control.")
        until(lambda: site.console.is_sane, "the terminal as it was found")
        for number in SENT:
            os.kill(site.console.process.pid, number)
        site.stays_lit()
        assert b"Traceback" not in site.console.seen
        log = tmp_path / "var/log/v2h/error.log"
        until(lambda: "in broken" in log.read_text(), "the traceback in the error log")
        again = Terminal([*MAIN, "--root", str(tmp_path)])
        try:
            again.await_text("WHILE YOU WERE AWAY", 10.0)
            again.await_text("Your screen failed")
            again.await_text("A screen failed and ended")
            again.await_text("nobody has it: t takes it")
        finally:
            again.close()
        goes_on_and_ends_when_asked(site)
    finally:
        site.close()


def test_a_console_in_a_shells_background_goes_on_and_comes_back_whole(tmp_path: Path) -> None:
    class Typed(Terminal):
        """A shell with job control, at which the console is started."""

        def __init__(self, root: Path) -> None:
            super().__init__([sys.executable, "-c", OWN_TERMINAL, "bash", "--norc", "-i"])
            self.type(f"stty tostop; {shlex.join([*MAIN, '--root', str(root)])}\n")

    site = Site(tmp_path, Typed)
    shell = site.console.process.pid
    owner = int(Path(f"/proc/{shell}/task/{shell}/children").read_text())

    def state() -> str:
        return Path(f"/proc/{owner}/stat").read_text().rpartition(")")[2].split()[0]

    try:
        os.kill(owner, signal.SIGSTOP)
        site.console.await_text("Stopped")
        os.kill(owner, signal.SIGCONT)
        until(lambda: state() != "T", "it to go on")
        site.console.type("echo the prompt ans''wers\n")
        site.console.await_text("the prompt answers")
        # Longer than a poll of the screen, and than it takes to look for a key.
        for _ in range(20):
            assert state() != "T"
            time.sleep(0.05)
        site.console.seen = b""
        site.console.type("fg\n")
        site.console.await_text("HOUSE", 5.0)
        site.console.type("4")
        site.console.await_text("DEVICE", 5.0)
        os.kill(owner, signal.SIGSTOP)
        site.console.await_text("Stopped")
        os.kill(owner, signal.SIGCONT)
        until(lambda: state() != "T", "it to go on")
        os.kill(owner, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{owner}/stat").exists() or state() == "Z", "the orderly end")
    finally:
        with suppress(ProcessLookupError):
            os.kill(owner, signal.SIGKILL)
        site.close()


def test_a_screen_that_only_attached_and_breaks_ends_with_what_broke_it(site: Site) -> None:
    second = Terminal([sys.executable, "-c", BREAKING, "attach", "--root", str(site.root)])
    try:
        second.await_text("HELM other", 10.0)
        second.type("4")
        assert second.ended() == 1
        assert b"IndexError" in second.seen
        site.stays_lit(0.3)
    finally:
        second.close()


def test_what_breaks_beside_the_house_is_in_the_error_log_once_and_costs_nothing_else(tmp_path: Path) -> None:
    site = Site(tmp_path, lambda root: Terminal([sys.executable, "-c", CLUMSY, "--root", str(root)]))
    try:
        site.forget()
        for _ in range(3):
            os.kill(site.console.process.pid, signal.SIGCONT)
        site.console.type("xxx4")
        site.console.await_text("DEVICE", 5.0)
        log = tmp_path / "var/log/v2h/error.log"
        until(lambda: "no such key" in log.read_text(), "the key in the error log")
        told = log.read_text()
        assert told.count("SIGCONT could not be answered: IndexError: no such line") == 1
        assert told.count("a key could not be taken: RuntimeError: no such key") == 1
        assert "\x1b" not in told
        goes_on_and_ends_when_asked(site)
    finally:
        site.close()


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGTERM, b""), (signal.SIGHUP, b"this screen has ended on a hang-up")]
)
def test_a_signal_to_an_attached_screen_leaves_the_terminal_as_it_was_and_the_house_lit(
    site: Site, number: signal.Signals, said: bytes
) -> None:
    second = Terminal([*MAIN, "attach", "--root", str(site.root)])
    try:
        second.await_text("HELM other", 10.0)
        os.kill(second.process.pid, number)
        assert second.ended() == 128 + number
        assert second.is_sane
        assert said in second.seen
        site.stays_lit(0.3)
    finally:
        second.close()
