"""Motors, ovens and tired switches in an island: who may start, who has to go, who stays off."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.houses import CIRCUITS, FRIDGE, GOOD, HEAT_PUMP, LIGHTS, SETTINGS, House, changed
from v2h_console.core import load_admission, load_holds, load_manager, load_state, load_switches
from v2h_console.core.load_limits import limits, on_leg_va, running_va, start_multiple
from v2h_console.core.load_manager import Source
from v2h_console.core.load_shedding import smallest_set
from v2h_console.core.load_state import CircuitState, LoadState, Start
from v2h_console.core.load_what_if import StartConditions, what_if
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_S, Circuit, Settings
from v2h_console.core.state import Mode
from v2h_drivers.capabilities.fast_readings import LegCurrents, LoadFeedback
from v2h_drivers.capabilities.slow_readings import CircuitReading

LIMIT_W = 7_600.0
NO_LOAD = load_admission.base(None, ())

tables = st.lists(
    st.builds(
        lambda legs, tier, va, multiple, inrush_s: Circuit("c", "c", legs, tier, va, multiple, inrush_s),
        st.sampled_from(("L1", "L2", "L12")),
        st.integers(1, 4),
        st.floats(0.0, 6_000.0),
        st.floats(1.0, 8.0),
        st.floats(0.0, 2.0),
    ),
    min_size=1,
    max_size=8,
).map(lambda some: tuple(replace(one, id=f"c{index}") for index, one in enumerate(some)))


def _senses(now_ns: int, l1_a: float | None, l2_a: float | None, closed: int = 0b1111) -> Senses:
    return Senses(
        currents=LegCurrents(now_ns, GOOD, l1_a, l2_a, 0.0), load_feedback=LoadFeedback(now_ns, GOOD, closed)
    )


def _with(index: int, held: CircuitState) -> LoadState:
    circuits = list(load_state.initial(SETTINGS).circuits)
    circuits[index] = held
    return LoadState(circuits=tuple(circuits))


@given(tables, st.floats(500.0, 10_000.0))
@settings(deadline=None)
def test_whatever_the_order_nothing_is_let_in_beyond_a_limit(
    table: tuple[Circuit, ...], limit_w: float
) -> None:
    bounds = limits(SETTINGS, limit_w)
    on: list[Circuit] = []
    for circuit in table:
        base_va = load_admission.base(None, on)
        if load_admission.refusal(circuit, base_va, on, bounds):
            continue
        for horizon, row in enumerate(bounds.planned_va):
            multiple = start_multiple(circuit, horizon)
            for path, limit_va in enumerate(row):
                added_va = running_va(circuit)[path] * multiple
                assert not added_va or base_va[horizon][path] + added_va <= limit_va
        on.append(circuit)


@given(tables, st.sampled_from((0, 1)), st.floats(1.0, 12_000.0))
@settings(deadline=None)
def test_no_smaller_set_of_the_lowest_tier_would_have_done(
    table: tuple[Circuit, ...], leg: int, excess_va: float
) -> None:
    shed = smallest_set(tuple(enumerate(table)), leg, excess_va)
    drawing = [index for index, circuit in enumerate(table) if on_leg_va(circuit, leg) > 0.0]
    if not drawing:
        assert shed == ()
        return
    lowest = max(table[index].tier for index in drawing)
    rung = [index for index in drawing if table[index].tier == lowest]
    if sum(on_leg_va(table[index], leg) for index in rung) < excess_va:
        assert set(rung) <= set(shed)
        return
    assert set(shed) <= set(rung)
    for fewer in combinations(rung, len(shed) - 1):
        assert sum(on_leg_va(table[index], leg) for index in fewer) < excess_va


def test_equal_circuits_go_by_id() -> None:
    twins = (Circuit("b", "B", "L1", 3, 900.0), Circuit("a", "A", "L1", 3, 900.0))
    assert smallest_set(tuple(enumerate(twins)), 0, 500.0) == (1,)


@pytest.mark.parametrize(
    ("leg_a", "least_ms", "most_ms"),
    [((75.0, 3.0), 50.0, 80.0), ((110.0, 3.0), 0.0, 10.0), ((40.0, 3.0), 1_990.0, 2_020.0)],
    ids=["over the 10 s limit", "over the 100 ms limit", "over the continuous limit only"],
)
def test_each_window_sheds_in_its_time(leg_a: tuple[float, float], least_ms: float, most_ms: float) -> None:
    house = House.islanded()
    house.plant.leg_a = leg_a
    gone_ms = 0.0
    while not house.plant.shed_mask >> FRIDGE & 1:
        house.tick()
        gone_ms += 5.0
        assert gone_ms <= most_ms
    assert gone_ms >= least_ms


def test_a_breaker_weaker_than_the_inverter_bounds_the_10_s_window() -> None:
    weak = replace(SETTINGS, loads=replace(SETTINGS.loads, breaker_a=20.0))
    house = House.islanded(weak)
    house.plant.leg_a = (
        42.0,
        3.0,
    )  # beyond twice the breaker's rating, far within the inverter's 8 kVA a leg
    house.run_ms(70)
    assert house.plant.shed_mask >> FRIDGE & 1


def test_a_current_of_the_neutral_alone_sheds_what_flows_in_it() -> None:
    weak = replace(SETTINGS, loads=replace(SETTINGS.loads, neutral_former_a=10.0))
    house = House.islanded(weak)
    house.plant.leg_a = (14.0, 2.0)
    house.plant.twist[LegCurrents] = lambda reading: changed(reading, n_a=12.0)
    house.run_ms(70)
    assert house.plant.shed_mask >> FRIDGE & 1
    assert "the neutral" in house.state.loads.circuits[FRIDGE].reason
    assert not house.plant.shed_mask >> LIGHTS & 1, "the other leg's lights flow against it"


def test_a_limit_that_falls_below_the_load_sheds_in_the_same_step() -> None:
    now_ns = 100 * NS_PER_S
    state = load_manager.update_island(
        SETTINGS, load_state.initial(SETTINGS), _senses(now_ns, 25.0, 3.0), LIMIT_W, 0, now_ns
    )
    soon_ns = now_ns + 10_000_000
    lowered = load_manager.update_island(SETTINGS, state, _senses(soon_ns, 25.0, 3.0), 3_800.0, 0, soon_ns)
    assert lowered.mask
    soon_ns += 10_000_000
    waits = load_manager.update_island(SETTINGS, lowered, _senses(soon_ns, 25.0, 3.0), 3_800.0, 0, soon_ns)
    assert waits.mask == lowered.mask, "the switch has not moved yet: nothing more goes"


@pytest.mark.parametrize("since", ["the house was lit", "it was let in"])
def test_a_meter_that_last_spoke_before_the_circuit_had_voltage_protects_nothing(since: str) -> None:
    lit_ns = 100 * NS_PER_S
    before = CircuitReading(lit_ns - 200_000_000, GOOD, "m", FRIDGE, 0.0, 0.0, 0.0, 0.0)
    only = Settings(loads=replace(SETTINGS.loads, circuits=(SETTINGS.loads.circuits[FRIDGE],)))
    state = load_state.initial(only)
    if since == "the house was lit":
        state = load_holds.begin_island(only, state, lit_ns)
    else:
        state = replace(state, start=Start(0, lit_ns, (700.0, 0.0)))
    now_ns = lit_ns + 50_000_000
    senses = replace(_senses(now_ns, 110.0, 3.0), circuits=(before,))
    assert load_manager.update_island(only, state, senses, LIMIT_W, 0, now_ns).mask == 1
    resting = replace(senses, circuits=(replace(before, at_ns=now_ns),))
    assert load_manager.update_island(only, state, resting, LIMIT_W, 0, now_ns).mask == 0, "it draws nothing"


def test_third_overload_makes_a_culprit_until_a_person_resets_it() -> None:
    state = _with(FRIDGE, CircuitState())
    others = tuple(replace(held, shed=True, reason="off") for held in state.circuits[1:])
    state = replace(state, circuits=(state.circuits[FRIDGE], *others))
    waits = []
    for turn in range(1, 4):
        now_ns = turn * 10_000 * NS_PER_S
        state = replace(state, circuits=(replace(state.circuits[FRIDGE], shed=False), *state.circuits[1:]))
        for at_ns in (now_ns - 70_000_000, now_ns):
            state = load_manager.update_island(SETTINGS, state, _senses(at_ns, 80.0, 1.0), LIMIT_W, 0, at_ns)
        # It is off, and the rest is within what the inverter carries.
        gone_ns = now_ns + 100_000_000
        state = load_manager.update_island(SETTINGS, state, _senses(gone_ns, 5.0, 1.0), LIMIT_W, 0, gone_ns)
        until_ns = state.circuits[FRIDGE].until_ns
        waits.append(None if until_ns is None else (until_ns - now_ns) // NS_PER_S)
    assert waits == [60, 120, None]
    assert state.circuits[FRIDGE].culprit
    assert "until reset" in state.circuits[FRIDGE].reason
    later_ns = 10**15
    quiet = _senses(later_ns, 0.0, 0.0)
    assert load_manager.update_island(SETTINGS, state, quiet, LIMIT_W, 0, later_ns).circuits[FRIDGE].shed
    tied = load_holds.release_all(SETTINGS, state, later_ns)
    assert not tied.mask, "on the grid it may run"
    assert load_holds.drop_for_forming(SETTINGS, tied, False, later_ns).circuits[FRIDGE].shed
    reset = load_holds.reset_culprits(state, later_ns)
    assert load_manager.update_island(SETTINGS, reset, quiet, LIMIT_W, 0, later_ns).circuits[FRIDGE].shed
    again_ns = later_ns + 61 * NS_PER_S
    quiet = _senses(again_ns, 0.0, 0.0)
    assert not load_manager.update_island(SETTINGS, reset, quiet, LIMIT_W, 0, again_ns).circuits[FRIDGE].shed


def test_without_current_sensors_the_inverter_is_asked_for_half_and_the_heat_pump_waits() -> None:
    house = House.islanded()
    house.plant.silent = frozenset({LegCurrents})
    house.run_ms(500)
    assert house.state.requested_limit_w == SETTINGS.inverter.max_discharge_w / 2.0
    now_ns = 1_000 * NS_PER_S
    state = _with(HEAT_PUMP, CircuitState(shed=True, until_ns=0, off_since_ns=0))
    seeing = _senses(now_ns, 3.0, 3.0, 0b0011)
    assert not load_manager.update_island(SETTINGS, state, seeing, LIMIT_W, 0, now_ns).mask
    blind = _senses(now_ns, None, 3.0, 0b0011)
    assert load_manager.update_island(SETTINGS, state, blind, LIMIT_W / 2.0, 0, now_ns).mask


def test_the_next_waits_for_the_last_to_draw_what_was_expected() -> None:
    circuits = tuple(
        CircuitState(shed=True, until_ns=0, off_since_ns=0) if index in (FRIDGE, LIGHTS) else CircuitState()
        for index in range(4)
    )
    table = (*CIRCUITS[:2], replace(CIRCUITS[2], running_va=0.0), replace(CIRCUITS[3], running_va=0.0))
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=table))
    now_ns = 100 * NS_PER_S
    state = load_manager.update_island(
        site, LoadState(circuits=circuits), _senses(now_ns, 0.0, 0.0), LIMIT_W, 0, now_ns
    )
    assert not state.circuits[FRIDGE].shed
    assert state.circuits[LIGHTS].shed
    soon_ns = now_ns + 2 * NS_PER_S
    unsettled = load_manager.update_island(site, state, _senses(soon_ns, 0.0, 0.0), LIMIT_W, 0, soon_ns)
    assert unsettled.circuits[LIGHTS].shed
    settled = load_manager.update_island(
        site, state, _senses(soon_ns, 200.0 / 120.0, 0.0), LIMIT_W, 0, soon_ns
    )
    assert not settled.circuits[LIGHTS].shed
    late_ns = now_ns + 5 * NS_PER_S
    late = load_manager.update_island(site, state, _senses(late_ns, 0.0, 0.0), LIMIT_W, 0, late_ns)
    assert not late.circuits[LIGHTS].shed


@given(st.lists(st.floats(0.0, 60.0), min_size=1, max_size=6))
def test_what_is_learned_never_falls(amps: list[float]) -> None:
    state, known_va = load_state.initial(SETTINGS), 0.0
    for turn, drawn_a in enumerate(amps, start=1):
        now_ns = turn * 20 * NS_PER_S
        state = replace(state, start=Start(FRIDGE, now_ns - 6 * NS_PER_S, (0.0, 0.0)))
        meter = CircuitReading(now_ns, GOOD, "m", FRIDGE, 120.0, drawn_a, 120.0 * drawn_a, 60.0)
        senses = replace(_senses(now_ns, max(1.0, drawn_a), 1.0), circuits=(meter,))
        state = load_manager.update_island(SETTINGS, state, senses, LIMIT_W, 0, now_ns)
        now_known_va = load_state.known(CIRCUITS[FRIDGE], state.circuits[FRIDGE]).running_va
        assert now_known_va >= max(known_va, CIRCUITS[FRIDGE].running_va)
        known_va = now_known_va
    # Beyond the continuous limit it is shed before anything is learned of it.
    if any(1.2 * CIRCUITS[FRIDGE].running_va < 120.0 * drawn_a < 0.45 * LIMIT_W for drawn_a in amps):
        assert known_va > CIRCUITS[FRIDGE].running_va


def test_a_meter_that_says_more_than_its_leg_carries_teaches_nothing() -> None:
    now_ns = 20 * NS_PER_S
    state = replace(load_state.initial(SETTINGS), start=Start(FRIDGE, now_ns - 6 * NS_PER_S, (0.0, 0.0)))
    meter = CircuitReading(now_ns, GOOD, "m", FRIDGE, 120.0, 90.0, 10_800.0, 60.0)
    senses = replace(_senses(now_ns, 6.0, 1.0), circuits=(meter,))
    state = load_manager.update_island(SETTINGS, state, senses, LIMIT_W, 0, now_ns)
    assert state.circuits[FRIDGE].learned_va == 0.0


def test_a_meter_that_counts_backwards_protects_nothing() -> None:
    only = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(CIRCUITS[FRIDGE],)))
    now_ns = 100 * NS_PER_S
    meter = CircuitReading(now_ns, GOOD, "m", 0, 120.0, 10.0, -1_200.0, 60.0)
    senses = replace(_senses(now_ns, 110.0, 3.0), circuits=(meter,))
    assert load_manager.update_island(only, load_state.initial(only), senses, LIMIT_W, 0, now_ns).mask == 1


def test_a_limit_that_falls_again_and_again_makes_nobody_a_culprit() -> None:
    state = load_state.initial(SETTINGS)
    for turn in range(1, 5):
        now_ns = turn * 10_000 * NS_PER_S
        state = load_manager.update_island(SETTINGS, state, _senses(now_ns, 5.0, 3.0), LIMIT_W, 0, now_ns)
        soon_ns = now_ns + NS_PER_S
        state = load_manager.update_island(SETTINGS, state, _senses(soon_ns, 5.0, 3.0), 300.0, 0, soon_ns)
        assert state.mask, "the limit holds"
        assert not any(held.trips for held in state.circuits)
        state = replace(state, circuits=tuple(replace(held, shed=False) for held in state.circuits))


def test_what_the_inverter_cannot_start_with_the_house_is_shed_before_it_forms() -> None:
    table = (Circuit("saw", "Saw", "L1", 1, 2_000.0, 8.0, 0.5), Circuit("lights", "Lights", "L1", 1, 300.0))
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=table))
    state = load_holds.drop_for_forming(site, load_state.initial(site), False, 0)
    assert state.mask == 0b01
    assert "cannot start it" in state.circuits[0].reason


def test_a_weak_neutral_former_refuses_what_both_legs_would_carry() -> None:
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, neutral_former_a=10.0))
    heater = Circuit("heater", "Heater", "L1", 2, 1_500.0)
    refused = load_admission.refusal(heater, NO_LOAD, (), limits(site, LIMIT_W))
    assert "the neutral" in refused
    across = replace(heater, legs="L12")
    assert not load_admission.refusal(across, NO_LOAD, (), limits(site, LIMIT_W))


def test_a_charging_station_stays_under_its_ceiling_or_goes() -> None:
    station = Circuit("evse", "EVSE", "L12", 3, 1_400.0, island_ceiling_va=1_440.0)
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(station,)))
    bounds = limits(site, LIMIT_W)
    assert not load_admission.refusal(station, NO_LOAD, (), bounds)
    assert "1440 VA" in load_admission.refusal(replace(station, running_va=7_200.0), NO_LOAD, (), bounds)
    state = load_state.initial(site)
    for second, drawn_a, on in ((1, 6.0, True), (2, 16.0, True), (3, 16.0, False)):
        now_ns = second * NS_PER_S
        meter = CircuitReading(now_ns, GOOD, "m", 0, 240.0, drawn_a, 240.0 * drawn_a, 60.0)
        senses = replace(_senses(now_ns, drawn_a, drawn_a), circuits=(meter,))
        was = state
        state = load_manager.update_island(site, state, senses, LIMIT_W, 0, now_ns)
        if second == 2:
            assert not was.mask
            assert "ceiling" in state.circuits[0].reason
        assert bool(state.mask) is not on or second == 2


def test_a_quiet_island_costs_no_new_state() -> None:
    state = load_state.initial(SETTINGS)
    quiet = _senses(NS_PER_S, 3.0, 3.0)
    state = load_manager.update_island(SETTINGS, state, quiet, LIMIT_W, 0, NS_PER_S)
    assert load_manager.update_island(SETTINGS, state, quiet, LIMIT_W, 0, NS_PER_S + 5) is state


def _ask(site: Settings = SETTINGS) -> StartConditions:
    return StartConditions(frozenset(one.id for one in site.loads.circuits), 81.0, 60_000.0, LIMIT_W)


def test_what_if_tells_of_the_held_heat_pump_and_the_hours_of_each_tier() -> None:
    table = (*CIRCUITS[:2], replace(CIRCUITS[2], min_off_s=0.0), CIRCUITS[3])
    told = what_if(SETTINGS, table, _ask())
    assert [(one.circuit, one.kind, one.at_s) for one in told.moments] == [
        ("heat_pump", "held", 0.0),
        ("dryer", "held", 0.0),
        ("heat_pump", "starts", 60.0),
    ]
    assert [round(hours or 0.0, 1) for hours in told.runtime_h] == [180.0, 72.0, 10.3]
    for peak in told.peaks:
        assert all(va <= limit_va for va, limit_va in zip(peak.va, peak.limit_va, strict=True))
    assert told == what_if(SETTINGS, table, _ask())


def test_what_if_says_why_a_heat_pump_too_large_never_starts() -> None:
    table = (*CIRCUITS[:2], replace(CIRCUITS[2], running_va=7_500.0, min_off_s=0.0), CIRCUITS[3])
    told = what_if(SETTINGS, table, _ask())
    refused = [one for one in told.moments if one.kind == "refused"]
    assert [one.circuit for one in refused] == ["heat_pump"]
    assert "allowed" in refused[0].reason


def test_what_if_counts_the_inverters_that_join_and_says_what_goes_with_the_largest() -> None:
    table = (*CIRCUITS[:2], replace(CIRCUITS[2], running_va=7_500.0, min_off_s=0.0), CIRCUITS[3])
    two = Source(units=2, spare_w=LIMIT_W)
    told = what_if(SETTINGS, table, replace(_ask(), joined=two, joined_w=2 * LIMIT_W))
    assert [one.kind for one in told.moments if one.circuit == "heat_pump"] == ["held", "starts"]
    assert "heat_pump" in told.spare
    assert not what_if(SETTINGS, table, _ask()).spare


def test_what_goes_with_the_largest_inverter_is_known_ahead_and_sent_in_the_step_of_its_loss() -> None:
    two, one = Source(units=2, spare_w=LIMIT_W), Source()
    state, now_ns = load_state.initial(SETTINGS), 100 * NS_PER_S
    for _ in range(3):
        now_ns += NS_PER_S
        heavy = _senses(now_ns, 45.0, 40.0)
        state = load_manager.update_island(SETTINGS, state, heavy, 2 * LIMIT_W, 0, now_ns, source=two)
    assert not state.mask
    assert state.spare_mask
    now_ns += 5_000_000
    lost = load_manager.update_island(SETTINGS, state, heavy, LIMIT_W, 0, now_ns, source=one)
    assert lost.mask == state.spare_mask
    assert all(held.trips == 0 for held in lost.circuits), "it was no circuit's fault"
    assert all("inverter was lost" in held.reason for held in lost.circuits if held.shed)


def test_what_the_car_cannot_start_now_waits_though_the_inverter_could() -> None:
    """The setting allows all of it; a cold car allows 900 W in all when the house is to be lit."""
    light, fan = Circuit("light", "Light", "L1", 1, 300.0), Circuit("fan", "Fan", "L2", 2, 1_200.0)
    site = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=(light, fan)))
    dark = load_holds.drop_for_forming(site, load_state.initial(site), False, 0)
    assert dark.mask == 0
    known = load_switches.look(site, dark, Senses(), start_w=900.0, now_ns=NS_PER_S)
    assert known.mask == 0b10
    assert load_holds.drop_for_forming(site, known, False, 2 * NS_PER_S).mask == 0b10
    assert load_switches.look(site, known, Senses(), start_w=900.0, now_ns=2 * NS_PER_S) is known


def test_a_compressor_rests_on_the_grid_too() -> None:
    house = House.tied()
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.ISLANDED)
    table = house.settings.loads.circuits
    resting = [index for index, circuit in enumerate(table) if circuit.min_off_s > 0.0]
    assert resting
    off_ns = {index: house.state.loads.circuits[index].off_since_ns for index in resting}
    house.plant.grid_returns()
    house.until(Mode.TIED)
    assert house.state.loads.mask == sum(1 << index for index in resting), "nothing else is held off"
    house.run_ms(200_000, tick_ms=100)
    house.must_be(Mode.TIED)
    assert not house.state.loads.mask
    returned = [event for event in house.events if event.code == "LOAD_RETURNED"]
    assert len(returned) == len(resting)
    for event, index in zip(returned, resting, strict=True):
        since_ns = off_ns[index]
        assert since_ns is not None
        rest_s = (event.at_ns - since_ns) / NS_PER_S
        assert rest_s == pytest.approx(table[index].min_off_s, abs=0.2)
