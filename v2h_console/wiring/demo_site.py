"""The demo's /etc/energy: what an installer would have written for its house."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from v2h_console.site.reader import config_path
from v2h_console.wiring.running import StartFailed


def write_demo_site(root: Path, addresses: dict[str, Any], enter_service_s: float) -> None:
    """Write the demo's files below ``root``; ``addresses`` as the twin tells them. Raises StartFailed."""
    can, modbus, load_centre = addresses["can"], addresses["modbus_tcp"], addresses["load_centre"]
    meters = "\n".join(f"{name} = {unit}" for name, unit in load_centre["units"]["meters"].items())
    comm = f"""# Written by the demo: the addresses of its twin.
site = "Demo house"
twin = true

[controller]
interface = "{can["interface"]}"
channel = "{can["channel"]}"
port = {can["port"]}

[inverter]
host = "{modbus["host"]}"
port = {modbus["port"]}
unit = {modbus["units"]["inverter"]}

[solar]
name = "Solar"
host = "{modbus["host"]}"
port = {modbus["port"]}
unit = {modbus["units"]["solar"]}

[load_centre]
tty = "{load_centre["tty"]}"
baud = {load_centre["baud"]}
relays_unit = {load_centre["units"]["relays"]}

[load_centre.meters]
{meters}

[grid]
category = "III"
enter_service_delay_s = {enter_service_s:g}
separation = "permitted"
source = "the demo's utility permits quick separation"
"""
    examples = resources.files("v2h_console.site") / "demo"
    files = {
        "comm_stack.conf": comm,
        "limits.conf": (examples / "limits.conf").read_text("utf-8"),
        "loads.conf": (examples / "loads.conf").read_text("utf-8"),
        "schedule.conf": (examples / "schedule.conf").read_text("utf-8"),
    }
    try:
        for name, text in files.items():
            path = config_path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise StartFailed(f"the demo cannot write below {root}: {error.strerror or error}") from None
