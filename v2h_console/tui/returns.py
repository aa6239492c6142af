"""A person comes back: the page of what was missed, the place where the last screen stood, and signs of life for the owner."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from v2h_console.session.absence import Absence
from v2h_console.session.protocol import Session
from v2h_console.tui.place import Place
from v2h_console.tui.views import NAMES

if TYPE_CHECKING:
    from v2h_console.tui.app import ConsoleApp

#: The owner is told of keys so often at most; another place is told at once.
SIGN_S = 5.0


class Return:
    """One screen's; everything is called from the application's loop."""

    def __init__(self) -> None:
        self._absence: Absence | None = None
        self._run: str | None = None
        self._page_due = False
        self._pressed = False
        self._told_place = ""
        self._told_at_s: float | None = None

    def key_pressed(self) -> None:
        """Somebody is there."""
        self._pressed = True

    def poll(self, app: ConsoleApp, session: Session, now_s: float) -> None:
        """Greet whoever came back, and tell the owner who is there."""
        if self._run is None:
            self._greet(app, session)
        elif self._run != session.run and session.gone is None:
            # Another owner: what it knows is kept for the key, and the person who looks on is not interrupted.
            self._run, self._absence, self._told_at_s = session.run, session.absence, None
        if self._page_due and len(app.screen_stack) == 1:
            self._page_due = False
            self._push(app, first=True)
        place = app.place.text()
        told_s = self._told_at_s
        if self._pressed and (told_s is None or place != self._told_place or now_s - told_s >= SIGN_S):
            self._pressed, self._told_place, self._told_at_s = False, place, now_s
            session.here(place)

    def show(self, app: ConsoleApp) -> None:
        """The page again."""
        if self._absence is None:
            app.tell("The owner knows of no earlier screen of yours: there is nothing that you missed.")
        else:
            self._push(app, first=False)

    def _greet(self, app: ConsoleApp, session: Session) -> None:
        self._run, self._absence = session.run, session.absence
        absence = self._absence
        if absence is None:
            return
        if absence.happened:
            self._page_due = True
        elif absence.how == "lost":
            # Back to where the line broke; a screen that was left begins anew.
            self._go_on(app)
            app.tell("Your last screen was lost; nothing has happened since. w says more.", 8.0)

    def _push(self, app: ConsoleApp, *, first: bool) -> None:
        from v2h_console.tui.screens.away import AwayScreen

        assert self._absence is not None
        where, go_on = "", _nowhere
        if first:
            number = Place.read(self._absence.place).view
            where, go_on = f"view {number} {NAMES[number - 1]}", partial(self._go_on, app)
        begin = partial(AwayScreen.begin, absence=self._absence, where=where, go_on=go_on)
        app.pages.open(AwayScreen, "", begin)

    def _go_on(self, app: ConsoleApp) -> None:
        assert self._absence is not None
        app.stand(Place.read(self._absence.place))


def _nowhere() -> None:
    """Whatever stood before the page stands there again."""
