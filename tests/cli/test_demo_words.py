"""``demo`` with words that only a demo without a screen can obey."""

from __future__ import annotations

import pytest

from v2h_console.cli import demo
from v2h_console.cli.main import main


@pytest.mark.parametrize("words", [["--json"], ["--for", "3"]])
def test_what_only_holds_without_a_screen_is_refused_beside_one(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "run_screen", lambda root, scenario: pytest.fail("a screen was started"))
    assert main(["demo", *words]) == 2
    assert "add --headless" in capsys.readouterr().err
