"""A roof that gives too much, a full car, and volts that nobody announced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.houses import START_NS, House, inverter_fast
from v2h_console.core import guards, solar
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, SolarSettings
from v2h_console.core.soc import SocState
from v2h_console.core.solar import SolarState
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import HouseFast, InverterMode
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import SolarPermitRequest
from v2h_drivers.capabilities.slow_readings import InverterStatus, SolarStatus

SUN = SolarSettings()


def said(at_ns: int, power_w: float | None) -> InverterStatus:
    """The inverter's own word; negative = the car is charged."""
    return InverterStatus(
        at_ns, Quality.GOOD, "Inverter", power_w, None, None, None, None, None, None, None, None, None, True,
        False, 0,
    )  # fmt: skip


def follow(state: SolarState, power_w: float | None, soc_pct: float | None, at_ns: int) -> SolarState:
    """One answer of the inverter on a lit island."""
    senses = Senses(inverter=said(at_ns, power_w))
    return solar.update(SUN, state, senses, soc_pct, lit=True, tied=False, dark=False, now_ns=at_ns)


def test_a_car_with_room_takes_everything_and_nothing_is_raised() -> None:
    assert follow(SolarState(), -5_000.0, 60.0, START_NS).raised_hz == 0.0


def test_a_full_car_raises_the_frequency_at_the_first_answer() -> None:
    state = follow(SolarState(), -3_000.0, 99.0, START_NS)
    assert state.raised_hz >= solar.KNEE_HZ
    assert not state.kept_off


def test_a_roof_that_obeys_is_held_where_nothing_is_left_over() -> None:
    """5 kW over 0.5 Hz, as the droop has it: the loop settles and the roof stays."""
    state, sun_w, load_w = SolarState(), 4_500.0, 700.0
    for nth in range(20):
        given_w = sun_w * min(1.0, max(0.0, (1.0 - state.raised_hz) / 0.5))
        state = follow(state, load_w - given_w, 99.0, START_NS + nth * 300 * NS_PER_MS)
    assert not state.kept_off
    assert abs(given_w - load_w) < 300.0


def test_a_roof_that_does_not_obey_is_told_to_leave_within_two_seconds() -> None:
    state, at_ns = SolarState(), START_NS
    while not state.kept_off:
        state = follow(state, -3_000.0, 99.0, at_ns)
        at_ns += 300 * NS_PER_MS
        assert at_ns - START_NS < 2_100 * NS_PER_MS
    state = follow(state, 500.0, 99.0, at_ns)
    assert state.kept_off, "not back before the car has room again"
    assert not follow(state, 500.0, 90.0, at_ns + 1).kept_off


def test_a_roof_that_gives_more_than_the_car_may_ever_take_is_not_let_in_again_at_once() -> None:
    state, at_ns = SolarState(), START_NS
    while not state.kept_off:
        state = follow(state, -SUN.max_charge_w - 3_000.0, 60.0, at_ns)
        at_ns += 300 * NS_PER_MS
    off_ns = state.kept_off_since_ns
    for nth in range(1, 10):
        state = follow(state, 500.0, 60.0, off_ns + nth * solar.READMIT_NS // 10)
        assert state.kept_off
    assert not follow(state, 500.0, 60.0, off_ns + solar.READMIT_NS).kept_off


def test_a_roof_that_left_for_a_close_stays_away_until_it_is_done_or_called_off() -> None:
    state = replace(SolarState(), raised_hz=0.7)
    for nth in range(8):
        senses = Senses(inverter=said(START_NS + nth, 500.0))
        state = solar.update(
            SUN, state, senses, 60.0, lit=True, tied=False, dark=False, closing=True, now_ns=START_NS + nth
        )
        assert state.kept_off
    assert not follow(state, 500.0, 60.0, START_NS + 9).kept_off


def test_a_street_that_never_comes_in_phase_keeps_no_roof_away_for_ever() -> None:
    state = SolarState(kept_off=True, kept_off_since_ns=START_NS - solar.READMIT_NS)
    for second in range(600):
        at_ns = START_NS + second * NS_PER_S
        senses = Senses(inverter=said(at_ns, 500.0))
        state = solar.update(
            SUN, state, senses, 60.0, lit=True, tied=False, dark=False, closing=True, now_ns=at_ns
        )
        assert state.kept_off == (second < 300)


def test_an_owner_that_starts_anew_lets_in_a_roof_that_the_one_before_had_sent_away() -> None:
    house = House.islanded()
    # A full car, and known as one from the start: else its charge "leapt".
    house.plant.soc_pct = 98.5
    house.state = replace(
        house.state,
        car=replace(house.state.car, soc=SocState()),
        solar=replace(house.state.solar, kept_off=True, kept_off_since_ns=house.now_ns),
    )
    house.run_ms(500)
    assert house.disk.kept.roof_off
    house.restart()
    asked = []
    house.plant.grid_returns()
    while house.mode is not Mode.TIED:
        house.tick()
        assert house.last is not None
        asked += [one for one in house.last.commands if isinstance(one, SolarPermitRequest)]
    house.run_ms(500)
    assert asked == [SolarPermitRequest(True)]
    assert not house.disk.kept.roof_off


def test_unknown_charge_is_a_full_car_and_unknown_power_changes_nothing() -> None:
    assert solar.charge_limit_w(SUN, None) == 0.0
    assert follow(SolarState(), None, 60.0, START_NS).raised_hz == 0.0


@settings(max_examples=200, deadline=None)
@given(
    answers=st.lists(
        st.tuples(st.floats(-20_000, 20_000), st.one_of(st.none(), st.floats(0, 100))), max_size=30
    )
)
def test_the_frequency_never_leaves_its_band(answers: list[tuple[float, float | None]]) -> None:
    state = SolarState()
    for nth, (power_w, soc_pct) in enumerate(answers):
        state = follow(state, power_w, soc_pct, START_NS + nth * 300 * NS_PER_MS)
        assert 0.0 <= state.raised_hz <= SUN.raise_most_hz


def test_the_same_answer_is_judged_once_however_often_the_core_steps() -> None:
    first = follow(SolarState(), -3_000.0, 99.0, START_NS)
    senses = Senses(inverter=first.status)
    again = solar.update(SUN, first, senses, 99.0, lit=True, tied=False, dark=False, now_ns=START_NS + 5)
    assert again is first


def test_on_the_grid_the_roof_is_free_again() -> None:
    state = replace(SolarState(), raised_hz=0.7, kept_off=True)
    assert (
        solar.update(SUN, state, Senses(), 50.0, lit=False, tied=True, dark=False, now_ns=1) == SolarState()
    )


def test_a_roof_that_was_told_to_leave_and_still_gives_is_an_alarm() -> None:
    state = replace(SolarState(), kept_off=True, kept_off_since_ns=0)
    now_ns = 6_000 * NS_PER_MS
    giving = Senses(solar=SolarStatus(now_ns, Quality.GOOD, "Solar", 900.0, 240.0, 60.0, 5_000.0))
    gone = Senses(solar=SolarStatus(now_ns, Quality.GOOD, "Solar", 0.0, 240.0, 60.0, 5_000.0))
    assert solar.will_not_leave(state, giving, now_ns)
    assert not solar.will_not_leave(state, gone, now_ns)


@pytest.mark.parametrize("car_still_takes_w", [1_500.0, 0.0])
def test_a_roof_that_says_it_has_left_is_held_against_what_still_charges_the_car(
    car_still_takes_w: float,
) -> None:
    house = House.islanded()
    house.plant.soc_pct, house.plant.inverter_w = 99.0, -3_000.0
    alarms: list[bool] = []
    for nth in range(1_000):
        if nth == 300:
            house.plant.inverter_w = -car_still_takes_w
        house.now_ns += 10 * NS_PER_MS
        dark = SolarStatus(house.now_ns, Quality.GOOD, "Solar", 0.0, 240.0, 60.0, 5_000.0)
        house.observe((*house.plant.readings(house.now_ns), dark))
        alarms.append(any(alarm.code == "SOLAR_WILL_NOT_LEAVE" for alarm in house.state.alarms))
    assert not any(alarms[:500])
    assert alarms[-1] is bool(car_still_takes_w)


def test_the_core_tells_the_roof_to_leave_once() -> None:
    house = House.islanded()
    house.plant.soc_pct = 99.0
    house.plant.inverter_w = -3_000.0
    told: list[bool] = []
    for _ in range(500):
        commands = house.tick(after_ms=10).commands
        told += [command.permitted for command in commands if isinstance(command, SolarPermitRequest)]
    assert told == [False]


@pytest.mark.parametrize("pu", [0.3, 0.98])
def test_volts_that_nothing_explains_refuse_forming_in_words(pu: float) -> None:
    house = House.islanded()
    house.plant.inverter_fault = True
    house.until(Mode.DARK)
    house.plant.residual_pu = pu
    house.plant.inverter_fault = False
    house.run_ms(4_000, tick_ms=10)
    house.must_be(Mode.DARK)
    refusal = guards.forming_refusal(house.settings, house.state, house.now_ns)
    assert "something else feeds the house bus" in refusal
    assert "HOUSE_BUS_FED" in {alarm.code for alarm in house.state.alarms}
    house.plant.residual_pu = 0.0
    house.until(Mode.ISLANDED, within_ms=1_000)


def test_what_a_silent_house_sensor_hides_is_not_taken_for_gone() -> None:
    state = replace(SolarState(), foreign_since_ns=0, foreign_pu=0.9)
    senses = Senses(inverter_fast=inverter_fast(START_NS, InverterMode.STANDBY, gate_on=False))
    assert solar.update(SUN, state, senses, 50.0, lit=False, tied=False, dark=True, now_ns=START_NS) is state
    fast = HouseFast(START_NS, Quality.BAD, 0.0, 0.0, 0.0)
    blind = replace(senses, house_fast=fast)
    assert solar.update(SUN, state, blind, 50.0, lit=False, tied=False, dark=True, now_ns=START_NS) is state
