"""A file of limits that was lost is a person's to put back: a template in its place would lift every limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.installing.roots import FILES, actions, no_tools
from tests.runtime.configured import started
from v2h_console.installing.carry_out import install
from v2h_console.installing.plan import Action
from v2h_console.site import last_good


@pytest.mark.parametrize("name", ["limits.conf", "loads.conf"])
def test_an_update_puts_no_template_in_the_place_of_limits_that_were_lost(tmp_path: Path, name: str) -> None:
    house = started(tmp_path)
    (house.energy / name).unlink()
    report = install(tmp_path, FILES, no_tools)
    (left,) = (step for step in report.steps if step.path == f"etc/energy/{name}")
    assert (left.action, "missing" in left.why, "put it back" in left.why) == (Action.LEFT, True, True)
    assert not report.whole
    loaded = house.keeper.load()
    assert "missing" in loaded.complaint
    assert loaded.site.settings.car.floor_soc_pct == 30.0


def test_an_update_makes_again_what_was_a_template_only(tmp_path: Path) -> None:
    house = started(tmp_path)
    house.write("limits", "# none\n")
    assert house.keeper.load().complaint == ""
    (house.energy / "limits.conf").unlink()
    assert actions(install(tmp_path, FILES, no_tools))["etc/energy/limits.conf"] is Action.CREATE


def test_a_pipe_in_the_last_good_ones_place_keeps_no_installer_waiting(tmp_path: Path) -> None:
    house = started(tmp_path)
    (house.energy / "limits.conf").unlink()
    good = house.kept / last_good.LAST_GOOD
    good.unlink()
    os.mkfifo(good)
    assert actions(install(tmp_path, FILES, no_tools))["etc/energy/limits.conf"] is Action.CREATE
