"""An inverter that goes on giving after the end of peak shaving: its gate is taken, and only a person gives it back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import SETTINGS, House
from v2h_console.core.observation import OrderKind
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, TariffSettings, TariffWindow
from v2h_console.core.state import Mode
from v2h_console.core.tariff import CONFIRM_NS, TariffState
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import InverterSetpoint
from v2h_drivers.capabilities.slow_readings import WallClock

SHAVING = replace(SETTINGS, tariff=TariffSettings((TariffWindow(tuple(range(7)), 17 * 60, 21 * 60),)))
WEDNESDAY = 739_945
AT_SIX_S = 18 * 3600


class Evening:
    """A house that shaves; ``over`` ends the high tariff, from when on the inverter gives what it gave."""

    def __init__(self) -> None:
        self.house = House.tied(SHAVING)
        self.house.plant.leg_a = (20.0, 20.0)
        self.began_ns = self.house.now_ns
        self.over = False
        self.obeys_gate = False
        self.live(70.0)
        assert self.house.state.tariff.power_w > 3_000.0

    def live(self, seconds: float) -> None:
        """Ten looks a second."""
        house, end_ns = self.house, self.house.now_ns + int(seconds * NS_PER_S)
        while house.now_ns < end_ns:
            house.now_ns += 100 * NS_PER_MS
            second = AT_SIX_S + (house.now_ns - self.began_ns) // NS_PER_S + self.over * 4 * 3600
            clock = WallClock(house.now_ns, Quality.GOOD, WEDNESDAY, second, True)
            house.observe((*house.plant.readings(house.now_ns), clock))
            assert house.last is not None
            if not self.over:
                asked = [one for one in house.last.commands if isinstance(one, InverterSetpoint)]
                house.plant.inverter_w = asked[0].power_w
            elif self.obeys_gate and not house.control.gate:
                house.plant.inverter_w = 0.0


@pytest.mark.parametrize("obeys_gate", [False, True])
def test_the_gate_stays_off_until_a_person_resets_and_is_taken_again_from_what_goes_on(
    obeys_gate: bool,
) -> None:
    evening = Evening()
    evening.over, evening.obeys_gate = True, obeys_gate
    evening.live(CONFIRM_NS / NS_PER_S + 0.5)
    house = evening.house
    assert not house.control.gate
    evening.live(60.0)
    assert not house.control.gate
    assert {"PEAK_SHAVING_GOES_ON", "INVERTER_STANDS_BY"} <= {alarm.code for alarm in house.state.alarms}
    house.tick(OrderKind.RESET_LOCKOUT)
    assert house.state.islanding.gate_in_tied
    evening.live(CONFIRM_NS / NS_PER_S + 1.0)
    assert house.control.gate is obeys_gate


def test_an_owner_without_a_tariff_ends_what_the_one_before_had_begun() -> None:
    evening = Evening()
    house = evening.house
    house.settings = replace(SHAVING, tariff=TariffSettings())
    evening.over = True  # the inverter goes on with what it gave
    evening.live(0.2)
    assert house.state.tariff.power_w == 0.0
    assert "PEAK_SHAVING_ENDED" in house.codes()
    evening.live(CONFIRM_NS / NS_PER_S + 0.5)
    assert not house.control.gate


def test_an_owner_without_a_tariff_says_nothing_of_the_one_before() -> None:
    evening = Evening()
    house = evening.house
    house.plant.soc_pct = 30.0  # kept for the house and the road
    evening.live(30.0)
    assert house.state.tariff.window
    assert house.state.tariff.refusal
    house.settings = replace(SHAVING, tariff=TariffSettings())
    evening.live(1.0)
    assert house.state.tariff == TariffState()


def test_a_restart_does_not_give_the_gate_back() -> None:
    evening = Evening()
    evening.over = True
    evening.live(CONFIRM_NS / NS_PER_S + 0.5)
    house = evening.house
    house.restart()
    house.until(Mode.TIED, within_ms=60_000)
    house.run_ms(2_000)
    assert not house.control.gate
    assert "PEAK_SHAVING_GOES_ON" in {alarm.code for alarm in house.state.alarms}
    house.tick(OrderKind.RESET_LOCKOUT)
    assert house.control.gate
    house.run_ms(100)
    assert house.disk.kept.goes_on == ""


def test_a_roof_that_has_never_been_heard_may_give_anything() -> None:
    house = House.tied(replace(SHAVING, solar=replace(SHAVING.solar, polled=True)))
    house.plant.leg_a = (20.0, 20.0)
    house.run_ms(60_000, tick_ms=100)
    assert house.state.export.recent_w(house.now_ns) is None
    evening = Evening()
    evening.house.settings = house.settings
    evening.live(2.0)
    assert evening.house.state.tariff.refusal == "the roof's power is unknown"
    assert evening.house.state.tariff.power_w == 0.0


def test_an_outage_gives_the_gate_to_the_island_and_not_back_to_the_grid() -> None:
    evening = Evening()
    evening.over = True
    evening.live(CONFIRM_NS / NS_PER_S + 0.5)
    house = evening.house
    house.plant.inverter_w = 0.0
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.ISLANDED, within_ms=60_000)
    house.plant.grid_returns()
    house.until(Mode.TIED, within_ms=60_000)
    house.run_ms(500)
    assert not house.control.gate
