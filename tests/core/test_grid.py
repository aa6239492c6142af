"""The grid monitor: what trips, what qualifies, what restarts the count, and what must not be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.houses import grid_cycle, grid_fast
from v2h_console.core import grid_monitor, sense_plausibility
from v2h_console.core.export import ExportState
from v2h_console.core.grid_code import TRIP_RANGES, TRIP_TABLES, UTILITY_DELAYS_S, Category
from v2h_console.core.grid_loss import Kind
from v2h_console.core.grid_monitor import GridCondition, GridState, Seen
from v2h_console.core.sense_plausibility import SAME_FRAMES, SensePlausibility
from v2h_console.core.senses import Senses, absorb, screen
from v2h_console.core.settings import (
    FAST,
    NOMINAL_V,
    NS_PER_MS,
    NS_PER_S,
    STEADY,
    EnterService,
    GridSettings,
    Separation,
    Settings,
)
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import GridFast, Side, SideCycle
from v2h_drivers.capabilities.quality import Quality

HALF_CYCLE_NS = 8_333_333
SITE = Settings(grid=GridSettings(enter_service=EnterService(delay_s=15.0), separation=Separation.PERMITTED))


class Street:
    """A grid whose half cycles are fed to the monitor one by one."""

    def __init__(self, site: Settings = SITE, *, tied: bool = True) -> None:
        self.site, self.tied = site, tied
        self.now_ns = 100 * NS_PER_S
        self.senses = Senses()
        self.state = GridState()
        self.plausibility = SensePlausibility()
        self.export = ExportState(known_ns=None)
        self.low_ns: int | None = None
        self._nth = 0

    def half_cycle(self, pu: float = 1.0, hz: float = 60.0, **changes: object) -> None:
        """The next half cycle at this voltage and frequency."""
        self.now_ns += HALF_CYCLE_NS
        self._nth += 1
        self.low_ns = (self.low_ns or self.now_ns) if pu < 0.88 else None
        low_ms = 0.0 if self.low_ns is None else (self.now_ns - self.low_ns) / NS_PER_MS
        noisy = pu + 0.0005 * (self._nth * 7 % 3)
        fast = grid_fast(self.now_ns, noisy, below_088_ms=low_ms, below_050_ms=low_ms if pu < 0.5 else 0.0)
        self.hear(fast, replace(grid_cycle(self.now_ns, pu, hz), **changes))  # type: ignore[arg-type]  # field names

    def hear(self, *readings: Reading) -> None:
        """Readings as they come from the drivers."""
        heard = screen(readings)
        self.senses = absorb(self.senses, heard)
        self.plausibility = sense_plausibility.update(
            self.plausibility, self.senses, heard, tied=self.tied, now_ns=self.now_ns
        )
        seen = Seen(self.senses, self.plausibility, self.export, tied=self.tied)
        self.state = grid_monitor.update(self.site, self.state, seen, heard, self.now_ns)

    def lasts(self, seconds: float, pu: float = 1.0, hz: float = 60.0) -> float | None:
        """Half cycles for so long; the seconds after which the site asked to leave, or ``None``."""
        began_ns = self.now_ns
        for _ in range(round(seconds * NS_PER_S / HALF_CYCLE_NS)):
            self.half_cycle(pu, hz)
            if self.state.loss is not None:
                return (self.now_ns - began_ns) / NS_PER_S
        return None

    @property
    def ok_s(self) -> float:
        """The enter-service count."""
        return self.state.ok_for_ns(self.now_ns) / NS_PER_S


def riding(category: Category) -> Settings:
    """A site that never leaves sooner than its trip elements."""
    return Settings(
        grid=GridSettings(category, separation=Separation.RIDE_THROUGH, trips=TRIP_TABLES[category])
    )


@pytest.mark.parametrize(
    ("category", "pu", "trips_s"),
    [
        (Category.I, 1.21, 0.16), (Category.II, 1.21, 0.16), (Category.III, 1.21, 0.16),
        (Category.I, 1.11, 2.0), (Category.III, 1.11, 13.0),
        (Category.I, 0.69, 2.0), (Category.II, 0.69, 10.0), (Category.III, 0.87, 21.0),
        (Category.I, 0.44, 0.16), (Category.II, 0.44, 0.16), (Category.III, 0.49, 2.0),
    ],
)  # fmt: skip
def test_a_voltage_beyond_an_element_trips_after_its_clearing_time(
    category: Category, pu: float, trips_s: float
) -> None:
    street = Street(riding(category))
    street.lasts(1.0)
    asked_s = street.lasts(trips_s + 1.0, pu)
    assert asked_s == pytest.approx(trips_s, abs=0.02)


@pytest.mark.parametrize(
    ("hz", "trips_s"), [(62.05, 0.16), (56.4, 0.16), (61.3, 300.0), (58.4, 300.0), (61.2, None), (58.5, None)]
)
def test_a_frequency_beyond_an_element_trips_and_at_its_limit_does_not(
    hz: float, trips_s: float | None
) -> None:
    street = Street(riding(Category.III))
    street.lasts(1.0)
    asked_s = street.lasts((trips_s or 300.0) + 1.0, 1.0, hz)
    assert asked_s == (None if trips_s is None else pytest.approx(trips_s, abs=0.02))


@pytest.mark.parametrize("category", list(Category))
def test_at_the_limit_itself_nothing_trips(category: Category) -> None:
    for element in TRIP_TABLES[category]:
        street = Street(riding(category))
        street.lasts(0.5)
        pu, hz = (element.limit, 60.0) if element.quantity == "v" else (1.0, element.limit)
        if element.name in ("OV1", "UV1", "OF1", "UF1"):
            assert street.lasts(min(element.clearing_s, 25.0) + 1.0, pu, hz) is None


def test_the_worst_leg_trips_and_line_to_line_counts_too() -> None:
    # With L1-L2 near 240 V legs so far apart would be an open neutral; one lost leg takes it down with it.
    low, half = 0.4 * 120, 0.7 * 240
    for changes in ({"l1_v": low, "l1l2_v": half}, {"l2_v": low, "l1l2_v": half}, {"l1l2_v": 0.4 * 240}):
        street = Street(riding(Category.II))
        street.lasts(0.5)
        for _ in range(25):
            street.half_cycle(1.0, 60.0, **changes)
        assert street.state.loss is not None
        assert "UV2" in street.state.loss.reason


def test_a_sag_that_ends_before_its_clearing_time_leaves_no_trace() -> None:
    street = Street(riding(Category.II))
    street.lasts(1.0)
    for _ in range(20):
        assert street.lasts(9.0, 0.6) is None
        assert street.lasts(0.02) is None


# ------------------------------------------------------------ enter service


def test_the_count_restarts_with_an_excursion_of_50_ms_at_a_quarter_of_the_delay() -> None:
    """IEEE 1547.1-2020, 5.6."""
    for pu, hz in ((0.90, 60.0), (1.06, 60.0), (1.0, 59.4), (1.0, 60.2)):
        street = Street(tied=False)
        street.lasts(0.25 * 15.0)
        assert street.ok_s > 3.5
        street.lasts(0.05, pu, hz)
        assert street.ok_s == 0.0
        street.lasts(0.985 * 15.0 - 0.1)
        assert street.ok_s < 0.985 * 15.0


def test_the_window_s_limits_are_inside() -> None:
    street = Street(tied=False)
    for pu, hz in ((0.917, 60.0), (1.05, 60.0), (1.0, 59.5), (1.0, 60.1)):
        street.lasts(1.0, pu, hz)
        assert street.state.condition is GridCondition.IN_WINDOW
    assert street.ok_s > 3.9


def test_one_leg_out_is_out() -> None:
    street = Street(tied=False)
    street.lasts(1.0)
    street.half_cycle(1.0, 60.0, l2_v=109.0)
    assert street.ok_s == 0.0
    assert "L2 109.0 V is under" in street.state.reason


def test_a_frequency_that_lies_at_a_sag_s_edge_does_not_restart_the_count() -> None:
    street = Street(tied=False)
    street.lasts(2.0, 1.04)
    street.half_cycle(0.93, 56.4)
    street.half_cycle(0.93, 56.4)
    street.half_cycle(0.93, 60.0)
    assert street.ok_s > 2.0
    street.lasts(0.2, 0.93)
    street.half_cycle(0.93, 56.4)
    assert street.ok_s == 0.0, "without a step before it a frequency is believed"


# ------------------------------------------------------------ when it may leave at once


@pytest.mark.parametrize(("detector", "hard_ms", "low_ms"), [(STEADY, 8.3, 50.0), (FAST, 4.0, 16.7)])
def test_the_detectors_hold_as_long_as_they_say(detector: object, hard_ms: float, low_ms: float) -> None:
    site = Settings(grid=replace(SITE.grid, detector=detector))  # type: ignore[arg-type]  # either of the two
    for pu, hold_ms, name in ((0.1, hard_ms, "hard"), (0.8, low_ms, "brownout")):
        street = Street(site)
        street.lasts(0.2)
        street.now_ns += NS_PER_MS
        for timer_ms in (hold_ms - 0.1, hold_ms):
            assert street.state.loss is None
            low = timer_ms if pu < 0.5 else 0.0
            street.hear(grid_fast(street.now_ns, pu, below_050_ms=low, below_088_ms=timer_ms))
        assert street.state.loss is not None
        assert street.state.loss.transfer_class == name


def test_quick_separation_needs_the_utility_s_leave_or_next_to_no_export() -> None:
    site = Settings(grid=replace(SITE.grid, separation=Separation.AUTO))
    for known_ns, most_w, leaves in ((None, 0.0, False), (0, 900.0, True), (0, 1_000.0, False)):
        street = Street(site)
        at_ns = None if known_ns is None else street.now_ns + NS_PER_S
        street.export = ExportState(known_ns=at_ns, most_w=most_w)
        street.lasts(0.2)
        assert (street.lasts(0.2, 0.2) is not None) is leaves
        assert bool(street.state.ride_through) is not leaves


def test_the_export_of_the_last_half_minute_counts_and_no_more() -> None:
    state = ExportState(
        since_ns=100 * NS_PER_S, most_w=2_000.0, known_ns=100 * NS_PER_S, looked_ns=100 * NS_PER_S
    )
    assert state.recent_w(101 * NS_PER_S) == 2_000.0
    assert state.recent_w(104 * NS_PER_S) is None, "what nobody measures is not zero"


# ------------------------------------------------------------ lost, rejected, not sensed


def test_a_dead_street_is_lost_a_high_one_rejected_a_silent_one_not_sensed() -> None:
    street = Street()
    street.lasts(0.2)
    assert street.lasts(0.2, 0.1) is not None
    assert street.state.loss is not None
    assert street.state.loss.kind is Kind.LOST
    street = Street()
    street.lasts(0.2)
    assert street.lasts(14.0, 1.12) is not None
    assert street.state.loss is not None
    assert street.state.loss.kind is Kind.REJECTED
    assert "OV1: over 1.1 pu for 13 s (L2 1.12 pu)" in street.state.loss.reason
    street = Street()
    street.lasts(0.2)
    street.now_ns += 200 * NS_PER_MS
    street.hear()
    assert street.state.loss is not None
    assert street.state.loss.kind is Kind.NOT_SENSED


# ------------------------------------------------------------ sensors


def test_a_channel_that_stands_still_is_not_believed() -> None:
    street = Street()
    street.lasts(0.5)
    for nth in range(SAME_FRAMES + 1):
        street.now_ns += 2 * NS_PER_MS
        cycle = (grid_cycle(street.now_ns),) if nth % 4 == 0 else ()
        street.hear(GridFast(street.now_ns, Quality.GOOD, 1.0, 1.0 + 0.0005 * (nth % 2), 0.0, 0.0), *cycle)
    assert street.state.loss is not None
    assert "L1 stands still" in street.state.loss.reason
    assert street.ok_s == 0.0


def test_a_dead_line_may_stand_still() -> None:
    street = Street(tied=False)
    for _ in range(SAME_FRAMES + 5):
        street.now_ns += 2 * NS_PER_MS
        street.hear(GridFast(street.now_ns, Quality.GOOD, 0.0, 0.0, 400.0, 400.0))
    assert street.plausibility.stuck == ""


def house_cycle(street: Street, pu: float) -> SideCycle:
    """A half cycle of the house's side."""
    return replace(grid_cycle(street.now_ns, pu), side=Side.HOUSE)


def test_two_sides_of_a_closed_mid_that_differ_hold_the_close_until_they_agree() -> None:
    street = Street()
    for _ in range(80):
        street.half_cycle(1.05)
        street.hear(house_cycle(street, 1.0))
    assert "sensor drifts" in street.plausibility.drift
    street.tied = False
    for _ in range(300):
        street.half_cycle(1.0)
    assert street.plausibility.drift, "with the MID open nothing can be compared"
    street.tied = True
    for _ in range(130):
        street.half_cycle(1.0)
        street.hear(house_cycle(street, 1.0))
    assert street.plausibility.drift == ""


def test_a_difference_at_the_loss_and_one_at_the_close_are_no_drift() -> None:
    """At both edges the two sides part for a half cycle; the outage between them is no time of differing."""
    street = Street()
    street.half_cycle(1.0)
    street.hear(house_cycle(street, 1.0))
    street.half_cycle(1.0)
    street.hear(house_cycle(street, 0.9))
    street.half_cycle(1.0)
    assert street.plausibility.differs_since_ns is not None
    street.tied = False
    for _ in range(300):
        street.half_cycle(1.0)
    street.tied = True
    street.hear(house_cycle(street, 0.9))
    street.half_cycle(1.0)
    assert street.plausibility.drift == ""


def test_an_open_neutral_is_left_and_a_motor_s_start_is_not() -> None:
    street = Street()
    street.lasts(0.5)
    for _ in range(4):
        street.half_cycle(1.0, 60.0, l1_v=96.0, l2_v=144.0, l1l2_v=240.0)
    assert street.state.loss is not None
    assert "neutral" in street.state.loss.reason
    street = Street()
    street.lasts(0.5)
    for _ in range(60):
        street.half_cycle(1.0, 60.0, l1_v=112.0, l2_v=121.0, l1l2_v=233.0)
    assert street.state.loss is None


VALUES = st.one_of(
    st.none(), st.just(float("nan")), st.just(float("inf")), st.just(-float("inf")), st.floats(-1e6, 1e6)
)


@settings(max_examples=150, deadline=None)
@given(l1=VALUES, l2=VALUES, both=VALUES, hz=VALUES, good=st.booleans())
def test_only_a_whole_healthy_reading_counts_as_in_window(
    l1: float | None, l2: float | None, both: float | None, hz: float | None, good: bool
) -> None:
    street = Street(tied=False)
    street.lasts(1.0)
    quality = Quality.GOOD if good else Quality.BAD
    street.half_cycle(1.0, 60.0, l1_v=l1, l2_v=l2, l1l2_v=both, frequency_hz=hz, quality=quality)
    inside: Callable[[float | None, float, float], bool] = lambda value, low, high: (  # noqa: E731
        value is not None and low <= value <= high
    )
    healthy = (
        good
        and inside(l1, 0.917 * NOMINAL_V, 1.05 * NOMINAL_V)
        and inside(l2, 0.917 * NOMINAL_V, 1.05 * NOMINAL_V)
        and inside(both, 0.917 * 2 * NOMINAL_V, 1.05 * 2 * NOMINAL_V)
        and hz is not None
        and hz == hz
    )
    if not healthy:
        assert street.ok_s == 0.0


def test_the_ranges_hold_the_defaults() -> None:
    for category, elements in TRIP_TABLES.items():
        for element in elements:
            allowed = TRIP_RANGES[category][element.name]
            assert allowed.limit[0] <= element.limit <= allowed.limit[1]
            assert allowed.clearing_s[0] <= element.clearing_s <= allowed.clearing_s[1]
    assert UTILITY_DELAYS_S["ca_rule21_2022"] == 15.0
