"""A circuit is shown as what its switch is heard to be, not as what was asked of it."""

from __future__ import annotations

import dataclasses

from tests.core.houses import FRIDGE, House
from v2h_console.core.load_state import hold, with_circuit
from v2h_console.runtime import snapshots
from v2h_console.session.snapshot import LaneView, LoadView


def shown(house: House) -> list[LoadView]:
    """What the screens get."""
    around = snapshots.Surroundings(1, house.now_ns, 0.0, True, "", LaneView(), ())
    return list(snapshots.build(house.settings, house.state, around).loads)


def held_off(house: House) -> None:
    """The fridge is told to be off."""
    loads = house.state.loads
    circuits = with_circuit(
        loads, FRIDGE, hold(loads.circuits[FRIDGE], "its compressor rests", None, house.now_ns)
    )
    house.state = dataclasses.replace(house.state, loads=dataclasses.replace(loads, circuits=circuits))


def test_a_circuit_that_is_told_to_be_off_is_unknown_while_its_switch_is_not_heard() -> None:
    house = House.booting()
    held_off(house)
    assert house.state.senses.load_feedback is None
    fridge, *others = shown(house)
    assert {load.state for load in (fridge, *others)} == {"unknown"}
    assert fridge.reason == "told to be off; its switch is not heard"
    assert fridge.hold_s is None
    assert {load.reason for load in others} <= {"", fridge.reason}
