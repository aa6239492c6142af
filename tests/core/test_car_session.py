"""The DC side between car and inverter: when it may be used, when it is locked out, how much it gives."""

from __future__ import annotations

import pytest

from tests.core.houses import SETTINGS, House, car_session
from v2h_console.core import car_session as judge
from v2h_console.core import discharge_limit, peak_shaving
from v2h_console.core.car_session import SessionState
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, CarSettings
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import CarSession, CarStage
from v2h_drivers.capabilities.quality import Quality

MS = NS_PER_MS
OPEN: dict[str, object] = {"commanded_closed": False, "positive_closed": False, "negative_closed": False}


def after(*messages: CarSession, wait_ms: int = 0) -> SessionState:
    """What is believed after these, each heard at once."""
    state = SessionState()
    for one in messages:
        state = judge.update(CarSettings(), state, Senses(car_session=one), one.at_ns)
    last = messages[-1]
    return judge.update(CarSettings(), state, Senses(car_session=last), last.at_ns + wait_ms * MS)


def test_an_energised_dry_session_may_be_used_and_says_how_much_it_gives() -> None:
    state = after(car_session(0))
    assert state.refusal == ""
    assert state.limit_w == pytest.approx(0.97 * 25 * 400 - 70)


@pytest.mark.parametrize("stage", [one for one in CarStage if one is not CarStage.ENERGISED])
def test_no_other_stage_may_be_used(stage: CarStage) -> None:
    assert after(car_session(0, stage=stage)).refusal


@pytest.mark.parametrize(
    "changes",
    [
        {"positive_closed": False}, {"negative_closed": False}, {"commanded_closed": False},
        {"insulation_ohm_per_v": None}, {"insulation_ohm_per_v": 499.0}, {"limit_a": None}, {"limit_a": 0.0},
    ],
)  # fmt: skip
def test_what_is_open_wet_unknown_or_nothing_refuses(changes: dict[str, object]) -> None:
    assert after(car_session(0, **changes)).refusal


def test_never_heard_refuses_and_so_does_half_a_second_of_silence() -> None:
    assert judge.update(CarSettings(), SessionState(), Senses(), 0).refusal
    assert after(car_session(0), wait_ms=499).refusal == ""
    silent = after(car_session(0), wait_ms=501)
    assert silent.refusal == "the car's DC side is silent"
    assert silent.limit_w is None


def test_a_damaged_message_is_not_silence_but_only_for_half_a_second() -> None:
    good, bad = car_session(0), car_session(50 * MS, quality=Quality.BAD)
    assert after(good, bad).refusal == ""
    assert after(good, bad, wait_ms=500).refusal


@pytest.mark.parametrize("contact", ["positive_closed", "negative_closed"])
def test_one_contact_that_stays_closed_half_a_second_after_its_order_is_welded(contact: str) -> None:
    stuck = car_session(0, stage=CarStage.STOPPED, **(OPEN | {contact: True}), dc_voltage_v=0.0)
    assert not after(stuck, wait_ms=499).welded
    assert after(stuck, wait_ms=500).welded


def test_volts_that_do_not_go_are_a_weld_behind_honest_looking_contacts() -> None:
    quarter = car_session(0, stage=CarStage.STOPPED, **OPEN, dc_voltage_v=101.0)
    assert after(quarter, car_session(900 * MS, stage=CarStage.STOPPED, **OPEN, dc_voltage_v=101.0)).refusal
    assert not after(quarter, wait_ms=499).welded
    later = [
        car_session(at * 250 * MS, stage=CarStage.STOPPED, **OPEN, dc_voltage_v=101.0) for at in range(5)
    ]
    assert after(*later).welded
    touch = [car_session(at * 250 * MS, stage=CarStage.STOPPED, **OPEN, dc_voltage_v=11.0) for at in range(9)]
    assert not after(*touch[:-1]).welded
    assert after(*touch).welded


def test_the_volts_of_a_precharge_are_no_weld() -> None:
    begun = [
        car_session(at * 250 * MS, stage=CarStage.PRECHARGE, **OPEN, dc_voltage_v=360.0) for at in range(20)
    ]
    assert not after(*begun).welded


def test_a_precharge_that_does_not_match_is_said_before_the_link_gives_up_until_one_has() -> None:
    begun = [
        car_session(at * 250 * MS, stage=CarStage.PRECHARGE, **OPEN, dc_voltage_v=360.0) for at in range(41)
    ]
    assert not after(*begun[:38]).precharge_failed
    assert after(*begun[:39]).precharge_failed
    assert "360 V of 400 V" in after(*begun).refusal
    again = car_session(11_000 * MS, stage=CarStage.FAULT, **OPEN)
    assert after(*begun, again).precharge_failed
    assert not after(*begun, again, car_session(12_000 * MS)).precharge_failed


def test_a_low_insulation_stops_at_once_and_locks_out_after_a_second() -> None:
    low = after(car_session(0, insulation_ohm_per_v=120.0))
    assert low.lock(999 * MS) == ""
    assert low.lock(1_000 * MS) == judge.LEAKS
    assert after(car_session(0, insulation_ohm_per_v=120.0), car_session(50 * MS)).lock(5_000 * MS) == ""


def test_a_limit_that_has_just_dropped_is_not_borne_at_all() -> None:
    dropped = after(car_session(0), car_session(50 * MS, limit_a=10.0))
    assert dropped.hold_ns(50 * MS) == 0
    assert dropped.hold_ns(250 * MS) == judge.HOLD_NS
    assert after(car_session(0), car_session(50 * MS, dc_voltage_v=396.0)).hold_ns(50 * MS) == judge.HOLD_NS


def test_an_unknown_voltage_counts_as_the_lowest() -> None:
    state = after(car_session(0, dc_voltage_v=None, pack_voltage_v=None))
    assert state.limit_w == pytest.approx(0.97 * 25 * 350 - 70)


def test_an_island_with_a_low_insulation_goes_dark_and_stays_so_until_a_person_resets() -> None:
    house = House.islanded()
    house.plant.dc_side["insulation_ohm_per_v"] = 100.0
    house.tick()
    house.must_be(Mode.DARK)
    assert not house.control.gate
    house.run_ms(1_500)
    house.plant.dc_side.clear()
    house.run_ms(5_000)
    house.must_be(Mode.DARK)
    assert "INSULATION_LOW" in house.codes()
    assert house.state.islanding.lk_form == judge.LEAKS


def test_a_low_insulation_under_another_lockout_still_keeps_the_gate_off_on_the_grid() -> None:
    house = House.islanded()
    house.plant.inverter_fault = True
    house.run_ms(100)
    house.plant.inverter_fault, house.plant.will_not_form = False, True
    house.run_ms(90_000, tick_ms=20)
    assert "starts failed" in house.state.islanding.lk_form
    house.plant.dc_side["insulation_ohm_per_v"] = 100.0
    house.run_ms(2_000, tick_ms=10)
    assert house.state.islanding.lk_form == judge.LEAKS
    house.plant.dc_side.clear()
    house.run_ms(1_000, tick_ms=10)
    house.plant.grid_returns()
    house.until(Mode.TIED, within_ms=20_000)
    house.run_ms(500)
    assert not house.control.gate


def test_on_the_grid_welded_contactors_take_the_gate_off_and_the_house_stays_lit() -> None:
    house = House.tied()
    house.plant.dc_side |= {"stage": CarStage.STOPPED, "commanded_closed": False}
    house.run_ms(600)
    house.must_be(Mode.TIED)
    assert not house.control.gate
    assert "CONTACTOR_WELDED" in house.codes()


def test_a_limit_below_the_load_sheds_in_the_same_step_and_binds_by_its_name() -> None:
    house = House.islanded()
    house.plant.leg_a = (3.0, 3.0)
    house.plant.dc_side["limit_a"] = 1.25
    house.tick()
    assert discharge_limit.allowed_power_w(SETTINGS, house.state)[1] == "car"
    assert house.state.loads.mask & 0b0011 == 0b0011
    house.must_be(Mode.ISLANDED)


@pytest.mark.parametrize(
    "fault",
    [
        {"insulation_ohm_per_v": 300.0},
        {
            "stage": CarStage.STOPPED,
            "commanded_closed": False,
            "positive_closed": True,
            "negative_closed": False,
            "dc_voltage_v": 390.0,
        },
    ],
)
@pytest.mark.parametrize("then", ["the grid comes back", "the owner starts anew"])
def test_what_only_a_person_trusts_again_keeps_the_gate_off_on_the_grid_too(
    fault: dict[str, object], then: str
) -> None:
    house = House.islanded() if then == "the grid comes back" else House.tied()
    house.plant.dc_side = fault
    house.run_ms(3_500)
    assert house.state.islanding.lk_form in judge.DC_LOCKS
    # By its own word all is well again.
    house.plant.dc_side = {}
    house.run_ms(1_000)
    if then == "the grid comes back":
        house.plant.grid_returns()
    else:
        house.restart()
    house.until(Mode.TIED, within_ms=60_000)
    house.run_ms(1_000)
    assert not house.control.gate
    assert "locked out" in peak_shaving.refusal(house.settings, house.state, house.now_ns)
