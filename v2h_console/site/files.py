"""The shape of the files under /etc/energy: strict (an unknown key is an error), with units in the names.

``comm_stack.conf``: which devices, where. ``limits.conf``: what may be drawn. ``loads.conf``: the load table.
``schedule.conf`` has a module of its own. All TOML.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from v2h_console.site.names import ASCII_HOST

#: The logic controller's command has a bit for each.
MOST_INVERTERS = 8
#: What the solar inverter is called where nobody says; numbered where another device has that name.
UNNAMED_SOLAR = "Solar"

Port = Annotated[int, Meta(ge=1, le=65535)]
Unit = Annotated[int, Meta(ge=1, le=247)]
#: Line breaks and tabs: a remark may have them.
_BREAKS = r"\t\n\r"
#: Controls, and what a person does not see but a terminal obeys or a name hides in: directions, marks of no width,
#: fillers that are as blank as a space, line and tag characters.
_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f"
)
#: Persian, Hindi and others write with these; between two letters alone.
_JOINER = rf"(?<=[^{_HIDDEN}])[\u200c\u200d](?=[^{_HIDDEN}])"
Name = Annotated[
    str,
    Meta(
        pattern=rf"\A(?=.*\S)(?:[^{_HIDDEN}]|{_JOINER}){{1,40}}\Z",
        description="a text in quotes, 1 to 40 characters, no control characters and none that cannot be seen",
    ),
]
#: A name below /dev/serial/by-id is longer than any person's.
Line = Annotated[
    str,
    Meta(
        pattern=rf"\A(?=.*\S)[^{_HIDDEN}]{{1,128}}\Z",
        description="a text in quotes, 1 to 128 characters, no control characters and none that cannot be seen",
    ),
]
Remark = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:[^{_HIDDEN}]|{_JOINER}|[{_BREAKS}]){{0,200}}\Z",
        description="a text in quotes, at most 200 characters, no control characters and none that cannot be seen",
    ),
]
UserName = Annotated[
    str,
    Meta(
        pattern=rf"\A[^{_HIDDEN}]{{0,64}}\Z",
        description="a text in quotes, at most 64 characters, no control characters and none that cannot be seen",
    ),
]
#: Beyond ASCII it is checked as IDNA writes it (``names.can_be_asked_for``).
Host = Annotated[
    str,
    Meta(
        max_length=253,
        pattern=rf"\A(?:{ASCII_HOST}|(?=.*[^\x00-\x7f])(?:[A-Za-z0-9_.-]|[^\x00-\x7f{_HIDDEN}])+)\Z",
        description="a host's name or its address, such as gateway.lan or 192.168.1.10",
    ),
]
Topic = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_/-]{1,64}\Z",
        description="a text of 1 to 64 letters from A to Z, digits, and _ / -",
    ),
]
CircuitId = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z][a-z0-9_]{0,23}\Z",
        description="a text of 1 to 24 small letters, digits and _, a letter first",
    ),
]


class Controller(Struct, frozen=True, forbid_unknown_fields=True):
    """The logic controller's CAN bus. ``udp_multicast`` carries it over loopback, ``socketcan`` is the real one."""

    interface: Literal["udp_multicast", "socketcan", "slcan", "pcan", "kvaser"] = "socketcan"
    channel: Line = "can0"
    port: Port | None = None
    name: Name = "Controller"


class ModbusTcp(Struct, frozen=True, forbid_unknown_fields=True):
    """A SunSpec device on Modbus TCP."""

    host: Host
    port: Port = 502
    unit: Unit = 1
    name: Name = "Inverter"


class Solar(ModbusTcp, frozen=True, forbid_unknown_fields=True):
    """The solar inverter, a SunSpec device as well."""

    name: Name = UNNAMED_SOLAR


class LoadCentre(Struct, frozen=True, forbid_unknown_fields=True):
    """Relays and circuit meters on one RS-485 line: ``meters`` maps a circuit id to its meter's unit id."""

    tty: Line
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    relays_unit: Unit = 1
    meters: dict[CircuitId, Unit] = {}
    name: Name = "Load centre"


class TripEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One trip element that the utility has set otherwise, within its category's range (IEEE 1547-2018, 6.4, 6.5)."""

    limit: Annotated[float, Meta(ge=0, le=70)]
    clearing_s: Annotated[float, Meta(gt=0, le=1000)]


class Trips(Struct, frozen=True, forbid_unknown_fields=True):
    """``[grid.trips.uv1]`` and so on: voltages in pu, frequencies in Hz."""

    ov2: TripEntry | None = None
    ov1: TripEntry | None = None
    uv1: TripEntry | None = None
    uv2: TripEntry | None = None
    of2: TripEntry | None = None
    of1: TripEntry | None = None
    uf1: TripEntry | None = None
    uf2: TripEntry | None = None


class Grid(Struct, frozen=True, forbid_unknown_fields=True):
    """The utility's profile. ``source`` says where it comes from (a letter, a web page), for the record.

    ``separation``: auto (quickly while next to nothing is exported), permitted (always: the utility says so in writing),
    ride_through (never sooner than the trip elements).
    """

    category: Literal["I", "II", "III"] = "III"
    utility: Literal["ieee1547", "ca_rule21_2022", "ca_ul1741sa_2016", "ladwp"] = "ieee1547"
    source: Remark = "IEEE 1547-2018 defaults"
    detector: Literal["steady", "fast"] = "steady"
    separation: Literal["auto", "permitted", "ride_through"] = "auto"
    enter_service_delay_s: Annotated[float, Meta(ge=0, le=600)] | None = None
    enter_service_ramp_s: Annotated[float, Meta(ge=1, le=1000)] = 300.0
    enter_service_v_lo_pu: Annotated[float, Meta(ge=0.88, le=0.95)] = 0.917
    enter_service_v_hi_pu: Annotated[float, Meta(ge=1.05, le=1.06)] = 1.05
    enter_service_f_lo_hz: Annotated[float, Meta(ge=59.0, le=59.9)] = 59.5
    enter_service_f_hi_hz: Annotated[float, Meta(ge=60.1, le=61.0)] = 60.1
    trips: Trips = Trips()


class Mid(Struct, frozen=True, forbid_unknown_fields=True):
    """The interconnection device."""

    poles: Literal[2, 3] = 2
    closing_time_ms: Annotated[float, Meta(gt=0, le=100)] = 31.0


class Http(Struct, frozen=True, forbid_unknown_fields=True):
    """Port 8080: ``/state``, ``/metrics``, ``/healthz``, read-only. Loopback unless the site says otherwise."""

    enabled: bool = True
    address: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080


class Mqtt(Struct, frozen=True, forbid_unknown_fields=True):
    """The broker that telemetry and events go to. ``password_file`` holds the password alone."""

    host: Host
    port: Port = 1883
    username: UserName = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    topic_prefix: Topic = "v2h"
    discovery_prefix: Topic = "homeassistant"


Inverters = Annotated[
    ModbusTcp | Annotated[list[ModbusTcp], Meta(min_length=1, max_length=MOST_INVERTERS)],
    Meta(description=f"one table [inverter], or [[inverter]] once for each of up to {MOST_INVERTERS}"),
]


class CommStack(Struct, frozen=True, forbid_unknown_fields=True):
    """comm_stack.conf."""

    controller: Controller
    #: ``[inverter]``, or ``[[inverter]]`` once for each of two to eight that run in parallel, by rank.
    inverter: Inverters
    site: Name = "unnamed site"
    solar: Solar | None = None
    load_centre: LoadCentre | None = None
    grid: Grid = Grid()
    mid: Mid = Mid()
    http: Http = Http()
    mqtt: Mqtt | None = None
    twin: bool = False

    def __post_init__(self) -> None:
        """A roof whose name is left out is not called as another device is."""
        if self.solar is None or self.solar.name != UNNAMED_SOLAR:
            return
        others = {name for where, name in self.names().items() if where != "solar.name"}
        free = (f"{UNNAMED_SOLAR} {number}" for number in range(2, len(others) + 3))
        if self.solar.name in others:
            name = next(one for one in free if one not in others)
            structs.force_setattr(self, "solar", structs.replace(self.solar, name=name))

    def inverters(self) -> tuple[ModbusTcp, ...]:
        """All of them by rank; a name left at its default is numbered from the second on."""
        if isinstance(self.inverter, ModbusTcp):
            return (self.inverter,)
        return tuple(
            structs.replace(one, name=f"{one.name} {number}")
            if number > 1 and one.name == "Inverter"
            else one
            for number, one in enumerate(self.inverter, 1)
        )

    def hosts(self) -> dict[str, str]:
        """Each host that is connected to or listened on, by where it stands."""
        lists = not isinstance(self.inverter, ModbusTcp)
        inverters = {
            f"inverter[{nth}].host" if lists else "inverter.host": one.host
            for nth, one in enumerate(self.inverters())
        }
        others = (("solar.host", self.solar), ("mqtt.host", self.mqtt))
        named = {where: one.host for where, one in others if one is not None}
        return inverters | named | {"http.address": self.http.address}

    def names(self) -> dict[str, str]:
        """Each device's name by where it stands; alarms and links go by it."""
        lists = not isinstance(self.inverter, ModbusTcp)
        named = {"controller.name": self.controller.name}
        for nth, one in enumerate(self.inverters()):
            named[f"inverter[{nth}].name" if lists else "inverter.name"] = one.name
        for where, other in (("solar.name", self.solar), ("load_centre.name", self.load_centre)):
            if other is not None:
                named[where] = other.name
        return named


class LimitsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """limits.conf."""

    max_discharge_power_kw: Annotated[float, Meta(ge=0, le=100)] = 7.6
    rated_power_kw: Annotated[float, Meta(ge=0.5, le=100)] = 10.0
    surge_10s_kva: Annotated[float, Meta(ge=0.5, le=200)] | None = None
    surge_100ms_kva: Annotated[float, Meta(ge=0.5, le=300)] | None = None
    floor_soc_pct: Annotated[float, Meta(ge=20, le=80)] = 20.0
    max_discharge_current_a: Annotated[float, Meta(ge=1, le=500)] | None = None


class CircuitEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One circuit of loads.conf; its place in the file is its bit in SHED and LOAD_FB."""

    id: CircuitId
    name: Name
    legs: Literal["L1", "L2", "L12"]
    tier: Annotated[int, Meta(ge=1, le=4)]
    running_va: Annotated[float, Meta(ge=0, le=50_000)]
    inrush_multiple: Annotated[float, Meta(ge=1, le=10)] = 1.0
    inrush_s: Annotated[float, Meta(ge=0, le=10)] = 0.0
    hold_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    min_off_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    island_ceiling_va: Annotated[float, Meta(ge=0, le=50_000)] | None = None


class LoadsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """loads.conf."""

    circuit: Annotated[list[CircuitEntry], Meta(max_length=32)] = []
    neutral_former_a: Annotated[float, Meta(ge=1, le=1000)] | None = None
    breaker_a: Annotated[float, Meta(ge=1, le=1000)] | None = None
