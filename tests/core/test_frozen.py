"""The core's own ``replace`` gives what the standard library's does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from v2h_console.core import state as state_module
from v2h_console.core.frozen import replace
from v2h_console.core.state import IslandingState, Mode, State
from v2h_drivers.capabilities.fast_readings import GridFast
from v2h_drivers.capabilities.quality import Quality


def _values(value: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(value):
        yield value
        for field in dataclasses.fields(value):
            yield from _values(getattr(value, field.name))


@pytest.mark.parametrize("value", list(_values(State())), ids=lambda value: type(value).__name__)
def test_every_value_of_the_state_is_replaced_field_by_field(value: Any) -> None:
    for field in dataclasses.fields(value):
        change = {field.name: object()}
        ours, theirs = replace(value, **change), dataclasses.replace(value, **change)
        assert type(ours) is type(theirs)
        assert ours == theirs
        assert value != ours


def test_a_reading_of_the_drivers_too() -> None:
    fast = GridFast(1, Quality.GOOD, 1.0, 1.0, 0.0, 0.0)
    assert replace(fast, at_ns=2, l1_pu=None) == dataclasses.replace(fast, at_ns=2, l1_pu=None)


def test_nothing_new_is_the_value_itself() -> None:
    machine = IslandingState(mode=Mode.TIED)
    assert replace(machine, mode=Mode.TIED, lk_form=machine.lk_form) is machine
    assert replace(machine, mode=Mode.DARK) is not machine


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="no field colour"):
        replace(IslandingState(), colour="red")  # type: ignore[call-arg]  # what is tested


def test_a_value_that_checks_itself_is_not_replaced_behind_its_back() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        number: int = 0

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError(self.number)

    with pytest.raises(TypeError, match="not a plain frozen value"):
        replace(Checked(), number=-1)


def test_the_state_has_nothing_mutable_to_share() -> None:
    assert dataclasses.fields(state_module.State)
    with pytest.raises(dataclasses.FrozenInstanceError):
        State().started_ns = 1  # type: ignore[misc]  # what is tested
