"""What people ask of the core: once each, while young, and no further than the rules go (I16)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.houses import HEAT_PUMP, House
from v2h_console.core import load_state
from v2h_console.core.load_state import CircuitState
from v2h_console.core.observation import CoreOrder, OrderKind
from v2h_console.core.orders import LONGEST_LIFE_NS, MOST_REMEMBERED
from v2h_console.core.settings import NS_PER_S
from v2h_console.core.state import Mode
from v2h_console.core.storage import LATCH
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import RelayRequest
from v2h_drivers.capabilities.slow_readings import CircuitReading, RelayStates, StorageState


def ask(house: House, *orders: CoreOrder) -> None:
    """Give these orders with the next readings."""
    house.now_ns += 5_000_000
    house.observe(house.plant.readings(house.now_ns), orders)


def order(
    house: House, kind: OrderKind, nonce: str = "1", life_ns: int = NS_PER_S, **more: float
) -> CoreOrder:
    return CoreOrder(kind, nonce, house.now_ns + life_ns, "", more.get("value_w", 0.0))


def test_an_order_that_is_played_again_counts_once() -> None:
    house = House.tied()
    given = order(house, OrderKind.SET_DISCHARGE_LIMIT, value_w=3_000.0)
    ask(house, given)
    ask(house, order(house, OrderKind.SET_DISCHARGE_LIMIT, "2", value_w=5_000.0))
    ask(house, given)
    assert house.state.operator_limit_w == 5_000.0
    assert house.codes().count("ORDER_EXPIRED") == 1


def test_an_order_that_would_count_for_ever_is_dropped() -> None:
    house = House.tied()
    ask(house, order(house, OrderKind.OPEN_MID, life_ns=LONGEST_LIFE_NS + NS_PER_S))
    house.must_be(Mode.TIED)
    assert "ORDER_EXPIRED" in house.codes()


def test_a_flood_of_orders_is_cut_off_and_opening_still_heard() -> None:
    house = House.tied()
    flood = [
        order(house, OrderKind.SET_DISCHARGE_LIMIT, str(n), value_w=n) for n in range(2 * MOST_REMEMBERED)
    ]
    ask(house, *flood)
    assert house.state.operator_limit_w == MOST_REMEMBERED - 1
    ask(house, order(house, OrderKind.OPEN_MID, "open"))
    assert house.mode is Mode.OPENING
    assert len(house.state.nonces) == MOST_REMEMBERED


def test_an_opening_in_a_flood_lets_no_older_order_count_twice() -> None:
    house = House.tied()
    close = order(house, OrderKind.CLOSE_MID, "close", 9 * NS_PER_S)
    ask(house, close)
    ask(house, *(order(house, OrderKind.ACKNOWLEDGE, str(n)) for n in range(MOST_REMEMBERED - 1)))
    ask(house, order(house, OrderKind.OPEN_MID, "open", 9 * NS_PER_S))
    house.run_ms(3_000)
    ask(house, close)
    assert house.state.islanding.operator_hold


def test_nonces_are_forgotten_with_their_orders() -> None:
    house = House.tied()
    ask(house, order(house, OrderKind.ACKNOWLEDGE, "1"))
    house.run_ms(1_100)
    ask(house, order(house, OrderKind.ACKNOWLEDGE, "2"))
    assert [nonce for nonce, _ in house.state.nonces] == ["2"]


@given(st.one_of(st.just(math.nan), st.just(math.inf), st.floats(max_value=-1e-9)))
def test_a_limit_that_is_no_power_changes_nothing(value_w: float) -> None:
    house = House.tied()
    before = house.state.operator_limit_w
    ask(house, order(house, OrderKind.SET_DISCHARGE_LIMIT, value_w=value_w))
    assert house.state.operator_limit_w == before
    assert house.codes() == ["DISCHARGE_LIMIT_REFUSED"]


# ------------------------------------------------------------------------------------------- leaving by choice


def test_the_house_leaves_the_grid_by_choice_and_comes_back_when_told() -> None:
    house = House.tied()
    house.tick(OrderKind.ISLAND)
    house.must_be(Mode.OPENING)
    house.until(Mode.ISLANDED)
    house.run_ms(100)
    transfer = house.state.last_transfer
    assert transfer is not None
    assert transfer.transfer_class == "intentional"
    house.run_ms(3_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    house.tick(OrderKind.CLOSE_MID)
    house.until(Mode.TIED)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("empty car", "car"),
        ("locked out", "could not come back"),
        ("inverter fault", "fault"),
        ("islanded already", "not on the grid"),
    ],
)
def test_leaving_by_choice_is_refused_in_words_where_the_house_would_go_dark(why: str, words: str) -> None:
    house = House.islanded() if why == "islanded already" else House.tied()
    mode = house.mode
    match why:
        case "empty car":
            house.plant.soc_pct = 21.5
            house.run_ms(2_000)
        case "locked out":
            house.state = replace(
                house.state, islanding=replace(house.state.islanding, lk_close="the MID is slow")
            )
        case "inverter fault":
            house.plant.inverter_fault = True
            house.run_ms(50)
    house.tick(OrderKind.ISLAND)
    house.must_be(mode)
    assert not house.state.islanding.operator_hold
    said = [event.text for event in house.events if event.code == "ISLANDING_REFUSED"]
    assert len(said) == 1
    assert words in said[0]


def test_after_a_flood_orders_count_again_once_it_is_old() -> None:
    house = House.tied()
    ask(house, *(order(house, OrderKind.ACKNOWLEDGE, str(n)) for n in range(2 * MOST_REMEMBERED)))
    house.run_ms(1_100)
    ask(house, order(house, OrderKind.SET_DISCHARGE_LIMIT, "later", value_w=3_000.0))
    assert house.state.operator_limit_w == 3_000.0


def test_no_order_takes_a_healthy_grid_away_for_darkness_or_for_good() -> None:
    for what in ("no power allowed", "the latch fails", "a drift"):
        house = House.tied()
        match what:
            case "no power allowed":
                ask(house, order(house, OrderKind.SET_DISCHARGE_LIMIT, "limit", value_w=0.0))
            case "the latch fails":
                house.now_ns += 5_000_000
                fails = StorageState(house.now_ns, Quality.GOOD, LATCH, "no space left on device")
                house.observe((*house.plant.readings(house.now_ns), fails))
            case _:
                doubted = replace(house.state.plausibility, drift="a sensor drifts")
                house.state = replace(house.state, plausibility=doubted)
        ask(house, order(house, OrderKind.ISLAND, "island"))
        assert house.mode is Mode.TIED, what
        assert "ISLANDING_REFUSED" in house.codes(), what


@pytest.mark.parametrize(("leg_a", "starts"), [(28.0, False), (2.0, True)])
def test_what_a_person_switches_on_while_islanded_starts_when_there_is_room(
    leg_a: float, starts: bool
) -> None:
    house = House.islanded()
    house.plant.leg_a = (leg_a, leg_a)
    house.run_ms(500)
    loads = house.state.loads
    # It stood off by its relay alone as the grid fell.
    free = load_state.with_circuit(loads, HEAT_PUMP, CircuitState())
    house.state = replace(house.state, loads=replace(loads, circuits=free, next_admission_ns=0))
    switch_on = CoreOrder(OrderKind.LOAD_ON, "on", house.now_ns + NS_PER_S, "heat_pump")
    ask(house, switch_on)
    assert house.last is not None
    assert RelayRequest(HEAT_PUMP, True) in house.last.commands
    assert house.state.loads.mask >> HEAT_PUMP & 1
    house.run_ms(200_000, tick_ms=50)
    assert bool(house.state.loads.mask >> HEAT_PUMP & 1) is not starts
    # On already: the order asks for nothing new.
    on = RelayStates(house.now_ns, Quality.GOOD, "Load centre", 0b1111)
    house.state = replace(house.state, senses=replace(house.state.senses, relays=on))
    mask = house.state.loads.mask
    ask(house, replace(switch_on, nonce="again", expires_at_ns=house.now_ns + NS_PER_S))
    assert house.state.loads.mask == mask


def _running(house: House, *, board: bool, meter_w: float | None) -> CoreOrder:
    """The heat pump runs and nothing holds it; what its relay and its meter say; the order that switches it on."""
    house.run_ms(500)
    loads, senses = house.state.loads, house.state.senses
    free = load_state.with_circuit(loads, HEAT_PUMP, CircuitState())
    if board:
        senses = replace(senses, relays=RelayStates(house.now_ns, Quality.GOOD, "Load centre", 0b1111))
    if meter_w is not None:
        meter = CircuitReading(
            house.now_ns, Quality.GOOD, "Load centre", HEAT_PUMP, 240.0, 12.0, meter_w, 60.0
        )
        senses = replace(senses, circuits=(*[None] * HEAT_PUMP, meter))
    house.state = replace(house.state, senses=senses, loads=replace(loads, circuits=free))
    return CoreOrder(OrderKind.LOAD_ON, "on", house.now_ns + NS_PER_S, "heat_pump")


@pytest.mark.parametrize("meter_w", [2_900.0, None])
def test_switching_on_what_runs_stops_nothing_be_its_board_silent(meter_w: float | None) -> None:
    house = House.islanded()
    ask(house, _running(house, board=meter_w is None, meter_w=meter_w))
    assert not house.state.loads.circuits[HEAT_PUMP].shed


def test_what_is_switched_on_while_the_mid_is_on_its_way_waits_for_the_street() -> None:
    """The contact may not come, and until it does the car would have to start it."""
    house = House.islanded()
    on = _running(house, board=False, meter_w=0.0)
    house.plant.grid_returns()
    house.until(Mode.CLOSING_SYNC, within_ms=60_000)
    ask(house, replace(on, expires_at_ns=house.now_ns + NS_PER_S))
    assert house.mode is Mode.CLOSING_SYNC
    assert house.state.loads.circuits[HEAT_PUMP].shed
    house.until(Mode.TIED, within_ms=60_000)
    house.run_ms(240_000, tick_ms=50)
    assert not house.state.loads.circuits[HEAT_PUMP].shed


def test_off_and_on_within_a_poll_passes_no_admission() -> None:
    house = House.islanded()
    on = _running(house, board=True, meter_w=2_900.0)
    ask(house, replace(on, kind=OrderKind.LOAD_OFF, nonce="off"))
    ask(house, on)
    assert house.state.loads.circuits[HEAT_PUMP].shed
