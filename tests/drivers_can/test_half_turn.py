"""A house half a turn from its street: the comparator's noise leads over the edge, and no further."""

from __future__ import annotations

import pytest

from v2h_console.twin.faces import lc_frames
from v2h_console.twin.faces.lc_samples import Samples
from v2h_console.twin.house import House, UnitData
from v2h_console.twin.physics.units import Unit
from v2h_console.twin.world import World
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.fast_readings import Sync, UnitFast
from v2h_drivers.capabilities.quality import Quality

MS = 1_000_000
SECOND_UNIT = 0x111


@pytest.mark.parametrize("angle_deg", [179.98, -179.98])
def test_what_is_said_of_half_a_turn_stays_within_it(
    angle_deg: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "sync", lambda _world: (angle_deg, 0.0, 0.0))
    monkeypatch.setattr(Unit, "phase_deg", lambda _unit, _at_ns: angle_deg)
    world = World(House(units=(UnitData("second"),)), 3, boot=False)
    samples, link = Samples(world, 77, 0), LogicControllerLink("C", "t")
    signs = set()
    for nth in range(1, 200):
        now_ns = nth * 10 * MS
        world.advance(now_ns)
        for one in (lc_frames.SYNC, SECOND_UNIT):
            reading = link.receive(one, lc_frames.frame(one, samples.signals(one, now_ns, 1), nth), now_ns)
            assert isinstance(reading, Sync | UnitFast)
            assert reading.quality is Quality.GOOD
            assert reading.phase_deg is not None
            assert abs(reading.phase_deg) > 179.0
            signs.add((one, reading.phase_deg > 0.0))
    assert len(signs) == 4, "its noise leads over the edge"
