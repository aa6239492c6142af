"""The car's word against physics: charge that leaps, resistance from load steps, the end that comes first."""

from __future__ import annotations

import pytest

from tests.core.houses import House, changed
from v2h_console.core import car_reserve, discharge_limit, pack, soc
from v2h_console.core.car_reserve import IDLE, CarState, Use
from v2h_console.core.frozen import replace
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, CarSettings, Settings
from v2h_console.core.state import Mode, boot
from v2h_drivers.capabilities.fast_readings import CarSession, CarStage
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus

S = 1_000_000_000


def message(at_s: float, soc_pct: float, *, volts: float = 400.0, amps: float = 10.0) -> CarStatus:
    """One poll of a 60 kWh car."""
    return CarStatus(
        int(at_s * S), Quality.GOOD, "Inverter", soc_pct, 100.0, 60_000.0, volts, amps, volts * amps
    )


def judged(*messages: CarStatus) -> CarState:
    """The car after these messages, each heard at once."""
    return judged_from(CarState(), *messages)


def judged_from(state: CarState, *messages: CarStatus, use: Use = IDLE) -> CarState:
    """And from a state on."""
    for one in messages:
        state = car_reserve.update(CarSettings(), state, Senses(car=one), one.at_ns, use)
    return state


def test_a_leap_upwards_is_doubted_within_one_message_and_not_believed() -> None:
    state = judged(message(0, 40.0), message(1, 60.0))
    assert state.soc.doubted_since_ns == 1 * S
    assert state.known_soc_pct == pytest.approx(40.0, abs=0.01)


def test_a_leap_upwards_under_load_is_never_believed_however_long_it_stands() -> None:
    state = judged(message(0, 40.0), *(message(at, 60.0) for at in range(1, 61)))
    assert state.soc.doubted_since_ns is not None
    assert state.known_soc_pct == pytest.approx(40.0 - 100 * 4_000 * 60 / 3_600 / 60_000, abs=0.01)


def test_a_leap_upwards_at_rest_on_the_grid_is_believed_after_thirty_seconds() -> None:
    rest = [message(at, 60.0, amps=0.0) for at in range(1, 32)]
    before = judged(message(0, 40.0, amps=0.0))
    assert judged_from(before, *rest[:-1], use=Use(tied=True)).known_soc_pct == 40.0
    assert judged_from(before, *rest, use=Use(tied=True)).known_soc_pct == 60.0


def test_a_house_that_was_emptied_under_a_report_that_leapt_does_not_believe_it_in_the_dark() -> None:
    state = judged(message(0, 21.02), *(message(at, 33.0) for at in range(1, 61)))
    assert state.stop
    dark = [message(at, 33.0, amps=0.0) for at in range(61, 400)]
    assert judged_from(state, *dark).stop
    assert judged_from(state, *dark).refusal


def test_thirty_seconds_of_rest_count_from_the_end_of_the_discharge() -> None:
    state = judged(message(0, 40.0), *(message(at, 60.0) for at in range(1, 61)))
    rest = [message(at, 60.0, amps=0.0) for at in range(61, 93)]
    assert judged_from(state, *rest[:-3], use=Use(tied=True)).soc.doubted_since_ns is not None
    assert judged_from(state, *rest, use=Use(tied=True)).known_soc_pct == 60.0


def test_a_doubt_outlives_the_process() -> None:
    doubted = judged(message(0, 40.0), *(message(at, 60.0) for at in range(1, 11)))
    assert doubted.doubted_pct == 39
    anew = car_reserve.with_doubt(CarState(), doubted.doubted_pct)
    assert judged_from(anew, message(20, 60.0)).known_soc_pct == 39.0
    assert judged_from(anew, message(20, 35.0), message(21, 35.0)).doubted_pct is None
    assert judged_from(car_reserve.with_doubt(CarState(), None), message(20, 60.0)).known_soc_pct == 60.0


def test_a_leap_below_the_reserve_stops_with_the_second_message_that_says_so() -> None:
    state = judged(message(0, 40.0), message(1, 15.0))
    assert state.soc.doubted_since_ns is not None
    assert not state.stop
    state = judged_from(state, message(1.4, 15.0))
    assert not state.stop
    state = judged_from(state, message(1.6, 15.0))
    assert state.stop
    assert state.refusal


def test_one_garbled_charge_turns_no_house_dark_and_is_forgotten() -> None:
    state = judged(message(0, 40.0), message(0.3, 0.0), message(0.6, 40.0))
    assert state.soc.doubted_since_ns is None
    assert state.known_soc_pct == 40.0


def test_a_low_report_that_comes_right_again_is_believed_in_the_dark_too() -> None:
    low = judged(message(0, 40.0), *(message(1 + at, 5.0) for at in range(3)))
    assert low.stop
    dark = [message(4 + at, 5.0, amps=0.0) for at in range(20)]
    assert judged_from(low, *dark).stop
    right = judged_from(low, *dark, message(25, 40.0, amps=0.0))
    assert right.known_soc_pct == 40.0
    assert not right.stop


def test_a_low_report_that_was_believed_in_the_end_and_comes_right_is_believed_too() -> None:
    """It stood for a minute and darkened the house; what came before it is still known."""
    low = [message(at, 0.0, amps=0.0) for at in range(1, 61)]
    state = judged(message(0, 82.0), *low)
    assert state.stop
    assert state.soc.doubted_since_ns is None
    right = judged_from(state, message(61, 82.0, amps=0.0))
    assert right.known_soc_pct == 82.0
    assert not right.stop
    assert judged_from(state, message(61, 90.0, amps=0.0)).stop, "any other leap is doubted as before"


def test_what_is_drawn_meanwhile_is_counted_off_what_is_known_from_before() -> None:
    state = judged(message(0, 80.0), *(message(at, 40.0 - at * 0.2 / 36, amps=30.0) for at in range(1, 361)))
    assert state.soc.doubted_since_ns is None
    drawn_pct = 100 * 12_000 * 360 / 3_600 / 60_000
    assert judged_from(state, message(361, 80.0 - drawn_pct, amps=0.0)).known_soc_pct == 80.0 - drawn_pct
    assert judged_from(state, message(361, 80.0, amps=0.0)).known_soc_pct != 80.0


def test_a_report_that_stands_still_under_load_is_counted_from_where_it_stood() -> None:
    """4 kW from 60 kWh are 0.11 % a minute; the report says 30 % for hours."""
    state = judged(*(message(at, 30.0) for at in range(0, 1_000, 10)))
    assert state.soc.doubted_since_ns is None
    state = judged_from(state, *(message(at, 30.0) for at in range(1_000, 5_000, 10)))
    assert state.soc.doubted_since_ns is not None
    drawn_pct = 100 * 4_000 * 4_990 / 3_600 / 60_000
    assert 30.0 - 1.06 * drawn_pct <= (state.known_soc_pct or 0.0) <= 30.0 - drawn_pct


def test_a_report_in_whole_per_cents_is_not_taken_for_one_that_stands_still() -> None:
    true = [30.0 - 100 * 4_000 * at / 3_600 / 60_000 for at in range(0, 3_000, 10)]
    state = judged(*(message(10 * nth, float(round(pct))) for nth, pct in enumerate(true)))
    assert state.soc.doubted_since_ns is None


def test_what_an_inverter_takes_beside_the_grid_is_no_discharge() -> None:
    """A report that leapt down settles there too, or shaving and the next outage would go by it for hours."""
    before = judged(message(0, 64.0, amps=0.15))
    low = judged_from(before, message(1, 40.0, amps=0.15), message(2, 40.0, amps=0.15), use=Use(tied=True))
    assert low.known_soc_pct == 40.0
    right = judged_from(low, message(3, 64.0, amps=0.15), use=Use(tied=True))
    assert right.known_soc_pct == 64.0


def test_another_car_on_the_plug_is_judged_anew() -> None:
    def link(at_s: float, stage: CarStage) -> CarSession:
        closed = stage is CarStage.ENERGISED
        return CarSession(
            int(at_s * S), Quality.GOOD, stage, closed, closed, closed, 400.0, 400.0, 1_500.0, 25.0
        )

    state = judged(message(0, 20.9))
    for at_s, stage, soc_pct in (
        (1.0, CarStage.UNPLUGGED, None), (3.0, CarStage.LINKING, 20.9), (5.0, CarStage.ENERGISED, 20.9), (5.5, CarStage.ENERGISED, 80.0)
    ):  # fmt: skip
        told = replace(message(at_s, 20.9), soc_pct=soc_pct)
        state = car_reserve.update(
            CarSettings(), state, Senses(car=told, car_session=link(at_s, stage)), int(at_s * S), IDLE
        )
    assert state.known_soc_pct == 80.0
    assert state.soc.doubted_since_ns is None


def test_a_charge_that_creeps_up_while_it_discharges_is_doubted() -> None:
    state = judged(*(message(at, 40.0 + 0.5 * at) for at in range(6)))
    assert state.soc.doubted_since_ns is not None
    assert state.known_soc_pct is not None
    assert state.known_soc_pct < 42.0


def test_it_is_doubted_too_where_the_car_says_volts_and_amps_alone() -> None:
    state = judged(*(replace(message(at, 40.0 + 0.35 * at), dc_power_w=None) for at in range(6)))
    assert state.soc.doubted_since_ns is not None
    assert (state.known_soc_pct or 100.0) < 40.0


def test_whole_per_cents_are_no_leap() -> None:
    assert judged(message(0, 40.0), message(0.3, 39.0)).soc.doubted_since_ns is None


def test_after_a_long_silence_the_report_is_taken_as_it_is() -> None:
    state = judged(message(0, 40.0), message(20, 70.0))
    assert state.known_soc_pct == 70.0
    assert state.soc.doubted_since_ns is None


def test_resistance_comes_from_load_steps_and_a_high_one_is_told() -> None:
    steps = [message(at, 50.0, volts=400.0 - 0.4 * (at % 2) * 20, amps=20.0 * (at % 2)) for at in range(5)]
    state = judged(*steps)
    assert state.pack.resistance_ohm == pytest.approx(0.4)
    assert state.pack.high


def test_a_step_seen_over_a_gap_says_nothing_of_the_resistance() -> None:
    assert judged(message(0, 50.0, amps=0.0), message(5, 50.0, volts=390.0)).pack.resistance_ohm is None


def test_a_pack_that_sags_ends_by_volts_before_its_charge() -> None:
    fall = [message(at, 60.0 - 0.1 * at, volts=400.0 - at, amps=5.0) for at in range(31)]
    state = judged(*fall)
    assert state.ends_by == "volts"
    assert pack.pct_to_volts(state.pack, fall[-1], 350.0) == pytest.approx(2.0, abs=0.1)


def test_the_same_message_changes_nothing() -> None:
    one = message(0, 40.0)
    state = judged(one)
    assert car_reserve.update(CarSettings(), state, Senses(car=one), one.at_ns + S // 2) is state
    assert soc.update(state.soc, one, 40.0, tied=False) is state.soc


def test_amps_of_the_dc_side_bind_as_what_they_give_behind_the_inverter_at_the_lowest_voltage_if_it_is_unknown() -> (
    None
):
    settings = replace(Settings(), car=CarSettings(max_discharge_a=10.0))
    state = boot(settings, 0)
    limit_w, name = discharge_limit.allowed_power_w(settings, state)
    assert (round(limit_w), name) == (3_325, "amps")
    known = replace(state, car=replace(state.car, dc_voltage_v=420.0))
    assert round(discharge_limit.allowed_power_w(settings, known)[0]) == 4_004


def test_a_step_is_due_at_the_very_moment_at_which_the_car_counts_as_silent() -> None:
    house = House.islanded()
    house.plant.silent = frozenset((CarStatus,))
    heard = house.state.senses.car
    assert heard is not None
    silent_ns = car_reserve.silence_ns(house.settings.car, house.state.senses)
    assert silent_ns is not None
    while house.now_ns < silent_ns - 20 * NS_PER_MS:
        house.tick()
    assert house.last is not None
    assert house.last.wake_at_ns <= silent_ns
    house.tick(after_ms=(silent_ns - house.now_ns) / NS_PER_MS + 1.0)
    house.must_be(Mode.DARK)


@pytest.mark.parametrize(("wrong_pct", "seconds"), [(-12.0, 20.0), (-20.0, 2.0), (-3.0, 5.0)])
def test_a_low_report_that_comes_right_under_load_leaves_nothing_behind(
    wrong_pct: float, seconds: float
) -> None:
    state, at_s = judged(message(0, 63.0)), 0.0
    while at_s < 60.0:
        at_s += 0.3
        state = judged_from(state, message(at_s, 63.0 + (wrong_pct if at_s <= seconds else 0.0)))
    assert state.soc.doubted_since_ns is None
    assert state.known_soc_pct == 63.0


@pytest.mark.parametrize("kind", ["dithers", "falls at a third of the rate"])
def test_a_report_that_lags_behind_what_is_drawn_is_doubted(kind: str) -> None:
    rate = 100 * 4_000 / 3_600 / 60_000
    state = judged(message(0, 60.0))
    for nth in range(1, 1_200):
        at_s = 10.0 * nth
        reported = 60.0 + 0.1 * (nth % 2) if kind == "dithers" else 60.0 - rate * at_s / 3.0
        state = judged_from(state, message(at_s, reported))
    assert state.soc.doubted_since_ns is not None
    assert (state.known_soc_pct or 100.0) < 60.0 - rate * 11_990 + 3.0


def test_the_same_car_out_of_the_socket_for_a_moment_keeps_its_doubt() -> None:
    doubted = judged(message(0, 21.9), message(1, 33.9), message(2, 33.9))
    out = replace(doubted, anew_since_ns=3 * S)
    again = judged_from(out, message(4, 33.9))
    assert again.soc.doubted_since_ns is not None
    assert (again.known_soc_pct or 100.0) < 22.0


@pytest.mark.parametrize(
    "garbled", [{"soc_pct": None}, {"soh_pct": float("inf")}, {"dc_current_a": float("nan")}]
)
def test_one_garbled_poll_turns_no_house_dark_and_one_after_the_other_does_after_a_second(
    garbled: dict[str, float | None],
) -> None:
    house = House.islanded()
    house.run_ms(1_000)
    house.plant.twist[CarStatus] = lambda reading: changed(reading, **garbled)
    house.run_ms(300)
    house.must_be(Mode.ISLANDED)
    assert house.until(Mode.DARK, within_ms=1_000) <= 705


def test_a_garbled_temperature_cuts_no_limit() -> None:
    house = House.islanded()
    house.run_ms(1_000)
    before_w = house.state.thermal.limit_w
    house.plant.heatsink_c = float("nan")
    house.run_ms(300)
    assert house.state.thermal.limit_w == before_w
    house.run_ms(1_000)
    assert house.state.thermal.blind


def test_a_status_from_the_future_is_unknown_and_stops_no_step() -> None:
    far, now = message(10_000, 50.0), message(1, 50.0)
    state = car_reserve.update(CarSettings(), judged(now), Senses(car=far), 2 * S)
    assert state.refusal
    assert judged_from(state, message(2, 50.0)).known_soc_pct == 50.0
