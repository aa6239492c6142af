"""What each leg and the neutral may carry for 100 ms, 10 s and without end, and what a circuit asks of them, in VA."""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.settings import NOMINAL_V, Circuit, Settings

#: Windows in seconds, shortest first; the last is continuous.
HORIZONS_S = (0.1, 10.0, float("inf"))
HORIZON_NAMES = ("100 ms", "10 s", "continuous")
PATHS = ("leg 1", "leg 2", "the neutral")
#: What a thermal-magnetic breaker carries in each window, as a multiple of its rating.
_BREAKER_MULTIPLES = (5.0, 2.0, 1.0)

#: VA on leg 1, leg 2 and the neutral.
PathsVa = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """``planned_va``: per horizon what admission may plan for, margin and derating taken off."""

    planned_va: tuple[PathsVa, PathsVa, PathsVa]


def limits(settings: Settings, limit_w: float, *, units: int = 1, car_w: float | None = None) -> Limits:
    """The smallest of inverter, neutral former, breaker and car in each window, times the planning share.

    ``limit_w``: power allowed now, of one unit; below the set limit it derates the short windows too. ``units``:
    running inverters. ``car_w``: what the cars give as AC, ``None`` = contained in ``limit_w``.
    """
    inverter, loads = settings.inverter, settings.loads
    derate = min(1.0, max(0.0, limit_w) / inverter.max_discharge_w) if inverter.max_discharge_w > 0.0 else 0.0
    share = loads.planning_share
    whole = (inverter.surge_100ms_va * derate, inverter.surge_10s_va * derate, max(0.0, limit_w))
    rows: list[PathsVa] = []
    for va, multiple in zip(whole, _BREAKER_MULTIPLES, strict=True):
        leg_va = max(0, units) * va / 2.0
        if car_w is not None:
            leg_va = min(leg_va, max(0.0, car_w) / 2.0)
        if loads.breaker_a is not None:
            leg_va = min(leg_va, loads.breaker_a * NOMINAL_V * multiple)
        neutral_va = leg_va
        if loads.neutral_former_a is not None:
            neutral_va = min(neutral_va, max(0, units) * loads.neutral_former_a * NOMINAL_V)
        rows.append((leg_va * share, leg_va * share, neutral_va * share))
    return Limits((rows[0], rows[1], rows[2]))


def continuous_va(settings: Settings, limit_w: float, units: int) -> PathsVa:
    """The continuous limits alone, without the planning share: what every step compares with. ``limit_w``: of all."""
    loads = settings.loads
    leg_va = max(0.0, limit_w) / 2.0
    if loads.breaker_a is not None:
        leg_va = min(leg_va, loads.breaker_a * NOMINAL_V)
    if loads.neutral_former_a is None:
        return leg_va, leg_va, leg_va
    return leg_va, leg_va, min(leg_va, units * loads.neutral_former_a * NOMINAL_V)


def on_leg_va(circuit: Circuit, leg: int) -> float:
    """Running VA that the circuit takes from leg 0 or 1."""
    if circuit.legs == "L12":
        return circuit.running_va / 2.0
    return circuit.running_va if circuit.legs == ("L1", "L2")[leg] else 0.0


def running_va(circuit: Circuit) -> PathsVa:
    """Running VA on leg 1, leg 2 and the neutral."""
    one, two = on_leg_va(circuit, 0), on_leg_va(circuit, 1)
    return one, two, 0.0 if circuit.legs == "L12" else circuit.running_va


def start_multiple(circuit: Circuit, horizon: int) -> float:
    """The inrush as that window sees it: a start that outlasts the next shorter window counts whole."""
    shorter_s = HORIZONS_S[horizon - 1] if horizon else 0.0
    return max(1.0, circuit.inrush_multiple) if circuit.inrush_s > shorter_s else 1.0
