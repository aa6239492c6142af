"""`v2h-console stop` by a user who may knock at the owner's door and may not read its lock."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from v2h_console.cli import attach
from v2h_console.runtime.lock import OwnerLock
from v2h_console.session import place
from v2h_console.session.snapshot import Snapshot


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with an owner whose lock is its own user's alone."""
    opened = Path.open

    def refused(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == place.LOCK:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", refused)
    return tmp_path


class Clock:
    """Time that goes on where it is waited for; what is due after a second, and after two, is done then."""

    def __init__(self, *due: Callable[[], object]) -> None:
        self.now_s, self._told, self._due = 0.0, 0.0, list(due)

    def monotonic(self) -> float:
        """Now."""
        return self.now_s

    def sleep(self, for_s: float) -> None:
        """Later."""
        self.now_s += for_s
        while self._due and self.now_s >= self._told + 1.0:
            self._told += 1.0
            self._due.pop(0)()


@pytest.fixture
def door(root: Path) -> Iterator[socket.socket]:
    """What consoles knock at."""
    (root / place.FOLDER).mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as opened:
        place.at_socket(root / place.FOLDER, opened.bind)
        opened.listen(100)
        yield opened


def ended_after_s(root: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> float | None:
    """When `stop` says that the owner has ended; ``None``: it gave up."""
    asked = place.owner_process(root)
    monkeypatch.setattr(attach, "time", clock)
    return clock.now_s if attach._ended(root, asked) else None


def test_who_may_not_read_the_lock_waits_for_it_behind_the_shut_door(
    root: Path, door: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = OwnerLock(root)
    after_s = ended_after_s(root, Clock(door.close, lock.release), monkeypatch)
    assert after_s == pytest.approx(2.0, abs=0.5)


def test_an_owner_that_says_no_process_is_asked_for_at_the_door(
    root: Path, door: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = OwnerLock(root)
    (root / place.FOLDER / place.HOLDER).unlink()
    assert ended_after_s(root, Clock(door.close), monkeypatch) == pytest.approx(1.0, abs=0.5)
    lock.release()


def test_the_next_owner_behind_the_same_door_is_not_taken_for_the_one_that_was_asked(
    root: Path, door: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = OwnerLock(root)

    def next_owner() -> None:
        (root / place.FOLDER / place.HOLDER).write_text(f"{os.getppid()}\n")

    assert ended_after_s(root, Clock(next_owner), monkeypatch) == pytest.approx(1.0, abs=0.5)
    lock.release()


def test_an_owner_that_does_not_end_is_told(
    root: Path, door: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = OwnerLock(root)
    assert ended_after_s(root, Clock(), monkeypatch) is None
    assert "still holds its lock after 15 s" in capsys.readouterr().err
    lock.release()


@pytest.mark.parametrize(
    ("stood", "said"),
    [
        (Snapshot(mode="islanded", house_dark=False), "The house was lit from the car and is dark now."),
        (
            Snapshot(mode="tied", house_dark=False),
            "The house was on the grid: the logic controller opens the MID, and it is dark.",
        ),
        (
            Snapshot(mode="fault_open", house_dark=True),
            "The house was dark and stays so until an owner runs again.",
        ),
        (
            Snapshot(mode="unknown", house_dark=None),
            "Whether the house was lit is not known; it is dark now.",
        ),
    ],
)
def test_the_end_says_what_became_of_the_house(stood: Snapshot, said: str) -> None:
    assert attach._what_ended(stood) == said
