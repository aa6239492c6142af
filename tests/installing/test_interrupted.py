"""Power fails half way: whatever the moment, the next run finishes or takes back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.installing.roots import FILES, machine, tree
from v2h_console.installing.carry_out import install, look, undo

#: What changes a tree, as this program does it.
CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "open", "fchmod", "fchown")


class PowerFailure(BaseException):
    """Nothing runs after it: no handler, no tidying up."""


def sysusers(root: Path) -> Callable[[tuple[str, ...]], str | None]:
    """What systemd-sysusers and systemd-tmpfiles do to a root, in a small way."""

    def run(command: tuple[str, ...]) -> str | None:
        if command[0] == "systemd-sysusers":
            for name, lines in {
                "passwd": "v2h:x:997:997::/var/lib/v2h:/usr/sbin/nologin\n",
                "group": "v2h:x:997:\nv2h-watch:x:996:\nv2h-helm:x:995:\nv2h-install:x:994:\n",
            }.items():
                path = root / "etc" / name
                before = path.read_text() if path.exists() else ""
                if "v2h:" not in before:
                    path.with_name(f"{name}-").write_text(before)
                    path.write_text(
                        before.replace("dialout:x:20:alice\n", "dialout:x:20:alice,v2h\n") + lines
                    )
        else:
            (root / "var/lib/v2h").chmod(0o750)
            (root / "var/log/v2h").chmod(0o750)
        return None

    return run


def failing(monkeypatch: pytest.MonkeyPatch, root: Path, after: int, do: Callable[[], Any]) -> bool:
    """Do it until the power fails, after so many changes; whether it did."""
    left = after

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerFailure
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, counted(getattr(os, name)))
        try:
            do()
        except PowerFailure:
            return True
    return False


@pytest.fixture
def place() -> Iterator[Path]:
    """In memory where there is room: some thousand folders come and go."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.parametrize("lived_in", [False, True])
def test_at_any_moment(place: Path, monkeypatch: pytest.MonkeyPatch, lived_in: bool) -> None:
    monkeypatch.setattr("v2h_console.installing.tools._there", lambda name: True)
    monkeypatch.setattr("v2h_console.installing.tools.os.geteuid", lambda: 0)

    monkeypatch.setattr(os, "fsync", lambda held: None)
    root = place / "root"
    run = sysusers(root)

    def fresh(name: str = "root") -> Path:
        root = place / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return machine(root) if lived_in else root

    before = tree(fresh("whole"))
    install(place / "whole", FILES, sysusers(place / "whole"))
    whole = tree(place / "whole")
    moments = 0
    while True:
        fresh()
        if not failing(monkeypatch, root, moments, lambda: install(root, FILES, run)):
            break
        shutil.copytree(root, place / "second", symlinks=True)
        undo(root, run)
        assert tree(root) == before, f"undone after {moments} changes"
        shutil.rmtree(root)
        (place / "second").rename(root)
        install(root, FILES, run)
        assert tree(root) == whole, f"finished after {moments} changes"
        assert not look(root, FILES).interrupted
        moments += 1
    assert moments > 60
    moments = 0
    while True:
        fresh()
        install(root, FILES, run)
        if not failing(monkeypatch, root, moments, lambda: undo(root, run)):
            break
        undo(root, run)
        assert tree(root) == before, f"undone again after {moments} changes"
        moments += 1
    assert moments > 25
