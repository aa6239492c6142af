"""The pages that lie on a view, kept and used again.

A page that is built anew leaves thousands of objects behind that hold each other, and the pass that collects them stops
the control: a held key that opened and closed the same question for ten seconds held it for 0.4 s, four times as long
as the controller waits. So each kind is built as often as it lies open at once, and never taken down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.app import App

from v2h_console.tui.screens.frame import Frame

PageT = TypeVar("PageT", bound=Frame)


class Pages:
    """One application's; everything is called from its loop."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._kept: list[Frame] = []
        self._titles: dict[Frame, str] = {}

    def open(self, kind: type[PageT], title: str, begin: Callable[[PageT], None]) -> None:
        """Show a page of ``kind`` that ``begin`` has filled. One of the same title that lies open already is gone back
        to, so that a held key piles up nothing."""
        page = self._lying(kind, title)
        if page is None:
            page = self._idle(kind)
            self._titles[page] = title
            begin(page)
            self._app.push_screen(page)
            return
        self._uncover(page)
        begin(page)
        page.draw()

    def _uncover(self, page: Frame) -> None:
        while self._app.screen is not page:
            self._app.pop_screen()

    def _lying(self, kind: type[PageT], title: str) -> PageT | None:
        for screen in self._app.screen_stack:
            # Not a subclass: a question is also a text.
            if isinstance(screen, kind) and type(screen) is kind and self._titles.get(screen) == title:
                return screen
        return None

    def _idle(self, kind: type[PageT]) -> PageT:
        for kept in self._kept:
            if isinstance(kept, kind) and type(kept) is kind and kept not in self._app.screen_stack:
                return kept
        page = kind()
        self._app.install_screen(page, f"{kind.__name__} {len(self._kept)}")
        self._kept.append(page)
        return page
