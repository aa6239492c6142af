"""The car's session and the DC side between pack and inverter: link, insulation test, precharge, contactors, weld check.

Acts on the car behind the inverter that holds the house. What is past 'energised' is a closed form of the time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from v2h_console.twin.world import World

_MS = 1_000_000
_SECOND = 1_000_000_000
#: A warm link takes about a second from the plug to its authorisation, its cable check another.
_LINK_NS = 1 * _SECOND
_INSULATION_NS = 1 * _SECOND
_PRECHARGE_NS = 500 * _MS
#: After this the precharge is given up, and tried again.
_PRECHARGE_MOST_NS = 10 * _SECOND
_RETRY_NS = 5 * _SECOND
#: How far a precharge comes whose resistor has aged.
_SHORT_OF_IT = 0.9
#: The bus behind open contactors is discharged with this time constant.
_BLEED_S = 0.2
#: A cable check wants this much.
_INSULATION_OHM_PER_V = 500.0
_DRY_OHM_PER_V = 1_500.0
_STEP_A = 0.25


class CarLink:
    """``stage`` as in docs/can.md. Faults: ``welded``, ``precharge_fails``, ``leak_ohm_per_v``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._car = world.car
        self._stage = "energised" if world.car.connected else "unplugged"
        self._opened_ns = world.now_ns
        self._opened_v = 0.0
        self._retries = 0
        self.welded = False
        self.precharge_fails = False
        self.leak_ohm_per_v: float | None = None

    # -- what is read -------------------------------------------------------------------------------------------

    @property
    def stage(self) -> str | None:
        """Of the session of the car that stands behind the inverter now; ``None`` while it does not speak."""
        if self._world.ev_silent:
            return None
        return self._true_stage

    @property
    def _true_stage(self) -> str:
        if self._world.car is not self._car:
            return "energised" if self._world.car.connected else "unplugged"
        return self._stage

    @property
    def speaks(self) -> bool:
        """Whether a car is there whose session runs."""
        return self.stage not in (None, "unplugged", "stopped", "fault")

    @property
    def commanded(self) -> bool:
        """What the contactors are told."""
        return self._true_stage == "energised"

    @property
    def contactors(self) -> tuple[bool, bool]:
        """Their own feedback: positive, negative."""
        closed = self._world.car.connected
        return closed, closed

    @property
    def dc_v(self) -> float:
        """The inverter's side of the contactors."""
        world = self._world
        if world.car.connected:
            return max(0.0, world.car.dc_voltage_v)
        if self._true_stage == "precharge":
            return world.car.open_circuit_v(world.car.soc_pct) * (
                _SHORT_OF_IT if self.precharge_fails else 1.0
            )
        return self._opened_v * math.exp((self._opened_ns - world.now_ns) * 1e-9 / _BLEED_S)

    @property
    def pack_v(self) -> float | None:
        """What the car says of its pack."""
        car = self._world.car
        if not self.speaks:
            return None
        return max(0.0, car.dc_voltage_v) if car.connected else car.open_circuit_v(car.soc_pct)

    @property
    def insulation_ohm_per_v(self) -> float | None:
        """As the monitor measures it; nothing before the test."""
        if self._true_stage in ("unplugged", "linking"):
            return None
        return _DRY_OHM_PER_V if self.leak_ohm_per_v is None else self.leak_ohm_per_v

    @property
    def limit_a(self) -> float | None:
        """Most amps that the car gives now, in the steps of its message; never more than its watts allow."""
        car = self._world.car
        if not self.speaks:
            return None
        return math.floor(car.max_discharge_w / car.full_v / _STEP_A) * _STEP_A

    def steps(self) -> tuple[object, ...]:
        """What is told at once when it changes."""
        return self.stage, self.commanded, self.contactors, self.insulation_ohm_per_v, self.limit_a

    # -- what happens -------------------------------------------------------------------------------------------

    def plug(self) -> None:
        """A car is plugged in; its session begins."""
        if not self._world.car.connected:
            self._retries = 0
            self._begin()

    def unplug(self) -> None:
        """The plug is pulled; welded contactors hold it locked."""
        self.end("unplugged")

    def end(self, stage: str = "stopped") -> None:
        """The session ends: the contactors are told to open."""
        world = self._world
        self._car = world.car
        world.agenda.cancel("car/session")
        if world.car.connected:
            self._opened_ns, self._opened_v = world.now_ns, max(0.0, world.car.dc_voltage_v)
        self._to("stopped" if self.welded else stage)
        if not self.welded:
            world.powertrain.plug(False)

    def weld(self, welded: bool) -> None:
        """Both contactors stick when they are next told to open; or come free."""
        self.welded = welded
        if not welded and not self.commanded:
            self.end()

    def _begin(self) -> None:
        self._car = self._world.car
        self._to("linking", _LINK_NS)

    def _to(self, stage: str, for_ns: int | None = None) -> None:
        world = self._world
        if stage != self._stage:
            self._stage = stage
            world.tell("car.session", stage=stage)
        if for_ns is not None:
            world.agenda.put("car/session", world.now_ns + for_ns, self._pass)
        world.react()

    def _pass(self) -> None:
        """The present stage is over."""
        match self._stage:
            case "linking":
                self._to("insulation", _INSULATION_NS)
            case "insulation":
                leak = self.leak_ohm_per_v
                if leak is not None and leak < _INSULATION_OHM_PER_V:
                    self._fail()
                else:
                    self._to("precharge", _PRECHARGE_MOST_NS if self.precharge_fails else _PRECHARGE_NS)
            case "precharge" if self.precharge_fails:
                self._fail()
            case "precharge":
                self._retries = 0
                self._to("energised")
                self._world.powertrain.plug(True)
            case "fault":
                self._begin()

    def _fail(self) -> None:
        self._retries += 1
        self._to("fault", _RETRY_NS << min(4, self._retries - 1))
