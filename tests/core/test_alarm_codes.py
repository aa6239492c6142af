"""Two conditions of one code, whatever made them, are one alarm: it is raised once and stands."""

from __future__ import annotations

from dataclasses import replace

from tests.core.houses import House
from v2h_console.core import alarms
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState


def test_two_devices_of_one_code_ring_once() -> None:
    house = House.islanded()
    state, now_ns = house.state, house.now_ns
    lost = tuple(
        LinkHealth(now_ns, name, "SunSpec", "x", LinkState.LOST, "no answer", None, 0, 0, None)
        for name in ("East-1", "East 1")
    )
    settled_ns = now_ns - alarms.START_GRACE_NS
    state = replace(state, senses=replace(state.senses, links=lost), started_ns=settled_ns)
    heard = []
    for _ in range(5):
        state, events = alarms.update(house.settings, state, now_ns)
        heard += [event.code for event in events if "EAST" in event.code]
    assert heard == ["EAST_1_LOST"]
    assert [alarm.text for alarm in state.alarms if alarm.code == "EAST_1_LOST"] == ["East-1: no answer."]
