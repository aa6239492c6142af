"""What the panes draw from: the newest Snapshot, how old it is on this screen, and what the person has chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from v2h_console.session.protocol import OwnerGone
from v2h_console.session.snapshot import (
    CarView,
    GridView,
    InverterView,
    LegView,
    LoadView,
    MidView,
    SideView,
    Snapshot,
    TariffView,
    Value,
)
from v2h_console.tui.history import LegHistory
from v2h_console.tui.words import is_serious

#: No newer Snapshot for this long: the screen says that the owner is silent.
SILENT_AFTER_MS = 1500.0
#: ... and from here on its values are no longer shown at all.
BLANK_AFTER_MS = 4000.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list of alarms and events."""

    standing: bool
    code: str
    severity: str
    text: str
    wall_s: float
    acknowledged: bool = True
    what_to_do: str = ""
    sequence: int = 0


@dataclass(frozen=True)
class Picture:
    """Everything a pane needs. ``width`` and ``height`` are those of the body."""

    snapshot: Snapshot
    wall_s: float
    width: int = 80
    height: int = 19
    stale_ms: float = 0.0
    cursor: int | None = None
    faults_only: bool = False
    history: LegHistory = field(default_factory=LegHistory)
    now_s: float = 0.0
    braille: bool = True
    gone: OwnerGone | None = None

    @property
    def silent(self) -> bool:
        """Whether the owner has sent nothing new for too long."""
        return self.stale_ms >= SILENT_AFTER_MS

    @property
    def blank(self) -> bool:
        """Whether nothing of it may be taken for the present any more."""
        return self.gone is not None or self.stale_ms >= BLANK_AFTER_MS


def entries(snapshot: Snapshot, faults_only: bool = False) -> list[Entry]:
    """The standing alarms in their order, then the events, newest first, without those that tell of a standing alarm."""
    found = [
        Entry(True, a.code, a.severity, a.text, a.since_wall_s, a.acknowledged, a.what_to_do)
        for a in snapshot.alarms
    ]
    standing = {(a.code, a.text) for a in snapshot.alarms}
    for event in sorted(snapshot.events, key=lambda e: e.sequence, reverse=True):
        if (event.code, event.text) in standing or (faults_only and event.severity == "info"):
            continue
        found.append(
            Entry(False, event.code, event.severity, event.text, event.wall_s, sequence=event.sequence)
        )
    return found


def urgent(snapshot: Snapshot) -> Entry | None:
    """The worst alarm that a person must act on and has not acknowledged."""
    for alarm in snapshot.alarms:
        if is_serious(alarm.severity) and not alarm.acknowledged:
            return Entry(
                True, alarm.code, alarm.severity, alarm.text, alarm.since_wall_s, False, alarm.what_to_do
            )
    return None


def aged(snapshot: Snapshot, stale_ms: float, *, gone: bool = False) -> Snapshot:
    """``snapshot`` as it must be shown ``stale_ms`` after it came: every value older by that, in the end unknown.

    An owner that is known to be ``gone`` is not waited for.
    """
    if stale_ms < SILENT_AFTER_MS and not gone:
        return snapshot
    blank = gone or stale_ms >= BLANK_AFTER_MS
    replace = msgspec.structs.replace

    def value(old: Value) -> Value:
        if old.value is None and old.age_ms is None:
            return old
        total_ms = (old.age_ms or 0.0) + stale_ms
        return Value(None, total_ms) if blank else replace(old, age_ms=total_ms)

    def side(old: SideView) -> SideView:
        return SideView(
            value(old.l1_v), value(old.l2_v), value(old.l1l2_v), value(old.frequency_hz), value(old.thd_pct)
        )

    def leg(old: LegView) -> LegView:
        return replace(old, current_a=value(old.current_a), limit_a=0.0 if blank else old.limit_a)

    grid, mid, inverter, car = snapshot.grid, snapshot.mid, snapshot.inverter, snapshot.car
    shown_mid: MidView = mid
    shown_grid: GridView = replace(grid, sides=side(grid.sides), since_ms=grid.since_ms + stale_ms)
    shown_inverter: InverterView = replace(
        inverter,
        power_w=value(inverter.power_w),
        holds_w=value(inverter.holds_w),
        heatsink_c=value(inverter.heatsink_c),
        ambient_c=value(inverter.ambient_c),
        fan_rpm=value(inverter.fan_rpm),
    )
    shown_car: CarView = replace(
        car,
        soc_pct=value(car.soc_pct),
        dc_v=value(car.dc_v),
        dc_a=value(car.dc_a),
        power_w=value(car.power_w),
    )
    loads: tuple[LoadView, ...] = tuple(replace(load, power_w=value(load.power_w)) for load in snapshot.loads)
    if blank:
        last_known = mid.position if mid.position != "unknown" else mid.last_known
        shown_mid = replace(
            mid,
            position="unknown",
            proof="none",
            last_known=last_known,
            last_known_wall_s=mid.last_known_wall_s or snapshot.wall_s,
        )
        shown_grid = replace(shown_grid, condition="unknown", since_ms=stale_ms, qualified_s=0.0, reason="")
        shown_inverter = replace(
            shown_inverter,
            mode="unknown",
            heartbeat_ok=False,
            fan_on=None,
            stopped_reason="",
            binding_limit="",
            set_w=None,
            rated_w=0.0,
        )
        shown_car = replace(shown_car, runtime_s=None, planned_s=None, limit_w=None, discharging=False)
        loads = tuple(replace(load, state="unknown", hold_s=None, reason="") for load in loads)
    shown = replace(
        snapshot,
        mode="unknown" if blank else snapshot.mode,
        house_dark=None if blank else snapshot.house_dark,
        grid=shown_grid,
        house=side(snapshot.house),
        mid=shown_mid,
        legs=(leg(snapshot.legs[0]), leg(snapshot.legs[1])),
        inverter=shown_inverter,
        car=shown_car,
        solar_w=value(snapshot.solar_w),
        supply=replace(
            snapshot.supply,
            volts=value(snapshot.supply.volts),
            hold_up_min=value(snapshot.supply.hold_up_min),
        ),
        units=tuple(
            replace(
                unit,
                mode="unknown" if blank else unit.mode,
                phase_deg=value(unit.phase_deg),
                current_a=value(unit.current_a),
                soc_pct=value(unit.soc_pct),
            )
            for unit in snapshot.units
        ),
        loads=loads,
    )
    return _nobody_knows(shown, stale_ms) if blank else shown


def _nobody_knows(snapshot: Snapshot, stale_ms: float) -> Snapshot:
    """What is no measured value: the links, the readers, the helm, the tariff."""
    replace = msgspec.structs.replace
    return replace(
        snapshot,
        helm="unknown",
        consoles=(),
        solar_state="",
        tariff=TariffView(snapshot.tariff.configured, reserve_pct=snapshot.tariff.reserve_pct),
        devices=tuple(
            replace(
                device,
                state="unknown",
                reason="",
                last_age_ms=None if device.last_age_ms is None else device.last_age_ms + stale_ms,
                round_trip_ms=None,
            )
            for device in snapshot.devices
        ),
        outlets=tuple(replace(outlet, state="unknown", reason="") for outlet in snapshot.outlets),
    )
