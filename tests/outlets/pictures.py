"""Pictures of a house for what is read by other tools."""

from __future__ import annotations

from v2h_console.session.snapshot import (
    AlarmView,
    CarView,
    EventView,
    GridView,
    InverterView,
    LegView,
    LoadView,
    MidView,
    SideView,
    Snapshot,
    Value,
)

WALL_S = 1_784_037_773.0


def v(value: float | None, age_ms: float | None = 12.0) -> Value:
    """A value and its age."""
    return Value(value, age_ms)


ISLANDED = Snapshot(
    sequence=7,
    wall_s=WALL_S,
    site="Demo house",
    twin=True,
    owner_ready=True,
    mode="islanded",
    house_dark=False,
    sentence="Waiting for the grid.",
    grid=GridView(
        sides=SideView(v(0.2, 4.0), v(0.1, 4.0), v(0.3, 4.0), v(None, 4.0)), condition="dead", delay_s=300.0
    ),
    house=SideView(v(119.84, 9.0), v(120.06), v(239.9), v(60.0)),
    mid=MidView(position="open", proof="aux+volts"),
    legs=(LegView(v(21.4), 31.7), LegView(v(None, 900.0), 31.7)),
    inverter=InverterView(
        mode="forming",
        power_w=v(4130.0),
        set_w=7600.0,
        holds_w=v(7600.0),
        rated_w=10_000.0,
        heatsink_c=v(38.6),
    ),
    car=CarView(soc_pct=v(64.0), dc_v=v(412.0), dc_a=v(10.4), power_w=v(4280.0), runtime_s=24_000.0),
    loads=(LoadView("hvac", "HVAC\x1b[2J", "L12", 3, "held", v(0.0), 18.0, "first 60 s"),),
    alarms=(AlarmView("SOC_LOW", "warning", "The car is at 24 %.", WALL_S - 60),),
    events=(EventView(1, WALL_S - 42.0, "GRID_LOST", "warning", "Grid lost."),),
)

UNKNOWN = Snapshot(wall_s=WALL_S, site="Demo house", owner_ready=True)
