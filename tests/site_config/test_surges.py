"""What an inverter bears for a moment: told by the site, or reckoned from its nameplate; and what that lets a motor do."""

from __future__ import annotations

from pathlib import Path

from v2h_console.core.load_limits import limits
from v2h_console.core.settings import Settings
from v2h_console.site import reader

COMM = '[controller]\ninterface = "socketcan"\n[inverter]\nhost = "10.0.0.2"\n'
SMALL = "rated_power_kw = 3\nmax_discharge_power_kw = 3\n"


def settings(root: Path, text: str) -> Settings:
    """A site with this limits.conf."""
    return reader.site_of(root, {"comm_stack.conf": COMM, "limits.conf": text}).settings


def test_a_small_inverter_is_not_planned_with_the_surges_of_a_large_one(tmp_path: Path) -> None:
    inverter = settings(tmp_path, SMALL).inverter
    assert (round(inverter.surge_10s_va), round(inverter.surge_100ms_va)) == (5333, 8333)


def test_the_start_of_its_pump_is_over_what_may_be_planned(tmp_path: Path) -> None:
    planned = limits(settings(tmp_path, SMALL), 3_000.0).planned_va
    pump_va = 1_100.0 * 6.0
    assert planned[0][0] < pump_va
    assert planned[1][0] < pump_va


def test_surges_that_the_site_tells_are_the_ones_that_count(tmp_path: Path) -> None:
    inverter = settings(tmp_path, SMALL + "surge_10s_kva = 6\nsurge_100ms_kva = 12\n").inverter
    assert (inverter.surge_10s_va, inverter.surge_100ms_va) == (6_000.0, 12_000.0)


def test_a_larger_inverter_is_not_thought_to_bear_more_than_was_published(tmp_path: Path) -> None:
    inverter = settings(tmp_path, "rated_power_kw = 15\n").inverter
    assert (inverter.surge_10s_va, inverter.surge_100ms_va) == (16_000.0, 25_000.0)
