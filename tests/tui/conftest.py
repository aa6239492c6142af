"""What the screens' tests share: a zone, a clock that is moved by hand, and the text on the screen."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from v2h_console.tui.app import ConsoleApp

from .houses import WALL_S, FakeSession


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, and the terminal is an ordinary one with colours."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Clock:
    """Seconds that go forward only when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock at rest."""
    return Clock()


@pytest.fixture
def session() -> FakeSession:
    """An islanded house with a trainer."""
    fake = FakeSession()
    fake.show("islanded")
    return fake


@pytest.fixture
def app(session: FakeSession, clock: Clock) -> ConsoleApp:
    """The console on that house; its wall clock stands at 14:02:53."""
    return ConsoleApp(session, wall=lambda: WALL_S, steady=clock)


def shown(app: ConsoleApp) -> list[str]:
    """The rows on the screen, without what trails."""
    strips = app.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


def whole(app: ConsoleApp) -> str:
    """The same as one text."""
    return "\n".join(shown(app))
