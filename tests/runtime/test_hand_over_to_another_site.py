"""A planned restart onto an edited configuration: what a device said that is no longer there goes with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import House
from v2h_console.runtime.hand_over import at_this_site
from v2h_drivers.capabilities import Identity, LinkHealth, LinkState, Quality, SolarStatus

OLD, KEPT = "Old roof", "Inverter"


@pytest.mark.parametrize("still_there", [True, False])
def test_a_device_that_was_taken_out_is_neither_lost_nor_well_for_ever(still_there: bool) -> None:
    house = House.tied()
    for name in (OLD, KEPT):
        now_ns = house.now_ns
        house.observe(
            (
                LinkHealth(now_ns, name, "SunSpec", "x", LinkState.LOST, "no answer", None, 0, 0, None),
                Identity(now_ns, Quality.GOOD, name, "Maker", "Model", "1", "7"),
            )
        )
    roof = SolarStatus(house.now_ns, Quality.GOOD, OLD, 900.0, 240.0, 60.0, 5_000.0)
    house.observe((roof,))
    house.run_ms(10_000, tick_ms=50)
    assert "OLD_ROOF_LOST" in {alarm.code for alarm in house.state.alarms}
    before = house.state
    devices = [KEPT, *[OLD] * still_there]
    house.state = at_this_site(before, devices, solar=still_there)
    assert {link.device for link in house.state.senses.links} >= {KEPT}
    assert (house.state.senses == before.senses) is still_there
    assert (house.state.senses.solar is None) is not still_there
    assert replace(house.state, senses=before.senses) == before
    house.tick()
    assert ("OLD_ROOF_LOST" in {alarm.code for alarm in house.state.alarms}) is still_there
    assert "INVERTER_LOST" in {alarm.code for alarm in house.state.alarms}
