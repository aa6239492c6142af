"""The faults that lie in Modbus bytes: which there are, and how each is put on the lane and taken off again."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from v2h_console.proving.modbus_lane import ModbusLane
from v2h_console.proving.wire_faults import WireFault
from v2h_console.twin.faces.load_centre import RelayBoard
from v2h_console.twin.faces.modbus_faces import INVERTER_UNIT, RELAYS_UNIT
from v2h_console.twin.faces.modbus_server import UnitFace
from v2h_console.twin.faces.sunspec_devices import InverterUnit, SolarUnit
from v2h_console.twin.scenario import Step
from v2h_console.twin.vocabulary import Params
from v2h_console.twin.world import World

FAULTS = frozenset(("modbus.timeout", "modbus.garbage", "modbus.unit_conflict", "modbus.write_ignored"))
#: What the stranger's car says that answers in our car's place.
STRANGER_SOC_PCT = 80.0


def links(steps: Iterable[Step]) -> frozenset[str]:
    """The links whose bytes these lines touch."""
    return frozenset(
        str(line.params.get("link", "tcp"))
        for line in steps
        if line.do == "fault.inject" and line.params.get("fault") in FAULTS
    )


def put(lane: ModbusLane, world: World, fault: str, params: Params | None) -> None:
    """Put ``fault`` on the lane, or with ``None`` take it off."""
    told = params or {}
    begins = params is not None
    wire = lane.rtu if told.get("link", "tcp") == "rtu" else lane.tcp
    match fault:
        case "modbus.timeout":
            how = str(told.get("how", "silent"))
            lane.tcp.fault = lane.rtu.fault = WireFault(how, world.seed) if begins else None
        case "modbus.garbage" if begins:
            share_pct = told.get("share_pct", 100.0)
            wire.fault = WireFault(str(told.get("how", "data")), world.seed, float(share_pct))
        case "modbus.garbage":
            lane.tcp.fault = lane.rtu.fault = None
        case "modbus.unit_conflict" if begins:
            unit = RELAYS_UNIT if wire.rtu else INVERTER_UNIT
            wire.impostor = (unit, _stranger(world, str(told.get("other", "same")), rtu=wire.rtu))
        case "modbus.unit_conflict":
            for one in (lane.tcp, lane.rtu):
                # What was read while it was there and thrown away is in no driver's memory any more.
                one.impostor = None
                one.foreign.clear()
        case "modbus.write_ignored":
            lane.inverter.obeys = not (begins and told.get("how") == "effect")
            lane.tcp.ignores_writes = begins and lane.inverter.obeys


def _stranger(world: World, other: str, *, rtu: bool) -> UnitFace:
    """Another device with our unit's number: one of the same make beside another car, or the roof's."""
    lock = threading.Lock()
    if rtu:
        return RelayBoard(world, lock)
    if other == "solar":
        return SolarUnit(world, lock, INVERTER_UNIT)
    house = replace(world.house, car=replace(world.house.car, soc_pct=STRANGER_SOC_PCT), units=())
    return InverterUnit(World(house, world.seed + 1, boot=True), lock, INVERTER_UNIT, "TWIN-INV-0002")
