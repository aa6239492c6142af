"""The picture once the core has stopped: nothing is known any more, and every reader is told so in the same words.

A state that nobody steps on ages in silence: its mode, its MID and its judgement of the grid carry no age of their own.
"""

from __future__ import annotations

import msgspec

from v2h_console.core.settings import Settings
from v2h_console.core.state import State, boot
from v2h_console.runtime import snapshots
from v2h_console.runtime.snapshots import Surroundings
from v2h_console.runtime.what_to_do import advice
from v2h_console.session.snapshot import AlarmView, Snapshot
from v2h_drivers.capabilities.slow_readings import LinkState

CODE = "CORE_STOPPED"
#: A core without a step for so long is stuck: twenty-five of the longest pauses between two steps, ten times what the
#: controller waits before it opens the MID by itself. Pauses of a loaded machine are shorter, and heal.
STUCK_NS = 1_000_000_000


def words(failure: BaseException | None, silent_ns: int) -> str:
    """Why nothing is known, as one plain line; "" = the core runs."""
    if failure is not None:
        why = f"it ended with a defect ({type(failure).__name__})"
    elif silent_ns > STUCK_NS:
        why = "it makes no step"
    else:
        return ""
    return f"The control core has stopped: {why}. Nothing is known. Treat MID, grid and house as LIVE."


def blank(settings: Settings, last: State, text: str, around: Surroundings, since_wall_s: float) -> Snapshot:
    """What is left to say: what the site is, what has been, and the lockouts that only a person ends."""
    replace = msgspec.structs.replace
    then = snapshots.build(settings, last, around)
    nothing = snapshots.build(settings, boot(settings, around.at_ns), around)
    stopped = AlarmView(CODE, "lockout", text, since_wall_s, what_to_do=advice(CODE))
    position = then.mid.position
    known = position != "unknown"
    return replace(
        nothing,
        mode_since_ms=max(0.0, (around.wall_s - since_wall_s) * 1000.0),
        sentence=text,
        locked_out=True,
        mid=replace(
            then.mid,
            position="unknown",
            proof="none",
            last_known=position if known else then.mid.last_known,
            last_known_wall_s=since_wall_s if known else then.mid.last_known_wall_s,
        ),
        inverter=replace(nothing.inverter, set_w=None, binding_limit="", stopped_reason=""),
        legs=(replace(nothing.legs[0], limit_a=0.0), replace(nothing.legs[1], limit_a=0.0)),
        loads=tuple(replace(load, state="unknown", hold_s=None, reason="") for load in nothing.loads),
        what_if=(),
        last_transfer=then.last_transfer,
        transfers=then.transfers,
        alarms=(stopped, *(alarm for alarm in then.alarms if alarm.severity == "lockout")),
        devices=tuple(
            replace(
                device, state=LinkState.LOST.value, reason="the control core has stopped", round_trip_ms=None
            )
            for device in then.devices
        ),
    )
