"""What the polled devices would have answered, read from the simulated house: virtual time without Modbus bytes.

Runs whose faults lie in the Modbus bytes themselves need the real machines; all others spare their cost. Values are
those that the twin's register maps serve.
"""

from __future__ import annotations

from v2h_console.twin.physics.car import Car
from v2h_console.twin.world import World
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import (
    CarStatus,
    CircuitReading,
    InverterStatus,
    LinkHealth,
    LinkState,
    RelayStates,
    SolarStatus,
)


def poll(world: World, at_ns: int) -> list[Reading]:
    """One round of every polled device at ``at_ns``."""
    readings: list[Reading] = [_inverter(world, at_ns), _solar(world, at_ns)]
    readings.append(_car(world.car, embodied(world), at_ns, heard=world.car_heard))
    readings.extend(
        _car(unit.car, _name(unit.index), at_ns, heard=unit.car.connected)
        for unit in world.units.followers()
        if not unit.silent
    )
    mask = 0
    for index, circuit in enumerate(world.circuits):
        mask |= circuit.relay_closed << index
        readings.append(
            CircuitReading(
                at_ns,
                Quality.GOOD,
                "Load centre",
                index,
                circuit.voltage_v,
                circuit.current_a,
                circuit.power_w,
                world.frequency_hz("house"),
            )
        )
    readings.append(RelayStates(at_ns, Quality.GOOD, "Load centre", mask))
    readings.extend(_link(device, at_ns) for device in ("Inverter", "Load centre", "Solar"))
    return readings


def _inverter(world: World, at_ns: int) -> InverterStatus:
    inverter = world.inverter
    return InverterStatus(
        at_ns=at_ns,
        quality=Quality.GOOD,
        device=embodied(world),
        power_w=inverter.power_w,
        l1_w=inverter.l1_w,
        l2_w=inverter.l2_w,
        l1_v=world.rms_v("house", 1),
        l2_v=world.rms_v("house", 2),
        l1l2_v=world.rms_v("house", 0),
        frequency_hz=inverter.frequency_hz,
        temperature_c=None if world.sense_fault("inverter_temp") else world.thermal.heatsink_c,
        rated_w=inverter.rated_w,
        max_discharge_w=inverter.max_discharge_w,
        forming=inverter.mode == "forming",
        following=inverter.mode == "following",
        alarms=1 << 6 if inverter.mode == "fault" else 0,
    )


def _name(index: int) -> str:
    return "Inverter" if index == 0 else f"Inverter {index + 1}"


def embodied(world: World) -> str:
    """The device behind which the inverter that holds the house stands."""
    return _name(world.units.primary)


def _car(car: Car, device: str, at_ns: int, *, heard: bool) -> CarStatus:
    if not heard:
        # The inverter answers for its own registers; what it does not hear of the car it says it does not know.
        return CarStatus(at_ns, Quality.GOOD, device, None, None, None, None, None, None)
    return CarStatus(
        at_ns=at_ns,
        quality=Quality.GOOD,
        device=device,
        soc_pct=car.reported_soc_pct,
        soh_pct=car.soh_pct,
        capacity_wh=car.capacity_wh,
        dc_voltage_v=car.dc_voltage_v,
        dc_current_a=car.dc_current_a,
        dc_power_w=car.dc_voltage_v * car.dc_current_a,
    )


def _solar(world: World, at_ns: int) -> SolarStatus:
    solar = world.solar
    return SolarStatus(
        at_ns=at_ns,
        quality=Quality.GOOD,
        device="Solar",
        power_w=solar.power_w,
        voltage_v=world.rms_v("house", 0),
        frequency_hz=world.frequency_hz("house"),
        rated_w=solar.rated_w,
    )


def _link(device: str, at_ns: int) -> LinkHealth:
    return LinkHealth(at_ns, device, "virtual", "", LinkState.OK, "", at_ns, 1, 0, None)
