"""What a long campaign says while it runs, where nobody watches: a log that can be read afterwards."""

from __future__ import annotations

import pytest

from v2h_console.cli import campaign


def test_a_log_gets_what_broke_at_once_and_how_far_it_is_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now_s = 0.0
    progress = campaign._Progress(clock_s=lambda: now_s)
    progress("runs", 1, 2000, "")
    progress("runs", 2, 2000, "seed 7: I2b, mid.slow late")
    now_s = 61.0
    progress("runs", 3, 2000, "")
    progress("runs", 4, 2000, "")
    progress.end()
    assert capsys.readouterr().err == "seed 7: I2b, mid.slow late\n3 of 2000 runs\n"
