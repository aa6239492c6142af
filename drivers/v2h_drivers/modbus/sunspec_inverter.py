"""A SunSpec IEEE 1547-2018 inverter with the car behind it, and a plain solar one: polled, read back, commanded.

Models 1 (identity), 701 (measurements), 702 (ratings), 704 (limit), 713 (storage), 714 (DC ports).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from v2h_drivers.capabilities import (
    CarStatus,
    DischargeLimitRequest,
    Identity,
    InverterStatus,
    LinkState,
    Quality,
    Reading,
    SlowRequest,
    SolarPermitRequest,
    SolarStatus,
)
from v2h_drivers.modbus.connection import Connection, ModbusFailure
from v2h_drivers.modbus.health import HealthTeller
from v2h_drivers.modbus.machine import FailureKind
from v2h_drivers.modbus.plausible import Plausibility
from v2h_drivers.modbus.sunspec import NotSunSpec, Place, find_models, model_points, number, read_models, text

PROTOCOL = "Modbus TCP"
RETRY_S = 0.5
FOLLOWING_BIT, FORMING_BIT = 1, 2
LIMIT_TOLERANCE = 0.005
#: Only when one and the same device has answered for this long is a unit id taken to be one device's again.
ALONE_NS = 10_000_000_000


class UnitConflict(Exception):
    """More than one device answers as this unit. ``str()`` is a plain clause."""


class SunSpecDevice:
    """What every SunSpec device shares: find the map, poll, say how the link is. Subclasses emit readings."""

    #: Models read at each poll, and every tenth poll. The identity is read each time, in the block that it shares
    #: with the measurements: another device with the same unit id answers with its own.
    often: tuple[int, ...] = (1, 701)
    seldom: tuple[int, ...] = (702,)

    def __init__(
        self,
        name: str,
        connection: Connection,
        unit: int,
        emit: Callable[[Reading], None],
        *,
        period_s: float = 0.25,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._connection = connection
        self._unit = unit
        self._emit = emit
        self._period_s = period_s
        self._clock_ns = clock_ns
        self._health = HealthTeller(name, PROTOCOL, connection, unit, emit, clock_ns)
        self._places: dict[int, Place] = {}
        self._registers: dict[int, tuple[int, ...]] = {}
        self._polls = 0
        self._identity: tuple[str, str, str] | None = None
        #: Since when no other device has answered, while the id is in doubt.
        self._stranger_ns: int | None = None
        self._strangers = ""

    async def run(self) -> None:
        """Poll until cancelled; every failure is said, waited out and tried again."""
        while True:
            began_ns = self._clock_ns()
            try:
                await self.poll()
            except ModbusFailure as failure:
                if failure.kind is FailureKind.EXCEPTION and self._places:
                    self._doubt()
                self._failed(str(failure))
            except NotSunSpec as failure:
                self._doubt()
                self._failed(str(failure))
            except UnitConflict as failure:
                self._failed(str(failure))
            spent_s = (self._clock_ns() - began_ns) / 1e9
            pause_s = self._period_s if self._health.state is LinkState.OK else RETRY_S
            await asyncio.sleep(max(0.01, pause_s - spent_s))

    async def poll(self) -> None:
        """One round. Raises ModbusFailure, NotSunSpec or UnitConflict; then nothing of it was used."""
        if not self._places:
            self._places = await find_models(self._connection, self._unit)
            await self._identify()
        wanted = self.often if self._polls % 10 else self.often + self.seldom
        self._polls += 1
        places = [self._places[model] for model in wanted if model in self._places]
        read = await read_models(self._connection, self._unit, places)
        self._know(read)
        self._registers.update(read)
        self.report(self._clock_ns())
        self._health.good()

    def report(self, now_ns: int) -> None:
        """Emit readings from what was read."""
        raise NotImplementedError

    def submit(self, request: SlowRequest) -> bool:
        """Most devices take nothing."""
        return False

    def _failed(self, reason: str) -> None:
        self._health.failed(reason)
        if self._health.state is LinkState.LOST:
            # What comes back may be another device, or the same with new firmware: look anew.
            self._places, self._polls = {}, 0
            if self._stranger_ns is None:
                self._identity = None

    def _doubt(self) -> None:
        """What answered a moment ago has no such register now: maybe another device answers as this unit, too."""
        if self._identity is None:
            return
        self._stranger_ns = self._clock_ns()
        self._strangers = self._strangers or f"{self._identity[2]} and one with another map"

    def _know(self, read: dict[int, tuple[int, ...]]) -> None:
        """Whether the same device answers as before. Raises UnitConflict, until only one has answered for a while."""
        registers, points = read.get(1), model_points(1)
        if registers is None:
            return
        maker, model, serial = (text(points, registers, name) for name in ("Mn", "Md", "SN"))
        now_ns = self._clock_ns()
        if self._identity not in (None, (maker, model, serial)):
            assert self._identity is not None
            self._stranger_ns = now_ns
            self._strangers = " and ".join(sorted((self._identity[2], serial)))
        self._identity = (maker, model, serial)
        if self._stranger_ns is None:
            return
        if now_ns - self._stranger_ns < ALONE_NS:
            raise UnitConflict(f"two devices answer as unit {self._unit}: {self._strangers}")
        self._stranger_ns, self._strangers = None, ""

    async def _identify(self) -> None:
        place = self._places.get(1)
        if place is None:
            return
        registers = (await read_models(self._connection, self._unit, [place]))[1]
        points = model_points(1)
        self._emit(
            Identity(
                at_ns=self._clock_ns(),
                quality=Quality.GOOD,
                device=self.name,
                manufacturer=text(points, registers, "Mn"),
                model=text(points, registers, "Md"),
                version=text(points, registers, "Vr"),
                serial=text(points, registers, "SN"),
            )
        )

    def _number(self, model: int, name: str) -> float | None:
        registers = self._registers.get(model)
        return None if registers is None else number(model_points(model), registers, name)


class SunSpecInverter(SunSpecDevice):
    """The house's inverter; its EV port is the car until the car's own link speaks."""

    often = (1, 701, 713, 714)
    seldom = (702, 704)

    def __init__(
        self,
        name: str,
        connection: Connection,
        unit: int,
        emit: Callable[[Reading], None],
        *,
        period_s: float = 0.25,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(name, connection, unit, emit, period_s=period_s, clock_ns=clock_ns)
        self._wanted_limit: DischargeLimitRequest | None = None

    def submit(self, request: SlowRequest) -> bool:
        """Take a discharge limit; the newest wins."""
        if not isinstance(request, DischargeLimitRequest):
            return False
        self._wanted_limit = request
        return True

    async def poll(self) -> None:
        """One round, and the limit if one is waiting."""
        await super().poll()
        request = self._wanted_limit
        if request is not None and self._number(702, "WMaxRtg"):
            await self._set_limit(request)
            # What it reads back is said at once, not with the next poll.
            self.report(self._clock_ns())
            if self._wanted_limit is request:
                self._wanted_limit = None

    async def _set_limit(self, request: DischargeLimitRequest) -> None:
        """Write 704's limit, read it back, retry once; a limit that does not hold is said."""
        rated_w = self._number(702, "WMaxRtg")
        place = self._places.get(704)
        if place is None or not rated_w:
            self._health.note("offers no discharge limit (no SunSpec model 704)")
            return
        points = model_points(704)
        registers = (await read_models(self._connection, self._unit, [place]))[704]
        exponent = number(points, registers, "WMaxLimPct_SF")
        if exponent is None:
            self._health.note("does not scale its discharge limit")
            return
        percent = min(100.0, max(0.0, 100.0 * request.power_w / rated_w))
        raw = round(percent / 10.0**exponent)
        enable, limit = points["WMaxLimPctEna"].offset, points["WMaxLimPct"].offset
        for _ in range(2):
            await self._connection.write_registers(self._unit, place.address + limit, (raw,))
            await self._connection.write_registers(self._unit, place.address + enable, (1,))
            self._registers.update(await read_models(self._connection, self._unit, [place]))
            shown = self._number(704, "WMaxLimPct")
            if (
                shown is not None
                and abs(shown - percent) <= 100.0 * LIMIT_TOLERANCE
                and self._number(704, "WMaxLimPctEna") == 1
            ):
                self._health.note("")
                return
        self._health.note(f"did not take the discharge limit of {request.power_w / 1000:.1f} kW")

    def report(self, now_ns: int) -> None:
        """InverterStatus and CarStatus."""
        ok = Plausibility()
        mode = self._number(701, "DERMode")
        power_w = ok.check("power_w", self._number(701, "W"))
        rated_w = ok.check("power_w", self._number(702, "WMaxRtg"))
        status = InverterStatus(
            at_ns=now_ns,
            quality=Quality.GOOD,
            device=self.name,
            power_w=power_w,
            l1_w=ok.check("power_w", self._number(701, "WL1")),
            l2_w=ok.check("power_w", self._number(701, "WL2")),
            l1_v=ok.check("voltage_v", self._number(701, "VL1")),
            l2_v=ok.check("voltage_v", self._number(701, "VL2")),
            l1l2_v=ok.check("voltage_v", self._number(701, "VL1L2")),
            frequency_hz=ok.check("frequency_hz", self._number(701, "Hz")),
            temperature_c=ok.check("temperature_c", self._number(701, "TmpSnk")),
            rated_w=rated_w,
            max_discharge_w=self._limit_w(rated_w),
            forming=None if mode is None else bool(int(mode) & FORMING_BIT),
            following=None if mode is None else bool(int(mode) & FOLLOWING_BIT),
            alarms=None if (alarms := self._number(701, "Alrm")) is None else int(alarms),
        )
        self._emit(status if ok.held else _bad_inverter(status))
        if 713 in self._registers or 714 in self._registers:
            self._emit(self._car(now_ns))

    def _limit_w(self, rated_w: float | None) -> float | None:
        """704's limit when it is enabled, else 702's setting."""
        percent = self._number(704, "WMaxLimPct")
        if self._number(704, "WMaxLimPctEna") == 1 and percent is not None and rated_w is not None:
            return rated_w * percent / 100.0
        return self._number(702, "WDisChaRteMax")

    def _car(self, now_ns: int) -> CarStatus:
        ok = Plausibility()
        soc_pct = ok.check("percent", self._number(713, "SoC"))
        soh_pct = ok.check("percent", self._number(713, "SoH"))
        capacity_wh = ok.check("energy_wh", self._number(713, "WHRtg"))
        dc_voltage_v = ok.check("dc_voltage_v", self._number(714, "Prt.DCV"))
        dc_current_a = ok.check("current_a", self._number(714, "Prt.DCA"))
        dc_power_w = ok.check("power_w", self._number(714, "Prt.DCW"))
        quality = Quality.GOOD if ok.held else Quality.BAD
        return CarStatus(
            now_ns, quality, self.name, soc_pct, soh_pct, capacity_wh, dc_voltage_v, dc_current_a, dc_power_w
        )


class SunSpecSolar(SunSpecDevice):
    """A solar inverter on the house bus: seen, and told whether it may give power (703's permit to enter service)."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        unit: int,
        emit: Callable[[Reading], None],
        *,
        period_s: float = 0.5,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(name, connection, unit, emit, period_s=period_s, clock_ns=clock_ns)
        self._wanted_permit: SolarPermitRequest | None = None

    def submit(self, request: SlowRequest) -> bool:
        """Take a permit; the newest wins."""
        if not isinstance(request, SolarPermitRequest):
            return False
        self._wanted_permit = request
        return True

    async def poll(self) -> None:
        """One round, and the permit if one is waiting."""
        await super().poll()
        request = self._wanted_permit
        if request is not None:
            await self._set_permit(request)
            if self._wanted_permit is request:
                self._wanted_permit = None

    async def _set_permit(self, request: SolarPermitRequest) -> None:
        """Write 703's ES, read it back, retry once; a permit that does not hold is said."""
        place = self._places.get(703)
        if place is None:
            self._health.note("cannot be told to leave (no SunSpec model 703)")
            return
        offset = model_points(703)["ES"].offset
        for _ in range(2):
            await self._connection.write_registers(
                self._unit, place.address + offset, (int(request.permitted),)
            )
            self._registers.update(await read_models(self._connection, self._unit, [place]))
            if self._number(703, "ES") == int(request.permitted):
                self._health.note("")
                return
        self._health.note(f"did not take the {'permit' if request.permitted else 'order to leave'}")

    def report(self, now_ns: int) -> None:
        """SolarStatus."""
        ok = Plausibility()
        power_w = ok.check("power_w", self._number(701, "W"))
        voltage_v = ok.check("voltage_v", self._number(701, "VL1L2"))
        frequency_hz = ok.check("frequency_hz", self._number(701, "Hz"))
        rated_w = ok.check("power_w", self._number(702, "WMaxRtg"))
        quality = Quality.GOOD if ok.held else Quality.BAD
        self._emit(SolarStatus(now_ns, quality, self.name, power_w, voltage_v, frequency_hz, rated_w))


def _bad_inverter(status: InverterStatus) -> InverterStatus:
    from dataclasses import replace

    return replace(status, quality=Quality.BAD)
