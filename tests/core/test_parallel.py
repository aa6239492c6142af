"""Several inverters: who joins, who is dropped, who forms after the primary, and who else must not command."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.houses import SETTINGS, START_NS, House
from tests.core.inverters import STANDBY, THREE, TICK_NS, Group, car, dead_bus, joined, unit
from tests.core.moments import opened_and_dark
from v2h_console.core import parallel, sharing, succession
from v2h_console.core.observation import OrderKind
from v2h_console.core.parallel import ParallelState
from v2h_console.core.senses import Senses
from v2h_console.core.settings import CarSettings, ParallelSettings
from v2h_console.core.soc import SocState
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import ForeignCommand, InverterFast, InverterMode
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus


def test_units_join_one_at_a_time_and_never_before_they_are_held_in_phase() -> None:
    group = Group()
    masks = []
    for _ in range(80):
        group.tick()
        masks.append(group.state.mask)
    assert masks[:10] == [0b001] * 10, "200 ms in phase first"
    assert [mask.bit_count() for mask in masks] == sorted(mask.bit_count() for mask in masks)
    assert masks.count(0b011) >= 40, "a second between two"
    assert group.state.units_running == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"phase_deg": 5.3}, {"phase_deg": -5.3}, {"slip_hz": 0.06}, {"voltage_difference_pct": 2.1}, {"phase_deg": None},
        {"slip_hz": None}, {"voltage_difference_pct": None}, {"fault": True}, {"mode": InverterMode.OFF},
        {"quality": Quality.BAD},
    ],
)  # fmt: skip
def test_a_unit_outside_the_window_or_unknown_never_joins(changes: dict[str, object]) -> None:
    group = Group()
    group.changes[2] = changes
    group.run(200)
    assert group.state.mask == 0b101


def test_an_island_that_has_not_settled_joins_nobody() -> None:
    group = Group()
    for _ in range(100):
        group.tick(settled=False)
    assert group.state.mask == 0b001


@pytest.mark.parametrize("angle", [10.5, -40.0, 179.0])
def test_a_unit_out_of_phase_is_dropped_with_its_first_frame(angle: float) -> None:
    group = joined()
    group.angles[2] = angle
    group.tick()
    assert group.state.mask == 0b101
    assert "out of phase" in group.state.units[1].reason


def test_a_silent_unit_is_dropped_after_three_frames_and_the_capacity_falls() -> None:
    group = joined()
    assert sharing.capacity_w(THREE, group.state, 7_600.0) == (22_800.0, 15_200.0)
    group.silent.add(3)
    group.run(3)
    assert group.state.mask == 0b111
    group.run(1)
    assert group.state.mask == 0b011
    assert sharing.capacity_w(THREE, group.state, 7_600.0) == (15_200.0, 7_600.0)


def test_one_garbled_word_of_a_further_car_drops_nobody() -> None:
    group = joined()
    held = group.state.units[1].car
    spoilt = replace(car(group.now_ns, THREE.units[1].name), quality=Quality.BAD)
    after, _ = parallel.sense(THREE, group.state, (spoilt,))
    assert after.units[1].car is held
    group.state = after
    group.tick()
    assert group.state.mask == 0b111


def test_a_unit_that_stands_by_with_its_gate_on_is_not_counted_on() -> None:
    group = joined()
    group.changes[2] = {"mode": STANDBY, "current_a": 0.0}
    group.run(10)
    assert not group.state.mask & 0b010
    assert "does not run" in group.state.units[1].reason


def test_three_drops_keep_a_unit_out_until_a_person_resets_it() -> None:
    group = joined()
    for _ in range(3):
        group.angles[2] = 40.0
        group.tick()
        group.angles[2] = 0.0
        group.run(600)
    assert group.state.mask == 0b101
    assert "until reset with R" in group.state.units[1].reason
    group.state = parallel.reset(group.state)
    group.run(60)
    assert group.state.mask == 0b111


def test_a_bus_that_goes_away_is_no_unit_s_fault() -> None:
    group = joined()
    group.angles = {2: None, 3: None}
    group.tick()
    assert group.state.mask == 0b001
    assert all(one.drops == 0 for one in group.state.units)


def test_a_unit_that_runs_on_while_all_are_told_to_be_off_is_against_its_orders() -> None:
    """On the grid the mask stays as it is, and the gates go off for another reason: an empty car, a lockout."""
    group = joined()
    group.changes[2] = {"gate_on": True}
    group.changes[1] = group.changes[3] = {"gate_on": False, "mode": STANDBY}
    for _ in range(3):
        group.tick(gated=False)
    assert not parallel.gate_against_orders(group.state, group.now_ns), "the time that a gate takes"
    for _ in range(6):
        group.tick(gated=False)
    assert parallel.gate_against_orders(group.state, group.now_ns)
    group.changes[2] = {"gate_on": False, "mode": STANDBY}
    group.tick(gated=False)
    assert not parallel.gate_against_orders(group.state, group.now_ns)


def test_a_follower_that_makes_its_own_frequency_is_a_second_master() -> None:
    group = joined()
    group.changes[3] = {"mode": InverterMode.FORMING}
    group.run(2)
    assert not group.state.second_master, "a stray frame or two is none"
    group.tick()
    assert "inverter 3" in group.state.second_master


def test_the_next_in_rank_forms_only_from_a_bus_dead_for_100_ms_and_never_while_lit() -> None:
    group = joined()
    group.silent.add(1)
    assert succession.next_in_rank(group.state, CarSettings(), group.now_ns) is None
    for _ in range(5):
        group.tick(lit=False, senses=dead_bus(group.now_ns + TICK_NS))
        assert group.state.mask == 0b001
        assert succession.next_in_rank(group.state, CarSettings(), group.now_ns) is None
    group.tick(lit=False, senses=dead_bus(group.now_ns + TICK_NS))
    assert succession.next_in_rank(group.state, CarSettings(), group.now_ns) == 1


def test_a_unit_whose_car_is_empty_is_passed_over() -> None:
    group = joined()
    for _ in range(8):
        group.tick(lit=False, senses=dead_bus(group.now_ns + TICK_NS))
    low = SocState(group.now_ns, 20.5, 20.5, 20.5, 20.5)
    empty = replace(group.state.units[1], car=car(group.now_ns, "Inverter 2", 20.5), soc=low)
    state = replace(group.state, units=(group.state.units[0], empty, group.state.units[2]))
    assert succession.next_in_rank(state, CarSettings(), group.now_ns) == 2
    unknown = replace(empty, car=car(group.now_ns, "Inverter 2", None))
    state = replace(state, units=(state.units[0], unknown, state.units[2]))
    assert succession.next_in_rank(state, CarSettings(), group.now_ns) == 2


def test_the_core_sees_the_primary_as_its_inverter_whichever_it_is() -> None:
    group = joined()
    elected = replace(group.state, primary=1)
    first = InverterFast(1, Quality.GOOD, STANDBY, False, False, False, 120.0, 60.0, 0.0, 32.0)
    told = (first, unit(2, 2), unit(2, 3), car(2, "Inverter"), car(2, "Inverter 2"))
    _, seen = parallel.sense(THREE, elected, told)
    assert [type(one) for one in seen] == [InverterFast, CarStatus]
    assert seen[0].at_ns == 2


@given(
    frames=st.lists(
        st.tuples(
            st.integers(0, 9),
            st.one_of(st.none(), st.floats(-200, 200)),
            st.sampled_from(list(InverterMode)),
            st.sampled_from(list(Quality)),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_the_units_say_the_primary_is_in_the_mask_and_nobody_out_of_phase_is(
    frames: list[tuple[int, float | None, InverterMode, Quality, bool]],
) -> None:
    state, now_ns = parallel.initial(THREE), START_NS
    for number, phase_deg, mode, quality, fault in frames:
        now_ns += TICK_NS
        said = unit(now_ns, number, phase_deg=phase_deg, mode=mode, quality=quality, fault=fault)
        state, _ = parallel.sense(THREE, state, (said,))
        state = sharing.update(
            THREE, CarSettings(), state, Senses(), lit=True, tied=False, settled=True, now_ns=now_ns
        )
        assert state.mask >> state.primary & 1
        for index, one in enumerate(state.units):
            if index != state.primary and state.mask >> index & 1:
                assert one.reading is not None
                assert one.reading.phase_deg is not None
                assert abs(one.reading.phase_deg) <= THREE.drop_phase_deg


def test_one_inverter_costs_nothing_and_changes_nothing() -> None:
    state = ParallelState()
    kept = sharing.update(
        ParallelSettings(),
        CarSettings(),
        state,
        Senses(),
        lit=True,
        tied=False,
        settled=True,
        now_ns=START_NS,
    )
    assert kept is state
    assert House.islanded().control.inverter_mask == 1


@pytest.mark.parametrize("start", [House.islanded, House.tied])
def test_somebody_else_s_commands_put_ours_on_standby_and_lock_until_reset(start: type[House]) -> None:
    house = start(SETTINGS)
    house.run_ms(600, tick_ms=20)
    was = house.mode
    for _ in range(3):
        house.now_ns += TICK_NS
        house.observe((*house.plant.readings(house.now_ns), ForeignCommand(house.now_ns, Quality.GOOD)))
    assert not house.control.gate
    if was is Mode.ISLANDED:
        assert opened_and_dark(house)
    assert "somebody else commands" in house.state.islanding.lk_form
    assert house.state.islanding.lk_close == house.state.islanding.lk_form
    house.run_ms(5_000, tick_ms=20)
    assert not house.control.gate
    house.tick(OrderKind.RESET_LOCKOUT)
    house.run_ms(3_000, tick_ms=20)
    house.must_be(was)
    assert house.control.gate


def test_the_owner_that_hands_over_is_no_second_master() -> None:
    house = House.booting()
    for _ in range(5):
        house.now_ns += TICK_NS
        house.observe((*house.plant.readings(house.now_ns), ForeignCommand(house.now_ns, Quality.GOOD)))
    assert house.state.parallel.second_master == ""


def test_one_stray_command_is_no_master() -> None:
    house = House.islanded()
    house.run_ms(600, tick_ms=20)
    for _ in range(5):
        house.now_ns += TICK_NS
        house.observe((*house.plant.readings(house.now_ns), ForeignCommand(house.now_ns, Quality.GOOD)))
        house.run_ms(1_000, tick_ms=20)
    house.must_be(Mode.ISLANDED)


def test_a_unit_that_the_last_run_had_chosen_may_form_while_the_core_begins() -> None:
    group = Group()
    group.changes[2] = {"mode": InverterMode.FORMING}
    for _ in range(5):
        group.tick(started=True)
    assert not group.state.second_master
    group.tick()
    assert "makes a frequency of its own" in group.state.second_master


def test_one_stray_command_counts_once_however_often_the_state_is_handed_over() -> None:
    house = House.tied()
    house.run_ms(600, tick_ms=20)
    house.now_ns += TICK_NS
    house.observe((*house.plant.readings(house.now_ns), ForeignCommand(house.now_ns, Quality.GOOD)))
    for _ in range(5):
        foreign = house.state.parallel.foreign
        assert foreign is not None
        # Decoded again, the same command is another object.
        handed = replace(house.state.parallel, foreign=ForeignCommand(foreign.at_ns, foreign.quality))
        house.state = replace(house.state, parallel=handed)
        house.run_ms(100, tick_ms=20)
    assert house.state.parallel.foreign_heard == 1
    assert not house.state.parallel.second_master
