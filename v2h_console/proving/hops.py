"""Passing quickly over time in which nothing happens, so that neither what happens nor when is changed by it.

Around every discontinuity time is lived through exactly. While nothing moves and no deadline is near, a hop looks
ahead: the newest frame of each kind before its end, and one step. Only when that step would have asked for nothing new
does the hop hold; otherwise it is taken back and the time is lived through.
"""

from __future__ import annotations

from v2h_console.core import car_reserve, thermal
from v2h_console.core.settings import Settings
from v2h_console.core.state import Mode, State
from v2h_console.proving.memory import Memory
from v2h_console.proving.modbus_lane import ModbusLane
from v2h_console.proving.virtual import BUS_NS, MS, S, VirtualSite
from v2h_console.proving.virtual_loop import NEVER_NS
from v2h_console.proving.virtual_owner import POLL_NS, VirtualOwner
from v2h_console.runtime.urgency import TICK_NS, tick_of
from v2h_console.twin.faces import lc_frames
from v2h_console.twin.faces.lc_samples import SLOW_NOISE_NS
from v2h_drivers.capabilities.fast_readings import Temperatures

#: Time is lived through for so long before a deadline.
FINE_BEFORE_NS = 20 * MS
#: The longest hop while nothing happens, and the shortest that is worth its look ahead.
QUIET_HOP_NS = 1 * S
LEAST_HOP_NS = 40 * MS
SETTLED_MODES = (Mode.TIED, Mode.ISLANDED, Mode.DARK, Mode.FAULT_OPEN)
#: A voltage as near as this to a threshold crosses it with its noise (6 standard deviations).
NOISE_REACH_PU = 0.0025


class Hops:
    """``pass_over`` is made for a site's hook of that name."""

    def __init__(self, site: VirtualSite) -> None:
        self._site = site
        self._hop_ns = QUIET_HOP_NS
        self._thresholds_pu = _thresholds_pu(site.settings)

    def pass_over(self, to_ns: int) -> bool:
        """Move the site over quiet time, to ``to_ns`` at most; False where it has to be lived through."""
        if not self._may_hop():
            return False
        site, now_ns = self._site, self._site.world.now_ns
        if not site.owner_runs:
            return self._without_owner(self._end_ns(to_ns))
        end_ns = self._end_ns(to_ns)
        least_ns = LEAST_HOP_NS if site.modbus is None else LEAST_HOP_NS // 2
        if end_ns - now_ns < least_ns or self._noise_decides(now_ns):
            return False
        if site.modbus is not None:
            if not self._machines_live(site.modbus, min(end_ns, site.owner.step_at_ns)):
                return False
            # Between two of their messages nothing of theirs is left to come.
            end_ns = min(end_ns, _on_raster(max(site.owner.step_at_ns, site.modbus.next_ns() - 1)))
            silent_ns = car_reserve.silence_ns(site.settings.car, site.state.senses)
            if silent_ns is not None and silent_ns > now_ns:
                # The next poll may come too late: a silence is found out to the millisecond.
                end_ns = min(end_ns, _on_raster(silent_ns - FINE_BEFORE_NS))
            if end_ns - now_ns < least_ns:
                return False
        if not self._look_ahead(end_ns):
            self._hop_ns = (end_ns - now_ns) // 2
            if self._hop_ns < LEAST_HOP_NS:
                site.fine_until_ns = end_ns + TICK_NS
                self._hop_ns = QUIET_HOP_NS
            return False
        self._hop_ns = QUIET_HOP_NS
        site.tell_ahead(end_ns)
        site.collect()
        return True

    def _may_hop(self) -> bool:
        site, now_ns = self._site, self._site.world.now_ns
        if site.every_frame or now_ns < site.fine_until_ns or not site.idle:
            return False
        if site.owner_runs and site.owner.stalled(now_ns):
            # A hop ends in a step, and it takes none: what waits for it is read at the end of the stall, all of it.
            return False
        foreign = site.second_master.at_ns is not None
        if not site.owner_runs:
            return not foreign
        if foreign and not site.state.parallel.second_master:
            # The core is about to find out what it is.
            return False
        if site.modbus is not None and site.modbus.writing:
            return False
        return (
            site.state.islanding.mode in SETTLED_MODES
            and site.owner.step_at_ns >= now_ns - now_ns % TICK_NS + TICK_NS
        )

    def _end_ns(self, to_ns: int) -> int:
        """Where a hop would end that begins now, on the raster of the steps."""
        site, now_ns = self._site, self._site.world.now_ns
        # Within one draw of their noise the slow sensors only drift, one way.
        drawn_ns = now_ns - now_ns % SLOW_NOISE_NS + SLOW_NOISE_NS
        end_ns = min(to_ns, site.world.next_event_ns(), now_ns + self._hop_ns, drawn_ns)
        if site.owner_runs:
            if _counts_charge(site.state):
                # What is drawn is counted from poll to poll: none of them may be passed over.
                end_ns = min(end_ns, site.owner.poll_ns + POLL_NS - TICK_NS)
            if site.owner.deadline_ns is not None:
                end_ns = min(end_ns, site.owner.deadline_ns - FINE_BEFORE_NS)
        return _on_raster(end_ns)

    def _without_owner(self, end_ns: int) -> bool:
        site = self._site
        if end_ns - site.world.now_ns < LEAST_HOP_NS:
            return False
        site.world.look_at(end_ns)
        site.controller.pass_over(end_ns)
        return True

    def _machines_live(self, modbus: ModbusLane, end_ns: int) -> bool:
        """The polled devices' machines until ``end_ns``, in a house in which nothing changes; False as soon as one of
        them is about to change something. They cannot be taken back: no further than to the next step, before which
        nothing is decided. What they tell is told when its time has come, whichever way one gets there.
        """
        site, world, now_ns = self._site, self._site.world, self._site.world.now_ns
        world.witness = site.told_ahead.append
        while not modbus.writing and (due_ns := modbus.next_ns()) <= end_ns:
            world.look_at(due_ns)
            site.owner.polled.extend(modbus.live_until(due_ns))
        world.witness = site.witnessed
        world.look_at(now_ns)
        return not modbus.writing

    def _look_ahead(self, end_ns: int) -> bool:
        """Hear what will have been heard by ``end_ns`` and step; all of it taken back when that asks for anything new."""
        site, world, owner = self._site, self._site.world, self._site.owner
        now_ns = world.now_ns
        remembered = (Memory(owner), Memory(owner.link))
        asked: list[tuple[int, int]] = []
        for due_ns, arbitration_id, data in site.controller.newest_before(end_ns):
            owner.step_at_ns = NEVER_NS
            site.hear(arbitration_id, data, due_ns + BUS_NS)
            asked.append((due_ns + BUS_NS, owner.step_at_ns))
        voice_ns = site.second_master.last_until(end_ns)
        if voice_ns is not None:
            # Like the owner's own, it counts a hop once.
            site.hear(lc_frames.CMD, site.second_master.frame(), voice_ns)
        turns = _heat_turns(owner)
        if owner.poll_ns <= end_ns:
            owner.poll_ns += (end_ns - owner.poll_ns) // POLL_NS * POLL_NS
            world.look_at(owner.poll_ns)
            owner.polled.extend([*site.poll(owner.poll_ns), site.wall_clock(owner.poll_ns)])
            owner.poll_ns += POLL_NS
        observation = owner.observe(end_ns, everything=True)
        result = owner.step(observation, end_ns)
        if (
            turns
            or result.events
            or result.commands != owner.commands
            or result.state.islanding.mode is not owner.state.islanding.mode
            or _begun(result.state) != _begun(owner.state)
        ):
            for memory in remembered:
                memory.restore()
            world.look_at(now_ns)
            return False
        world.look_at(end_ns)
        # The controller goes on with whom it followed: the other one's counters are far from what it expects.
        voice = None if voice_ns is None else (voice_ns, site.second_master.counter)
        followed = voice is not None and site.controller.follows((voice[1] - 1) & 0xFF)
        site.follow(observation, result, end_ns, passed_over=True)
        if site.modbus is not None:
            owner.step_at_ns = min(owner.step_at_ns, _owed_ns(asked, end_ns, tick_of(owner.state)))
        if voice is not None:
            site.second_master.spoke(voice[0])
            if followed:
                site.controller.pass_over(end_ns, voice)
        return True

    def _noise_decides(self, now_ns: int) -> bool:
        """Whether a voltage, as its sensor has it, lies so near to a threshold that every single frame counts."""
        world = self._site.world
        for (side, _), node in world.nodes.items():
            level = abs(node.steady(now_ns))
            if world.sense_fault(f"{side}_sense") == "drift":
                level *= 1.0 + world.sense_drift(side)
            for threshold in self._thresholds_pu:
                if abs(level - threshold) < NOISE_REACH_PU:
                    return True
        return False


def _on_raster(at_ns: int) -> int:
    """The last tick of the steps' raster by ``at_ns``."""
    return at_ns - at_ns % TICK_NS


def _owed_ns(asked: list[tuple[int, int]], end_ns: int, tick_ns: int) -> int:
    """When a step is still to come that a frame before ``end_ns`` asked for, which is late: what a machine says meanwhile
    is in it. ``asked``: each frame's instant and when it is stepped on; those before the last tick are stepped on."""
    owed_ns = NEVER_NS
    for at_ns, step_ns in sorted(asked):
        if at_ns > end_ns - end_ns % tick_ns:
            owed_ns = step_ns if owed_ns <= at_ns else min(owed_ns, step_ns)
    return owed_ns if owed_ns > end_ns else NEVER_NS


def _heat_turns(owner: VirtualOwner) -> bool:
    """Whether a temperature on the wire, which a later one hides from the step, would change what heat allows."""
    return any(
        isinstance(one, Temperatures) and thermal.turns(owner.settings.thermal, owner.state.thermal, one)
        for _, one in owner.heard
    )


def _counts_charge(state: State) -> bool:
    """Whether a car's charge goes by the count, because its report is doubted."""
    return state.car.soc.doubted_since_ns is not None or any(
        unit.soc.doubted_since_ns is not None for unit in state.parallel.units
    )


def _begun(state: State) -> tuple[int | float | None, ...]:
    """What must not begin somewhere in a hop: an inverter that waits to join has its angle, heat allows more or less, the
    roof is held back by another frequency, which the next step asks for."""
    return (
        state.thermal.judged_c,
        state.solar.raised_hz,
        *(unit.in_phase_since_ns for unit in state.parallel.units),
    )


def _thresholds_pu(settings: Settings) -> tuple[float, ...]:
    """Where a voltage means something else on the other side."""
    window = settings.grid.enter_service
    trips = [element.limit for element in settings.grid.trips if element.quantity == "v"]
    return (0.05, 0.25, 0.5, 0.88, 0.9, window.v_lo_pu, window.v_hi_pu, *trips)
