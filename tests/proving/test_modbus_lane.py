"""The polled devices in virtual time, byte for byte: the same readings as off the house, and nothing else believed."""

from __future__ import annotations

import pytest

from v2h_console.proving import slow_readings
from v2h_console.proving.course import Course, JudgedSite
from v2h_console.proving.modbus_lane import ModbusLane
from v2h_console.proving.wire_faults import GARBAGE
from v2h_console.twin.house import House
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_console.twin.vocabulary import Params
from v2h_console.twin.world import World
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.slow_readings import (
    CarStatus,
    CircuitReading,
    InverterStatus,
    RelayStates,
    SolarStatus,
)

S = 1_000_000_000
BOTH = frozenset(("tcp", "rtu"))
#: What one step of the registers is.
RESOLUTION = {
    "power_w": 1.0,
    "l1_w": 0.5,
    "l2_w": 0.5,
    "l1_v": 0.05,
    "l2_v": 0.05,
    "l1l2_v": 0.05,
    "frequency_hz": 0.0005,
    "temperature_c": 0.05,
    "max_discharge_w": 0.5,
    "soc_pct": 0.05,
    "soh_pct": 0.05,
    "capacity_wh": 5.0,
    "dc_voltage_v": 0.05,
    "dc_current_a": 0.005,
    "dc_power_w": 0.5,
    "voltage_v": 0.05,
    "current_a": 0.005,
}


def _key(reading: Reading) -> tuple[str, int]:
    return type(reading).__name__, reading.circuit if isinstance(reading, CircuitReading) else 0


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (("grid.loss", {}),),
        (("load.on", {"load": "hvac"}), ("pv.power", {"kw": 3.0})),
        (("ev.unplug", {}),),
        (("fault.inject", {"fault": "ev.silent"}),),
    ],
)
def test_bytes_and_house_tell_the_same(lines: tuple[tuple[str, Params], ...]) -> None:
    world = World(House(), 3, boot=False)
    for name, params in lines:
        world.do(name, params)
    world.advance(2 * S)
    lane = ModbusLane(world, BOTH)
    lane.begin()
    # The house stands still while one round of every device is lived through.
    polled = lane.live_until(5 * S)
    kinds = (InverterStatus, CarStatus, SolarStatus, CircuitReading, RelayStates)
    told = {_key(one): one for one in polled if isinstance(one, kinds)}
    true = {_key(one): one for one in slow_readings.poll(world, world.now_ns) if isinstance(one, kinds)}
    assert told.keys() == true.keys()
    for key, reading in true.items():
        for name in reading.__slots__:
            want, got = getattr(reading, name), getattr(told[key], name)
            if name == "at_ns":
                continue
            if name == "frequency_hz" and not want:
                assert not got  # dark: a meter has no word for "none" but 0 Hz, SunSpec has
                continue
            if isinstance(want, float):
                within = RESOLUTION.get(name, 0.0) + 1e-3
                assert got == pytest.approx(want, abs=within), f"{key}: {name}"
            else:
                assert got == want, f"{key}: {name}"


def _course(
    *steps: Step, seconds: float = 30.0, seed: int = 4, fixed: bool = False, boot: bool = False
) -> Course:
    start = Start(enter_service_s=15.0, soc_pct=60.0, ambient_c=20.0, boot=boot)
    return JudgedSite(Scenario("bytes", seconds, start, steps), seed, fixed=fixed).play()


def _told(course: Course, name: str) -> list[float]:
    return [truth.at_ns / S for truth in course.run.truths if truth.truth == name]


@pytest.mark.parametrize("link", sorted(BOTH))
@pytest.mark.parametrize("how", GARBAGE)
def test_rubbish_is_refused_and_never_believed(how: str, link: str) -> None:
    garbage: Params = {"fault": "modbus.garbage", "how": how, "link": link}
    course = _course(Step(2.0, "fault.inject", garbage), seconds=6.0)
    assert _told(course, "modbus.tampered")
    assert _told(course, "modbus.refused")
    assert not _told(course, "modbus.believed")
    assert not course.violations


@pytest.mark.parametrize(
    "steps",
    [
        (
            Step(2.0, "fault.inject", {"fault": "modbus.garbage", "how": "noise", "share_pct": 30.0}),
            Step(4.0, "grid.loss"),
            Step(6.0, "fault.clear", {"fault": "modbus.garbage"}),
        ),
        (
            Step(2.0, "fault.inject", {"fault": "modbus.write_ignored", "how": "register"}),
            Step(2.501, "operator.set_discharge_limit", {"kw": 4.0}),
        ),
        (
            Step(2.0, "fault.inject", {"fault": "modbus.unit_conflict"}),
            Step(3.0, "grid.loss"),
            Step(5.0, "load.on", {"load": "hvac"}),
        ),
    ],
    ids=["rubbish and an outage", "an order that a device does not take", "two devices and a load"],
)
def test_hops_change_nothing_where_bytes_travel(steps: tuple[Step, ...]) -> None:
    hopping, fixed = _course(*steps, seconds=12.0), _course(*steps, seconds=12.0, fixed=True)
    assert hopping.run.steps < fixed.run.steps, "nothing was passed over: the comparison proves nothing"
    assert _told(hopping, "modbus.tampered") or _told(hopping, "modbus.wrote")
    assert hopping.run.truths == fixed.run.truths
    assert hopping.run.events == fixed.run.events


@pytest.mark.parametrize(
    ("steps", "seconds", "seed", "last"),
    [
        (
            (
                Step(4.0, "grid.loss"),
                Step(6.597153186770534, "fault.inject", {"fault": "modbus.timeout", "how": "half"}),
            ),
            9.0,
            4000098,
            "CAR_NOT_READY",
        ),
        (
            (
                Step(
                    2.0,
                    "fault.inject",
                    {"fault": "modbus.garbage", "how": "function", "link": "tcp", "share_pct": 70.0},
                ),
                Step(2.5, "grid.loss"),
            ),
            5.0,
            4000193,
            "CAR_NOT_READY",
        ),
    ],
    ids=["a car that falls silent between two ticks", "a message while a late step is owed"],
)
def test_hops_meet_it_to_the_millisecond(
    steps: tuple[Step, ...], seconds: float, seed: int, last: str
) -> None:
    hopping, fixed = (
        _course(*steps, seconds=seconds, seed=seed, fixed=fixed, boot=True) for fixed in (False, True)
    )
    assert hopping.run.steps < fixed.run.steps, "nothing was passed over: the comparison proves nothing"
    assert fixed.run.events[-1].code == last
    assert hopping.run.events == fixed.run.events
    assert hopping.run.truths == fixed.run.truths


def test_an_ignored_limit_is_alarmed_asked_again_and_given_up() -> None:
    steps = (
        Step(2.0, "fault.inject", {"fault": "modbus.write_ignored", "how": "register"}),
        Step(2.001, "operator.set_discharge_limit", {"kw": 4.0}),
    )
    course = _course(*steps, seconds=150.0)
    alarm = next(one for one in course.run.events if one.code == "DISCHARGE_LIMIT_IGNORED")
    assert alarm.at_ns / S < 2.0 + 0.6 + 0.06
    assert "it says 7.6 kW" in alarm.text
    # Every request writes twice two registers, of which the enable holds already; one request and three more after 2,
    # 10 and 60 s, then no more.
    writes = _told(course, "modbus.tampered")
    assert len(writes) == 4 * 2
    assert 70.0 < max(writes) < 80.0


def test_a_limit_that_shows_and_has_no_effect_is_alarmed() -> None:
    steps = (
        Step(2.0, "fault.inject", {"fault": "modbus.write_ignored", "how": "effect"}),
        Step(2.001, "operator.set_discharge_limit", {"kw": 4.0}),
    )
    course = _course(*steps, seconds=8.0)
    alarm = next(one for one in course.run.events if one.code == "DISCHARGE_LIMIT_IGNORED")
    assert "it would give 7.6 kW" in alarm.text


@pytest.mark.parametrize("other", ["same", "solar"])
def test_a_unit_that_two_answer_for_is_given_up_and_taken_back(other: str) -> None:
    steps = (
        Step(2.0, "fault.inject", {"fault": "modbus.unit_conflict", "other": other}),
        Step(9.0, "operator.set_discharge_limit", {"kw": 4.0}),
        Step(12.0, "fault.clear", {"fault": "modbus.unit_conflict"}),
    )
    course = _course(*steps, seconds=40.0)
    assert 2.0 < _told(course, "modbus.refused")[0] < 7.0
    assert not [at_s for at_s in _told(course, "modbus.believed") if at_s > 7.0]
    assert not [at_s for at_s in _told(course, "modbus.wrote") if 7.0 < at_s < 12.0]
    assert [at_s for at_s in _told(course, "modbus.wrote") if at_s > 12.0], "never taken back"
    assert not course.site.state.limit_ignored
