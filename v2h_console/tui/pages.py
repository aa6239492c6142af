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
        kept = self._of(kind)
        stack: list[object] = list(self._app.screen_stack)
        lying = next((page for page in kept if page in stack and self._titles[page] == title), None)
        if lying is not None:
            self._uncover(lying)
            begin(lying)
            lying.draw()
            return
        page = next((page for page in kept if page not in stack), None) or self._build(kind)
        self._titles[page] = title
        begin(page)
        self._app.push_screen(page)

    def _of(self, kind: type[PageT]) -> list[PageT]:
        # Not a subclass: a question is also a text.
        return [page for page in self._kept if isinstance(page, kind) and type(page) is kind]

    def _uncover(self, page: Frame) -> None:
        while self._app.screen is not page:
            self._app.pop_screen()

    def _build(self, kind: type[PageT]) -> PageT:
        page = kind()
        self._app.install_screen(page, f"{kind.__name__} {len(self._kept)}")
        self._kept.append(page)
        return page
