"""The Snapshot as other tools read it: one JSON document for ``energy_state``, ``/state`` and MQTT.

Unknown is ``null``, never 0. Text of devices and people is made inert before it leaves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from v2h_console.session.snapshot import (
    AlarmView,
    CarView,
    InverterView,
    LoadView,
    SideView,
    Snapshot,
    TariffView,
    TransferView,
    Value,
)

#: A text field longer than this is cut: what comes from a device may be anything.
MAX_TEXT = 200


def document(snapshot: Snapshot) -> dict[str, Any]:
    """``at, age_ms, mode, mid, grid, house, inverter, car, loads, alarms`` and what else a reader may want.

    ``age_ms`` is the age of the older of the two sides' voltages: how old the picture's measurements are at ``at``
    (``null`` when one of them was never heard). Units are in the keys. Of the inverter's limits ``set_w`` is what it is asked for,
    ``held_w`` what it says itself.
    """
    grid = snapshot.grid
    return {
        "at": iso(snapshot.wall_s),
        "age_ms": _age_ms(snapshot),
        "site": plain(snapshot.site),
        "twin": snapshot.twin,
        "mode": snapshot.mode,
        "mid": snapshot.mid.position,
        "mid_proof": snapshot.mid.proof,
        "house_dark": snapshot.house_dark,
        "locked_out": snapshot.locked_out,
        "sentence": plain(snapshot.sentence),
        "grid": {
            **_side(grid.sides),
            "in_window": None if grid.condition == "unknown" else grid.condition == "in_window",
            "condition": grid.condition,
            "qualified_s": _rounded(grid.qualified_s, 1),
            "delay_s": grid.delay_s,
        },
        "house": {
            **_side(snapshot.house),
            "l1_a": _number(snapshot.legs[0].current_a, 2),
            "l2_a": _number(snapshot.legs[1].current_a, 2),
        },
        "inverter": _inverter(snapshot.inverter),
        "car": _car(snapshot.car),
        "solar": {"power_w": _number(snapshot.solar_w, 0)},
        "peak_shaving": _tariff(snapshot.tariff),
        "loads": [_load(load) for load in snapshot.loads],
        "last_transfer": _transfer(snapshot.last_transfer),
        "alarms": [_alarm(alarm) for alarm in snapshot.alarms],
    }


def encoded(snapshot: Snapshot) -> bytes:
    """The document as one line of JSON, without a line end."""
    return msgspec.json.encode(document(snapshot))


def iso(wall_s: float) -> str:
    """ISO 8601, local time with its zone, to the millisecond."""
    return datetime.fromtimestamp(wall_s).astimezone().isoformat(timespec="milliseconds")


def plain(text: str) -> str:
    """One line of printable text: no escapes, controls or line ends reach a reader's terminal by ``cat``."""
    return "".join(char if char.isprintable() else " " for char in text[:MAX_TEXT])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _number(value: Value, digits: int) -> float | None:
    return _rounded(value.value, digits)


def _age_ms(snapshot: Snapshot) -> float | None:
    ages = (snapshot.grid.sides.l1_v.age_ms, snapshot.house.l1_v.age_ms)
    known = [age for age in ages if age is not None]
    return round(max(known), 1) if len(known) == len(ages) else None


def _side(side: SideView) -> dict[str, float | None]:
    return {
        "l1_v": _number(side.l1_v, 1),
        "l2_v": _number(side.l2_v, 1),
        "l1l2_v": _number(side.l1l2_v, 1),
        "frequency_hz": _number(side.frequency_hz, 3),
    }


def _inverter(inverter: InverterView) -> dict[str, Any]:
    return {
        "mode": inverter.mode,
        "power_w": _number(inverter.power_w, 0),
        "set_w": _rounded(inverter.set_w, 0),
        "held_w": _number(inverter.holds_w, 0),
        "rated_w": inverter.rated_w or None,
        "binding_limit": inverter.binding_limit,
        "temperature_c": _number(inverter.heatsink_c, 1),
        "ambient_c": _number(inverter.ambient_c, 1),
        "fan_on": inverter.fan_on,
        "efficiency_pct": _rounded(inverter.efficiency_pct, 1),
    }


def _car(car: CarView) -> dict[str, Any]:
    return {
        "soc_pct": _number(car.soc_pct, 1),
        "floor_pct": car.floor_pct,
        "dc_v": _number(car.dc_v, 1),
        "dc_a": _number(car.dc_a, 2),
        "power_w": _number(car.power_w, 0),
        "runtime_s": _rounded(car.runtime_s, 0),
        "planned_runtime_s": _rounded(car.planned_s, 0),
        "runtime_ends_by": plain(car.ends_by),
        "limit_w": _rounded(car.limit_w, 0),
        "pack_ohm": _rounded(car.pack_ohm, 4),
    }


def _tariff(tariff: TariffView) -> dict[str, Any]:
    return {
        "configured": tariff.configured,
        "window": plain(tariff.window) or None,
        "power_w": _rounded(tariff.power_w, 0),
        "confirmed": tariff.confirmed,
        "reason": plain(tariff.reason),
        "reserve_pct": tariff.reserve_pct,
    }


def _load(load: LoadView) -> dict[str, Any]:
    return {
        "id": load.id,
        "name": plain(load.name),
        "state": load.state,
        "tier": load.tier,
        "power_w": _number(load.power_w, 0),
        "hold_s": _rounded(load.hold_s, 0),
        "reason": plain(load.reason),
    }


def _transfer(transfer: TransferView | None) -> dict[str, Any] | None:
    if transfer is None:
        return None
    return {
        "at": iso(transfer.wall_s),
        "class": transfer.transfer_class,
        "cause": plain(transfer.cause),
        "total_ms": _rounded(transfer.total_ms, 1),
        "budget_ms": transfer.budget_ms,
        "ok": transfer.ok,
    }


def _alarm(alarm: AlarmView) -> dict[str, Any]:
    return {
        "code": alarm.code,
        "severity": alarm.severity,
        "text": plain(alarm.text),
        "since": iso(alarm.since_wall_s),
        "acknowledged": alarm.acknowledged,
    }
