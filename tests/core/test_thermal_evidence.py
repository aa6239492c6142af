"""Heat that lies: a sensor that stands still, a loss that grows, a fan whose tachometer tells of air that is not there."""

from __future__ import annotations

import pytest

from tests.core.houses import House
from v2h_console.core import efficiency, heat_balance, still_sensor, thermal
from v2h_console.core.efficiency import EfficiencyState
from v2h_console.core.heat_balance import BalanceState
from v2h_console.core.senses import Senses
from v2h_console.core.settings import InverterSettings, ThermalSettings
from v2h_console.core.still_sensor import StillState
from v2h_console.core.thermal import BLIND_LIMIT_W, ThermalState
from v2h_drivers.capabilities.fast_readings import InverterFast, InverterMode, Temperatures
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus, InverterStatus

S = 1_000_000_000
GOOD = Quality.GOOD


def still(values: list[float], *, working: bool = True) -> StillState:
    """One reading a second from a whole window on."""
    state = StillState()
    for at, value in enumerate(values):
        state = still_sensor.update(state, value, (120 + at) * S, working=working)
    return state


def test_a_working_heatsink_that_stands_still_for_a_whole_window_is_a_stuck_sensor() -> None:
    assert not still([41.0] * 240).stuck
    assert still([41.0] * 241).stuck


def test_one_digit_of_noise_in_the_window_is_life() -> None:
    assert not still([41.0] * 180 + [41.1] + [41.0] * 60).stuck


def test_a_resting_inverter_s_heatsink_may_be_quiet() -> None:
    assert not still([20.0] * 600, working=False).stuck


def test_a_stuck_sensor_lives_when_it_moves_and_not_because_the_inverter_rests() -> None:
    stuck = still([41.0] * 241)
    rested = still_sensor.update(stuck, 41.0, 400 * S, working=False)
    assert rested.stuck
    assert not still_sensor.update(rested, 41.1, 401 * S, working=False).stuck


def heat(at: float, heatsink_c: float | None, rpm: float | None, ambient_c: float = 25.0) -> Temperatures:
    """One frame."""
    return Temperatures(int(at * S), GOOD, heatsink_c, ambient_c, rpm)


def test_a_stuck_temperature_is_taken_as_hot_with_the_fan_on() -> None:
    state = ThermalState()
    for at in range(120, 362):
        senses = Senses(
            temperatures=heat(at, 31.0, 0.0),
            inverter_fast=InverterFast(
                at * S, GOOD, InverterMode.FORMING, True, True, False, 120.0, 60.0, 9.0, 31.0
            ),
        )
        state = thermal.update(ThermalSettings(), InverterSettings(), state, senses, 0, at * S)
    assert state.still.stuck
    assert state.blind
    assert state.fan_on
    assert state.limit_w == BLIND_LIMIT_W


def pair(at_s: float, ac_w: float | None, dc_w: float | None, *, device: str = "Inverter") -> Senses:
    """What one poll says of both sides of the inverter."""
    at_ns = int(at_s * S)
    status = InverterStatus(
        at_ns, GOOD, "Inverter", ac_w, None, None, None, None, None, None, None, None, None, None, None, None
    )
    return Senses(
        inverter=status, car=CarStatus(at_ns, GOOD, device, 60.0, 100.0, 60_000.0, 400.0, None, dc_w)
    )


def lossy(
    loss_w: float, seconds: int, state: EfficiencyState | None = None, from_s: int = 0
) -> EfficiencyState:
    """3 kW out for so long with this loss, a poll a second."""
    state = state or EfficiencyState()
    for at in range(from_s, from_s + seconds):
        senses = pair(at, 3_000.0, 3_000.0 + loss_w)
        state = efficiency.update(InverterSettings(), state, senses, 30.0, at * S)
    return state


def test_the_curve_s_own_loss_is_told_as_efficiency_and_not_as_a_fault() -> None:
    usual_w = efficiency.expected_w(InverterSettings(), 3_000.0, 30.0)
    assert usual_w == pytest.approx(60 + 30 + 17.1)
    state = lossy(usual_w, 200)
    assert not state.high
    assert state.percent() == pytest.approx(100 * 3_000 / (3_000 + usual_w))


def test_warm_silicon_may_lose_more() -> None:
    cold, warm = (efficiency.expected_w(InverterSettings(), 5_000.0, at_c) for at_c in (45.0, 70.0))
    assert warm == pytest.approx(1.1 * cold)


def test_a_loss_of_half_as_much_again_is_told_after_a_minute_and_until_it_is_well_below() -> None:
    assert not lossy(220.0, 59).high
    high = lossy(220.0, 61)
    assert high.high
    assert lossy(155.0, 300, high, 61).high
    assert not lossy(120.0, 300, high, 61).high


@pytest.mark.parametrize(
    "senses", [pair(5, None, 3_300.0), pair(5, 3_000.0, None), pair(5, 3_000.0, 3_300.0, device="x")]
)
def test_half_a_pair_or_another_device_s_is_no_evidence(senses: Senses) -> None:
    state = efficiency.update(InverterSettings(), lossy(220.0, 3), senses, 30.0, 5 * S)
    assert state.newest_w is None
    assert state.percent() is None


def blown(k_per_w: float, loss_w: float, minutes: int, rpm: float | None = 3_200.0) -> BalanceState:
    """A heatsink that has settled at this resistance, a frame a second."""
    state = BalanceState()
    for at in range(60, 60 + 60 * minutes):
        reading = heat(at, 25.0 + k_per_w * loss_w, rpm)
        state = heat_balance.update(ThermalSettings(), state, reading, loss_w)
    return state


def test_heat_that_stays_as_in_still_air_belies_a_tachometer_after_two_whole_minutes() -> None:
    assert not blown(0.16, 150.0, 3).no_air
    assert blown(0.16, 150.0, 4).no_air


def test_heat_that_goes_as_in_blown_air_does_not_and_clears_the_verdict() -> None:
    assert not blown(0.055, 250.0, 10).no_air
    state = blown(0.16, 150.0, 4)
    for at in range(400, 640):
        state = heat_balance.update(ThermalSettings(), state, heat(at, 25.0 + 0.055 * 250, 3_200.0), 250.0)
    assert not state.no_air


def test_a_heatsink_on_its_way_up_is_not_taken_for_one_without_air() -> None:
    """Blown, from cold: what it stores is no heat that stays."""
    state, heatsink_c = BalanceState(), 25.0
    for at in range(60, 660):
        heatsink_c += (300.0 - (heatsink_c - 25.0) / 0.055) / 4_000.0
        state = heat_balance.update(ThermalSettings(), state, heat(at, round(heatsink_c, 1), 3_200.0), 300.0)
        assert not state.no_air


@pytest.mark.parametrize(("loss_w", "rpm"), [(20.0, 3_200.0), (150.0, 0.0), (150.0, None)])
def test_little_heat_or_a_fan_that_claims_nothing_proves_nothing(loss_w: float, rpm: float | None) -> None:
    assert not blown(0.16, loss_w, 10, rpm).no_air


def test_an_unknown_loss_proves_nothing() -> None:
    state = BalanceState()
    for at in range(60, 600):
        state = heat_balance.update(ThermalSettings(), state, heat(at, 60.0, 3_200.0), None)
    assert not state.no_air


@pytest.mark.parametrize(
    ("heard", "after_ms", "blind"),
    [(False, 400, False), (False, 500, True), (True, 10, True)],
    ids=["the first frame is on its way", "none has come", "the first one says that it knows nothing"],
)
def test_a_start_gives_the_first_frame_half_a_second_and_a_bad_one_nothing(
    heard: bool, after_ms: int, blind: bool
) -> None:
    started_ns = 100 * S
    now_ns = started_ns + after_ms * S // 1000
    said = Temperatures(now_ns, Quality.BAD, None, None, None) if heard else None
    state = thermal.update(
        ThermalSettings(), InverterSettings(), ThermalState(), Senses(temperatures=said), started_ns, now_ns
    )
    assert state.blind is blind
    assert state.limit_w == (BLIND_LIMIT_W if blind else None)


@pytest.mark.parametrize("word_c", [None, 200.0, -45.0, 5.0])
def test_one_garbled_word_of_the_heatsink_takes_no_power_and_a_second_of_them_does(
    word_c: float | None,
) -> None:
    house = House.islanded()
    house.plant.heatsink_c = 30.0
    house.run_ms(500)
    limit_w = house.state.thermal.limit_w
    house.plant.heatsink_c = word_c
    house.tick()
    assert not house.state.thermal.blind
    assert house.state.thermal.limit_w == limit_w
    house.run_ms(1_050)
    assert house.state.thermal.blind
