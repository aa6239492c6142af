"""A terminal that may stall, vanish or hang up without ever holding up anything but itself.

Textual's own writer blocks the event loop once 30 writes wait (4.5 s of a frozen loop on a stalled link), and its reader
spins on a line that has hung up (132 % of a core). Here the buffer is bounded in characters, a write that does not fit
is dropped whole and the screen repainted once the line drains; a line that is gone is taken out of the process's hands.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import IO, Any

from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from v2h_console.tui.keyboard import Keyboard

#: A full repaint of 120x40 takes some 20,000 characters; what waits beyond a few of them is no longer worth showing.
MOST_WAITING = 64_000
#: An orderly end waits so long for the last characters to leave.
LAST_WORDS_S = 1.0
#: The input thread looks so often whether it is to end, and whether an Esc stands alone.
_INPUT_WAIT_MS = 100
_MOST_READ = 4096
#: The kitty keyboard given back, out of the alternate screen, lines wrapped, cursor shown, no bracketed paste, no focus
#: reports, no attributes.
_AS_FOUND = "\x1b[<u\x1b[?1049l\x1b[?7h\x1b[?25h\x1b[?2004l\x1b[?1004l\x1b[0m"


class LineWriter(WriterThread):
    """What Textual takes for its output thread. ``lost`` is called once when the line is gone, ``drained`` when it has
    taken everything after something had to be dropped; both from this thread."""

    def __init__(
        self, file: IO[str], lost: Callable[[], None], drained: Callable[[], None], most: int = MOST_WAITING
    ) -> None:
        super().__init__(file)
        self._fileno = file.fileno()
        self._lost, self._drained, self._most = lost, drained, most
        self._ready = threading.Condition()
        self._waiting: deque[str] = deque()
        self._size = 0
        self._ended = False
        self._dropped = False
        self.dead = False

    def write(self, text: str) -> None:
        """Queue, or drop whole; never blocks."""
        with self._ready:
            if self.dead or self._ended:
                return
            if self._size + len(text) > self._most:
                self._dropped = True
                return
            self._waiting.append(text)
            self._size += len(text)
            self._ready.notify()

    def flush(self) -> None:
        """Done by the thread."""

    def isatty(self) -> bool:
        """It stands for a terminal."""
        return True

    def fileno(self) -> int:
        """The line's own."""
        return self._fileno

    def give_up(self) -> None:
        """The line is gone: nothing more is written."""
        with self._ready:
            self.dead = True
            self._waiting.clear()
            self._size = 0
            self._ready.notify()

    def stop(self) -> None:
        """Write what waits, for a moment at most: a stalled line must not hold up the end."""
        with self._ready:
            self._ended = True
            self._ready.notify()
        self.join(LAST_WORDS_S)

    def run(self) -> None:
        """The thread's life."""
        while (text := self._next()) is not None:
            if not self._ended and _is_in_background(self._fileno):
                # The shell writes there, and the terminal may stop whoever does beside it; all is painted again later.
                continue
            try:
                self._put(text.encode("utf-8", errors="replace"))
            except OSError:
                self.give_up()
                self._lost()
                return

    def _next(self) -> str | None:
        repaint = False
        with self._ready:
            while not self._waiting and not self._ended and not self.dead:
                if self._dropped:
                    self._dropped, repaint = False, True
                    break
                self._ready.wait()
            if self.dead or (self._ended and not self._waiting):
                return None
            text = ""
            if self._waiting:
                text = "".join(self._waiting)
                self._waiting.clear()
                self._size = 0
        if repaint:
            self._drained()
        return text

    def _put(self, data: bytes) -> None:
        while data and not self.dead:
            data = data[os.write(self._fileno, data) :]


class LineDriver(LinuxDriver):
    """Textual's driver on such a line. ``on_lost`` is called once, from any thread, when the line is gone; ``parting`` gives
    the words that are left on it, if somebody only said so; ``on_failure`` hears of a key that could not be taken."""

    #: Set by whoever starts the application; there is one terminal a process.
    on_lost: Callable[[], None] = staticmethod(lambda: None)
    parting: Callable[[], str] = staticmethod(lambda: "")
    on_failure: Callable[[str, Exception], None] = staticmethod(lambda _what, _error: None)

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        self._writer: LineWriter | None = None
        self._gone = threading.Event()
        self._in_order = False
        self._raw: list[Any] | None = None
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # Whoever stops the screen must not stop the control with it.
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        # Textual begins its application mode anew, with a second reader and writer, or, after its end, fails.
        signal.signal(signal.SIGCONT, signal.SIG_IGN)

    @property
    def can_suspend(self) -> bool:
        """Never: the core runs in this process."""
        return False

    @property
    def _writer_thread(self) -> WriterThread | None:
        return self._writer

    @_writer_thread.setter
    def _writer_thread(self, value: WriterThread | None) -> None:
        if value is None:
            self._writer = None
            return
        assert self._file is not None
        self._writer = LineWriter(self._file, self.line_lost, self._repaint)

    def start_application_mode(self) -> None:
        """Textual's, with a handler of SIGWINCH that outlives it."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        with suppress(termios.error):
            self._raw = termios.tcgetattr(self.fileno)
        resized = signal.getsignal(signal.SIGWINCH)

        def still_resized(number: int, frame: FrameType | None) -> None:
            # It stays installed when a line is lost, and a loop that has ended takes nothing: what that raised came up in
            # the main thread, wherever that stood.
            if callable(resized) and not self._gone.is_set() and not self._loop.is_closed():
                resized(number, frame)

        signal.signal(signal.SIGWINCH, still_resized)

    def disable_input(self) -> None:
        """Textual's; from the background too."""
        _may_set_modes()
        super().disable_input()

    def stop_application_mode(self) -> None:
        """Textual's; what it gave back is not given back again."""
        super().stop_application_mode()
        self._in_order = True

    def continued(self) -> None:
        """The process was stopped and goes on: meanwhile the terminal was somebody else's. From any thread."""
        if self._gone.is_set() or self._in_order or self._raw is None:
            return
        # In the background it still is; and setting its modes from there would stop the process again.
        if not _is_in_background(self.fileno):
            with suppress(OSError, termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw)
            self._repaint()

    def line_lost(self) -> None:
        """The terminal has gone: let go of it, once; may be called from any thread."""
        if self.let_go(type(self).parting()):
            type(self).on_lost()

    def let_go(self, words: str) -> bool:
        """Have nothing to do with the terminal any more, and leave ``words`` on it if it lives; false if that was done
        before."""
        if self._gone.is_set():
            return False
        self._gone.set()
        if self._writer is not None:
            self._writer.give_up()
        _may_set_modes()
        self._leave_in_order(words)
        let_go_of_terminal()
        self.exit_event.set()
        return True

    def _leave_in_order(self, words: str) -> None:
        """A hang-up that somebody only said, on a line that lives: give it back as it was found, not as a dead picture."""
        try:
            room = select.poll()
            room.register(self.fileno, select.POLLOUT)
            if [event for _, event in room.poll(0)] != [select.POLLOUT]:
                return
            lines = "\r\n".join(["", *words.splitlines(), ""])
            restored = "" if self._in_order else _AS_FOUND
            os.write(self.fileno, f"{restored}{lines}".encode("utf-8", "replace"))
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        except (OSError, termios.error):
            # Gone in between: there is nobody to leave anything to.
            return

    def _repaint(self) -> None:
        self._app.call_later(self._app.refresh, repaint=True, layout=True)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self.line_lost()

    def run_input_thread(self) -> None:
        """Read until the end, or until the line has gone."""
        keyboard = Keyboard(debug=self._debug)
        ready = select.poll()
        ready.register(self.fileno, select.POLLIN)
        away = False
        while not self.exit_event.is_set():
            pressed = ready.poll(_INPUT_WAIT_MS)
            if _is_in_background(self.fileno):
                # Stopped and continued from elsewhere. The keys are the shell's, and a read would stop the control.
                away = True
                self.exit_event.wait(_INPUT_WAIT_MS / 1000)
                continue
            if away:
                away = False
                self.continued()
            if pressed:
                data = os.read(self.fileno, _MOST_READ)
                if not data:
                    # A terminal that was hung up; Textual reads on, as fast as it can.
                    self.line_lost()
                    return
                self._deliver(keyboard.take(data))
            self._deliver(keyboard.tick())

    def _deliver(self, messages: Iterable[Message]) -> None:
        for message in messages:
            try:
                self.process_message(message)
            except Exception as error:  # noqa: BLE001  (a screen on its way out; nobody loses the next key)
                type(self).on_failure("a key could not be taken", error)


def _may_set_modes() -> None:
    """From now on this thread gives the terminal back from the background too, and is not stopped before the owner's end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))


def _is_in_background(terminal: int) -> bool:
    try:
        # 0: a group that this process cannot see, as from within a container.
        return os.tcgetpgrp(terminal) not in (0, os.getpgrp())
    except OSError:
        # Not this session's own terminal: it has no foreground to be out of.
        return False


def let_go_of_terminal() -> None:
    """/dev/null in the place of a terminal that is gone: whoever reads or writes it now gets an end, not an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
