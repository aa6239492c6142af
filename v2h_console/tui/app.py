"""The application: polls a Session four times a second and shows it; sends what a person asks."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.driver import Driver
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from v2h_console.session.orders import Order
from v2h_console.session.protocol import Session
from v2h_console.session.snapshot import Snapshot
from v2h_console.tui.actions import ACTIONS
from v2h_console.tui.console import Choice, SeatFacts
from v2h_console.tui.driver import LineDriver
from v2h_console.tui.history import LegHistory
from v2h_console.tui.inert import clean
from v2h_console.tui.keymap import bindings
from v2h_console.tui.lines import fit, wrap
from v2h_console.tui.outcomes import answered
from v2h_console.tui.owner_watch import OwnerWatch
from v2h_console.tui.pages import Pages
from v2h_console.tui.picture import Entry, Picture, aged, entries
from v2h_console.tui.place import Mark, Place
from v2h_console.tui.returns import Return
from v2h_console.tui.screens.frame import Frame
from v2h_console.tui.screens.small import SmallScreen
from v2h_console.tui.screens.view import ViewScreen
from v2h_console.tui.terminal import fits
from v2h_console.tui.themes import NAMES as THEME_NAMES
from v2h_console.tui.themes import themes, variables
from v2h_console.tui.views import NAMES, VIEWS

POLL_S = 0.25
#: The same order within this time counts once: gloves and key repeat press twice.
DEBOUNCE_S = 0.3
_FRAME_ROWS = 4
#: A refusal may take this many rows; the body gives them up meanwhile.
_ANSWER_ROWS = 4
_ENDED_BY = tuple(128 + number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))
_STARTING = Snapshot(sentence="Starting...")


class ConsoleApp(App[int]):
    """The console's screens on a Session.

    With ``start_session`` the first frame is painted before it is called, in a thread of its own; a start that fails
    ends the application with return value 2 and one plain line in ``failure``. ``first_painted`` is called once, after
    the first frame. ``wall`` gives seconds since the epoch for the clock; ``steady`` seconds that only go forward.
    """

    CSS_PATH = "styles/console.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "v2h-console"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(
        self,
        session: Session | None,
        start_session: Callable[[], Session] | None = None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        first_painted: Callable[[], None] | None = None,
        driver_class: type[Driver] | None = None,
        who: str = "",
    ) -> None:
        mono = bool(os.environ.get("NO_COLOR"))
        # Always the terminal's own sixteen colours: the themes name no other.
        super().__init__(driver_class=driver_class, ansi_color=True)
        self.animation_level = "none"
        self.failure = ""
        #: What broke this screen, if anything did; ``failure_is_told``: somebody else tells the person.
        self.crash: Exception | None = None
        self.failure_is_told: Callable[[], bool] = lambda: False
        self.session = session
        self.first_painted = first_painted
        self._start_session = start_session
        self._wall, self._steady, self._who = wall, steady, who
        self._lock = threading.Lock()
        self._ended = False
        self._end_code: int | None = None
        self._newest = _STARTING if session is None else session.watch()
        self._newest_at_s = steady()
        self._history = LegHistory()
        self._answer: list[str] = []
        self._answer_until_s = 0.0
        self._sent: dict[str, float] = {}
        self._mark: Mark | None = None
        #: Where the chosen line stood last: one that is gone leaves the choice there.
        self._marked_at = 0
        self._faults_only = False
        self._owner, self._return = OwnerWatch(), Return()
        self._left = False
        self.pages = Pages(self)
        self._small = SmallScreen()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "mono" if mono else "terminal"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The style sheet's variables before a theme of ours is chosen."""
        return variables("terminal")

    def get_default_screen(self) -> Screen[None]:
        """View 1 is the first screen: no empty one is painted before it."""
        return ViewScreen()

    # ---------------------------------------------------------------- life

    def on_mount(self) -> None:
        """Paint, then start what is slow."""
        self.install_screen(self._small, "small")
        self.set_interval(POLL_S, self._poll)
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        if self.first_painted is not None:
            self.first_painted()
        if self._start_session is not None:
            self.run_worker(self._start, name="start", thread=True, exit_on_error=False)

    def _start(self) -> None:
        assert self._start_session is not None
        session = self._start_session()
        with self._lock:
            if not self._ended:
                self.session = session
                return
        # The person left while it started.
        session.close()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A start that has come to its end is shown at once, one that failed ends the application; an order that failed is
        said."""
        if event.worker.name == "start" and event.state is WorkerState.SUCCESS:
            self._poll()
        if event.state is not WorkerState.ERROR:
            return
        error = event.worker.error
        text = clean(" ".join(str(error).split())) or type(error).__name__
        if event.worker.name == "start":
            self.failure = text
            self.exit(2, return_code=2)
        else:
            self.tell(f"The order failed on its way: {text}. It is not confirmed.", 12.0)

    def on_unmount(self) -> None:
        """This screen goes; the owner stays as it is."""
        with self._lock:
            self._ended = True
            session, self.session = self.session, None
        if session is not None:
            session.close(self._how_it_ends())

    def _how_it_ends(self) -> str:
        if self._left:
            return "left"
        if self.crash is not None:
            return "failed"
        return "ended" if self._end_code in _ENDED_BY else "lost"

    def end(self, return_code: int) -> None:
        """End this screen; from any thread, before or after its start. Looked up with each poll."""
        self._end_code = return_code

    def _handle_exception(self, error: Exception) -> None:
        self.crash = self.crash or error
        super()._handle_exception(error)
        if self.failure_is_told():
            self._exit_renderables.clear()

    def _fatal_error(self) -> None:
        # Textual renders every frame with its locals: a second of this process, which controls a lit house.
        if self.failure_is_told():
            self._close_messages_no_wait()
        else:
            super()._fatal_error()

    @property
    def driver(self) -> LineDriver | None:
        """The driver of a real terminal, once it runs."""
        return self._driver if isinstance(self._driver, LineDriver) else None

    def _poll(self) -> None:
        if not self.is_running:
            # At the end the screens are taken down before the timers stop.
            return
        if self._end_code is not None:
            self.exit(self._end_code, return_code=self._end_code)
            return
        now_s = self._steady()
        session = self.session
        if session is not None:
            self._owner.poll(self, session)
            self._return.poll(self, session, now_s)
            newest = session.watch()
            if newest is not self._newest:
                self._newest = newest
                self._newest_at_s = now_s
                self._history.add(now_s, newest)
        if self._answer and now_s >= self._answer_until_s:
            self._answer = []
        self._draw()

    def _draw(self) -> None:
        if self.is_running and isinstance(self.screen, Frame | SmallScreen):
            self.screen.draw()

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that cannot show the numbers whole shows none."""
        small = not fits(*event.size)
        if small and not isinstance(self.screen, SmallScreen):
            self.push_screen(self._small)
        elif not small and isinstance(self.screen, SmallScreen):
            self.pop_screen()

    # ---------------------------------------------------------------- what screens and actions ask

    @property
    def has_trainer(self) -> bool:
        """Whether the devices are the twin's."""
        return self.session is not None and self.session.has_trainer

    @property
    def _stale_ms(self) -> float:
        return (self._steady() - self._newest_at_s) * 1000 if self.session is not None else 0.0

    @property
    def seat(self) -> SeatFacts:
        """What this screen is to the owner."""
        if (session := self.session) is None:
            return SeatFacts(started=False)
        return SeatFacts(True, session.owns, session.name, session.gone is not None)

    @property
    def snapshot(self) -> Snapshot:
        """The newest Snapshot, aged by how long ago it came."""
        return aged(self._newest, self._stale_ms, gone=self._owner.gone is not None)

    def picture(self) -> Picture:
        """What the panes draw from."""
        width, height = self.size
        return Picture(
            snapshot=self.snapshot,
            wall_s=self._wall(),
            width=width,
            height=max(1, height - _FRAME_ROWS - max(1, len(self._answer))),
            stale_ms=self._stale_ms,
            cursor=self._cursor(),
            faults_only=self._faults_only,
            history=self._history,
            now_s=self._steady(),
            braille=os.environ.get("TERM", "") != "linux",
            gone=self._owner.gone,
        )

    def answer(self) -> list[str]:
        """The last answer's lines while it is shown."""
        return self._answer

    def tell(self, text: str, seconds: float = 6.0) -> None:
        """Show ``text`` above the keys."""
        lines = wrap(text, max(20, self.size.width - 2))
        if len(lines) > _ANSWER_ROWS:
            lines[_ANSWER_ROWS - 1 :] = [fit(f"{lines[_ANSWER_ROWS - 1]} ...", self.size.width - 2)]
        self._answer = lines
        self._answer_until_s = self._steady() + seconds
        self._draw()

    def send(
        self,
        do: str,
        accepted: str,
        params: Mapping[str, float | str | bool] | None = None,
        confirmed: bool = False,
        seen_ns: int = 0,
    ) -> None:
        """Ask the owner, once for each press."""
        held = dict(params or {})
        key = f"{do} {sorted(held.items())}"
        now_s = self._steady()
        before_s = self._sent.get(key)
        # Counted from the last press, taken or not: a key that is held down is one press.
        self._sent[key] = now_s
        if before_s is not None and now_s - before_s < DEBOUNCE_S:
            return
        session = self.session
        if session is None:
            self.tell("Not sent: the owner has not started yet. Press again when the screen shows the house.")
            return
        order = Order(secrets.token_hex(8), do, held, self._who, confirmed, seen_ns)
        self.run_worker(self._order(session, order, accepted), name="order", exit_on_error=False)

    async def _order(self, session: Session, order: Order, accepted: str) -> None:
        self.tell(*await answered(session, order, accepted))

    def go(self, view: int) -> None:
        """Show a view from wherever the person is."""
        while len(self.screen_stack) > 1 and not isinstance(self.screen, SmallScreen):
            self.pop_screen()
        if view not in VIEWS:
            self.tell(f"View {view} {NAMES[view - 1]} is not in this version yet.")
            return
        base = self.screen_stack[0]
        if isinstance(base, ViewScreen) and base.number != view:
            base.number = view
            self._mark = None
            base.draw()

    def back(self) -> None:
        """One level back; at the top the chosen line is left, then the view."""
        if isinstance(self.screen, SmallScreen):
            return
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self._mark is not None:
            self._mark = None
        elif isinstance(self.screen, ViewScreen) and self.screen.number != 1:
            self.go(1)
        self._draw()

    def move(self, lines: int) -> None:
        """Move in the list that is shown."""
        screen = self.screen
        if not isinstance(screen, ViewScreen):
            if isinstance(screen, Frame):
                screen.move(lines)
            return
        listed = entries(self.snapshot, self._faults_only)
        if not VIEWS[screen.number].has_list or not listed:
            return
        cursor = self._cursor()
        self._marked_at = 0 if cursor is None else max(0, min(cursor + lines, len(listed) - 1))
        self._mark = Mark.of(listed[self._marked_at])
        screen.draw()

    def _cursor(self) -> int | None:
        """Where the chosen line stands now."""
        if self._mark is None:
            return None
        listed = entries(self.snapshot, self._faults_only)
        index = self._mark.index(listed)
        self._marked_at = min(self._marked_at, max(0, len(listed) - 1)) if index is None else index
        return self._marked_at

    def chosen(self) -> Entry | None:
        """The chosen alarm or event, else the first."""
        listed = entries(self.snapshot, self._faults_only)
        return listed[min(self._cursor() or 0, len(listed) - 1)] if listed else None

    def toggle_faults_only(self) -> None:
        """All events, or the faults."""
        self._faults_only = not self._faults_only
        self._mark = None
        self.tell("Faults only: f shows all again." if self._faults_only else "All events are shown.")

    def next_theme(self) -> None:
        """Terminal, sun, mono, and again."""
        self.theme = THEME_NAMES[(THEME_NAMES.index(self.theme) + 1) % len(THEME_NAMES)]
        self.tell(f"Theme: {self.theme}.")

    def copy(self, text: str) -> None:
        """OSC 52; the text is inert like all that leaves for the terminal."""
        self.copy_to_clipboard(clean(text))

    def show_absence(self) -> None:
        """The page of what happened before this screen began."""
        self._return.show(self)

    @property
    def place(self) -> Place:
        """Where the person stands."""
        base = self.screen_stack[0]
        return Place(base.number, self._faults_only, self._mark) if isinstance(base, ViewScreen) else Place()

    def stand(self, place: Place) -> None:
        """Show what the person had before."""
        self.go(place.view)
        self._faults_only, self._mark = place.faults_only, place.mark
        self._draw()

    async def on_event(self, event: events.Event) -> None:
        """Every key is a sign that somebody is there, whatever it then does."""
        if isinstance(event, events.Key):
            self._return.key_pressed()
        await super().on_event(event)

    def show_text(self, title: str, lines: Sequence[str]) -> None:
        """A page to read."""
        from v2h_console.tui.screens.text import TextScreen

        self.pages.open(TextScreen, title, lambda page: page.begin(title, lines))

    def show_list(self, title: str, choices: Sequence[Choice], search: bool = False) -> None:
        """A list to choose from."""
        from v2h_console.tui.screens.choose import ChooseScreen, SearchScreen

        kind: type[ChooseScreen] = SearchScreen if search else ChooseScreen
        self.pages.open(kind, title, lambda page: page.begin(title, choices))

    def ask_word(self, title: str, lines: Sequence[str], word: str, then: Callable[[], None]) -> None:
        """A typed confirmation."""
        from v2h_console.tui.screens.confirm import ConfirmScreen

        self.pages.open(ConfirmScreen, title, lambda page: page.begin(title, lines, word, then))

    def ask_yes(self, title: str, lines: Sequence[str], then: Callable[[], None]) -> None:
        """A question."""
        from v2h_console.tui.screens.text import YesScreen

        self.pages.open(YesScreen, title, lambda page: page.ask(title, lines, then))

    def leave(self) -> None:
        """End this screen."""
        self._left = True
        self.exit(0)

    # ---------------------------------------------------------------- keys

    def action_act(self, name: str) -> None:
        """Run an action by its name."""
        ACTIONS[name].run(self)

    async def action_quit(self) -> None:
        """Textual's own name for it."""
        self.leave()
