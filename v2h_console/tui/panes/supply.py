"""The car, the loads and the last transfer; and what to do when the worst alarm says so."""

from __future__ import annotations

from v2h_console.session.snapshot import LoadView, Snapshot, TransferView
from v2h_console.tui.lines import Row, fit, wrap
from v2h_console.tui.picture import Picture, urgent
from v2h_console.tui.words import age, clock, kilowatts, known, lasts, late, minutes_seconds, number

_ON, _HELD, _SHED, _LARGEST = 8, 16, 45, 64
_DO = 12
_SILENT_CONTROLLER = (
    "1 stand clear of the MID",
    "2 look at the controller's RUN lamp",
    "3 off: check its supply",
    "4 on: check the CAN plug",
)


_NO_OWNER = ("1 treat all as LIVE", "2 start an owner: v2h-console, v2h-manager")


def supply_block(picture: Picture, tall: bool) -> list[Row]:
    """Rows 15 to 17 of the Overview; on a tall screen one more that shows the last transfer to scale."""
    snapshot = picture.snapshot
    rows = [_car(picture), _loads(picture)]
    todo = what_to_do(snapshot) if picture.gone is None else list(_NO_OWNER)
    nothing_known = snapshot.mid.position not in ("open", "closed")
    if tall or not (todo and nothing_known):
        rows.append(_transfer(picture))
    if tall:
        rows.append(_scale(picture))
    rows.extend(_do(picture, todo))
    return rows


def what_to_do(snapshot: Snapshot) -> list[str]:
    """The steps of the worst alarm; for a silent logic controller ours, if the alarm brings none."""
    worst = urgent(snapshot)
    if worst is not None and worst.what_to_do:
        return steps(worst.what_to_do)
    if snapshot.owner_ready and snapshot.mode == "unknown" and snapshot.mid.position == "unknown":
        return list(_SILENT_CONTROLLER)
    return []


def steps(advice: str) -> list[str]:
    """An alarm's advice, one thing to do each."""
    return [part.strip() for part in advice.replace(";", "\n").splitlines() if part.strip()]


def _do(picture: Picture, todo: list[str]) -> list[Row]:
    if not todo:
        return []
    rows = [Row(picture.width), Row(picture.width)]
    rows[0].at(1, "WHAT TO DO", "title")
    left = _DO + 1
    if 1 < len(todo) <= 4:
        right = left + max(len(step) for step in todo[::2]) + 4
        if right + max(len(step) for step in todo[1::2]) <= 80:
            for index, step in enumerate(todo):
                rows[index // 2].at(left if index % 2 == 0 else right, step)
            return rows
    lines = wrap("; ".join(step.rstrip(".") for step in todo) + ".", min(picture.width, 80) - _DO - 2)
    rows[0].at(left, lines[0])
    if len(lines) == 1:
        return rows[:1]
    rest = lines[1] if len(lines) == 2 else fit(f"{lines[1]} {lines[2]}", min(picture.width, 80) - _DO - 2)
    rows[1].at(left, rest)
    return rows


_ENDS = {"volts": ", volts end it", "limit": ", its limit ends it"}


def _car(picture: Picture) -> Row:
    car = picture.snapshot.car
    row = Row(picture.width).at(1, "CAR", "title")
    low = car.soc_pct.value is not None and known(car.soc_pct) and car.soc_pct.value <= car.floor_pct
    soc = number(car.soc_pct.value, 0)
    row.right(10, f"!{soc}" if low else soc, "alarm" if low else "value").at(11, "%")
    row.at(14, f"floor {number(car.floor_pct, 0)} %")
    row.right(31, number(car.dc_v.value, 0), "value").at(32, "V")
    row.right(39, number(car.dc_a.value, 1), "value").at(40, "A")
    if not known(car.soc_pct):
        waited = age(car.soc_pct.age_ms)
        text = f"no word from the car  {waited}" if waited else "no word from the car yet"
    elif late(car.soc_pct):
        text = f"last word from the car {late(car.soc_pct)}"
    elif picture.snapshot.tariff.power_w is not None:
        tariff = picture.snapshot.tariff
        text = f"shaves {kilowatts(tariff.power_w)} kW, tariff {tariff.window}"
    elif not car.discharging:
        text = "not discharging"
    elif picture.snapshot.mode == "tied":
        # What the inverter takes beside the grid says nothing of how long the house would last.
        text = f"on the grid; standby {kilowatts(car.power_w.value)} kW"
    elif car.runtime_s is None:
        text = f"discharging {kilowatts(car.power_w.value)} kW"
    else:
        power = f" at {number(car.power_w.value / 1000, 1)} kW" if car.power_w.value is not None else ""
        # Charge is the usual end and needs no word; volts that give out first are news.
        end = _ENDS.get(car.ends_by, "")
        text = f"lasts {lasts(car.runtime_s)}{power}{end}"
    return row.at(45, fit(text, 35))


def _names(loads: list[LoadView], room: int) -> str:
    parts = [
        f"{load.name} {minutes_seconds(load.hold_s)}" if load.hold_s is not None else load.name
        for load in loads
    ]
    return fit(", ".join(parts), room)


def _loads(picture: Picture) -> Row:
    loads = picture.snapshot.loads
    row = Row(picture.width).at(1, "LOADS", "title")
    if not loads:
        return row.at(_ON, "none known yet")
    by_state: dict[str, list[LoadView]] = {}
    for load in loads:
        by_state.setdefault(load.state, []).append(load)
    if len(by_state.get("unknown", ())) == len(loads):
        told_off = sum(1 for load in loads if load.reason)
        # A reason of some is not said of the others.
        of_some = f"no switch is heard; {told_off} told to be off" if told_off else ""
        reason = loads[0].reason if told_off == len(loads) else of_some
        text = f"unknown: {reason}" if reason else "unknown"
        return row.at(_ON, fit(text, 71), "warn")
    row.at(_ON, f"{len(by_state.get('on', ()))} on", "value")
    groups = [(state, by_state[state]) for state in ("held", "shed", "off") if state in by_state][:2]
    if len(groups) == 2:
        places = [(_HELD, _SHED - _HELD - 1), (_SHED, _LARGEST - _SHED - 1)]
    else:
        places = [(_HELD, _LARGEST - _HELD - 1)]
    for (state, some), (column, room) in zip(groups, places, strict=False):
        head = f"{len(some)} {state}: "
        row.at(column, head).at(column + len(head), _names(some, room - len(head)))
    broken = by_state.get("fault", []) or by_state.get("unknown", [])
    if broken:
        word = "FAULT" if by_state.get("fault") else "unknown"
        return row.at(_LARGEST, f"!{word}: {broken[0].name}", "alarm", 15)
    measured = [
        load for load in by_state.get("on", []) if known(load.power_w) and (load.power_w.value or 0) > 0
    ]
    if measured:
        largest = max(measured, key=lambda load: load.power_w.value or 0.0)
        row.at(_LARGEST, fit(f"top {largest.name}", 16))
    return row


def _parts(transfer: TransferView) -> list[tuple[str, float | None]]:
    return [
        ("detect", transfer.detect_ms),
        ("open", transfer.open_ms),
        ("prove", transfer.prove_ms),
        ("form", transfer.form_ms),
    ]


def _transfer(picture: Picture) -> Row:
    row = Row(picture.width).at(1, "LAST TRANSFER", "title")
    transfer = picture.snapshot.last_transfer
    if transfer is None:
        return row.at(17, "none yet")
    late_one = transfer.ok is False
    total = f"{'!' if late_one else ''}{number(transfer.total_ms, 0)}"
    row.at(17, total, "alarm" if late_one else "value")
    budget = f" of {number(transfer.budget_ms, 0)} ms"
    row.at(17 + len(total), budget)
    parts = " · ".join(f"{name} {number(ms, 0)}" for name, ms in _parts(transfer))
    # One that took minutes has longer numbers.
    begin = max(33, 17 + len(total) + len(budget) + 2)
    row.at(begin, parts)
    end = begin + len(parts)
    uncertainty = f"±{number(transfer.uncertainty_ms, 1)}"
    if end + 2 + len(uncertainty) <= 80:
        row.at(end + 2, uncertainty)
    return row


def _scale(picture: Picture) -> Row:
    """The parts to scale, against the budget: alternating full and shaded runs, ``│`` at the budget's end."""
    row = Row(picture.width)
    transfer = picture.snapshot.last_transfer
    if transfer is None or transfer.total_ms is None or transfer.budget_ms <= 0:
        return row
    row.at(1, fit(f"{transfer.transfer_class} {clock(transfer.wall_s)}", 31))
    cells = 46
    scale_ms = max(transfer.budget_ms, transfer.total_ms)
    at_ms, column = 0.0, 0
    for index, (_, ms) in enumerate(_parts(transfer)):
        at_ms += ms or 0.0
        end = min(cells, round(at_ms / scale_ms * cells))
        row.at(33 + column, ("█", "▒")[index % 2] * (end - column), "mark")
        column = end
    row.at(33 + column, "·" * (cells - column), "rule")
    row.at(33 + min(cells - 1, round(transfer.budget_ms / scale_ms * cells)), "│", "value")
    return row
