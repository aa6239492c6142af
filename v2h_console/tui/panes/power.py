"""The legs against their limits, and the inverter: power, what binds it, temperature and fan."""

from __future__ import annotations

from v2h_console.session.snapshot import InverterView, LegView
from v2h_console.tui.lines import Row, fit
from v2h_console.tui.panes.grid import GAUGES_FROM, gauge
from v2h_console.tui.picture import Picture
from v2h_console.tui.words import age, kilowatts, known, late, number

_INVERTER, _VALUE = 45, 56
_BAR, _BAR_CELLS = 22, 18
#: What binds the power, in words that follow "by"; any other word is shown as it comes.
_BINDING = {"car": "the car", "set": "setting", "rated": "rating"}
#: Degrees above the derating point at which the temperature gauge is full.
_ABOVE_DERATE_C = 15.0


def power_block(picture: Picture) -> list[Row]:
    """Rows 11 to 13 of the Overview, and one more with the temperature's gauge where it has room."""
    snapshot = picture.snapshot
    inverter = snapshot.inverter
    wide = picture.width >= GAUGES_FROM
    rows = [Row(picture.width) for _ in range(4 if wide else 3)]
    head, power, heat = rows[0], rows[1], rows[2]
    head.at(1, "LEG", "title").at(8, "now / limit")
    if inverter.binding_limit:
        binding = _BINDING.get(inverter.binding_limit, inverter.binding_limit)
        head.at(_BAR, fit(f"by {binding}", _INVERTER - _BAR - 1))
    for row, label, leg in ((power, "L1", snapshot.legs[0]), (heat, "L2", snapshot.legs[1])):
        _leg(row, label, leg)
    head.at(_INVERTER, "INVERTER", "title")
    role, text = _state(inverter)
    head.at(_VALUE, fit(text, 80 - _VALUE), role)

    power.at(_INVERTER, "power")
    _power(power, inverter)
    _heatsink(heat, inverter)
    if wide:
        solar = snapshot.solar_w
        if known(solar) or solar.age_ms is not None:
            rows[3].at(1, "SOLAR", "title").right(14, kilowatts(solar.value), "value").at(15, "kW")
            rows[3].at(18, late(solar) if known(solar) else age(solar.age_ms))
        derate, fan = inverter.derate_from_c, inverter.fan_on_above_c
        heatsink = inverter.heatsink_c.value if known(inverter.heatsink_c) else None
        rows[3].at(_INVERTER, f"  0-{derate + _ABOVE_DERATE_C:.0f} °C")
        rows[3].at(_VALUE, gauge(heatsink, 0.0, derate + _ABOVE_DERATE_C, (fan, derate), 20), "mark")
    return rows


def _leg(row: Row, label: str, leg: LegView) -> None:
    now = leg.current_a
    row.at(1, label)
    over = now.value is not None and known(now) and leg.limit_a < now.value
    shown = number(now.value, 1) if known(now) else "--"
    row.right(11, f"!{shown}" if over else shown, "alarm" if over else "value")
    # Nobody has told a limit yet; one of 0 A that stands beside a current has been told.
    limit = number(leg.limit_a, 1) if leg.limit_a > 0 or known(now) else "--"
    row.at(11, " / ").right(18, limit).at(19, "A")
    aged = late(now) if known(now) else age(now.age_ms)
    end = _BAR + _BAR_CELLS
    if aged and aged != "0s" and aged != "1s":
        row.at(end + 1, aged, "warn", 4)
    value = now.value if known(now) else None
    row.at(_BAR, gauge(value, 0.0, max(leg.limit_a, 1.0), (), _BAR_CELLS), "warn" if over else "mark")


def _state(inverter: InverterView) -> tuple[str, str]:
    if inverter.stopped_reason:
        return "warn", inverter.stopped_reason
    heartbeat = "heartbeat ok" if inverter.heartbeat_ok else "NO HEARTBEAT"
    if inverter.mode == "unknown":
        return "warn", f"unknown, {heartbeat}"
    if inverter.mode == "fault":
        return "alarm", f"! FAULT, {heartbeat}"
    return ("plain" if inverter.heartbeat_ok else "alarm"), f"{inverter.mode}, {heartbeat}"


def _power(row: Row, inverter: InverterView) -> None:
    """Now, set and rated: an installer compares all three."""
    now = inverter.power_w
    row.right(_VALUE + 4, kilowatts(now.value) if known(now) else "--", "value")
    limit = "--" if inverter.set_w is None else kilowatts(inverter.set_w)
    rest = f" / {limit} kW"
    row.at(_VALUE + 4, rest)
    column = _VALUE + 4 + len(rest) + 1
    aged = late(now) if known(now) else age(now.age_ms)
    if aged and aged not in ("0s", "1s"):
        row.at(column, aged, "warn")
    elif inverter.rated_w > 0:
        row.at(column, f"of {number(inverter.rated_w / 1000, 1)}")


def _heatsink(row: Row, inverter: InverterView) -> None:
    heatsink = inverter.heatsink_c
    row.at(_INVERTER, "heatsink")
    hot = heatsink.value is not None and known(heatsink) and heatsink.value >= inverter.derate_from_c
    shown = number(heatsink.value, 1) if known(heatsink) else "--"
    row.right(_VALUE + 4, f"!{shown}" if hot else shown, "alarm" if hot else "value")
    row.at(_VALUE + 5, "°C")
    aged = late(heatsink) if known(heatsink) else age(heatsink.age_ms)
    if aged and aged not in ("0s", "1s"):
        row.at(_VALUE + 9, aged, "warn")
        return
    if inverter.fan_on is None:
        fan = "fan ?"
    elif not inverter.fan_on:
        fan = f"fan off (on {number(inverter.fan_on_above_c, 0)})"
    elif known(inverter.fan_rpm):
        fan = f"fan {number(inverter.fan_rpm.value, 0)} rpm"
    else:
        fan = "fan on"
    row.at(_VALUE + 9, fan)
