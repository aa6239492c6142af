"""The demo's /etc/energy: what an installer would have written for its house."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

from v2h_console.site import last_good
from v2h_console.site.errors import ConfigError
from v2h_console.site.reader import Texts, config_path, read_texts
from v2h_console.wiring.running import StartFailed

#: By which the demo knows its own files again.
FIRST_LINE = "# Written by the demo: the addresses of its twin."


def refuse_real_site(root: Path) -> None:
    """The demo writes over its own files alone, and takes no real site's last good copy. Raises StartFailed."""
    try:
        texts: Texts = read_texts(root)
    except ConfigError as error:
        raise StartFailed(f"{error}; the demo writes over no site: give it another --root") from None
    good = last_good.read(root)
    for where, its in (
        (config_path(root, "comm_stack.conf"), texts),
        (root / last_good.FOLDER / last_good.LAST_GOOD, good[1] if good is not None else {}),
    ):
        standing = any(text is not None for text in its.values())
        if standing and not (its.get("comm_stack.conf") or "").startswith(FIRST_LINE):
            raise StartFailed(
                f"{where}: a real site's, which the demo would write over: give it another --root"
            )


def write_demo_site(root: Path, addresses: dict[str, Any], enter_service_s: float) -> None:
    """Write the demo's files below ``root``; ``addresses`` as the twin tells them. Raises StartFailed."""
    refuse_real_site(root)
    can, modbus, load_centre = addresses["can"], addresses["modbus_tcp"], addresses["load_centre"]
    meters = "\n".join(f"{name} = {unit}" for name, unit in load_centre["units"]["meters"].items())
    comm = f"""{FIRST_LINE}
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
        _write_all({config_path(root, name): text for name, text in files.items()})
    except OSError as error:
        raise StartFailed(f"the demo cannot write below {root}: {error.strerror or error}") from None


def _write_all(texts: dict[Path, str]) -> None:
    """None is changed before all are open: permission for one of them is not permission for the next. Raises OSError."""
    made: list[Path] = []
    with ExitStack() as stack:
        opened = []
        try:
            for path in texts:
                path.parent.mkdir(parents=True, exist_ok=True)
                made += [] if path.exists() else [path]
                opened.append(stack.enter_context(path.open("a", encoding="utf-8")))
        except OSError:
            for path in made:
                path.unlink(missing_ok=True)
            raise
        for file, text in zip(opened, texts.values(), strict=True):
            file.truncate(0)
            file.write(text)
