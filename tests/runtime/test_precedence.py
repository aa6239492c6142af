"""Before whom the owner runs, told to the system in the two places where it counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2h_console.runtime import precedence


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The nice values that were asked for; the tests' own process keeps its own."""
    asked: list[int] = []
    monkeypatch.setattr(os, "getpriority", lambda _which, _who: 0)
    monkeypatch.setattr(os, "setpriority", lambda _which, _who, value: asked.append(value))
    return asked


def test_the_process_and_its_session_go_before_others(
    told: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "autogroup"
    group.write_text("/autogroup-7 nice 0\n")
    monkeypatch.setattr(precedence, "AUTOGROUP", group)
    precedence.before_others()
    assert told == [precedence.NICE]
    assert int(group.read_text()) == precedence.NICE


@pytest.mark.parametrize("why", ["no such kernel", "not permitted"])
def test_a_kernel_without_sessions_or_that_refuses_starts_the_owner_all_the_same(
    told: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    class Refusing(type(tmp_path)):  # type: ignore[misc]  # the class of the system's paths
        def write_text(self, *_: object, **__: object) -> int:
            raise PermissionError(1, "Operation not permitted")

    group = tmp_path / "none" / "autogroup" if why == "no such kernel" else Refusing(tmp_path / "autogroup")
    monkeypatch.setattr(precedence, "AUTOGROUP", group)
    precedence.before_others()
    assert told == [precedence.NICE]
