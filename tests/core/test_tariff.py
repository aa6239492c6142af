"""Peak shaving: the windows, the clock, the power; each as the rule says, on any clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2h_console.core import tariff, wall_clock
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, TariffSettings, TariffWindow
from v2h_console.core.tariff import PAUSE_NS, Seen, TariffState
from v2h_console.core.wall_clock import DAY_S, STEADY_NS
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import InverterStatus, WallClock

ALL_DAYS = tuple(range(7))
EVENING = TariffSettings((TariffWindow(ALL_DAYS, 17 * 60, 21 * 60),))
NIGHT = TariffSettings((TariffWindow((4,), 22 * 60, 6 * 60),))  # from Friday evening
WEDNESDAY = 739_945
POLL_NS = 250 * NS_PER_MS
START_NS = 5_000 * NS_PER_S

ZONES = ("Europe/Berlin", "America/New_York")
#: (zone, an instant in UTC shortly before its clocks change, by how many hours)
CHANGES = (
    ("Europe/Berlin", datetime(2026, 3, 29, 0, 59, 0, tzinfo=UTC), 1),
    ("Europe/Berlin", datetime(2026, 10, 25, 0, 59, 0, tzinfo=UTC), -1),
    ("America/New_York", datetime(2026, 3, 8, 6, 59, 0, tzinfo=UTC), 1),
    ("America/New_York", datetime(2026, 11, 1, 5, 59, 0, tzinfo=UTC), -1),
)


def shown(at_ns: int, hour: float, day: int = WEDNESDAY, **changes: object) -> WallClock:
    """The wall clock at this local hour."""
    second = round(hour * 3600)
    clock = WallClock(at_ns, Quality.GOOD, day + second // DAY_S, second % DAY_S, True)
    return replace(clock, **changes)  # type: ignore[arg-type]  # field names


def told(at_ns: int, instant: datetime, zone: str) -> WallClock:
    """What a clock of this zone shows at this instant."""
    local = instant.astimezone(ZoneInfo(zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    return WallClock(at_ns, Quality.GOOD, local.toordinal(), second, True)


def giving(at_ns: int, power_w: float | None) -> InverterStatus:
    """The inverter's word."""
    return InverterStatus(
        at_ns, Quality.GOOD, "Inverter", power_w, None, None, 120.0, 120.0, 240.0, 60.0, 30.0, 10_000.0,
        7_600.0, False, True, 0,
    )  # fmt: skip


class Site:
    """A house on the grid whose inverter obeys within a poll, looked at four times a second."""

    def __init__(self, rules: TariffSettings = EVENING, hour: float = 18.0) -> None:
        self.rules, self.now_ns, self.wall_s = rules, START_NS, WEDNESDAY * DAY_S + hour * 3600.0
        self.state = TariffState()
        self.load_va, self.solar_w, self.soc_pct, self.limit_w = 4_000.0, 0.0, 80.0, 7_600.0
        self.refusal = ""
        self.obeys = self.trusted = True
        self.given_w = 0.0
        #: (instant, power) of each new level.
        self.levels: list[tuple[int, float]] = []

    def look(self, leap_s: float = 0.0) -> None:
        """One poll later."""
        self.now_ns += POLL_NS
        self.wall_s += POLL_NS / NS_PER_S + leap_s
        clock = WallClock(
            self.now_ns, Quality.GOOD, int(self.wall_s) // DAY_S, int(self.wall_s) % DAY_S, self.trusted
        )
        seen = Seen(
            self.refusal, self.soc_pct, self.load_va, self.solar_w, self.limit_w,
            giving(self.now_ns, self.given_w),
        )  # fmt: skip
        before_w = self.state.power_w
        self.state = tariff.update(self.rules, self.state, seen, clock, self.now_ns)
        if self.state.power_w != before_w:
            self.levels.append((self.now_ns, self.state.power_w))
        if self.obeys:
            self.given_w = self.state.power_w

    def live(self, seconds: float) -> None:
        """So long."""
        for _ in range(round(seconds * NS_PER_S / POLL_NS)):
            self.look()

    @classmethod
    def shaving(cls) -> Site:
        """In the high tariff, at its full power."""
        site = cls()
        site.live(STEADY_NS / NS_PER_S + 5.0)
        assert site.state.power_w == 2_900.0, site.state
        return site


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("hour", "day", "inside"),
    [
        (21.99, 4, False), (22.0, 4, True), (23.99, 4, True), (0.0, 5, True), (5.99, 5, True), (6.0, 5, False),
        (22.0, 5, False), (0.0, 4, False), (5.0, 4, False), (0.0, 6, False),
    ],
)  # fmt: skip
def test_a_window_over_midnight_belongs_to_the_day_it_began(hour: float, day: int, inside: bool) -> None:
    monday = WEDNESDAY - 2
    found = tariff.window_at(NIGHT, shown(0, hour, monday + day))
    assert (found is not None) is inside


@given(
    st.integers(0, 1439), st.integers(1, 1440), st.sets(st.integers(0, 6), min_size=1), st.integers(0, 10_079)
)
def test_a_window_is_its_minutes_counted_one_by_one(
    begins: int, lasts: int, days: set[int], minute_of_week: int
) -> None:
    ends = (begins + lasts) % 1440 if begins + lasts > 1440 else begins + lasts
    if ends == begins or (lasts == 1440 and begins):
        return  # the site's reader takes no such window
    rules = TariffSettings((TariffWindow(tuple(sorted(days)), begins, ends),))
    covered = {(day * 1440 + begins + nth) % 10_080 for day in days for nth in range(lasts)}
    monday = WEDNESDAY - 2
    clock = shown(0, minute_of_week % 1440 / 60, monday + minute_of_week // 1440)
    assert (tariff.window_at(rules, clock) is not None) is (minute_of_week in covered)


@given(st.sampled_from(ZONES), st.integers(0, 366 * 24 * 60))
def test_a_window_is_local_time_on_every_minute_of_the_year(zone: str, minute: int) -> None:
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    local = instant.astimezone(ZoneInfo(zone))
    clock = told(0, instant, zone)
    assert clock.weekday == local.weekday()
    assert (tariff.window_at(EVENING, clock) is not None) is (17 <= local.hour < 21)


# ---------------------------------------------------------------- the clock


@pytest.mark.parametrize(("zone", "before", "hours"), CHANGES)
def test_daylight_saving_is_a_leap_and_over_after_half_a_minute(
    zone: str, before: datetime, hours: int
) -> None:
    state = wall_clock.ClockState()
    doubts: dict[int, str] = {}
    for second in range(180):
        reading = told(second * NS_PER_S, before + timedelta(seconds=second), zone)
        state = wall_clock.update(state, reading, second * NS_PER_S)
        doubts[second] = state.doubt
    assert state.steps == 1
    assert state.stepped_s == hours * 3600.0
    assert doubts[59] == ""
    assert all("stepped" in doubts[second] for second in range(60, 90))
    assert not any(doubts[second] for second in range(90, 180))


@given(st.floats(-4e7, 4e7).filter(lambda s: abs(s) >= 4.0), st.integers(0, 3_599))
def test_any_leap_of_seconds_is_seen_whenever_it_comes(leap_s: float, second: int) -> None:
    state = wall_clock.ClockState()
    for at_s, local_s in ((0, 0.0), (second, float(second)), (second + 1, second + 1 + leap_s)):
        total = WEDNESDAY * DAY_S + int(local_s)
        reading = WallClock(at_s * NS_PER_S, Quality.GOOD, total // DAY_S, total % DAY_S, True)
        state = wall_clock.update(state, reading, at_s * NS_PER_S)
    assert state.steps == 1
    assert state.doubt


@given(st.floats(-0.0005, 0.0005))
@settings(max_examples=20, deadline=None)
def test_a_clock_that_ntp_turns_is_believed_all_day(slew: float) -> None:
    state = wall_clock.ClockState()
    for minute in range(1, 1440):
        at_s = minute * 60
        total = int(WEDNESDAY * DAY_S + at_s * (1.0 + slew))
        reading = WallClock(at_s * NS_PER_S, Quality.GOOD, total // DAY_S, total % DAY_S, True)
        state = wall_clock.update(state, reading, at_s * NS_PER_S)
    assert state.steps == 0
    assert state.doubt == ""


def test_many_small_leaps_are_a_leap() -> None:
    state = wall_clock.ClockState()
    for second in range(60):
        total = WEDNESDAY * DAY_S + 2 * second  # twice as quick
        reading = WallClock(second * NS_PER_S, Quality.GOOD, total // DAY_S, total % DAY_S, True)
        state = wall_clock.update(state, reading, second * NS_PER_S)
    assert state.steps > 5
    assert state.doubt


def test_a_silent_an_untrusted_and_a_nonsensical_clock_are_not_believed() -> None:
    good = shown(0, 18.0)
    state = wall_clock.update(wall_clock.ClockState(), good, 0)
    later = shown(STEADY_NS, 18.0 + 30 / 3600)
    steady = wall_clock.update(state, later, STEADY_NS)
    assert steady.doubt == ""
    assert "not read any more" in wall_clock.update(steady, later, STEADY_NS + 4 * NS_PER_S).doubt
    for changes in (
        {"trusted": False, "doubt": "the wall clock is not kept by NTP"},
        {"quality": Quality.BAD},
        {"second_of_day": DAY_S},
        {"second_of_day": -1},
    ):
        bad = replace(shown(STEADY_NS + NS_PER_S, 18.0 + 31 / 3600), **changes)
        assert wall_clock.update(steady, bad, STEADY_NS + NS_PER_S).doubt


def test_an_old_leap_is_no_news_of_a_clock_that_was_lost_and_came_back() -> None:
    state = wall_clock.ClockState()
    for second, hour in ((0, 18.0), (1, 19.0)):
        state = wall_clock.update(state, shown(second * NS_PER_S, hour), second * NS_PER_S)
    assert "stepped" in state.doubt
    for second, trusted in ((100, False), (101, True)):
        at_ns = second * NS_PER_S
        state = wall_clock.update(state, shown(at_ns, 19.0, trusted=trusted), at_ns)
    assert state.doubt == "the wall clock is being watched"


# ---------------------------------------------------------------- the power


def test_it_gives_what_the_house_takes_less_what_the_grid_keeps_and_in_confirmed_steps() -> None:
    site = Site.shaving()
    assert [power_w for _, power_w in site.levels] == [2_000.0, 2_900.0]
    assert site.levels[1][0] - site.levels[0][0] >= 500 * NS_PER_MS
    assert site.state.confirmed


@given(
    st.floats(0.0, 40_000.0), st.floats(0.0, 12_000.0), st.floats(0.0, 10_000.0), st.floats(100.0, 9_000.0)
)
@settings(max_examples=60, deadline=None)
def test_it_never_asks_for_more_than_three_quarters_of_the_load_or_any_limit(
    load_va: float, solar_w: float, limit_w: float, most_w: float
) -> None:
    site = Site(replace(EVENING, most_w=most_w))
    site.load_va, site.solar_w, site.limit_w = load_va, solar_w, limit_w
    site.live(40.0)
    wanted_w = min(0.75 * load_va - solar_w - 100.0, limit_w, most_w)
    assert all(power_w <= max(0.0, wanted_w) for _, power_w in site.levels)
    if wanted_w >= 200.0:
        assert wanted_w - 250.0 < site.state.power_w
    else:
        assert site.levels == []


def test_a_load_that_goes_lowers_it_with_the_next_look() -> None:
    site = Site.shaving()
    site.load_va = 1_000.0
    site.look()
    assert site.state.power_w == 650.0
    site.load_va = 200.0
    site.look()
    assert site.state.power_w == 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"soc_pct": None}, {"soc_pct": 50.0}, {"load_va": None}, {"solar_w": None}, {"given_w": None},
        {"refusal": "the grid is not in its window"}, {"trusted": False},
    ],
)  # fmt: skip
def test_whatever_is_unknown_refused_or_spent_ends_it_at_once_and_for_a_minute(
    change: dict[str, object],
) -> None:
    site = Site.shaving()
    before = {name: getattr(site, name) for name in change}
    for name, value in change.items():
        setattr(site, name, value)
    if "given_w" in change:
        site.obeys = False
    site.look()
    ended_ns = site.now_ns
    assert site.state.power_w == 0.0
    assert site.state.refusal
    for name, value in before.items():
        setattr(site, name, value)
    site.obeys, site.given_w, site.soc_pct = True, 0.0, 80.0
    site.live(120.0)
    assert site.levels[-1][1] == 2_900.0, "it came back"
    again = [at_ns for at_ns, power_w in site.levels if at_ns > ended_ns and power_w > 0.0]
    assert again[0] - ended_ns >= PAUSE_NS


def test_the_reserve_once_reached_wants_two_per_cent_more() -> None:
    site = Site.shaving()
    site.soc_pct = 50.0
    site.look()
    site.soc_pct = 51.9
    site.live(200.0)
    assert site.state.power_w == 0.0
    site.soc_pct = 52.0
    site.live(5.0)
    assert site.state.power_w > 0.0


def test_an_inverter_that_does_not_follow_is_given_up_until_the_tariff_changes() -> None:
    site = Site()
    site.obeys = False
    site.live(1_800.0)
    assert [power_w for _, power_w in site.levels] == [2_000.0, 0.0], "asked once, never again in this window"
    assert site.levels[1][0] - site.levels[0][0] <= 6 * NS_PER_S
    assert "gives 0.0 kW where 2.0 kW" in site.state.failed
    site.obeys = True
    site.live(2.6 * 3600.0)
    assert site.state.window == ""
    assert site.state.failed == ""


def test_it_does_not_begin_beside_an_inverter_that_gives_power_of_its_own() -> None:
    site = Site()
    site.obeys, site.given_w = False, -1_500.0  # it charges the car
    site.live(120.0)
    assert site.levels == []


def test_an_end_counts_once_the_inverter_has_shown_it() -> None:
    site = Site.shaving()
    site.soc_pct = 50.0
    site.look()
    assert site.state.ending_since_ns == site.now_ns
    site.live(1.0)
    assert site.state.ending_since_ns is None
    assert site.state.goes_on == ""


def test_an_inverter_that_goes_on_giving_after_the_end_is_said_and_begins_nothing_anew() -> None:
    site = Site.shaving()
    site.obeys = False
    site.soc_pct = 50.0
    site.look()
    site.live(6.0)
    assert "went on giving 2.9 kW" in site.state.goes_on
    site.soc_pct = 80.0
    site.live(120.0)
    assert "went on giving" in site.state.refusal
    site.given_w = 0.0
    site.live(10.0)
    assert site.state.goes_on, "it gives nothing since its gate was taken: that is no proof that it obeys"
    site.state = tariff.reset(site.state, site.now_ns)
    assert site.state.goes_on == ""
    site.live(10.0)
    assert site.state.goes_on == ""


def test_a_person_s_reset_gives_an_inverter_that_goes_on_no_more_than_the_time_to_show_it() -> None:
    site = Site.shaving()
    site.obeys = False
    site.soc_pct = 50.0
    site.live(6.0)
    site.state = tariff.reset(site.state, site.now_ns)
    site.live(4.0)
    assert site.state.goes_on == ""
    site.live(2.0)
    assert site.state.goes_on


# ---------------------------------------------------------------- no storm

LEAPS = st.lists(
    st.tuples(
        st.integers(0, 1_200), st.sampled_from((3600.0, -3600.0, 7200.0, -7200.0, 86_400.0, 12.0, -5.0))
    ),
    max_size=12,
)
HICCUPS = st.lists(
    st.tuples(st.integers(0, 1_200), st.sampled_from(("refusal", "soc_pct", "load_va", "trusted")), st.integers(1, 40)),
    max_size=8,
)  # fmt: skip


@given(LEAPS, HICCUPS)
@settings(max_examples=60, deadline=None)
def test_no_clock_and_no_flapping_input_brings_a_storm_of_commands(
    leaps: list[tuple[int, float]], hiccups: list[tuple[int, str, int]]
) -> None:
    site = Site()
    bad: dict[str, object] = {"refusal": "no", "soc_pct": None, "load_va": None, "trusted": False}
    good = {name: getattr(site, name) for name in bad}
    leap_at = dict(leaps)
    for nth in range(1_300):
        ill = {name for began, name, lasts in hiccups if began <= nth < began + lasts}
        for name in bad:
            setattr(site, name, bad[name] if name in ill else good[name])
        site.look(leap_at.get(nth, 0.0))
        if site.state.power_w:
            assert not ill, "power was asked for against what refuses it"
    begun = [
        at_ns
        for nth, (at_ns, power_w) in enumerate(site.levels)
        if power_w and (nth == 0 or not site.levels[nth - 1][1])
    ]
    ended = [at_ns for at_ns, power_w in site.levels if not power_w]
    for at_ns in begun:
        assert not any(0 <= at_ns - end_ns < PAUSE_NS for end_ns in ended), "back within a minute of a stop"
    minutes = 1_300 * POLL_NS / PAUSE_NS
    assert len(site.levels) <= 4 * (minutes + 1)


@given(st.floats(-90_000.0, 90_000.0).filter(lambda s: abs(s) > 4.0))
@settings(max_examples=40, deadline=None)
def test_a_leap_ends_it_at_once_and_the_clock_must_run_evenly_before_it_comes_back(leap_s: float) -> None:
    site = Site.shaving()
    site.look(leap_s)
    leapt_ns = site.now_ns
    assert site.state.power_w == 0.0
    site.live(100.0)
    again = [at_ns for at_ns, power_w in site.levels if at_ns > leapt_ns and power_w]
    ended_h = site.wall_s % DAY_S / 3600
    allowed_h = ended_h - (100.0 - max(STEADY_NS, PAUSE_NS) / 1e9) / 3600  # from here it may come back
    if allowed_h > 17.01 and ended_h < 20.99:
        assert again, "the clock ran evenly inside the window"
    elif ended_h < 16.99 or allowed_h > 21.01:
        assert not again, "no window"
    assert all(at_ns - leapt_ns >= max(STEADY_NS, PAUSE_NS) for at_ns in again)
