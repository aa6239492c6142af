"""Inverter and car together: which mode, when it trips, what it takes from the pack and leaves in the heatsink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from v2h_console.twin.physics import car
from v2h_console.twin.physics.agenda import NEVER_NS
from v2h_console.twin.physics.streams import uniform

if TYPE_CHECKING:
    from v2h_console.twin.world import World

_MS = 1_000_000
_SECOND = 1_000_000_000
#: The car's own floor: it ends the session whatever the house wants.
_CAR_EMPTY_PCT = 5.0


class Powertrain:
    """Acts on ``world.inverter``, ``world.car`` and ``world.thermal``."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: Injected: it trips and stays tripped; it takes the enable and makes no voltage.
        self.held_tripped = False
        self.wont_form = False

    # -- commands -----------------------------------------------------------------------------------------------

    def set_gate(self, on: bool) -> None:
        """Gate on or off."""
        world = self._world
        if on == world.inverter.gate_on:
            return
        world.inverter.gate_on = on
        world.tell("gate.on" if on else "gate.off")
        if on:
            world.agenda.cancel("inverter/reset")
        else:
            self._plan_reset()
        world.react()

    def set_form(self, on: bool) -> None:
        """Form enable on or off."""
        world = self._world
        if on != world.inverter.form_on:
            world.inverter.form_on = on
            world.tell("form.on" if on else "form.off")
            world.react()

    def set_setpoint(self, frequency_hz: float, voltage_v: float, power_w: float, leg1_share: float) -> None:
        """New setpoints; the oscillator turns on without a jump."""
        world, inverter = self._world, self._world.inverter
        new = (frequency_hz, voltage_v, power_w, leg1_share)
        old = (inverter.set_frequency_hz, inverter.set_voltage_v, inverter.set_power_w, inverter.leg1_share)
        if new == old:
            return
        inverter.set_frequency_hz, inverter.set_voltage_v, inverter.set_power_w, inverter.leg1_share = new
        if power_w != old[2]:
            world.tell("inverter.power_asked", power_w=power_w)
        if inverter.mode == "forming" and inverter.raising:
            inverter.steer(world.now_ns)
        world.react()

    def set_discharge_limit(self, power_w: float) -> None:
        """New discharge limit, 0 to the rating."""
        inverter = self._world.inverter
        limit = min(inverter.rated_w, max(0.0, power_w))
        if limit != inverter.max_discharge_w:
            inverter.max_discharge_w = limit
            self._world.tell("inverter.limit", power_w=limit)
            self._world.react()

    # -- mode ---------------------------------------------------------------------------------------------------

    def choose_mode(self) -> None:
        """The mode that commands, car and terminals ask for now."""
        world, inverter = self._world, self._world.inverter
        mode = inverter.mode
        if inverter.fault:
            mode = "fault"
        elif not world.car.connected:
            if not world.agenda.has("inverter/hold_up"):
                mode = "off"
        elif not inverter.gate_on:
            mode = "standby"
        elif inverter.form_on:
            if mode != "forming":
                mode = "standby" if self.wont_form else "forming"
        elif mode == "forming":
            # The hand-back: the voltage stays because the grid holds it.
            mode = "following" if self._grid_holds() else "standby"
        elif mode != "following":
            mode = "standby"
            self._plan_following()
        self._enter(mode)

    def _grid_holds(self) -> bool:
        world = self._world
        return all(world.mid.main_closed(leg + 1) and not world.grid.lost[leg] for leg in (0, 1))

    def _plan_following(self) -> None:
        world = self._world
        if not (self._grid_holds() and world.senses.good("house")):
            world.agenda.cancel("inverter/follow")
        elif not world.agenda.has("inverter/follow"):
            delay = round(world.house.inverter.follow_delay_ms * _MS)
            world.agenda.put("inverter/follow", world.now_ns + delay, self._follow)

    def _follow(self) -> None:
        world, inverter = self._world, self._world.inverter
        # Whatever forbids it since has cancelled this appointment or changed the mode.
        if inverter.mode == "standby" and inverter.gate_on and not inverter.form_on:
            self._enter("following")
            world.react()

    def _enter(self, mode: str) -> None:
        world, inverter = self._world, self._world.inverter
        if mode == inverter.mode:
            return
        inverter.mode = mode
        world.tell("inverter.mode", mode=mode)
        if mode != "standby":
            world.agenda.cancel("inverter/follow")
        if mode != "following":
            world.agenda.cancel("inverter/anti_islanding")
        if mode == "forming":
            inverter.starts += 1
            delay_ms = uniform(
                world.seed, "inverter.start", inverter.starts, world.house.inverter.forming_delay_ms
            )
            world.agenda.put("inverter/raise", world.now_ns + round(delay_ms * _MS), self._raise)
        else:
            world.agenda.cancel("inverter/raise")
            inverter.raising = False

    def _raise(self) -> None:
        world, inverter = self._world, self._world.inverter
        inverter.raising = True
        inverter.steer(world.now_ns)
        world.grid.motors = [False, False]
        world.react()

    def house_half_changed(self) -> None:
        """A leg of the house crossed 0.5 pu: a following inverter must not feed an island."""
        world = self._world
        if world.inverter.mode != "following":
            return
        if world.senses.alive(0) and world.senses.alive(1):
            world.agenda.cancel("inverter/anti_islanding")
        elif not world.agenda.has("inverter/anti_islanding"):
            delay = round(world.house.inverter.anti_islanding_ms * _MS)
            world.agenda.put("inverter/anti_islanding", world.now_ns + delay, self._stop_following)

    def give_up(self) -> None:
        """The inverter's own islanding detection: it pushed, and the voltage gave way."""
        if self._world.inverter.mode == "following":
            self._world.tell("inverter.gave_up")
            self._stop_following()

    def _stop_following(self) -> None:
        self._enter("standby")
        self._world.react()

    # -- trips --------------------------------------------------------------------------------------------------

    def trip(self, why: str) -> None:
        """Stop with fault ``why``; it resets a while after the gate has gone off and the cause is gone."""
        world, inverter = self._world, self._world.inverter
        if inverter.fault:
            return
        inverter.fault = why
        world.tell("inverter.tripped", fault=why)
        world.agenda.cancel_all("inverter/")
        if not inverter.gate_on:
            self._plan_reset()
        world.react()

    def _plan_reset(self) -> None:
        world = self._world
        if world.inverter.fault and not world.agenda.has("inverter/reset"):
            at_ns = world.now_ns + round(world.house.inverter.fault_reset_s * _SECOND)
            world.agenda.put("inverter/reset", at_ns, self._reset)

    def _reset(self) -> None:
        world, inverter = self._world, self._world.inverter
        hot = (
            inverter.fault == "overtemperature"
            and world.thermal.heatsink_c > world.house.inverter.derate_from_c
        )
        if self.held_tripped or hot:
            self._plan_reset()
            return
        inverter.fault = ""
        world.tell("inverter.reset")
        world.react()

    def plug(self, connected: bool) -> None:
        """The car's DC contactor closes or opens; the inverter's capacitors last a moment longer."""
        world = self._world
        if connected == world.car.connected:
            return
        working = world.inverter.mode in ("forming", "following")
        world.car.draw(world.now_ns, 0.0)
        world.car.connected = connected
        world.tell("car.plugged" if connected else "car.unplugged")
        if connected:
            world.agenda.cancel("inverter/hold_up")
        elif working:
            hold_up = round(world.house.inverter.hold_up_ms * _MS)
            world.agenda.put("inverter/hold_up", world.now_ns + hold_up, self._dc_gone)
        world.react()

    def _dc_gone(self) -> None:
        self.trip("dc_undervoltage")

    # -- loading ------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """After a solve: pack current, losses, the overload curve, the limits that a trip follows."""
        world, inverter = self._world, self._world.inverter
        now = world.now_ns
        working = inverter.mode in ("forming", "following")
        loss_w = inverter.loss_w(world.thermal.heatsink_c)
        dc_w = inverter.power_w + loss_w if working else 0.0
        world.car.draw(now, dc_w)
        world.thermal.anchor(now, loss_w)
        trip_ns = inverter.load(now, world.network.apparent_va if working else 0.0)
        if trip_ns < NEVER_NS:
            world.agenda.put("inverter/overload", trip_ns, self._overload)
        else:
            world.agenda.cancel("inverter/overload")
        if working and dc_w > car.MARGIN * world.car.max_discharge_w:
            if not world.agenda.has("car/overdrawn"):
                world.agenda.put("car/overdrawn", now + car.PATIENCE_NS, self._overdrawn)
        else:
            world.agenda.cancel("car/overdrawn")
        data = world.house.inverter
        if working and world.car.connected and not data.dc_lo_v <= world.car.dc_voltage_v <= data.dc_hi_v:
            world.agenda.put("inverter/dc", now, self._dc_out)

    def _overload(self) -> None:
        self.trip("overload")

    def _dc_out(self) -> None:
        low = self._world.car.dc_voltage_v < self._world.house.inverter.dc_lo_v
        self.trip("dc_undervoltage" if low else "dc_overvoltage")

    def _overdrawn(self) -> None:
        self._world.tell("car.stopped", reason="overdrawn")
        self._world.car_link.end()

    def pass_second(self) -> None:
        """What changes slowly: derating, an inverter too hot, a car that is empty."""
        world, inverter = self._world, self._world.inverter
        heatsink_c = world.thermal.heatsink_c
        inverter.derate_for(heatsink_c)
        if heatsink_c >= world.house.inverter.stop_c:
            self.trip("overtemperature")
        if world.car.connected and world.car.soc_pct <= _CAR_EMPTY_PCT and world.car.dc_current_a > 0.0:
            world.tell("car.stopped", reason="empty")
            world.car_link.end()
