"""Where a person stood: the chosen line moves with what it says, and the next login stands there again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.tui.picture import Entry
from v2h_console.tui.place import Mark, Place
from v2h_console.tui.views import VIEWS

CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=30)
MARKS = st.builds(
    Mark, code=CODES, wall_s=st.floats(allow_nan=False, allow_infinity=False), sequence=st.integers(0, 10**9)
)
PLACES = st.builds(
    Place, view=st.sampled_from(sorted(VIEWS)), faults_only=st.booleans(), mark=st.none() | MARKS
)


@given(PLACES)
def test_a_place_is_read_as_it_was_written_and_fits_what_the_owner_keeps(place: Place) -> None:
    assert Place.read(place.text()) == place
    assert len(place.text()) <= 96


@given(st.text(max_size=100))
def test_whatever_the_owner_kept_is_a_place_that_exists(text: str) -> None:
    place = Place.read(text)
    assert place.view in VIEWS


@pytest.mark.parametrize(
    "text", ["", "2", "9 faults", "6 all x y z", "6 all 1 nan CODE", "6 all 1 2", "\x1b[2J"]
)
def test_what_is_no_place_is_the_first_view_or_loses_what_cannot_be_read(text: str) -> None:
    assert Place.read(text).mark is None


def _event(code: str, wall_s: float, sequence: int) -> Entry:
    return Entry(False, code, "info", "said", wall_s, sequence=sequence)


def test_a_line_is_found_by_what_it_says_wherever_it_stands() -> None:
    lost, back = _event("GRID_LOST", 10.0, 4), _event("GRID_TIED", 20.0, 5)
    newer = _event("LOAD_SHED", 30.0, 6)
    mark = Mark.of(lost)
    assert mark.index([back, lost]) == 1
    assert mark.index([newer, back, lost]) == 2
    assert mark.index([newer, back]) is None


def test_of_two_alike_the_one_with_its_number_is_meant_and_after_a_restart_the_first() -> None:
    first, second = _event("LOAD_SHED", 10.0, 4), _event("LOAD_SHED", 10.0, 5)
    assert Mark.of(second).index([first, second]) == 1
    assert Mark.of(second).index([_event("LOAD_SHED", 10.0, 1)]) == 0
