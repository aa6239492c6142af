"""The twin's inverter with the car behind it, and its solar inverter, as SunSpec units.

Models 1, 701 (measurements), 702 (ratings), 703 (enter service), 704 (controls), 713 (storage), 714 (DC ports), 715
(control). Offsets as in the model definitions, counted from each model's ID.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from v2h_console.twin.faces.modbus_server import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusError, UnitFace
from v2h_console.twin.faces.sunspec_registers import Image, common
from v2h_console.twin.world import World

BASE = 40000
MARKER = [0x5375, 0x6E53]  # "SunS"
END = [0xFFFF, 0]

INV_OFF, INV_STARTING, INV_RUNNING, INV_FAULT, INV_STANDBY = 0, 2, 3, 6, 7
GRID_FOLLOWING, GRID_FORMING = 1, 2
PORT_EV = 2

#: 704's writable points that the twin acts on, as (model offset).
LIMIT_ENABLED, LIMIT_PCT = 14, 15
#: 703's permit to enter service.
ENTER_SERVICE = 2
#: 715's controller heartbeat.
CONTROLLER_HB = 5


class SunSpecUnit(UnitFace):
    """A read-mostly register map at 40000, built anew for each read from the World."""

    def __init__(self, build: Callable[[], list[Image]], lock: threading.Lock) -> None:
        self._build = build
        self._lock = lock
        #: model → offset → value, for what clients wrote.
        self.written: dict[int, dict[int, int]] = {704: {LIMIT_ENABLED: 0, LIMIT_PCT: 1000}, 715: {}}

    def image(self) -> tuple[list[int], dict[int, tuple[int, int]]]:
        """All registers from BASE, and where (start, length) each model stands."""
        with self._lock:
            models = self._build()
        registers = list(MARKER)
        places: dict[int, tuple[int, int]] = {}
        for model in models:
            number = model.registers[0]
            for offset, value in self.written.get(number, {}).items():
                model.registers[offset] = value
            places[number] = (len(registers), len(model.registers))
            registers.extend(model.registers)
        registers.extend(END)
        return registers, places

    def read_holding(self, address: int, count: int) -> list[int]:
        """FC 3."""
        registers, _ = self.image()
        start = address - BASE
        if start < 0 or start + count > len(registers):
            raise ModbusError(ILLEGAL_ADDRESS)
        return registers[start : start + count]

    def write_holding(self, address: int, values: list[int]) -> None:
        """Only points that a client may write, all checked before any is taken."""
        _, places = self.image()
        wanted: list[tuple[int, int, int]] = []
        for index, value in enumerate(values):
            place = address - BASE + index
            found = next(
                (
                    (model, place - start)
                    for model, (start, size) in places.items()
                    if start <= place < start + size
                ),
                None,
            )
            if found is None:
                raise ModbusError(ILLEGAL_ADDRESS)
            self._check(*found, value)
            wanted.append((*found, value))
        for model, offset, value in wanted:
            self.written.setdefault(model, {})[offset] = value
        self.take_effect({model for model, _, _ in wanted})

    def take_effect(self, models: set[int]) -> None:
        """What a write changes; a unit that acts overrides it."""

    def _check(self, model: int, offset: int, value: int) -> None:
        if model == 704 and offset == LIMIT_ENABLED:
            if value not in (0, 1):
                raise ModbusError(ILLEGAL_VALUE)
        elif model == 704 and offset == LIMIT_PCT:
            if value > 1000:
                raise ModbusError(ILLEGAL_VALUE)
        elif not (model == 715 and offset in (CONTROLLER_HB, CONTROLLER_HB + 1)):
            raise ModbusError(ILLEGAL_ADDRESS)


class InverterUnit(SunSpecUnit):
    """The bidirectional inverter; model 714's one port is the car."""

    def __init__(self, world: World, lock: threading.Lock, unit: int, serial: str = "TWIN-INV-0001") -> None:
        super().__init__(self._models, lock)
        self._world = world
        self._unit = unit
        self._serial = serial
        self._rated_w = world.inverter.rated_w
        #: False: what is written shows in the registers and changes nothing.
        self.obeys = True
        share = world.inverter.max_discharge_w / self._rated_w
        self.written[704] = {LIMIT_ENABLED: 1, LIMIT_PCT: round(1000 * share)}

    def take_effect(self, models: set[int]) -> None:
        """A written limit becomes the inverter's."""
        if 704 not in models or not self.obeys:
            return
        points = self.written[704]
        share = points[LIMIT_PCT] / 1000.0 if points[LIMIT_ENABLED] else 1.0
        with self._lock:
            self._world.set_discharge_limit(self._rated_w * share)

    def _models(self) -> list[Image]:
        world = self._world
        return [
            common("Twin", "V2H-10K", "1.0.0", self._serial, self._unit),
            _measurements(world),
            _ratings(self._rated_w, world.inverter.max_discharge_w),
            _enter_service(),
            _controls(),
            _storage(world),
            _dc_port(world),
            _control(),
        ]


class SolarUnit(SunSpecUnit):
    """The roof's inverter: its permit to enter service (703) is obeyed, its limit kept without acting on it."""

    def __init__(self, world: World, lock: threading.Lock, unit: int) -> None:
        super().__init__(self._models, lock)
        self._world = world
        self._unit = unit

    def take_effect(self, models: set[int]) -> None:
        """Without its permit it leaves, and stays away."""
        if 703 in models:
            with self._lock:
                self._world.set_solar_permit(bool(self.written[703].get(ENTER_SERVICE, 1)))

    def _check(self, model: int, offset: int, value: int) -> None:
        if model == 703 and offset == ENTER_SERVICE:
            if value not in (0, 1):
                raise ModbusError(ILLEGAL_VALUE)
        else:
            super()._check(model, offset, value)

    def _models(self) -> list[Image]:
        world = self._world
        power_w = world.solar.power_w
        image = _measurement_frame()
        running = power_w > 0
        image.u16(4, INV_RUNNING if running else INV_STANDBY)
        image.u16(5, 1 if world.rms_v("house", 1) > 60.0 else 0)
        image.u32(8, GRID_FOLLOWING if running else 0)
        _put_power(image, world, power_w / 2.0, power_w / 2.0)
        return [
            common("Twin", "Roof-5K", "1.0.0", "TWIN-PV-0001", self._unit),
            image,
            _ratings(world.solar.rated_w, world.solar.rated_w),
            _enter_service(),
            _controls(),
            _control(),
        ]


def _measurement_frame() -> Image:
    image = Image(701, 153)
    image.u16(2, 1)  # split phase
    image.u16(3, 1)  # on
    image.u32(6, 0)
    for at in (12, 13, 35, 38, 39, 40, 43, 44, 66, 67, 87, 88, 89, 90, 91):
        image.not_signed(at)
    for at, exponent in ((113, -1), (114, -1), (115, -3), (116, 0), (117, -2), (118, 0), (119, 0)):
        image.scale(at, exponent)
    for at, exponent in ((120, 0), (121, 0), (122, -1)):
        image.scale(at, exponent)
    image.text(123, 32, "")
    return image


def _put_power(image: Image, world: World, l1_w: float, l2_w: float) -> None:
    """Watts, volts, amps and hertz at the terminals, which are the house's."""
    l1_v, l2_v, l1l2_v = world.rms_v("house", 1), world.rms_v("house", 2), world.rms_v("house", 0)
    l1_a = abs(l1_w) / l1_v if l1_v > 10.0 else 0.0
    l2_a = abs(l2_w) / l2_v if l2_v > 10.0 else 0.0
    image.s16(10, l1_w + l2_w)
    image.s16(11, abs(l1_w) + abs(l2_w))
    image.s16(14, max(l1_a, l2_a), -1)
    image.u16(15, l1l2_v, -1)
    image.u16(16, (l1_v + l2_v) / 2.0, -1)
    image.u32(17, world.frequency_hz("house"), -3)
    image.s16(41, l1_w)
    image.s16(42, abs(l1_w))
    image.s16(45, l1_a, -1)
    image.u16(46, l1l2_v, -1)
    image.u16(47, l1_v, -1)
    image.s16(64, l2_w)
    image.s16(65, abs(l2_w))
    image.s16(68, l2_a, -1)
    image.u16(70, l2_v, -1)


def _measurements(world: World) -> Image:
    inverter = world.inverter
    image = _measurement_frame()
    states = {"off": INV_OFF, "standby": INV_STANDBY, "fault": INV_FAULT}
    image.u16(4, states.get(inverter.mode, INV_RUNNING))
    image.u16(5, 1 if inverter.mode in ("following", "forming") else 0)
    image.u32(6, 1 << 6 if inverter.mode == "fault" else 0)
    image.u32(8, {"following": GRID_FOLLOWING, "forming": GRID_FORMING}.get(inverter.mode, 0))
    _put_power(image, world, inverter.l1_w, inverter.l2_w)
    image.s16(35, world.thermal.ambient_c, -1)
    image.s16(36, world.thermal.heatsink_c, -1)
    image.s16(37, world.thermal.heatsink_c, -1)
    return image


def _ratings(rated_w: float, max_discharge_w: float) -> Image:
    image = Image(702, 50)
    for at in (2, 3, 5, 7, 10, 11, 12, 13):
        image.u16(at, rated_w)
    image.u16(14, 240.0, -1)
    image.u16(15, 264.0, -1)
    image.u16(16, 211.0, -1)
    image.u16(17, rated_w / 240.0, -1)
    image.u16(22, 2)
    image.u16(25, 0b1110)
    for at in (26, 31, 34):
        image.u16(at, rated_w)
    image.u16(35, max_discharge_w)
    image.u16(36, rated_w)
    image.u16(37, rated_w)
    image.u16(38, 240.0, -1)
    image.u16(44, 0b0110)
    for at, exponent in ((45, 0), (46, -2), (47, 0), (48, 0), (49, -1), (50, -1), (51, -1)):
        image.scale(at, exponent)
    return image


def _enter_service() -> Image:
    image = Image(703, 17)
    image.u16(2, 1)
    image.u16(3, 105.0, -1)
    image.u16(4, 91.7, -1)
    image.u32(5, 60.1, -2)
    image.u32(7, 59.5, -2)
    image.u32(9, 300)
    image.u32(11, 0)
    image.u32(13, 300)
    image.u32(15, 0)
    image.scale(17, -1)
    image.scale(18, -2)
    return image


def _controls() -> Image:
    image = Image(704, 65)
    for at in (2, 8, 22, 35):
        image.u16(at, 0)
    image.u16(52, 1)
    for at in (28, 29, 42, 43):
        image.not_signed(at)
    for at in (24, 26, 38, 40):
        image.s32(at, None)
    for at, exponent in ((53, -2), (54, -1), (55, 0), (56, -1), (57, 0), (58, -1)):
        image.scale(at, exponent)
    return image


def _storage(world: World) -> Image:
    car = world.car
    image = Image(713, 7)
    connected = world.car_heard
    image.u16(2, car.capacity_wh if connected else None, 1)
    image.u16(3, car.capacity_wh * car.reported_soc_pct / 100.0 if connected else None, 1)
    image.u16(4, car.reported_soc_pct if connected else None, -1)
    image.u16(5, car.soh_pct if connected else None, -1)
    image.u16(6, 0)
    image.scale(7, 1)
    image.scale(8, -1)
    return image


def _dc_port(world: World) -> Image:
    car = world.car
    image = Image(714, 43)
    volts = car.dc_voltage_v if world.car_heard else None
    amps = car.dc_current_a if world.car_heard else None
    watts = volts * amps if volts is not None and amps is not None else None
    image.u32(2, 0)
    image.u16(4, 1)
    image.s16(5, amps, -2)
    image.s16(6, watts)
    for at, exponent in ((15, -2), (16, -1), (17, 0), (18, 0), (19, -1)):
        image.scale(at, exponent)
    image.u16(20, PORT_EV)
    image.u16(21, 1)
    image.text(22, 8, "Car")
    image.s16(30, amps, -2)
    image.u16(31, volts, -1)
    image.s16(32, watts)
    image.not_signed(41)
    image.u16(42, 1 if car.connected else 0)
    image.u32(43, 0)
    return image


def _control() -> Image:
    image = Image(715, 7)
    image.u16(2, 0)
    image.u32(3, 0)
    image.u32(5, 0)
    image.u16(7, 0)
    image.u16(8, 0)
    return image
