"""Loads, links and the log as tables."""

from __future__ import annotations

from rich.cells import cell_len

from v2h_console.session.snapshot import DeviceView, LoadView
from v2h_console.tui.lines import Row, fit, wrap
from v2h_console.tui.picture import Picture, entries
from v2h_console.tui.words import age, clock, is_serious, known, late, minutes_seconds, number

_STATE_ROLES = {"fault": "alarm", "unknown": "warn", "lost": "alarm", "late": "warn"}


def load_rows(picture: Picture, count: int, width: int | None = None) -> list[Row]:
    """A heading and at most ``count - 1`` circuits in ``width`` cells (else the picture's whole width).

    Two rows at least, of which the view cuts what it has no room for.
    """
    count = max(count, 2)
    drawn = [Row(picture.width) for _ in range(count)]
    room = (picture.width if width is None else width) - 39
    drawn[0].at(3, "CIRCUIT", "title").at(18, "LEG", "title").at(23, "TIER", "title")
    drawn[0].at(30, "NOW", "title").at(38, "STATE", "title")
    loads = picture.snapshot.loads
    shown = loads[: count - 1] if len(loads) <= count - 1 else loads[: count - 2]
    for row, load in zip(drawn[1:], shown, strict=False):
        _load(row, load, room)
    if len(shown) < len(loads):
        drawn[count - 1].at(3, f"and {len(loads) - len(shown)} more: view 3 Loads")
    elif not loads:
        drawn[1].at(3, "no circuits known yet")
    return drawn


def _load(row: Row, load: LoadView, room: int) -> None:
    bad = load.state == "fault"
    row.at(1, "!" if bad else " ").at(3, fit(load.name, 14), "plain")
    row.at(18, fit(load.legs, 4)).at(24, f"{load.tier}")
    row.right(33, number(load.power_w.value, 0) if known(load.power_w) else "--", "value")
    row.at(34, "W")
    state = load.state
    if load.hold_s is not None:
        state = f"{state} {minutes_seconds(load.hold_s)}"
    text = f"{state} {load.reason}" if load.reason and load.state != "on" else state
    if len(text) > room:
        # Half a reason says nothing; view 3 has the room for it.
        text = state
    if known(load.power_w) and late(load.power_w):
        text = f"{text} {late(load.power_w)}"
    row.at(38, fit(text, room))
    if load.state in _STATE_ROLES:
        row.paint(_STATE_ROLES[load.state], 38, 38 + len(load.state))


def device_rows(picture: Picture, count: int, column: int = 0, rows: list[Row] | None = None) -> list[Row]:
    """A heading and at most ``count - 1`` devices from ``column``; full columns where 80 cells are free.

    Two rows at least, of which the view cuts what it has no room for.
    """
    count = max(count, 2)
    drawn = [Row(picture.width) for _ in range(count)] if rows is None else rows
    full = picture.width - column >= 80
    places = (3, 18, 36, 60, 66, 72) if full else (3, 17, 0, 34, 40, 47)
    heads = ("DEVICE", "LINK", "ADDRESS", "AGE", "TRIP", "STATE")
    for place, head in zip(places, heads, strict=True):
        if place:
            drawn[0].at(column + place, head, "title")
    devices = picture.snapshot.devices
    for row, device in zip(drawn[1:], devices, strict=False):
        _device(row, device, column, places, picture.width)
    if len(devices) > count - 1:
        drawn[count - 1] = Row(picture.width).at(column + 3, f"and {len(devices) - count + 2} more")
    elif not devices:
        drawn[1].at(column + 3, "no devices known yet")
    return drawn


def _device(row: Row, device: DeviceView, column: int, places: tuple[int, ...], width: int) -> None:
    name, link, address, aged, trip, state = places
    lost = device.state == "lost"
    row.at(column + 1, "!" if lost else " ")
    row.at(column + name, fit(device.name, link - name - 1)).at(column + link, fit(device.protocol, 15))
    if address:
        row.at(column + address, fit(device.address, aged - address - 1))
    row.at(column + aged, age(device.last_age_ms) or "--", "value")
    if device.round_trip_ms is not None:
        row.at(column + trip, f"{number(device.round_trip_ms, 0)} ms")
    shown = device.state.upper() if lost else device.state
    row.at(column + state, fit(shown, width - column - state - 1), _STATE_ROLES.get(device.state, "ok"))


def loads_view(picture: Picture) -> list[Row]:
    """View 3, to read only."""
    return load_rows(picture, picture.height)[: picture.height]


def links_view(picture: Picture) -> list[Row]:
    """View 4, to read only: each device's link, then why a link is not ok, then the fast lane's own measure."""
    devices = picture.snapshot.devices
    table = device_rows(picture, min(len(devices), picture.height - 5) + 1 if devices else 2)
    rows = [*table, Row(picture.width)]
    rows += [
        Row(picture.width).at(1, fit(f"{device.name}: {device.reason}", picture.width - 2), "warn")
        for device in devices
        if device.state != "ok" and device.reason
    ]
    counts = [f"{d.name} {d.bad} bad of {d.good + d.bad}" for d in devices if d.good or d.bad]
    if counts:
        rows += _labelled(picture, "REPLIES", counts)
    rows += _unit_rows(picture)
    lane = picture.snapshot.lane
    measures = [
        f"late p99 {number(lane.lateness_p99_ms, 1)} ms, most {number(lane.lateness_max_ms, 1)} ms",
        f"missed {lane.missed}",
        f"step {number(lane.step_mean_us, 0)} us",
        f"lost frames {lane.frames_dropped}",
    ]
    rows += _labelled(picture, "CONTROL", measures)
    rows += _outlet_rows(picture)
    return rows[: picture.height]


def _labelled(picture: Picture, label: str, parts: list[str]) -> list[Row]:
    """The parts beside their label, on as many lines as they need; none is cut in two."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if cell_len(longer) <= picture.width - 11:
            lines[-1] = longer
        else:
            lines.append(fit(part, picture.width - 11))
    rows = [Row(picture.width).at(10, line) for line in lines]
    rows[0].at(1, label, "title")
    return rows


def _unit_rows(picture: Picture) -> list[Row]:
    """Several inverters, by rank: who makes the frequency, who shares, who is out and why."""
    rows = []
    for nth, unit in enumerate(picture.snapshot.units):
        row = Row(picture.width).at(1, "UNITS" if nth == 0 else "", "title")
        row.at(10, fit(unit.name, 14)).at(25, fit(unit.role, 8), "ok" if unit.role != "out" else "warn")
        angle = "--" if unit.phase_deg.value is None else f"{unit.phase_deg.value:+.0f}°"
        amps = "--" if unit.current_a.value is None else f"{number(unit.current_a.value, 0)} A"
        charge = "--" if unit.soc_pct.value is None else f"{number(unit.soc_pct.value, 0)} %"
        row.at(34, fit(unit.mode, 10)).at(45, angle, "value").at(52, amps, "value").at(60, charge, "value")
        if unit.reason:
            row.at(67, fit(unit.reason, picture.width - 68), "warn")
        rows.append(row)
    return rows


def _outlet_rows(picture: Picture) -> list[Row]:
    """What other tools read, and why one of them gets nothing."""
    rows = []
    for nth, outlet in enumerate(picture.snapshot.outlets):
        row = Row(picture.width).at(1, "READERS" if nth == 0 else "", "title")
        column = 51 if picture.width < 100 else 71
        row.at(10, fit(f"{outlet.name} {outlet.address}", column - 11))
        said = f"{outlet.state}: {outlet.reason}" if outlet.reason else outlet.state
        first, *others = wrap(said, picture.width - column - 1) or [""]
        role = "ok" if outlet.state == "ok" else "warn"
        rows.append(row.at(column, first, role))
        rows += [Row(picture.width).at(column, line, role) for line in others[:2]]
    return rows


def log_view(picture: Picture) -> list[Row]:
    """View 6, to read only: codes and texts, newest first."""
    listed = entries(picture.snapshot, picture.faults_only)
    head = Row(picture.width).at(3, "TIME", "title").at(13, "CODE", "title").at(37, "WHAT", "title")
    head.right(picture.width - 1, f"{'faults only' if picture.faults_only else 'all'}: {len(listed)}")
    rows = [head]
    room = picture.height - 1
    cursor = None if picture.cursor is None else min(picture.cursor, len(listed) - 1)
    first = 0 if cursor is None else max(0, cursor - room + 1)
    for index, entry in enumerate(listed[first : first + room], first):
        row = Row(picture.width).at(1, {"info": " ", "warning": "w"}.get(entry.severity, "!"))
        row.at(3, clock(entry.wall_s)).at(13, fit(entry.code, 23), "value")
        row.at(37, fit(entry.text, picture.width - 38))
        if entry.standing and not entry.acknowledged and is_serious(entry.severity):
            row.paint("alarm", 1)
        if index == cursor:
            row.at(0, ">", "value")
        rows.append(row)
    if not listed:
        rows.append(
            Row(picture.width).at(3, "no faults" if picture.faults_only else "nothing has happened yet")
        )
    return rows
