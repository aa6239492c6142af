"""A current sensor that has slipped off its wire: what the inverter gives says how much the house takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.houses import House
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import InverterFast, LegCurrents
from v2h_drivers.capabilities.slow_readings import InverterStatus


def said(reading: Reading, amps: float, watts: float) -> Reading:
    """3 A by the sensors; this current and this power by the inverter."""
    match reading:
        case LegCurrents():
            return replace(reading, l1_a=3.0, l2_a=3.0, n_a=0.0)
        case InverterFast():
            return replace(reading, current_a=amps)
        case InverterStatus():
            return replace(reading, power_w=watts)
    return reading


@pytest.mark.parametrize(
    ("amps", "watts", "sheds"),
    [(60.0, 14_000.0, True), (60.0, 700.0, False), (3.0, 14_000.0, False), (30.0, -7_000.0, False)],
    ids=["both say so", "a start within a poll", "what was before", "a roof charges the car"],
)
def test_what_two_of_the_inverter_s_own_words_say_is_shed_for(amps: float, watts: float, sheds: bool) -> None:
    house = House.islanded()
    house.rest()
    house.run_ms(500)
    loads = house.state.loads
    connected = tuple(replace(one, shed=False, until_ns=None, reason="") for one in loads.circuits)
    house.state = replace(house.state, loads=replace(loads, circuits=connected))
    for _ in range(300):
        house.now_ns += 10 * NS_PER_MS
        readings = house.plant.readings(house.now_ns)
        house.observe(tuple(said(one, amps, watts) for one in readings))
    assert house.mode is Mode.ISLANDED
    assert bool(house.state.loads.mask) is sheds
