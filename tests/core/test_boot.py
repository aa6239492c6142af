"""The first command after a start reaches a controller that still does what the last owner said."""

from __future__ import annotations

from v2h_console.core.observation import Observation
from v2h_console.core.state import boot
from v2h_console.core.step import step
from v2h_console.site import demo_site
from v2h_drivers.capabilities.requests import ControlRequest, ShedRequest


def test_a_start_holds_heavy_loads_off_with_its_first_command() -> None:
    settings = demo_site.settings(15.0)
    result = step(settings, boot(settings, 1_000), Observation(1), 1_000)
    shed = next(command for command in result.commands if isinstance(command, ShedRequest))
    heavy = [index for index, circuit in enumerate(settings.loads.circuits) if circuit.heavy]
    assert heavy
    assert all(shed.mask >> index & 1 for index in heavy)
    control = next(command for command in result.commands if isinstance(command, ControlRequest))
    assert control.open_mid
    assert not control.gate
