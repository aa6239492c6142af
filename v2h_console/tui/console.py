"""What an action or a screen may ask of the application: words only, so that neither imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from v2h_console.session.snapshot import Snapshot
from v2h_console.tui.picture import Entry, Picture
from v2h_console.tui.place import Place


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a list that a person can choose from; ``keys`` are the Textual names of keys that choose it too."""

    title: str
    run: Callable[[], None]
    keys: tuple[str, ...] = ()
    shown_key: str = ""


@dataclass(frozen=True, slots=True)
class SeatFacts:
    """``started``: there is an owner at all; ``owns``: it ends with this screen; ``gone``: it does not answer any more."""

    started: bool
    owns: bool = False
    name: str = ""
    gone: bool = False


class Console(Protocol):
    """The application as its actions and screens see it."""

    @property
    def has_trainer(self) -> bool:
        """Whether the devices are the twin's."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest Snapshot as it must be shown now."""

    @property
    def seat(self) -> SeatFacts:
        """What this screen is to the owner."""

    @property
    def place(self) -> Place:
        """Where the person stands."""

    def picture(self) -> Picture:
        """What the panes draw from, for the terminal's present size."""

    def answer(self) -> list[str]:
        """The lines of the last answer while it is shown, else none."""

    def tell(self, text: str, seconds: float = 6.0) -> None:
        """Show ``text`` above the keys for some seconds."""

    def send(
        self,
        do: str,
        accepted: str,
        params: Mapping[str, float | str | bool] | None = None,
        confirmed: bool = False,
        seen_ns: int = 0,
    ) -> None:
        """Ask the owner; the answer is ``accepted`` or the owner's refusal. ``seen_ns`` as in Order."""

    def go(self, view: int) -> None:
        """Show a view, or say that this version has none of that number."""

    def back(self) -> None:
        """One level back; never stops anything that runs."""

    def move(self, lines: int) -> None:
        """Move the chosen line of what is shown."""

    def chosen(self) -> Entry | None:
        """The chosen alarm or event, else the first there is."""

    def toggle_faults_only(self) -> None:
        """Show all events, or only the faults."""

    def next_theme(self) -> None:
        """The next theme: the terminal's own, sun, mono."""

    def copy(self, text: str) -> None:
        """Put ``text`` on the person's clipboard (OSC 52)."""

    def show_absence(self) -> None:
        """Show again what happened before this screen began."""

    def show_text(self, title: str, lines: Sequence[str]) -> None:
        """A page to read."""

    def show_list(self, title: str, choices: Sequence[Choice], search: bool = False) -> None:
        """A list to choose from."""

    def ask_word(self, title: str, lines: Sequence[str], word: str, then: Callable[[], None]) -> None:
        """``then`` after the person has typed ``word``."""

    def ask_yes(self, title: str, lines: Sequence[str], then: Callable[[], None]) -> None:
        """``then`` after the person has pressed ``y``."""

    def leave(self) -> None:
        """End this screen."""
