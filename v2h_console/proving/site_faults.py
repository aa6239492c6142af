"""What happens around a house in virtual time: on its bus, in its storage, in the owner's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from v2h_console.proving import can_faults, modbus_faults
from v2h_console.twin.vocabulary import Params

if TYPE_CHECKING:
    from v2h_console.proving.virtual import VirtualSite

MS = 1_000_000
S = 1_000_000_000
#: Three frames of the slowest kind (1 s): a repeated one counts, and a hop would not hear it.
REPEATS_NS = 3_500 * MS
#: The wall clock steps by an hour, and an overrun stalls the owner for so long, where nothing else is said.
STEP_S = 3_600.0
STALL_S = 0.5


def put(site: VirtualSite, fault: str, params: Params, *, begins: bool) -> None:
    """One of SITE_FAULTS begins, or ends."""
    world, modbus, now_ns = site.world, site.modbus, site.world.now_ns
    told: Params = {name: params[name] for name in ("how", "frame") if begins and name in params}
    world.tell("fault.injected" if begins else "fault.cleared", at_ns=None, fault=fault, **told)
    match fault:
        case "can.bus_off":
            site.to_console = site.to_controller = _lose if begins else None
        case "can.frames_lost":
            site.to_console = can_faults.lost(params, site.seed) if begins else None
            site.every_frame = begins and params.get("how") in can_faults.BY_CHANCE
        case "lc.frozen":
            site.to_console = can_faults.frozen(params) if begins else None
            if begins:
                site.fine_until_ns = now_ns + REPEATS_NS
        case _ if fault in modbus_faults.FAULTS:
            if fault == "modbus.timeout":
                site.polling = not begins
            if modbus is not None:
                modbus_faults.put(modbus, world, fault, params if begins else None)
        case "control.second_master" if begins:
            site.second_master.begin(now_ns, site.owner.link.counters()["CMD"])
        case "control.second_master":
            site.second_master.end()
        case "clock.steps":
            site.stepped_s = float(params.get("by_s", STEP_S)) if begins else 0.0
        case "storage.torn_write":
            site.disk.torn = str(params.get("how", "truncated")) if begins else ""
        case "storage.full":
            site.disk.failing = begins
            site.owner.polled.append(site.disk.state(now_ns))
            if not begins and site.disk.unwritten is not None:
                site.persist(site.disk.unwritten, now_ns)
        case "control.tick_overrun" if begins:
            site.owner.stall(now_ns + int(float(params.get("for_s", STALL_S)) * S))


def _lose(_arbitration_id: int, _data: bytes, _now_ns: int) -> bytes | None:
    """A bus that carries nothing."""
    return None
