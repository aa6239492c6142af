"""What ends the discharge first, and the rungs before it: 15 min, 5 min, 1 min, with their way back."""

from __future__ import annotations

import random

import pytest

from tests.core.houses import FRIDGE, HEAT_PUMP, LIGHTS, SETTINGS, House, car_session, changed
from v2h_console.core import car_reserve, load_manager, reserve_end
from v2h_console.core.car_reserve import CarState, Use
from v2h_console.core.frozen import replace
from v2h_console.core.pack import PackState
from v2h_console.core.reserve_end import End, LimitTrend, Rung
from v2h_console.core.senses import Senses
from v2h_console.core.settings import CarSettings
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarSource, CarStatus

S = 1_000_000_000
LIT = Use(lit=True)


def message(at_s: float, soc_pct: float, watts: float, **changes: object) -> CarStatus:
    """One poll of a 24 kWh car at 380 V."""
    one = CarStatus(
        int(at_s * S), Quality.GOOD, "Inverter", soc_pct, 100.0, 24_000.0, 380.0, watts / 380.0, watts
    )
    return changed(one, **changes)  # type: ignore[return-value]  # a CarStatus stays one


def seen(state: CarState, *messages: CarStatus, use: Use = LIT) -> CarState:
    """The car after these messages."""
    for one in messages:
        senses = Senses(car=one, car_session=car_session(one.at_ns))
        state = car_reserve.update(CarSettings(), state, senses, one.at_ns, use)
    return state


def rung(seconds: float, *, planned_s: float | None = None, held: int = 0, by: str = "charge") -> int:
    """The rung after these seconds have been said for as long as it takes."""
    state = Rung(held)
    for at in range(8):
        state = reserve_end.climb(
            state, End(seconds, seconds if planned_s is None else planned_s, by), at * S
        )
    return state.rung


@pytest.mark.parametrize(("seconds", "expected"), [(901, 0), (900, 1), (301, 1)])
def test_fifteen_minutes_is_the_first_rung(seconds: float, expected: int) -> None:
    assert rung(seconds) == expected


def test_five_minutes_is_the_second_and_one_the_stop() -> None:
    assert rung(300, held=1) == 2
    assert rung(61, held=2) == 2
    assert rung(60, held=2) == 3


def test_a_rung_is_climbed_after_three_seconds_and_one_at_a_time() -> None:
    end = End(30.0, 30.0, "charge")
    state = reserve_end.climb(Rung(), end, 0)
    assert reserve_end.climb(state, end, 3 * S - 1).rung == 0
    state = reserve_end.climb(state, end, 3 * S)
    assert state.rung == 1
    assert reserve_end.climb(state, end, 4 * S).rung == 1
    assert reserve_end.climb(state, End(5_000.0, 5_000.0, "charge"), 4 * S).rung == 0


def test_what_a_rung_frees_does_not_end_it_only_time_for_all_that_waits_does() -> None:
    assert rung(3_000, planned_s=850, held=1) == 1
    assert rung(3_000, planned_s=1_080, held=1) == 1
    assert rung(3_000, planned_s=1_081, held=1) == 0
    assert rung(3_000, planned_s=361, held=2) == 1


def test_a_limit_that_sinks_sheds_but_stops_nothing() -> None:
    assert rung(10, held=2, by="limit") == 2


def test_the_earliest_of_floor_volts_and_limit_is_the_end() -> None:
    car = message(0, 40.0, 3_800.0)

    def ends(behind: PackState, trend: LimitTrend) -> End:
        return reserve_end.find(CarSettings(), car, behind, trend, 40.0, 3_800.0, 0.0)

    by_charge = ends(PackState(), LimitTrend())
    assert by_charge.ends_by == "charge"
    assert by_charge.runtime_s == pytest.approx(24_000 * 0.20 / 3_800 * 3_600)
    by_volts = ends(PackState(slope_v_per_pct=3.0), LimitTrend())
    assert by_volts.ends_by == "volts"
    assert by_volts.runtime_s == pytest.approx(24_000 * 0.10 / 3_800 * 3_600)
    by_limit = ends(PackState(slope_v_per_pct=3.0), LimitTrend(40.0, 15.0, 1.0))
    assert by_limit.ends_by == "limit"
    assert by_limit.runtime_s == pytest.approx(24_000 * 0.05 / 3_800 * 3_600)


def test_an_aged_pack_holds_less_and_one_that_does_not_say_so_is_taken_for_aged() -> None:
    def lasts(soh_pct: float | None) -> float:
        car = message(0, 40.0, 3_800.0, soh_pct=soh_pct)
        end = reserve_end.find(CarSettings(), car, PackState(), LimitTrend(), 40.0, 3_800.0, 0.0)
        assert end.runtime_s is not None
        return end.runtime_s

    assert lasts(70.0) == pytest.approx(0.7 * lasts(100.0))
    assert lasts(None) == lasts(80.0)


def test_the_limit_s_slope_is_seen_over_one_per_cent_and_forgotten_when_it_rises() -> None:
    trend = LimitTrend()
    for tenth in range(11):
        trend = reserve_end.follow_limit(trend, 20.0 - 0.2 * tenth, 40.0 - 0.1 * tenth)
    assert trend.slope_a_per_pct == pytest.approx(2.0)
    assert reserve_end.follow_limit(trend, 20.0, 38.9).slope_a_per_pct is None
    assert reserve_end.follow_limit(trend, None, 38.9).slope_a_per_pct is None


def test_a_motor_s_start_between_two_polls_is_no_load() -> None:
    state = seen(CarState(), *(message(at, 40.0, 500.0) for at in range(10)), message(10, 40.0, 9_000.0))
    assert state.mean_w == pytest.approx(500 + 8_500 * 0.095, rel=0.01)


def test_a_car_that_says_volts_and_amps_alone_has_a_runtime_and_its_rungs() -> None:
    # 24 kWh at 3.8 kW: 0.9 % above the floor last three minutes.
    polls = [message(at, 20.9, 3_800.0, dc_power_w=None) for at in range(8)]
    state = seen(CarState(), *polls)
    assert state.mean_w == pytest.approx(3_800.0)
    assert state.runtime_s == pytest.approx(205.0, abs=1.0)
    assert state.shed_from == 2


def test_with_fifteen_minutes_left_late_circuits_go_then_soon_ones_then_it_stops_and_waits_for_charge() -> (
    None
):
    # 24 kWh at 11 kW: 15 min are 11.5 %, 5 min 3.8 %, 1 min 0.8 %.
    state = seen(CarState(), *(message(at, 31.0, 11_000.0) for at in range(6)))
    assert state.shed_from == 3
    state = seen(state, *(message(at, 23.6, 11_000.0) for at in range(12, 60)))
    assert state.shed_from == 2
    assert not state.stop
    state = seen(state, message(61, 23.6, 2_000.0))
    assert state.shed_from == 2, "the soon circuits' own load decides, and it is unknown here: none waits"


def test_the_stop_a_minute_before_the_pack_s_least_volts_holds_until_it_is_charged() -> None:
    sagging = PackState(at_ns=1, volts_v=352.0, current_a=10.0, slope_v_per_pct=4.0)
    base = CarState(pack=sagging)
    polls = [message(at / 2, 60.0, 11_000.0, dc_voltage_v=350.5, dc_current_a=10.0) for at in range(1, 40)]
    state = seen(base, *polls)
    assert state.ended_pct == 60.0
    assert state.refusal.startswith("the pack was at its end")
    dark = seen(state, *(message(at, 60.5, 0.0) for at in range(21, 26)), use=Use())
    assert dark.rung.rung == 0
    assert dark.refusal
    assert not seen(dark, *(message(at, 61.2, 0.0) for at in range(60, 63)), use=Use()).refusal
    assert not seen(dark, message(26, 60.5, 0.0), use=Use(tied=True)).refusal


@pytest.mark.parametrize(
    ("source", "silent_ms"), [(CarSource.POLLED, 1_000), (CarSource.ISO_15118, 500), (CarSource.CHADEMO, 300)]
)
def test_a_native_link_is_silent_sooner_than_a_polled_one(source: CarSource, silent_ms: int) -> None:
    one = message(0, 60.0, 500.0, source=source)

    def refusal(age_ms: int) -> str:
        at_ns = age_ms * 1_000_000
        senses = Senses(car=one, car_session=car_session(at_ns))
        return car_reserve.update(CarSettings(), CarState(), senses, at_ns).refusal

    assert refusal(silent_ms) == ""
    assert refusal(silent_ms + 1) == "the car's link is silent"


def _held(house: House, *circuits: int) -> list[bool]:
    return [house.state.loads.circuits[index].shed for index in circuits]


def test_late_circuits_leave_for_the_reserve_and_return_when_there_is_time_again() -> None:
    house = House.islanded()
    state, senses, now_ns = house.state.loads, house.state.senses, house.now_ns
    back = load_manager.update_island(SETTINGS, state, senses, 7_600.0, 0, now_ns)
    assert not back.circuits[FRIDGE].shed
    shed = load_manager.update_island(SETTINGS, state, senses, 7_600.0, 2, now_ns)
    assert [shed.circuits[one].shed for one in (FRIDGE, LIGHTS, HEAT_PUMP)] == [False, True, True]
    kept = load_manager.update_island(SETTINGS, shed, senses, 7_600.0, 2, now_ns + 60 * S)
    assert kept.circuits[LIGHTS].until_ns is None
    freed = load_manager.update_island(SETTINGS, shed, senses, 7_600.0, 3, now_ns + 60 * S)
    assert [freed.circuits[one].shed for one in (FRIDGE, LIGHTS, HEAT_PUMP)] == [False, False, True]


def test_a_car_with_five_minutes_left_keeps_only_the_must_run_circuits_and_says_why() -> None:
    house = House.islanded()
    house.plant.twist[CarStatus] = lambda one: changed(one, capacity_wh=300.0, soc_pct=45.0)
    house.run_ms(8_000, tick_ms=50)
    house.must_be(Mode.ISLANDED)
    assert _held(house, FRIDGE, LIGHTS) == [False, True]
    assert {"RUNTIME_SHORT", "RUNTIME_SHED"} <= set(house.codes())


def test_a_young_island_is_judged_by_its_own_load_not_by_what_the_car_gave_on_the_grid() -> None:
    state = seen(CarState(), *(message(nth / 4, 40.0, 0.0) for nth in range(40)), use=Use(tied=True))
    assert state.mean_w == 0.0
    state = seen(state, *(message(10 + nth / 4, 40.0, 2_000.0) for nth in range(8)))
    assert state.mean_w == pytest.approx(2_000.0)


@pytest.mark.parametrize(
    ("ohm", "noise_v", "said_to_v"), [(0.15, 0.0, 0.1), (0.05, 0.1, 0.1), (0.1, 0.2, 0.1), (0.1, 0.0, 0.5)]
)
@pytest.mark.parametrize(
    ("period_s", "on_s", "base_w", "more_w"),
    [(1_200, 600, 1_500.0, 3_000.0), (1_200, 120, 2_800.0, 1_700.0), (300, 150, 300.0, 3_000.0)],
)
def test_a_house_whose_loads_cycle_stops_in_order_before_the_packs_volts_end_it(
    period_s: int, on_s: int, base_w: float, more_w: float, ohm: float, noise_v: float, said_to_v: float
) -> None:
    state, soc_pct, dice = CarState(), 60.0, random.Random(1)
    for at_s in range(1, 8 * 3_600):
        watts = base_w + (more_w if at_s % period_s < on_s else 0.0)
        # 352 V at rest at 38 %, 1.2 V a per cent.
        rest_v = 352.0 + 1.2 * (soc_pct - 38.0)
        amps = watts / rest_v
        volts = rest_v - ohm * amps
        soc_pct -= 100.0 * watts / 3_600.0 / 60_000.0
        assert volts >= 349.5, f"a hard end at {soc_pct:.1f} %"
        seen_v = volts + dice.gauss(0.0, noise_v)
        one = message(
            at_s,
            round(soc_pct, 1),
            watts,
            capacity_wh=60_000.0,
            dc_voltage_v=round(seen_v / said_to_v) * said_to_v,
            dc_current_a=round(amps, 1),
        )
        state = seen(state, one)
        if state.stop:
            assert state.ended_pct is not None
            return
    raise AssertionError("never stopped")


def test_a_pack_that_no_longer_says_how_large_it_is_keeps_its_rung() -> None:
    low = [message(at, 20.9, 3_000.0) for at in range(8)]
    state = seen(CarState(), *low)
    assert state.rung.rung > 0
    after = seen(state, message(8, 20.9, 3_000.0, capacity_wh=None))
    assert after.rung == state.rung
    assert after.shed_from == state.shed_from


def test_one_that_has_time_again_is_let_off_its_rung_though_it_no_longer_says_how_large_it_is() -> None:
    state = seen(CarState(), *(message(at, 21.4, 9_000.0) for at in range(12)))
    assert state.shed_from == 2
    least = [message(at, 21.4, 300.0, capacity_wh=None) for at in range(12, 120)]
    state = seen(state, *least, *(message(at, 60.0, -3_000.0, capacity_wh=None) for at in range(200, 300)))
    assert state.rung.rung == 0
    assert state.shed_from == 0


def test_an_age_that_no_pack_has_is_no_age() -> None:
    assert seen(CarState(), *(message(at, 62.0, 3_000.0, soh_pct=0.0) for at in range(12))).refusal == ""


def test_another_car_is_not_judged_by_the_end_of_the_last_one() -> None:
    ended = seen(CarState(), *(message(at, 62.0, 3_000.0) for at in range(3)))
    ended = replace(
        ended, ended_pct=62.0, anew_since_ns=3 * S, pack=replace(ended.pack, slope_v_per_pct=39.4)
    )
    another = seen(ended, message(4, 55.0, 3_000.0))
    assert another.ended_pct is None
    assert another.pack.slope_v_per_pct is None
    assert another.refusal == ""
