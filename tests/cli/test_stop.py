"""`v2h-console stop` by a user who may knock at the owner's door and may not read its lock."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from v2h_console.cli import attach
from v2h_console.runtime.lock import OwnerLock
from v2h_console.session import place


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root whose owner's lock only its group may read."""
    opened = Path.open

    def refused(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == place.LOCK:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **more)

    lock = OwnerLock(tmp_path)
    monkeypatch.setattr(Path, "open", refused)
    yield tmp_path
    lock.release()


class Clock:
    """Time that goes on where it is waited for; ``shuts`` its door after a second."""

    def __init__(self, shuts: socket.socket | None) -> None:
        self.now_s, self._shuts = 0.0, shuts

    def monotonic(self) -> float:
        """Now."""
        return self.now_s

    def sleep(self, for_s: float) -> None:
        """Later."""
        self.now_s += for_s
        if self._shuts is not None and self.now_s >= 1.0:
            self._shuts.close()


@pytest.mark.parametrize("ends", [True, False])
def test_a_lock_that_may_not_be_read_is_asked_for_at_the_door(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ends: bool
) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        place.at_socket(root / place.FOLDER, door.bind)
        door.listen(100)
        clock = Clock(door if ends else None)
        monkeypatch.setattr(attach, "time", clock)
        assert attach._ended(root) is ends
        assert (1.0 <= clock.now_s < 1.5) is ends
    assert ("still holds its lock after 15 s" in capsys.readouterr().err) is not ends
