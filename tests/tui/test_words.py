"""How a state, a number and a duration are written, and when the console refuses a terminal."""

from __future__ import annotations

import math

import msgspec
import pytest

from v2h_console.session.snapshot import LegView, Snapshot
from v2h_console.tui import words
from v2h_console.tui.history import SPAN_S, LegHistory
from v2h_console.tui.panes.grid import gauge
from v2h_console.tui.panes.plot import blocks, braille
from v2h_console.tui.terminal import refusal

from .houses import ISLANDED, v


@pytest.mark.parametrize(
    ("mode", "dark", "locked", "word"),
    [
        ("tied", False, False, "GRID-TIED"),
        ("opening", None, False, "OPENING"),
        ("proving", True, False, "OPENING"),
        ("dark", True, False, "HOUSE DARK"),
        ("dark", True, True, "LOCKED OUT"),
        ("boot_open", True, False, "HOUSE DARK"),
        ("boot_open", False, False, "OPENING"),
        ("forming", True, False, "HOUSE DARK"),
        ("forming", False, False, "ISLANDED"),
        ("islanded", False, False, "ISLANDED"),
        ("islanded", False, True, "ISLANDED"),
        ("islanded", True, False, "HOUSE DARK"),
        ("syncing", False, False, "RETURNING"),
        ("closing_sync", False, False, "RETURNING"),
        ("closing_dead", True, False, "RETURNING"),
        ("handback", False, False, "RETURNING"),
        ("fault_open", None, True, "LOCKED OUT"),
        ("unknown", None, False, "UNKNOWN"),
        ("never heard of", None, False, "UNKNOWN"),
    ],
)
def test_the_mode_word_says_whether_the_house_is_lit(
    mode: str, dark: bool | None, locked: bool, word: str
) -> None:
    snapshot = Snapshot(mode=mode, house_dark=dark, locked_out=locked)
    assert words.mode_word(snapshot) == word
    assert len(word) <= 13


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "00:00"), (42_900, "00:42"), (3_599_000, "59:59"), (7_200_000, "2h"), (172_800_000, "2d")],
)
def test_since(ms: float, text: str) -> None:
    assert words.since(ms) == text


@pytest.mark.parametrize("condition", ["dead", "in_window", "out_of_window", "unknown"])
@pytest.mark.parametrize("ms", [0.0, 599_000.0, 600_000.0, 3.6e6, 1.7e8, 1e12, math.inf, math.nan])
def test_the_grid_field_never_leaves_its_place(condition: str, ms: float) -> None:
    grid = msgspec.structs.replace(ISLANDED.grid, condition=condition, since_ms=ms)
    assert len(words.grid_words(msgspec.structs.replace(ISLANDED, grid=grid))) <= 19


def test_numbers_never_lie() -> None:
    assert words.number(None, 1) == "--"
    assert words.number(math.nan, 1) == "--"
    assert words.number(math.inf, 1) == "--"
    assert words.number(-0.04, 1) == "0.0"
    assert words.number(-1.25, 1) == "-1.2"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (24_100, "about 6 h 40 min"),
        (24_600, "about 6 h 50 min"),
        (2_900, "about 48 min"),
        (20, "under 1 min"),
        (math.inf, "over 99 h"),
    ],
)
def test_runtime(seconds: float, text: str) -> None:
    assert words.lasts(seconds) == text


def test_a_gauge_keeps_its_marks_and_admits_what_it_does_not_know() -> None:
    assert gauge(120.0, 98.0, 138.0, (110.0, 126.0), 20) == "██████│████░░░│░░░░░"
    assert gauge(None, 0.0, 1.0, (), 5) == "?????"
    assert gauge(9e9, 0.0, 1.0, (), 4) == "████"


def test_a_dip_between_two_columns_is_not_averaged_away() -> None:
    history = LegHistory()
    for tenth in range(6000):
        volts = 20.0 if tenth == 3000 else 120.0
        house = msgspec.structs.replace(ISLANDED.house, l1_v=v(volts))
        history.add(tenth / 10, msgspec.structs.replace(ISLANDED, house=house, legs=(LegView(), LegView())))
    columns = history.columns(0, 50, 599.9)
    assert columns[25] == (20.0, 120.0)
    assert columns.count((120.0, 120.0)) == 49
    assert history.columns(2, 50, 599.9) == [None] * 50
    assert history.span_s(50) == SPAN_S


def test_a_young_history_is_drawn_over_a_short_span() -> None:
    history = LegHistory()
    history.add(0.0, ISLANDED)
    history.add(30.0, ISLANDED)
    assert history.span_s(56) == 60
    assert history.span_s(100) == 120
    history.add(100.0, ISLANDED)
    assert history.span_s(56) == 120


def test_plots_draw_the_run_from_least_to_greatest() -> None:
    samples: list[tuple[float, float] | None] = [(0.0, 0.0), (0.0, 7.9), None, (99.0, 99.0)]
    assert braille(samples, 0.0, 8.0, 2) == ["⢸⠈", "⣸ "]
    assert blocks(samples, 0.0, 8.0, 2) == [" █ ▀", "▄█  "]


GOOD = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("environ", "stdin", "stdout", "size", "encoding", "part"),
    [
        (GOOD, False, True, (80, 24), "utf-8", "standard input is not a terminal"),
        (GOOD, True, False, (80, 24), "utf-8", "standard output is not a terminal"),
        ({}, True, True, (80, 24), "utf-8", "TERM is not set"),
        ({"TERM": "dumb"}, True, True, (80, 24), "utf-8", "TERM=dumb cannot position the cursor"),
        (GOOD, True, True, (80, 24), "ISO-8859-1", "encoding is ISO-8859-1, not UTF-8"),
        (GOOD, True, True, (80, 24), None, "encoding is unknown, not UTF-8"),
        (GOOD, True, True, (79, 24), "utf-8", "The terminal is 79 x 24; the console needs 80 x 24"),
        (GOOD, True, True, (80, 23), "utf-8", "The terminal is 80 x 23; the console needs 80 x 24"),
    ],
)
def test_a_terminal_that_cannot_carry_it_gets_one_line(
    environ: dict[str, str], stdin: bool, stdout: bool, size: tuple[int, int], encoding: str | None, part: str
) -> None:
    line = refusal(environ, stdin, stdout, size, encoding)
    assert line is not None
    assert part in line
    assert "\n" not in line
    assert line.isprintable()


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "UTF_8"])
def test_a_good_terminal_is_not_refused(encoding: str) -> None:
    assert refusal(GOOD, True, True, (80, 24), encoding) is None
