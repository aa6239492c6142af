"""A compressor that lost its voltage with the house starts again only once it has rested, however the house went dark."""

from __future__ import annotations

import pytest

from tests.core.houses import CIRCUITS, FRIDGE, HEAT_PUMP, SETTINGS, House
from v2h_console.core import load_holds, load_state
from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_S
from v2h_console.core.state import Mode

RESTS_S = 180.0
COOLED = replace(
    SETTINGS,
    loads=replace(SETTINGS.loads, circuits=(replace(CIRCUITS[FRIDGE], min_off_s=RESTS_S), *CIRCUITS[1:])),
)


def fridge_is_held(house: House) -> bool:
    """Whether its switch is asked to be open."""
    return house.state.loads.circuits[FRIDGE].shed


def test_a_quick_transfer_leaves_it_running() -> None:
    house = House.tied(COOLED)
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.ISLANDED)
    assert not fridge_is_held(house)


@pytest.mark.parametrize("ghost_pu", [0.0, 0.1])
def test_a_house_that_waited_in_the_dark_for_its_car_lets_it_rest(ghost_pu: float) -> None:
    house = House.tied(COOLED)
    house.plant.residual_pu = ghost_pu
    house.plant.dc_side = {"limit_a": 0.0}
    house.run_ms(500)
    house.plant.grid_falls(house.now_ns, ghost_pu)
    # Nothing could light the house, so the grid's own ride-through is served first.
    house.until(Mode.DARK, within_ms=30_000)
    house.run_ms(5_000, tick_ms=20)
    house.plant.dc_side = {}
    house.until(Mode.ISLANDED, within_ms=10_000)
    assert fridge_is_held(house)
    until_ns = house.state.loads.circuits[FRIDGE].until_ns
    assert until_ns is not None
    assert (until_ns - house.now_ns) / NS_PER_S > RESTS_S - 10.0


def test_what_is_never_carried_is_not_let_in_because_it_had_rested_as_the_grid_fell() -> None:
    """A tier 4 compressor that still waited for its rest, from the outage before, kept the end of its wait."""
    circuits = tuple(replace(one, tier=4) if one.id == "heat_pump" else one for one in CIRCUITS)
    never = replace(SETTINGS, loads=replace(SETTINGS.loads, circuits=circuits))
    house = House.tied(never)
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.ISLANDED)
    house.plant.grid_returns()
    house.until(Mode.TIED, within_ms=60_000)
    house.run_ms(2_000, tick_ms=20)
    assert house.state.loads.circuits[HEAT_PUMP].until_ns is not None, "it rests on the grid"
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.ISLANDED)
    house.run_ms(300_000, tick_ms=50)
    assert house.state.loads.circuits[HEAT_PUMP].shed


def test_an_owner_that_starts_does_not_know_how_long_it_was_dark() -> None:
    house = House.islanded(COOLED)
    house.restart()
    house.plant.gate = house.plant.form = False
    house.until(Mode.ISLANDED, within_ms=10_000)
    assert fridge_is_held(house)


def test_a_relit_house_shortens_no_wait_that_was_longer() -> None:
    state = load_state.initial(COOLED)
    held = replace(state.circuits[1], shed=True, until_ns=500 * NS_PER_S, off_since_ns=0)
    state = replace(state, circuits=load_state.with_circuit(state, 1, held))
    lit = load_holds.begin_island(COOLED, state, 10 * NS_PER_S)
    assert lit.circuits[1].until_ns == 500 * NS_PER_S
