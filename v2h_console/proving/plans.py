"""What a campaign's run is made of: drawn from its seed alone, so that the seed is the whole story."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from v2h_console.proving.can_faults import BY_CHANCE, ONE_ID
from v2h_console.proving.torn_latch import TORN
from v2h_console.proving.wire_faults import GARBAGE, IGNORED, TIMEOUT
from v2h_console.twin.scenario import Scenario, Start, Step
from v2h_console.twin.vocabulary import Params

DELAYS_S = (15.0, 60.0, 300.0)
#: The serial line takes seven times as long to live through: it is drawn less often.
LINKS = ("tcp", "tcp", "tcp", "rtu")
STANDING_STILL = ("repeats", "values", "counter", "heartbeat")
LOADS = ("fridge", "furnace_fan", "hvac", "range", "evse", "lights", "garage_door", "well_pump")

Draw = random.Random
Lines = list[Step]


@dataclass(frozen=True, slots=True)
class Mishap:
    """One fault class in a run: its lines, and when its reaction is to be looked for."""

    name: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Ambush:
    """Lines of one fault that wait for the core to enter ``mode`` (not before ``not_before_s``); their times count
    from ``delay_s`` after that."""

    fault: str
    mode: str
    not_before_s: float
    delay_s: float
    lines: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: the scenario with the faults' lines in it, and the faults that wait for a moment of their own."""

    seed: int
    scenario: Scenario
    mishaps: tuple[Mishap, ...]
    ambushes: tuple[Ambush, ...] = ()


@dataclass(frozen=True, slots=True)
class Times:
    """The run's backbone: on the grid until ``loss_s``, on the car until ``return_s``, then back."""

    loss_s: float
    return_s: float
    end_s: float
    delay_s: float


#: So many runs are in the high tariff, or come into it.
TARIFF_SHARE = 0.1
#: So many houses have further inverters, each with a car of its own, whatever comes to them; but not what is told by the
#: bytes of the one device, or asks for the tariff, which a house of several does not follow.
MORE_CARS_SHARE = 0.08
SINGLE = ("modbus.", "clock.")
#: In so many runs the street's own breaker tries again, once, while the house changes over.
RECLOSER_SHARE = 0.2
#: So many faults wait for one of these moments: (mode, most seconds after it was entered).
AMBUSH_SHARE = 0.4
AMBUSH_MODES = (
    ("boot_open", 0.02),
    ("tied", 5.0),
    ("opening", 0.03),
    ("proving", 0.012),
    ("dark", 0.002),
    ("forming", 0.02),
    ("islanded", 2.0),
    ("syncing", 3.0),
    ("closing_sync", 0.04),
    ("handback", 0.03),
    ("closing_dead", 0.04),
    ("fault_open", 0.5),
)

#: A fault's onset and its lines, drawn within the backbone.
Maker = Callable[[Draw, Times], tuple[float, Lines]]


def _inject(fault: str, at_s: float, for_s: float | None, params: Params | None = None) -> Lines:
    extra = params or {}
    lines = [Step(at_s, "fault.inject", {"fault": fault, **extra})]
    if for_s is not None:
        lines.append(Step(at_s + for_s, "fault.clear", {"fault": fault}))
    return lines


def _tied(fault: str, *, stays: bool = False, params: Callable[[Draw], Params] | None = None) -> Maker:
    """On the grid, before the loss."""

    def make(draw: Draw, times: Times) -> tuple[float, Lines]:
        at_s = draw.uniform(1.5, times.loss_s - 2.0)
        for_s = None if stays or draw.random() < 0.5 else draw.uniform(5.0, 120.0)
        return at_s, _inject(fault, at_s, for_s, params(draw) if params else None)

    return make


def _island(fault: str, *, stays: bool = False, params: Callable[[Draw], Params] | None = None) -> Maker:
    """On the car, once the island stands."""

    def make(draw: Draw, times: Times) -> tuple[float, Lines]:
        at_s = draw.uniform(times.loss_s + 3.0, times.return_s)
        for_s = None if stays or draw.random() < 0.5 else draw.uniform(5.0, 120.0)
        return at_s, _inject(fault, at_s, for_s, params(draw) if params else None)

    return make


def _either(fault: str, params: Callable[[Draw], Params] | None = None) -> Maker:
    first, second = _tied(fault, params=params), _island(fault, params=params)
    return lambda draw, times: (first if draw.random() < 0.5 else second)(draw, times)


def _line(phase: str, do: str, params: Callable[[Draw], Params]) -> Maker:
    """A line of the house itself instead of an injected fault."""

    def make(draw: Draw, times: Times) -> tuple[float, Lines]:
        if phase == "tied":
            at_s = draw.uniform(1.5, times.loss_s - 2.0)
        else:
            at_s = draw.uniform(times.loss_s + 3.0, times.return_s)
        return at_s, [Step(at_s, do, params(draw))]

    return make


def _leg_lost(draw: Draw, times: Times) -> tuple[float, Lines]:
    at_s = draw.uniform(1.5, times.loss_s - 2.0)
    return at_s, [Step(at_s, "grid.loss", {"leg": float(draw.choice((1, 2)))})]


def _brownout(draw: Draw, times: Times) -> tuple[float, Lines]:
    at_s = draw.uniform(1.5, times.loss_s - 2.0)
    return at_s, [Step(at_s, "grid.sag", {"pu": draw.uniform(0.55, 0.86), "for_s": draw.uniform(1.0, 60.0)})]


def _burst(draw: Draw, times: Times) -> tuple[float, Lines]:
    """Interference on the sense leads for a moment."""
    at_s = draw.uniform(1.5, times.loss_s - 2.0)
    return at_s, _inject("grid_sense.noise", at_s, draw.uniform(0.05, 1.5))


def _sag_edge(draw: Draw, times: Times) -> tuple[float, Lines]:
    """A sag that the site rides through, its own drop in the service cable included; its edges carry no frequency."""
    at_s = draw.uniform(1.5, times.loss_s - 2.0)
    return at_s, [Step(at_s, "grid.sag", {"pu": draw.uniform(0.905, 0.925), "for_s": draw.uniform(0.1, 1.0)})]


def _balanced(draw: Draw, times: Times) -> tuple[float, Lines]:
    at_s = draw.uniform(1.5, times.loss_s - 4.0)
    return at_s, [
        Step(at_s, "fault.inject", {"fault": "grid.balanced_island", "for_s": draw.uniform(0.2, 1.8)})
    ]


def _backfeed(draw: Draw, times: Times) -> tuple[float, Lines]:
    at_s = draw.uniform(1.5, times.loss_s - 2.0)
    return at_s, [Step(at_s, "grid.loss", {"backfeed": True})]


def _flaps(draw: Draw, times: Times) -> tuple[float, Lines]:
    """The grid leaves its window for a moment, again and again, while its delay runs."""
    lines: Lines = []
    at_s = times.return_s + draw.uniform(0.2, 0.9) * times.delay_s
    for _ in range(draw.randint(1, 4)):
        lines.append(
            Step(at_s, "grid.sag", {"pu": draw.uniform(0.3, 0.88), "for_s": draw.uniform(0.05, 0.2)})
        )
        at_s += draw.uniform(0.3, 1.02) * times.delay_s
    return lines[0].s, [line for line in lines if line.s < times.end_s - 1.0]


def _overvoltage(draw: Draw, times: Times) -> tuple[float, Lines]:
    at_s = times.return_s + draw.uniform(0.5, 1.1 * times.delay_s)
    return at_s, [Step(at_s, "grid.sag", {"pu": draw.uniform(1.06, 1.09), "for_s": draw.uniform(5.0, 100.0)})]


def _out_of_phase(draw: Draw, times: Times) -> tuple[float, Lines]:
    at_s = times.return_s + times.delay_s + draw.uniform(0.0, 8.0)
    return at_s, [
        Step(at_s + nth * draw.uniform(0.2, 2.0), "grid.phase_jump", {"deg": draw.uniform(-180.0, 180.0)})
        for nth in range(draw.randint(1, 3))
    ]


def _motor(draw: Draw) -> Params:
    return {"load": draw.choice(("fridge", "furnace_fan"))}


def _heavy(draw: Draw) -> Params:
    return {"load": draw.choice(("hvac", "well_pump", "range"))}


def _nothing(_draw: Draw) -> Params:
    return {}


def _surplus(draw: Draw) -> Params:
    return {"kw": draw.uniform(3.0, 5.0), "pct": draw.uniform(98.0, 100.0), "stubborn": draw.random() < 0.3}


def _clock(draw: Draw, times: Times) -> tuple[float, Lines]:
    """In the high tariff, back on the grid: an hour or two (daylight saving, a zone), or anything; then maybe back."""
    at_s = draw.uniform(times.return_s + times.delay_s + 20.0, times.end_s - 2.0)
    hours = draw.choice((-2.0, -1.0, 1.0, 2.0)) * 3_600.0
    by_s = draw.choice((hours, draw.choice((-1.0, 1.0)) * 10.0 ** draw.uniform(0.7, 6.0)))
    return at_s, _inject("clock.steps", at_s, draw.choice((None, draw.uniform(1.0, 60.0))), {"by_s": by_s})


def _rubbish(draw: Draw) -> Params:
    share_pct = draw.choice((100.0, draw.uniform(10.0, 60.0)))
    return {"link": draw.choice(LINKS), "how": draw.choice(GARBAGE), "share_pct": share_pct}


def _frames_lost(draw: Draw, times: Times) -> tuple[float, Lines]:
    """All of them, all of one id, or some by chance; the last for a while only, since every frame must be lived."""
    how = draw.choice(("checksum", "one_id", "random", "bursts"))
    at_s = draw.uniform(1.5, times.loss_s - 2.0) if draw.random() < 0.5 else draw.uniform(8.0, times.return_s)
    params: Params = {"how": how}
    if how == "one_id":
        params["frame"] = draw.choice(tuple(ONE_ID))
    for_s = draw.uniform(2.0, 8.0) if how in BY_CHANCE else draw.choice((None, draw.uniform(5.0, 120.0)))
    return at_s, _inject("can.frames_lost", at_s, for_s, params)


def _torn(draw: Draw, times: Times) -> tuple[float, Lines]:
    """The power fails in a write; the console starts again from what is there."""
    at_s = draw.uniform(1.5, times.end_s - 10.0)
    return at_s, [
        *_inject("storage.torn_write", at_s, 0.002, {"how": draw.choice(TORN)}),
        Step(at_s + 0.001, "owner.restart", {}),
    ]


def _ignored(draw: Draw, times: Times) -> tuple[float, Lines]:
    """Somebody asks for another limit while writes are lost. It stays: an inverter that is asked no more keeps it."""
    at_s = draw.uniform(1.5, times.return_s)
    order = Step(at_s + 0.001, "operator.set_discharge_limit", {"kw": draw.uniform(2.5, 6.5)})
    return at_s, [*_inject("modbus.write_ignored", at_s, None, {"how": draw.choice(IGNORED)}), order]


MAKERS: dict[str, Maker] = {
    "grid_sense.off": _either("grid_sense.off"),
    "grid_sense.stuck": _either("grid_sense.stuck"),
    "grid_sense.drift": _tied(
        "grid_sense.drift", stays=True, params=lambda draw: {"pct": draw.choice((-5.0, 5.0))}
    ),
    "grid_sense.noise": _burst,
    "house.open_neutral": _tied(
        "house.open_neutral",
        params=lambda draw: {"shift_pu": draw.choice((-1.0, 1.0)) * draw.uniform(0.1, 0.25)},
    ),
    "grid.sag_edge": _sag_edge,
    "grid.balanced_island": _balanced,
    "grid_sense.garbage": _either("grid_sense.garbage"),
    "grid.leg_lost": _leg_lost,
    "grid.brownout": _brownout,
    "grid.motor_backfeed": _backfeed,
    "grid.flaps": _flaps,
    "grid.out_of_phase": _out_of_phase,
    "grid.overvoltage": _overvoltage,
    "ct.off": _either("ct.off"),
    "inverter_temp.stuck": _either("inverter_temp.stuck"),
    "mid.welded": _tied("mid.welded", stays=True, params=lambda draw: {"pole": float(draw.choice((1, 2)))}),
    "mid.slow": _tied("mid.slow", stays=True, params=lambda draw: {"latency_ms": draw.uniform(60.0, 400.0)}),
    "mid.chatter": _tied(
        "mid.chatter", stays=True, params=lambda draw: {"every_ms": draw.uniform(8.0, 35.0)}
    ),
    "mid.fails_to_close": _island("mid.fails_to_close"),
    "mid.aux_wrong": _tied(
        "mid.aux_wrong",
        stays=True,
        params=lambda draw: {"contact": draw.choice(("nc", "no")), "reads": "open"},
    ),
    "mid.uncommanded_close": _island("mid.uncommanded_close"),
    "inverter.trips": _either("inverter.trips"),
    "inverter.wont_form": _tied("inverter.wont_form"),
    "load.switch_stuck": _tied("load.switch_stuck", params=_heavy),
    "load.locked_rotor": _island("load.locked_rotor", params=_motor),
    "load.uncontrolled": _island(
        "load.uncontrolled",
        params=lambda draw: {"va": draw.uniform(500.0, 3_000.0), "leg": draw.choice((1.0, 2.0))},
    ),
    "fan.dead": _tied("fan.dead", stays=True, params=lambda draw: {"tachometer_lies": draw.random() < 0.5}),
    "dc_bus.out_of_range": _island(
        "dc_bus.out_of_range", params=lambda draw: {"volts": draw.choice((-80.0, 520.0))}
    ),
    "ev.silent": _either("ev.silent"),
    "ev.ends_session": _line("island", "ev.unplug", _nothing),
    # Low enough to lie below what a few small loads take: the heavy ones wait for their minute.
    "ev.limit_drops": _island("ev.limit_drops", params=lambda draw: {"kw": draw.uniform(0.4, 1.2)}),
    "precharge.fails": _either("precharge.fails"),
    "ev.contactor_welded": _either("ev.contactor_welded"),
    "ev.insulation_low": _either(
        "ev.insulation_low", params=lambda draw: {"ohm_per_v": draw.uniform(0.0, 450.0)}
    ),
    "ev.soc_low": _island("ev.soc_low", stays=True, params=lambda draw: {"pct": draw.uniform(19.0, 20.9)}),
    "ev.soc_jumps": _island(
        "ev.soc_jumps", params=lambda draw: {"pct": draw.choice((draw.uniform(4.0, 30.0), -100.0))}
    ),
    "can.bus_off": _either("can.bus_off"),
    "can.frames_lost": _frames_lost,
    "lc.frozen": _either("lc.frozen", lambda draw: {"how": draw.choice(STANDING_STILL)}),
    "modbus.timeout": _island("modbus.timeout", params=lambda draw: {"how": draw.choice(TIMEOUT)}),
    "modbus.garbage": _either("modbus.garbage", _rubbish),
    "modbus.unit_conflict": _either(
        "modbus.unit_conflict",
        lambda draw: {"link": draw.choice(LINKS), "other": draw.choice(("same", "solar"))},
    ),
    "modbus.write_ignored": _ignored,
    "control.tick_overrun": _either("control.tick_overrun", lambda draw: {"for_s": draw.uniform(0.25, 2.0)}),
    "storage.torn_write": _torn,
    "storage.full": _island("storage.full", stays=True),
    "aux_supply.low": _either("aux_supply.low"),
    "clock.steps": _clock,
    "pv.surplus": _island("pv.surplus", params=_surplus),
    "neutral_former.trips": _island("neutral_former.trips"),
    "control.second_master": _either("control.second_master"),
    "parallel.primary_lost": _island("parallel.primary_lost"),
    "parallel.phase_error": _island(
        "parallel.phase_error",
        params=lambda draw: {"deg": draw.choice((-1.0, 1.0)) * draw.uniform(12.0, 90.0)},
    ),
}


def plan(seed: int, faults: Sequence[str]) -> Plan:
    """The run of this seed: a loss and a return, loads, charge and weather, and none to two of ``faults``."""
    draw = random.Random(seed)
    delay_s = draw.choice(DELAYS_S)
    loss_s = draw.uniform(8.0, 30.0)
    return_s = loss_s + draw.uniform(20.0, 240.0)
    end_s = return_s + delay_s + draw.uniform(40.0, 240.0)
    times = Times(loss_s, return_s, end_s, delay_s)
    start = Start(
        soc_pct=draw.choice((draw.uniform(30.0, 95.0), draw.uniform(20.0, 30.0))),
        ambient_c=draw.uniform(-20.0, 50.0),
        pv_kw=draw.choice((0.0, draw.uniform(0.0, 3.0))),
        loads_on=tuple(load for load in LOADS if draw.random() < 0.5),
        boot=draw.random() < 0.1,
        enter_service_s=delay_s,
    )
    lines: Lines = [
        Step(loss_s, "grid.loss", {"backfeed": draw.random() < 0.1}),
        Step(return_s, "grid.return", {}),
    ]
    if draw.random() < 0.2:
        again_s = draw.uniform(return_s + delay_s, end_s - 20.0)
        lines += [Step(again_s, "grid.loss", {}), Step(again_s + draw.uniform(1.0, 15.0), "grid.return", {})]
    lines += _recloser(random.Random(f"{seed}/recloser"), times)
    lines += _people(draw, times)
    mishaps: list[Mishap] = []
    ambushes: list[Ambush] = []
    if faults:
        for name in draw.sample(
            list(faults), min(len(faults), draw.choice((0, 1, 1, 2)) if len(faults) > 2 else 1)
        ):
            # A stream of its own, so that a maker that draws once more leaves the rest of the run as it was.
            own = random.Random(f"{seed}/{name}")
            at_s, made = MAKERS[name](own, times)
            if own.random() < AMBUSH_SHARE:
                ambushes.append(_ambush(own, name, at_s, made, boots=start.boot))
            else:
                mishaps.append(Mishap(name, at_s))
                lines += made
    # A tenth of all runs meets whatever comes to it in the high tariff.
    own = random.Random(f"{seed}/tariff")
    stepping = [*(one.name for one in mishaps), *(one.fault for one in ambushes)].count("clock.steps")
    if own.random() < TARIFF_SHARE or stepping:
        start = replace(start, local_hour=own.uniform(16.9, 20.5), soc_pct=own.uniform(48.0, 95.0))
    chosen = [*(one.name for one in mishaps), *(one.fault for one in ambushes)]
    own = random.Random(f"{seed}/inverters")
    parallel = any(name.startswith("parallel.") for name in chosen)
    if parallel or (own.random() < MORE_CARS_SHARE and not any(name.startswith(SINGLE) for name in chosen)):
        start = _with_more_cars(start, own)
    ordered = tuple(sorted((line for line in lines if line.s < end_s), key=lambda line: line.s))
    return Plan(seed, Scenario(f"seed {seed}", end_s, start, ordered), tuple(mishaps), tuple(ambushes))


def _with_more_cars(start: Start, draw: Draw) -> Start:
    """Two to four inverters; every other further car is as full as the first, the others are anything."""
    inverters = draw.randint(2, 4)
    first_pct = 50.0 if start.soc_pct is None else start.soc_pct
    further = tuple(draw.choice((first_pct, draw.uniform(20.0, 95.0))) for _ in range(inverters - 1))
    return replace(start, inverters=inverters, further_soc_pct=further)


def _ambush(draw: Draw, name: str, at_s: float, made: Lines, *, boots: bool) -> Ambush:
    """The same lines, but at a moment that a time drawn blindly would hardly ever meet."""
    mode, most_s = draw.choice(AMBUSH_MODES)
    if mode == "boot_open" and not boots:
        mode, most_s = "tied", 5.0
    lines = tuple(replace(line, s=line.s - at_s) for line in sorted(made, key=lambda line: line.s))
    # "tied" means the return to the grid: what follows a start there is what blind times meet.
    return Ambush(name, mode, 5.0 if mode == "tied" else 0.0, draw.uniform(0.0, most_s), lines)


def _recloser(draw: Draw, times: Times) -> Lines:
    """Back for a moment, at any instant of the house's own transfer or soon after it, and gone again."""
    if draw.random() >= RECLOSER_SHARE:
        return []
    at_s = times.loss_s + draw.choice((draw.uniform(0.01, 0.12), draw.uniform(0.1, 0.6)))
    return [Step(at_s, "grid.return", {}), Step(at_s + draw.uniform(0.05, 2.2), "grid.loss", {})]


def _people(draw: Draw, times: Times) -> Lines:
    """Loads that come and go, and now and then somebody who orders what the rules may not allow."""
    lines: Lines = []
    for _ in range(draw.randint(0, 4)):
        at_s = draw.uniform(1.0, times.end_s - 1.0)
        lines.append(Step(at_s, draw.choice(("load.on", "load.off")), {"load": draw.choice(LOADS)}))
    if draw.random() < 0.25:
        at_s = draw.uniform(1.0, times.end_s - 1.0)
        orders = ("operator.open_mid", "operator.island", "operator.close_mid", "operator.reset_lockout")
        lines.append(Step(at_s, draw.choice(orders), {}))
    if draw.random() < 0.1:
        lines.append(Step(draw.uniform(1.0, times.end_s - 1.0), "owner.restart", {}))
    return lines
