"""The settings of the demo's house, without devices: what virtual time and the benchmarks run on."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from v2h_console.core.settings import Settings
from v2h_console.site import grid_profile, reader, schedule
from v2h_console.site.files import CommStack, LimitsFile, LoadsFile
from v2h_console.site.schedule import ScheduleFile

_COMM = """
site = "Demo house"
[controller]
interface = "udp_multicast"
[inverter]
host = "127.0.0.1"
[grid]
enter_service_delay_s = {delay_s}
separation = "permitted"
source = "the demo's utility permits quick separation"
"""


def settings(enter_service_s: float) -> Settings:
    """What the demo's installer wrote, with this enter-service delay in seconds. Raises ConfigError out of range."""
    folder = resources.files("v2h_console.site") / "demo"
    comm_text = _COMM.format(delay_s=float(enter_service_s))
    comm = reader.parse("comm_stack.conf", comm_text, CommStack)
    limits = reader.parse("limits.conf", (folder / "limits.conf").read_text("utf-8"), LimitsFile)
    plan_text = (folder / "schedule.conf").read_text("utf-8")
    plan = reader.parse("schedule.conf", plan_text, ScheduleFile)
    made = reader.settings_of(
        comm,
        limits,
        reader.parse("loads.conf", (folder / "loads.conf").read_text("utf-8"), LoadsFile),
        grid_profile.settings_of(comm.grid, Path("comm_stack.conf"), comm_text),
    )
    tariff = schedule.settings_of("schedule.conf", plan_text, plan, limits.floor_soc_pct)
    return replace(made, tariff=tariff)
