"""The car's DC side and the inverter's heat in virtual time against the twin: told by name, judged from the truth."""

from __future__ import annotations

from v2h_console.core.discharge_limit import allowed_power_w
from v2h_console.proving.course import Course, JudgedSite
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000
BUSY = ("fridge", "lights", "furnace_fan", "hvac", "range")


def played(seconds: float, *steps: Step, ambient_c: float = 25.0) -> Course:
    """On the car from the tenth second on, judged; nothing may be broken."""
    start = Start(soc_pct=80.0, ambient_c=ambient_c, loads_on=BUSY)
    course = JudgedSite(Scenario("here", seconds, start, (Step(10.0, "grid.loss"), *steps)), 1).play()
    assert course.violations == []
    return course


def told(course: Course, code: str) -> list[float]:
    """When this was said, in seconds."""
    return [event.at_ns / S for event in course.run.events if event.code == code]


def inject(at_s: float, fault: str, **params: float | str | bool) -> Step:
    """A fault from here on."""
    return Step(at_s, "fault.inject", {"fault": fault, **params})


def test_a_fan_whose_tachometer_lies_is_found_by_the_heat_and_derates() -> None:
    course = played(480.0, inject(20.0, "fan.dead", tachometer_lies=True), ambient_c=38.0)
    assert len(told(course, "FAN_DEAD")) == 1
    assert told(course, "FAN_DEAD")[0] < 420.0
    assert course.site.state.thermal.balance.no_air
    assert not course.site.state.thermal.tachometer_still


def test_a_sensor_that_freezes_at_a_believable_value_is_found_and_taken_as_hot() -> None:
    course = played(380.0, inject(110.0, "inverter_temp.stuck", reads="last"))
    assert 240.0 <= told(course, "INVERTER_TEMPERATURE_UNKNOWN")[0] <= 361.0
    assert course.site.world.inverter.max_discharge_w <= 1_001.0


def test_a_healthy_warm_house_is_told_nothing_of_its_heat() -> None:
    course = played(480.0, ambient_c=42.0)
    assert not {"FAN_DEAD", "EFFICIENCY_LOW", "INVERTER_TEMPERATURE_UNKNOWN"} & {
        event.code for event in course.run.events
    }
    assert course.site.state.thermal.efficiency.percent() is not None


def test_a_car_at_minus_twenty_gives_half_and_is_named_as_what_binds() -> None:
    course = played(200.0, ambient_c=-20.0)
    limit_w, binding = allowed_power_w(course.site.settings, course.site.state)
    assert binding == "car"
    assert 4_000.0 < limit_w < 5_000.0
    assert told(course, "CAR_LIMITS")
    assert not [truth for truth in course.run.truths if truth.truth == "car.stopped"]


def test_a_load_that_cannot_be_shed_is_let_go_before_the_car_opens_its_contactors_on_it() -> None:
    course = played(
        200.0,
        inject(5.0, "load.switch_stuck", load="hvac"),
        inject(60.0, "ev.limit_drops", kw=0.5),
        Step(75.0, "fault.clear", {"fault": "load.switch_stuck"}),
    )
    truths = [(truth.at_ns / S, truth.truth) for truth in course.run.truths]
    assert not [one for one in truths if one[1] == "car.stopped"]
    (dark_s,) = [at_s for at_s, truth in truths if truth == "gate.off" and at_s > 60.0]
    assert 61.0 < dark_s < 62.0, "a start may pass, and the car bears two seconds"
    (said,) = [event.text for event in course.run.events if event.code == "HOUSE_DARK"]
    assert "nothing is left to shed" in said
    lit_s = [at_s for at_s, truth in truths if truth == "house.restored" and at_s > 60.0]
    assert 75.0 < lit_s[0] < 90.0, "the session lives: the house is lit as soon as the load can be held off"


def test_a_precharge_that_fails_is_said_and_the_house_lights_up_once_it_matches() -> None:
    course = played(
        90.0, inject(20.0, "precharge.fails"), Step(45.0, "fault.clear", {"fault": "precharge.fails"})
    )
    (said_s,) = told(course, "PRECHARGE_FAILED")
    assert 29.0 < said_s < 32.5
    forms = [truth.at_ns / S for truth in course.run.truths if truth.truth == "form.on"]
    assert not [at_s for at_s in forms if 20.0 < at_s < 45.0]
    assert course.site.state.islanding.mode.value == "islanded"


def test_welded_contactors_keep_the_house_dark_until_a_person_has_looked() -> None:
    course = played(
        90.0,
        inject(20.0, "ev.contactor_welded"),
        Step(30.0, "operator.reset_lockout"),
        Step(40.0, "fault.clear", {"fault": "ev.contactor_welded"}),
        Step(42.0, "ev.plug"),
        Step(60.0, "operator.reset_lockout"),
    )
    forms = [
        truth.at_ns / S for truth in course.run.truths if truth.truth == "form.on" and truth.at_ns > 20 * S
    ]
    assert [round(at_s) for at_s in forms] == [60]
    assert told(course, "CONTACTOR_WELDED")[0] < 22.0
