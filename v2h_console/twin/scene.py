"""How the house truly stands at one instant: what a judge looks at, apart from what anybody has measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from v2h_console.twin.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """True values at ``at_ns``. Voltages are where each leg is going, per unit; ``phase_deg`` house minus grid,
    ``None`` while a side is dead. ``poles``: conducting; ``contacts_open``: both auxiliary contacts as wired."""

    at_ns: int
    poles: tuple[bool, bool]
    contacts_open: bool
    coil_on: bool
    gate_on: bool
    form_on: bool
    mode: str
    raising: bool
    grid_pu: tuple[float, float]
    house_pu: tuple[float, float]
    grid_hz: float
    phase_deg: float | None
    soc_pct: float
    dc_voltage_v: float
    dc_current_a: float
    car_limit_w: float
    power_w: float
    limit_w: float
    heatsink_c: float
    #: What the inverter carries (one of several: its part), the circuits whose switch is closed, and those that run.
    apparent_va: float
    switched_on: tuple[str, ...]
    running: tuple[str, ...]
    #: The street's legs have no source.
    grid_lost: tuple[bool, bool]
    #: The cars of the other units whose gate is on, and what is drawn from them: percent, amps of DC.
    #: With more than an inverter or its car bears: what would be left with all gone that need not run; else 0.
    unsheddable_va: float = 0.0
    followers: tuple[tuple[float, float], ...] = ()
    #: The car behind the inverter that holds the house has its contactors closed.
    car_connected: bool = True


#: What an inverter bears for ever: below it nobody asks what could be shed.
_BORNE_VA = 9_000.0
#: What must run, as the demo's load table has it.
MUST_RUN = frozenset(("fridge", "furnace_fan", "lights"))


def _unsheddable_va(world: World) -> float:
    """By the larger leg, as an inverter is loaded; circuits of equal phase."""
    if world.network.apparent_va <= _BORNE_VA and world.inverter.power_w <= world.car.max_discharge_w:
        return 0.0
    left_a = list(world.network.leg_a)
    for one in world.circuits:
        if one.energised and one.id not in MUST_RUN:
            for leg in (0, 1):
                left_a[leg] -= one.current_a if one.on_leg(leg) else 0.0
    left_va = [max(0.0, amperes) * world.house.nominal_v for amperes in left_a]
    units = 1 + sum(unit.gate_on for unit in world.units.followers())
    return max(sum(left_va), 2.0 * max(left_va)) / units


def scene(world: World) -> Scene:
    """The house as it stands now."""
    now_ns, nodes, mid, inverter = world.now_ns, world.nodes, world.mid, world.inverter
    house = nodes["house", 0].steady(now_ns), nodes["house", 1].steady(now_ns)
    grid = nodes["grid", 0].steady(now_ns), nodes["grid", 1].steady(now_ns)
    phase_deg: float | None = None
    across = (house[0] - house[1]) * (grid[0] - grid[1]).conjugate()
    if abs(across) > 0.05:
        phase_deg = math.degrees(math.atan2(across.imag, across.real))
    return Scene(
        at_ns=now_ns,
        poles=(mid.main_closed(1), mid.main_closed(2)),
        contacts_open=mid.nc_closed and not mid.no_closed,
        coil_on=mid.coil_on,
        gate_on=inverter.gate_on or any(unit.gate_on for unit in world.units.all),
        form_on=inverter.form_on,
        mode=inverter.mode,
        raising=inverter.raising,
        grid_pu=(abs(grid[0]), abs(grid[1])),
        house_pu=(abs(house[0]), abs(house[1])),
        grid_hz=nodes["grid", 0].omega / (2.0 * math.pi),
        phase_deg=phase_deg,
        soc_pct=world.car.soc_pct,
        dc_voltage_v=world.car.dc_voltage_v,
        dc_current_a=world.car.dc_current_a,
        car_limit_w=world.car.max_discharge_w,
        power_w=inverter.power_w,
        limit_w=inverter.max_discharge_w,
        heatsink_c=world.thermal.heatsink_c,
        apparent_va=world.network.apparent_va if inverter.mode in ("forming", "following") else 0.0,
        switched_on=tuple([one.id for one in world.circuits if one.switch_closed]),
        running=tuple([one.id for one in world.circuits if one.energised]),
        unsheddable_va=_unsheddable_va(world),
        grid_lost=(world.grid.lost[0], world.grid.lost[1]),
        followers=tuple(
            [(unit.car.soc_pct, unit.car.dc_current_a) for unit in world.units.followers() if unit.gate_on]
        ),
        car_connected=world.car.connected,
    )
