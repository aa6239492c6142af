"""The Snapshot: everything that a person or another tool sees, as one immutable value.

Built from the core's state by the owner; shown by the screens, written to ``energy_state``, served on 8080. It is
plain data (msgspec encodes it as it stands). Unknown is ``None``, never 0; ages are milliseconds at ``at_ns``.
"""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True):
    """A measured number. ``value`` None = unknown (then ``age_ms`` says for how long, where it was ever known).

    ``source`` names another device where the number is borrowed from it ("inv"), else "".
    """

    value: float | None = None
    age_ms: float | None = None
    source: str = ""


class SideView(msgspec.Struct, frozen=True):
    """One side of the MID: volts RMS per leg and between them, hertz."""

    l1_v: Value = Value()
    l2_v: Value = Value()
    l1l2_v: Value = Value()
    frequency_hz: Value = Value()
    thd_pct: Value = Value()


class GridView(msgspec.Struct, frozen=True):
    """The grid as the monitor judges it.

    ``condition``: unknown | dead | out_of_window | in_window. ``since_ms`` = how long so. ``qualified_s`` of
    ``delay_s`` is the enter-service count. ``reason`` says in words what is out of its window.
    """

    sides: SideView = SideView()
    condition: str = "unknown"
    since_ms: float = 0.0
    qualified_s: float = 0.0
    delay_s: float = 0.0
    reason: str = ""


class MidView(msgspec.Struct, frozen=True):
    """The MID. ``position``: open | closed | unknown; ``proof``: none | aux | aux+volts.

    ``last_open_ms`` = coil command to both contacts open, as timed; ``worst_open_ms`` of ``openings``.
    """

    position: str = "unknown"
    proof: str = "none"
    last_known: str = ""
    last_known_wall_s: float | None = None
    last_open_ms: float | None = None
    worst_open_ms: float | None = None
    openings: int = 0
    latched_open: bool = True


class LegView(msgspec.Struct, frozen=True):
    """One leg's load current against its limit."""

    current_a: Value = Value()
    limit_a: float = 0.0


class InverterView(msgspec.Struct, frozen=True):
    """``mode``: off | standby | following | forming | fault | unknown.

    ``set_w``: the limit that the core asks for and reckons with, ``None`` = not known. ``holds_w``: the one that the inverter
    itself says; its driver reads it back after each order, and else with every tenth poll.
    """

    mode: str = "unknown"
    heartbeat_ok: bool = False
    power_w: Value = Value()
    set_w: float | None = None
    rated_w: float = 0.0
    binding_limit: str = ""
    heatsink_c: Value = Value()
    ambient_c: Value = Value()
    fan_on: bool | None = None
    fan_rpm: Value = Value()
    fan_on_above_c: float = 40.0
    derate_from_c: float = 45.0
    efficiency_pct: float | None = None
    stopped_reason: str = ""
    holds_w: Value = Value()


class CarView(msgspec.Struct, frozen=True):
    """The car. ``runtime_s`` at the present load, ``planned_s`` with all that waits to return; ``None`` when not
    discharging or unknown. ``ends_by``: "charge" (the floor), "volts" (the lowest DC voltage) or "limit" (the car's own),
    whichever comes first. ``pack_ohm``: from load steps. ``session``: why its DC side is not usable, "" when it is.
    """

    soc_pct: Value = Value()
    floor_pct: float = 20.0
    dc_v: Value = Value()
    dc_a: Value = Value()
    power_w: Value = Value()
    runtime_s: float | None = None
    discharging: bool = False
    ends_by: str = ""
    pack_ohm: float | None = None
    planned_s: float | None = None
    limit_w: float | None = None
    insulation_ohm_per_v: float | None = None
    session: str = ""


class UnitView(msgspec.Struct, frozen=True):
    """One of several inverters. ``role``: primary | shares | out; ``reason``: why it is out, in words."""

    name: str
    role: str
    mode: str = "unknown"
    phase_deg: Value = Value()
    current_a: Value = Value()
    soc_pct: Value = Value()
    reason: str = ""


class SupplyView(msgspec.Struct, frozen=True):
    """The controller's own supply. ``reason``: what is wrong with it, in words; ``stopped``: the site waits for it."""

    volts: Value = Value()
    hold_up_min: Value = Value()
    stopped: bool = False
    reason: str = ""


class TariffView(msgspec.Struct, frozen=True):
    """Peak shaving. ``window``: the high tariff that runs now ("17:00-21:00"), "" = none, or nobody knows the time.

    ``power_w``: asked of the inverter, ``None`` = nothing; ``confirmed``: it gives that. ``reason``: why nothing is
    given in the window, or why the clock is not believed.
    """

    configured: bool = False
    window: str = ""
    power_w: float | None = None
    confirmed: bool = False
    reason: str = ""
    reserve_pct: float = 50.0


class LoadView(msgspec.Struct, frozen=True):
    """One circuit. ``state``: on | off | held | shed | fault | unknown. ``hold_s`` left of a hold."""

    id: str
    name: str
    legs: str
    tier: int
    state: str = "unknown"
    power_w: Value = Value()
    hold_s: float | None = None
    reason: str = ""


class TransferView(msgspec.Struct, frozen=True):
    """One transfer in its parts, milliseconds from t0 as timed by the logic controller.

    ``transfer_class``: hard | backfeed | brownout | balanced | sense_fault | intentional. ``detect_ms`` runs from
    the grid's fall to the open command, ``open_ms`` to both contacts open, ``prove_ms`` to the form command,
    ``form_ms`` to both legs back; ``total_ms`` is their sum.
    """

    wall_s: float
    transfer_class: str
    cause: str
    detect_ms: float | None = None
    open_ms: float | None = None
    prove_ms: float | None = None
    form_ms: float | None = None
    total_ms: float | None = None
    budget_ms: float = 100.0
    uncertainty_ms: float = 4.2
    ok: bool | None = None


class EventView(msgspec.Struct, frozen=True):
    """One event, ``wall_s`` seconds since the epoch (informs only). ``severity``: info warning alarm lockout."""

    sequence: int
    wall_s: float
    code: str
    severity: str
    text: str


class AlarmView(msgspec.Struct, frozen=True):
    """A condition that stands now, worst first."""

    code: str
    severity: str
    text: str
    since_wall_s: float
    acknowledged: bool = False
    what_to_do: str = ""


class DeviceView(msgspec.Struct, frozen=True):
    """One device's link. ``state``: connecting | ok | late | lost."""

    name: str
    protocol: str
    address: str
    state: str
    reason: str = ""
    last_age_ms: float | None = None
    good: int = 0
    bad: int = 0
    round_trip_ms: float | None = None
    identity: str = ""


class OutletView(msgspec.Struct, frozen=True):
    """A way out for other tools (energy_state, HTTP, MQTT). ``state``: starting | ok | failing."""

    name: str
    address: str
    state: str
    reason: str = ""


class LaneView(msgspec.Struct, frozen=True):
    """The fast lane's own measure of itself: lateness in ms, ticks over 10 ms late, step cost."""

    steps: int = 0
    lateness_p99_ms: float = 0.0
    lateness_max_ms: float = 0.0
    missed: int = 0
    step_mean_us: float = 0.0
    step_max_us: float = 0.0
    gc_pause_max_ms: float = 0.0
    frames_dropped: int = 0


class Limits(msgspec.Struct, frozen=True):
    """What the screens print beside the measured values: the site's windows."""

    enter_v_lo: float = 110.0
    enter_v_hi: float = 126.0
    enter_ll_lo: float = 220.0
    enter_ll_hi: float = 252.0
    enter_f_lo: float = 59.5
    enter_f_hi: float = 60.1
    thd_pct: float = 3.0


class Snapshot(msgspec.Struct, frozen=True):
    """The whole picture at ``at_ns`` (owner's monotonic clock); ``wall_s`` only informs.

    ``mode`` is the islanding state in lower case, or ``unknown`` while nothing has been heard. ``sentence`` is
    what the system waits for, or the worst alarm: one line of plain text. ``twin`` is true when the devices are
    simulated. ``owner_ready`` is false until the core's first step. ``helm``: "" = nobody, "you" or "other", whose
    name is ``helm_name``; ``consoles``: the names of all screens that look on, this one among them.
    """

    sequence: int = 0
    at_ns: int = 0
    wall_s: float = 0.0
    site: str = ""
    twin: bool = False
    owner_ready: bool = False
    mode: str = "unknown"
    mode_since_ms: float = 0.0
    house_dark: bool | None = None
    locked_out: bool = False
    sentence: str = ""
    helm: str = ""
    helm_name: str = ""
    consoles: tuple[str, ...] = ()
    grid: GridView = GridView()
    house: SideView = SideView()
    mid: MidView = MidView()
    legs: tuple[LegView, LegView] = (LegView(), LegView())
    inverter: InverterView = InverterView()
    car: CarView = CarView()
    solar_w: Value = Value()
    solar_state: str = ""
    supply: SupplyView = SupplyView()
    tariff: TariffView = TariffView()
    units: tuple[UnitView, ...] = ()
    loads: tuple[LoadView, ...] = ()
    #: What would happen to the circuits: one line of plain text each.
    what_if: tuple[str, ...] = ()
    last_transfer: TransferView | None = None
    transfers: int = 0
    alarms: tuple[AlarmView, ...] = ()
    events: tuple[EventView, ...] = ()
    devices: tuple[DeviceView, ...] = ()
    outlets: tuple[OutletView, ...] = ()
    lane: LaneView = LaneView()
    limits: Limits = Limits()
