"""The Snapshot as Prometheus metrics. Unknown values are left out: an absent series is not a zero."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from v2h_console.outlets.document import plain
from v2h_console.session.snapshot import SideView, Snapshot, Value

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MODES = (
    "boot_open",
    "tied",
    "opening",
    "proving",
    "dark",
    "forming",
    "islanded",
    "syncing",
    "closing_sync",
    "handback",
    "closing_dead",
    "fault_open",
    "unknown",
)
POSITIONS = ("open", "closed", "unknown")


def exposition(snapshot: Snapshot) -> bytes:
    """The text exposition format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Picture(snapshot))
    return generate_latest(registry)


class _Picture(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Every family that has a known value."""
        snapshot = self._snapshot
        yield _one_of("v2h_mode", "Islanding mode, 1 for the present one", "mode", MODES, snapshot.mode)
        yield _one_of("v2h_mid", "MID position", "position", POSITIONS, snapshot.mid.position)
        yield _of("v2h_locked_out", "1 while a lockout stands", float(snapshot.locked_out))
        yield from _sides(snapshot)
        yield from _single(snapshot)
        yield from _loads(snapshot)
        yield from _devices(snapshot)
        yield from _lane(snapshot)
        alarms = GaugeMetricFamily("v2h_alarm", "Standing alarms", labels=["code", "severity"])
        for alarm in snapshot.alarms:
            alarms.add_metric([plain(alarm.code), alarm.severity], 1.0)
        yield alarms


def _of(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)


def _one_of(name: str, help_text: str, label: str, words: tuple[str, ...], now: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for word in words:
        family.add_metric([word], float(word == now))
    return family


def _sides(snapshot: Snapshot) -> Iterator[Metric]:
    volts = GaugeMetricFamily("v2h_voltage_volts", "RMS volts", labels=["side", "leg"])
    hertz = GaugeMetricFamily("v2h_frequency_hertz", "Frequency", labels=["side"])
    sides: tuple[tuple[str, SideView], ...] = (("grid", snapshot.grid.sides), ("house", snapshot.house))
    for side, view in sides:
        for leg, value in (("l1", view.l1_v), ("l2", view.l2_v), ("l1l2", view.l1l2_v)):
            if value.value is not None:
                volts.add_metric([side, leg], value.value)
        if view.frequency_hz.value is not None:
            hertz.add_metric([side], view.frequency_hz.value)
    yield volts
    yield hertz
    amperes = GaugeMetricFamily("v2h_current_amperes", "House load current", labels=["leg"])
    for leg, legs in zip(("l1", "l2"), snapshot.legs, strict=True):
        if legs.current_a.value is not None:
            amperes.add_metric([leg], legs.current_a.value)
    yield amperes


def _single(snapshot: Snapshot) -> Iterator[Metric]:
    inverter, car, transfer = snapshot.inverter, snapshot.car, snapshot.last_transfer
    yield _of("v2h_grid_qualified_seconds", "Enter-service seconds served", snapshot.grid.qualified_s)
    if inverter.set_w is not None:
        yield _of("v2h_inverter_limit_watts", "Discharge limit that is asked for", inverter.set_w)
    yield CounterMetricFamily("v2h_transfers", "Transfers since the start", value=float(snapshot.transfers))
    if transfer is not None and transfer.total_ms is not None:
        yield _of("v2h_last_transfer_seconds", "Grid lost to house back", transfer.total_ms / 1000.0)
    known: tuple[tuple[str, str, Value], ...] = (
        ("v2h_inverter_power_watts", "AC power, positive = to the house", inverter.power_w),
        ("v2h_inverter_held_limit_watts", "Discharge limit that the inverter itself says", inverter.holds_w),
        ("v2h_inverter_temperature_celsius", "Heatsink", inverter.heatsink_c),
        ("v2h_car_soc_percent", "Charge as the car reports it", car.soc_pct),
        ("v2h_car_dc_volts", "Car's DC voltage", car.dc_v),
        ("v2h_car_dc_amperes", "Car's DC current, positive = discharging", car.dc_a),
        ("v2h_solar_power_watts", "Solar AC power", snapshot.solar_w),
    )
    for name, help_text, value in known:
        if value.value is not None:
            yield _of(name, help_text, value.value)


def _loads(snapshot: Snapshot) -> Iterator[Metric]:
    power = GaugeMetricFamily("v2h_load_power_watts", "Circuit power", labels=["load"])
    held = GaugeMetricFamily("v2h_load_held", "1 while a rule holds the circuit off", labels=["load"])
    for load in snapshot.loads:
        if load.power_w.value is not None:
            power.add_metric([load.id], load.power_w.value)
        if load.state != "unknown":
            held.add_metric([load.id], float(load.state in ("held", "shed")))
    yield power
    yield held


def _devices(snapshot: Snapshot) -> Iterator[Metric]:
    up = GaugeMetricFamily("v2h_device_up", "1 while the device answers", labels=["device"])
    for device in snapshot.devices:
        up.add_metric([plain(device.name)], float(device.state == "ok"))
    yield up


def _lane(snapshot: Snapshot) -> Iterator[Metric]:
    lane = snapshot.lane
    yield _of("v2h_lane_lateness_max_seconds", "Worst lateness of the fast lane", lane.lateness_max_ms / 1000)
    yield _of("v2h_lane_lateness_p99_seconds", "99th percentile of it", lane.lateness_p99_ms / 1000)
    yield CounterMetricFamily("v2h_lane_missed", "Ticks over 10 ms late", value=float(lane.missed))
