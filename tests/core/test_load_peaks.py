"""What the legs have carried: the peaks of the windows, and what the uncontrolled circuits may draw."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from v2h_console.core import load_admission, load_peaks
from v2h_console.core.load_limits import PathsVa
from v2h_console.core.load_peaks import SLOT_S, SLOTS, Peaks
from v2h_console.core.settings import NS_PER_S


def _after(
    samples: list[PathsVa], controlled: tuple[float, float] = (0.0, 0.0), every_s: float = 1.0
) -> Peaks:
    peaks = Peaks()
    for nth, va in enumerate(samples):
        peaks = load_peaks.update(peaks, va, lambda: controlled, int(nth * every_s * NS_PER_S))
    return peaks


@given(st.lists(st.tuples(*[st.floats(0.0, 20_000.0)] * 3), min_size=1, max_size=40))
def test_the_10_s_peak_is_the_most_of_the_last_ten_seconds_and_no_more(samples: list[PathsVa]) -> None:
    peaks = _after(samples)
    for path in range(3):
        assert peaks.over(10)[path] == max(one[path] for one in samples[-11:])
        assert peaks.over(1)[path] == max(one[path] for one in samples[-2:])


def test_a_peak_between_two_looks_of_one_second_is_kept_and_a_quiet_one_costs_nothing() -> None:
    peaks = _after([(100.0, 100.0, 0.0), (900.0, 80.0, 5.0), (100.0, 100.0, 0.0)], every_s=0.3)
    assert peaks.over(10) == (900.0, 100.0, 5.0)
    assert load_peaks.update(peaks, (500.0, 90.0, 1.0), lambda: (0.0, 0.0), int(0.95 * NS_PER_S)) is peaks


def test_an_oven_without_a_switch_is_remembered_for_ten_minutes_and_then_forgotten() -> None:
    oven = [(3_000.0, 200.0, 2_800.0)] * (3 * SLOT_S)
    peaks = _after([(500.0, 200.0, 300.0)] * 60 + oven + [(500.0, 200.0, 300.0)] * 60, (400.0, 200.0))
    assert peaks.uncontrolled_va == (2_600.0, 0.0)
    base_va = load_admission.base((500.0, 200.0, 300.0), (), peaks)
    assert all(row[0] >= 2_600.0 for row in base_va)
    rested = _after(oven + [(500.0, 200.0, 300.0)] * (SLOTS * SLOT_S + 30), (400.0, 200.0))
    assert rested.uncontrolled_va == (100.0, 0.0)
    assert len(rested.slots) == SLOTS


def test_a_start_shorter_than_a_slot_is_no_uncontrolled_load() -> None:
    start = [(6_000.0, 0.0, 0.0)] * (SLOT_S - 1)
    peaks = _after(([(500.0, 0.0, 0.0)] * 26 + start) * 10, (500.0, 0.0))
    assert peaks.uncontrolled_va == (0.0, 0.0)
