"""Whatever comes in, in whatever mode: the step never raises and never becomes less safe for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.houses import SETTINGS, House
from tests.core.moments import closing_dead, closing_sync, handback, syncing
from v2h_console.core.observation import CoreOrder, Observation, OrderKind
from v2h_console.core.settings import NS_PER_MS
from v2h_console.core.state import Mode, State
from v2h_console.core.step import Step, step
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.requests import ControlRequest

KINDS: tuple[type, ...] = get_args(Reading)
NUMBERS = (None, math.nan, math.inf, -math.inf, -1.0, 1e12, 0.0)

MOMENTS: dict[str, Callable[[], House]] = {
    "tied": House.tied,
    "islanded": House.islanded,
    "syncing": syncing,
    "closing": closing_sync,
    "dark": lambda: _dark(),
    "boot_open": lambda: _booting(),
    "opening": lambda: _fallen_until(Mode.OPENING),
    "proving": lambda: _fallen_until(Mode.PROVING),
    "forming": lambda: _fallen_until(Mode.FORMING),
    "handback": handback,
    "closing_dead": closing_dead,
    "fault_open": lambda: _welded(),
}


def _dark() -> House:
    house = House.islanded()
    house.plant.soc_pct = 15.0
    house.until(Mode.DARK)
    return house


def _booting() -> House:
    house = House.booting()
    house.plant.closed = True
    house.tick()
    house.must_be(Mode.BOOT_OPEN)
    return house


def _fallen_until(mode: Mode) -> House:
    house = House.tied()
    house.plant.will_not_form = True
    house.plant.grid_falls(house.now_ns)
    house.until(mode, tick_ms=1)
    return house


def _welded() -> House:
    house = House.tied()
    house.plant.welded = True
    house.plant.grid_falls(house.now_ns)
    house.until(Mode.FAULT_OPEN)
    return house


@cache
def moment(name: str) -> tuple[State, tuple[Reading, ...], int]:
    """A state in that mode, everything that its house says next, and when."""
    house = MOMENTS[name]()
    now_ns = house.now_ns + NS_PER_MS
    return house.state, tuple(house.plant.readings(now_ns)), now_ns


def control(result: Step) -> ControlRequest:
    """What is commanded."""
    (request,) = [one for one in result.commands if isinstance(one, ControlRequest)]
    return request


def taken(name: str, readings: tuple[Reading, ...], later_ns: int = 0) -> Step:
    """One step of that moment on these readings."""
    state, _, now_ns = moment(name)
    return step(SETTINGS, state, Observation(1, readings), now_ns + later_ns)


def no_less_safe(spoilt: Step, clean: Step) -> None:
    """It closes nothing and forms nothing that the clean one would not."""
    one, other = control(spoilt), control(clean)
    assert not (one.close_mid and not other.close_mid), "closes on what it must not believe"
    assert not (one.form and not other.form), "forms on what it must not believe"
    assert not (one.gate and not other.gate), "lets the inverter run on what it must not believe"
    assert not (other.open_mid and not one.open_mid), "no longer opens"


def spoiled(reading: Reading, field: str, value: object) -> Reading:
    """The reading with this in one field."""
    return replace(reading, **{field: value})  # type: ignore[arg-type]  # the point of it


def numbers_of(reading: Reading) -> list[str]:
    """The fields that carry a measured number."""
    return [one.name for one in fields(reading) if "float" in str(one.type)]


@pytest.mark.parametrize("name", MOMENTS)
def test_no_number_in_any_field_of_any_reading_makes_a_step_less_safe(name: str) -> None:
    _, readings, _ = moment(name)
    clean = taken(name, readings)
    tried = 0
    for nth, reading in enumerate(readings):
        for field in numbers_of(reading):
            for value in NUMBERS:
                changed = (*readings[:nth], spoiled(reading, field, value), *readings[nth + 1 :])
                result = taken(name, changed)
                tried += 1
                if value is None or not math.isfinite(value):
                    no_less_safe(result, clean)
    assert tried > 150


@pytest.mark.parametrize("name", MOMENTS)
def test_a_bad_or_an_old_reading_of_any_kind_makes_no_step_less_safe(name: str) -> None:
    _, readings, now_ns = moment(name)
    clean = taken(name, readings)
    for nth, reading in enumerate(readings):
        if hasattr(reading, "quality"):
            bad = spoiled(reading, "quality", Quality.BAD)
            no_less_safe(taken(name, (*readings[:nth], bad, *readings[nth + 1 :])), clean)
        for age_ms in (100, 3_000, 3_600_000):
            old = spoiled(reading, "at_ns", now_ns - age_ms * NS_PER_MS)
            no_less_safe(taken(name, (*readings[:nth], old, *readings[nth + 1 :])), clean)


@pytest.mark.parametrize("name", MOMENTS)
def test_silence_ends_in_an_open_mid_and_gates_off(name: str) -> None:
    for later_ms in (120, 1_000, 60_000):
        result = taken(name, (), later_ms * NS_PER_MS)
        request = control(result)
        assert request.open_mid
        assert not request.close_mid
        assert not request.gate
        assert not request.form


ANY_NUMBER = st.one_of(st.sampled_from(NUMBERS), st.floats(-500.0, 500.0))


def anything(kind: type) -> st.SearchStrategy[Any]:
    """A reading of that kind with anything in it that its types allow."""
    parts: dict[str, st.SearchStrategy[Any]] = {}
    for one in fields(kind):
        hint = str(one.type)
        if one.name == "at_ns" or one.name.endswith("_ns"):
            parts[one.name] = st.integers(0, 2_000_000_000_000)
        elif "float" in hint:
            parts[one.name] = ANY_NUMBER
        elif "bool" in hint:
            parts[one.name] = st.booleans()
        elif "int" in hint:
            parts[one.name] = st.integers(0, 0xFFFF)
        elif "str" in hint:
            parts[one.name] = st.sampled_from(("", "Inverter", "[/]", "\x1b[2J"))
        else:
            parts[one.name] = st.from_type(_enum_of(kind, one.name))
    return st.builds(kind, **parts)


def _enum_of(kind: type, name: str) -> type:
    found = get_type_hints(kind)[name]
    assert isinstance(found, type)
    return found


@settings(max_examples=250, deadline=None)
@given(
    name=st.sampled_from(sorted(MOMENTS)),
    readings=st.lists(st.one_of([anything(kind) for kind in KINDS]), max_size=6),
    orders=st.lists(
        st.builds(
            CoreOrder,
            st.sampled_from(list(OrderKind)),
            st.text(max_size=5),
            st.integers(0, 2_000_000_000_000),
            st.text(max_size=8),
            ANY_NUMBER.filter(lambda value: value is not None),
        ),
        max_size=2,
    ),
    later_ns=st.integers(0, 10_000_000_000),
)
def test_no_observation_raises(
    name: str, readings: list[Reading], orders: list[CoreOrder], later_ns: int
) -> None:
    state, _, now_ns = moment(name)
    for nth in range(3):
        result = step(
            SETTINGS,
            state,
            Observation(nth, tuple(readings), tuple(orders)),
            now_ns + later_ns + nth * NS_PER_MS,
        )
        state = result.state
        assert result.wake_at_ns > now_ns + later_ns + nth * NS_PER_MS


@pytest.mark.parametrize("name", MOMENTS)
def test_the_memory_can_be_written_down_and_taken_up_again(name: str) -> None:
    state, readings, now_ns = moment(name)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
    assert again == state
    observation = Observation(1, readings)
    assert step(SETTINGS, again, observation, now_ns) == step(SETTINGS, state, observation, now_ns)
