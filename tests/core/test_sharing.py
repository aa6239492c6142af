"""What several inverters can give together: who is counted on, who would hold the others down, whose car has its end."""

from __future__ import annotations

import pytest

from tests.core.inverters import STANDBY, THREE, Group, joined
from v2h_console.core import sharing
from v2h_console.core.settings import NS_PER_S, ParallelSettings, UnitSettings


@pytest.mark.parametrize(("limit_a", "each_w"), [(32.0, 7_600.0), (28.0, 6_720.0), (None, 7_600.0)])
def test_units_share_one_current_so_the_weakest_sets_everybody_s_part(
    limit_a: float | None, each_w: float
) -> None:
    group = Group()
    group.changes[3] = {"limit_a": limit_a}
    group.run(120)
    assert sharing.capacity_w(THREE, group.state, 7_600.0) == (3 * each_w, 2 * each_w)
    small = ParallelSettings((*THREE.units[:2], UnitSettings("Inverter 3", 4_000.0)))
    assert sharing.capacity_w(small, group.state, 7_600.0)[0] == 3 * min(each_w, 4_000.0)


@pytest.mark.parametrize("limit_a", [0.0, 5.0, 18.0])
def test_a_unit_that_would_hold_the_others_down_stays_out_until_its_limit_rises(limit_a: float) -> None:
    group = joined()
    group.changes[3] = {"limit_a": limit_a}
    group.tick()
    assert group.state.mask == 0b011
    assert "hold the others down" in group.state.units[2].reason
    assert group.state.units[2].drops == 0
    assert sharing.capacity_w(THREE, group.state, 7_600.0) == (15_200.0, 7_600.0)
    group.changes[3] = {"limit_a": 32.0}
    group.run(60)
    assert group.state.mask == 0b111


def test_a_unit_that_does_not_run_though_told_to_is_no_help_that_is_counted_on() -> None:
    group = joined()
    group.changes[2] = {"gate_on": False, "mode": STANDBY}
    group.run(1)
    assert group.state.mask == 0b101
    assert "does not run though told to" in group.state.units[1].reason


def test_gates_that_nobody_asks_for_are_no_fault() -> None:
    group = joined()
    group.changes = {number: {"gate_on": False, "mode": STANDBY} for number in (1, 2, 3)}
    for _ in range(20):
        group.tick(gated=False)
    assert group.state.mask == 0b111
    for _ in range(5):
        group.tick()
    group.changes = {}
    group.run(20)
    assert group.state.mask == 0b111
    assert all(one.drops == 0 for one in group.state.units)


def test_a_bus_on_which_nobody_is_heard_is_no_unit_s_fault() -> None:
    group = joined()
    group.silent = {1, 2, 3}
    group.run(10)
    assert group.state.mask == 0b001
    assert all(one.drops == 0 for one in group.state.units)


def test_ten_minutes_of_sharing_make_up_for_a_drop() -> None:
    group = joined()
    for _ in range(5):
        group.angles[2] = 40.0
        group.tick()
        group.angles[2] = 0.0
        group.run(600)
        assert group.state.mask == 0b111
        assert group.state.units[1].drops == 1
        group.now_ns += 600 * NS_PER_S
        group.run(1)
        assert group.state.units[1].drops == 0


def test_a_secondary_s_report_that_leapt_upwards_is_not_believed() -> None:
    group = Group()
    group.cars[2] = 19.0
    group.run(20)
    group.cars[2] = 60.0
    group.run(2_000)
    assert not group.state.units[1].joined
    assert "its car is at 19 %" in group.state.units[1].reason


@pytest.mark.parametrize(
    ("soc_pct", "joined_stays", "joins"), [(20.9, False, False), (21.5, True, False), (22.5, True, True)]
)
def test_each_secondary_s_own_car_keeps_its_reserve(soc_pct: float, joined_stays: bool, joins: bool) -> None:
    group = joined()
    group.cars[2] = soc_pct
    group.run(40)
    assert group.state.units[1].joined is joined_stays
    assert group.state.units[1].drops == 0, "nothing that the inverter did"
    apart = Group()
    apart.cars[2] = soc_pct
    apart.run(120)
    assert apart.state.units[1].joined is joins


def test_one_that_cannot_join_weighs_nothing_in_who_may_run() -> None:
    """The third gives less than the two others, but the second's car is empty: with it there is more than alone."""
    group = Group()
    group.cars[2] = 10.0
    group.changes[3] = {"limit_a": 20.0}
    group.run(120)
    assert group.state.mask == 0b101


def test_a_limit_that_wavers_does_not_make_a_unit_come_and_go() -> None:
    group = joined()
    masks = set()
    for turn in range(400):
        group.changes[3] = {"limit_a": 20.0 + 2.5 * (turn // 20 % 2)}
        group.tick()
        masks.add(group.state.mask)
    assert masks == {0b111}, "15.4 kW without it, 14.4 to 16.2 with it"


def test_a_unit_weaker_than_the_others_but_not_than_the_site_s_limit_runs() -> None:
    group = Group()
    group.changes = {1: {"limit_a": 41.0}, 2: {"limit_a": 41.0}, 3: {"limit_a": 25.0}}
    group.run(120)
    assert group.state.mask == 0b011
    group.unit_limit_w = 7_000.0
    group.run(120)
    assert group.state.mask == 0b111
