"""Canned houses: one Snapshot for each state that the screens must show."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import msgspec

from v2h_console.session.absence import Absence
from v2h_console.session.orders import TRAINER_PREFIXES, Order, Receipt
from v2h_console.session.protocol import OwnerGone
from v2h_console.session.snapshot import (
    AlarmView,
    CarView,
    DeviceView,
    EventView,
    GridView,
    InverterView,
    LegView,
    LoadView,
    MidView,
    SideView,
    Snapshot,
    TransferView,
    Value,
)
from v2h_console.session.waves import NoWaves, Waves

#: 2026-07-14 14:02:53 in the zone of the tests (they set TZ to UTC).
WALL_S = 1_784_037_773.0


def v(value: float | None, age_ms: float | None = 120.0, source: str = "") -> Value:
    """A value, by default fresh."""
    return Value(value, age_ms, source)


GONE = v(None, 7000.0)

LOADS = (
    LoadView("fridge", "Fridge", "L1", 1, "on", v(142.0)),
    LoadView("furnace", "Furnace fan", "L2", 1, "on", v(388.0)),
    LoadView("lights_up", "Lights up", "L1", 1, "on", v(85.0)),
    LoadView("garage", "Garage door", "L2", 2, "on", v(3.0)),
    LoadView("router", "Router", "L1", 1, "on", v(14.0)),
    LoadView("water", "Water heater", "L1L2", 3, "on", v(2240.0)),
    LoadView("sockets", "Sockets", "L2", 2, "on", v(1260.0)),
    LoadView("hvac", "HVAC", "L1L2", 3, "held", v(0.0), 18.0, "first 60 s of islanding"),
    LoadView("evse", "EVSE", "L1L2", 4, "held", v(0.0)),
    LoadView("dryer", "dryer", "L1L2", 4, "shed", v(0.0), None, "L2 would pass 31.7 A"),
)

DEVICES = (
    DeviceView("Controller", "CAN", "vcan0", "ok", "", 4.0, 91234, 0, None, "LC-2"),
    DeviceView("Inverter", "Modbus TCP", "127.0.0.1:15502/1", "ok", "", 400.0, 812, 0, 6.2, "Acme H10"),
    DeviceView("Solar", "Modbus TCP", "127.0.0.1:15502/2", "ok", "", 410.0, 811, 1, 5.9),
    DeviceView(
        "Load centre",
        "Modbus RTU",
        "/dev/pts/7 unit 3",
        "late",
        "one reply in four is late",
        2600.0,
        402,
        9,
        41.0,
    ),
)

ISLANDED = Snapshot(
    sequence=812,
    wall_s=WALL_S,
    site="Maple Street 12",
    twin=True,
    owner_ready=True,
    mode="islanded",
    mode_since_ms=42_000.0,
    house_dark=False,
    sentence="Waiting for the grid; then 300 s in window, then a synchronised close.",
    helm="you",
    grid=GridView(SideView(v(0.2), v(0.1), v(0.3), v(None), v(None)), "dead", 42_300.0, 0.0, 300.0),
    house=SideView(v(119.8), v(120.1), v(239.9), v(60.0), v(1.2)),
    mid=MidView("open", "aux+volts", "open", WALL_S, 18.2, 24.0, 12, True),
    legs=(LegView(v(21.4), 31.7), LegView(v(13.0), 31.7)),
    inverter=InverterView(
        "forming", True, v(4132.0), 7600.0, 10000.0, "setting", v(38.6), v(24.0), False, v(0.0)
    ),
    car=CarView(v(64.0), 20.0, v(412.0), v(10.4), v(4132.0), 24_100.0, True),
    solar_w=v(0.0),
    loads=LOADS,
    last_transfer=TransferView(
        WALL_S - 42, "hard", "grid lost", 14.0, 18.2, 20.0, 8.9, 61.1, 100.0, 4.2, True
    ),
    transfers=12,
    alarms=(
        AlarmView(
            "LOAD_SHED",
            "warning",
            "Dryer shed: L2 would have passed 31.7 A for 10 s. Restores alone.",
            WALL_S - 42,
            False,
            "Nothing: it restores when there is room.",
        ),
    ),
    events=(
        EventView(40, WALL_S - 42, "GRID_LOST", "info", "Grid lost on both legs within 2 ms."),
        EventView(
            41,
            WALL_S - 42,
            "LOAD_HELD",
            "info",
            "HVAC held for the first 60 s of islanding (rule, not a fault).",
        ),
    ),
    devices=DEVICES,
)

UNKNOWN = msgspec.structs.replace(
    ISLANDED,
    mode="unknown",
    house_dark=None,
    locked_out=True,
    twin=False,
    sentence="!! LOGIC CONTROLLER SILENT 7 s. Treat MID, grid and house as LIVE.",
    grid=GridView(SideView(GONE, GONE, GONE, GONE, GONE), "unknown", 7000.0, 0.0, 300.0),
    house=SideView(
        v(118.9, 300.0, "inv"), v(119.2, 300.0, "inv"), v(238.1, 300.0, "inv"), v(59.98, 300.0, "inv"), GONE
    ),
    mid=MidView("unknown", "none", "closed", WALL_S - 7, None, 24.0, 12, True),
    legs=(LegView(GONE, 31.7), LegView(GONE, 31.7)),
    inverter=InverterView(
        "standby",
        False,
        v(0.0),
        7600.0,
        10000.0,
        "",
        v(38.1),
        v(24.0),
        False,
        v(0.0),
        stopped_reason="stopped by us 14:02:46",
    ),
    car=CarView(v(64.0), 20.0, v(412.0), v(0.0), v(0.0), None, False),
    loads=tuple(
        msgspec.structs.replace(
            load,
            state="unknown",
            power_w=GONE,
            hold_s=None,
            reason="the load switches hang on the same controller",
        )
        for load in LOADS
    ),
    alarms=(
        AlarmView(
            "LC_SILENT",
            "alarm",
            "Controller: no frame for 3 periods. Gate off, MID told to open.",
            WALL_S - 7,
        ),
        AlarmView(
            "MID_UNPROVEN",
            "lockout",
            "MID did not confirm open (no aux). LOCKED OUT until you reset it.",
            WALL_S - 7,
        ),
        AlarmView(
            "LC_WAIT", "warning", "Waiting for heartbeat to stop: the MID module opens by itself.", WALL_S - 6
        ),
    ),
    events=(),
    devices=(
        msgspec.structs.replace(DEVICES[0], state="lost", reason="no frame for 7 s", last_age_ms=7000.0),
        *DEVICES[1:],
    ),
)

TIED = msgspec.structs.replace(
    ISLANDED,
    mode="tied",
    sentence="Grid-tied. Ready to island: the car has 64 % and the MID is proved.",
    grid=GridView(
        SideView(v(120.3), v(119.9), v(240.2), v(60.01), v(1.9)), "in_window", 7_400_000.0, 300.0, 300.0
    ),
    house=SideView(v(120.2), v(119.8), v(240.0), v(60.01), v(1.9)),
    mid=MidView("closed", "aux+volts", "closed", WALL_S, 18.2, 24.0, 12, False),
    inverter=InverterView(
        "following", True, v(0.0), 7600.0, 10000.0, "setting", v(41.2), v(24.0), True, v(2400.0)
    ),
    car=CarView(v(64.0), 20.0, v(412.0), v(0.0), v(0.0), None, False),
    solar_w=v(1830.0),
    loads=tuple(msgspec.structs.replace(load, state="on", hold_s=None, reason="") for load in LOADS),
    alarms=(),
)

RETURNING = msgspec.structs.replace(
    ISLANDED,
    mode="syncing",
    sentence="In step within 10 degrees for 0.3 of 0.5 s; then the MID closes.",
    grid=GridView(
        SideView(v(120.3), v(119.9), v(240.2), v(60.01), v(1.9)), "in_window", 252_000.0, 252.0, 300.0
    ),
    alarms=(),
)

FAULT = msgspec.structs.replace(
    ISLANDED,
    mode="fault_open",
    house_dark=True,
    locked_out=True,
    sentence="! The MID took 131 ms to open: closing is locked out until you reset it.",
    grid=GridView(
        SideView(v(131.4), v(119.9), v(251.3), v(60.01), v(1.9)),
        "out_of_window",
        12_000.0,
        0.0,
        300.0,
        "L1 131.4 V is above 126 V",
    ),
    house=SideView(v(0.4), v(0.3, 2400.0), v(0.6), v(None), v(None)),
    mid=MidView("open", "aux", "open", WALL_S, 131.0, 131.0, 13, True),
    legs=(LegView(v(0.0), 31.7), LegView(v(33.2), 31.7)),
    inverter=InverterView(
        "fault", False, v(0.0), 7600.0, 10000.0, "heatsink", v(47.9), v(38.0), True, v(None)
    ),
    car=CarView(v(19.0), 20.0, v(361.0), v(0.0), v(0.0), None, False),
    last_transfer=TransferView(
        WALL_S - 42, "brownout", "grid low", 56.0, 131.0, 24.0, 29.0, 240.0, 100.0, 4.2, False
    ),
    loads=(
        *(msgspec.structs.replace(load, state="shed", power_w=v(0.0), hold_s=None) for load in LOADS[:-1]),
        LoadView("range", "Range", "L1L2", 4, "fault", v(None, 9000.0), None, "switch did not follow"),
    ),
    alarms=(
        AlarmView(
            "MID_SLOW",
            "lockout",
            "MID opened in 131 ms, over 100 ms.",
            WALL_S - 12,
            False,
            "Open and lock the main; inspect the relay's contacts; r repeats the opening test; then R resets the lockout.",
        ),
    ),
)

HOSTILE = msgspec.structs.replace(
    ISLANDED,
    site="[/] \x1b[2J home",
    helm="\x1b]0;x\x07me\u202e",
    sentence="[bold]x \x1b[31mred \u202egnol\u202c [/] \x9b31m \x00end",
    loads=(
        LoadView("a", "[/]", "L1", 1, "on", v(100.0)),
        LoadView("b", "[bold]x", "L1", 1, "held", v(0.0), 9.0),
        LoadView("c", "\x1b[31mred", "L1", 1, "shed", v(0.0)),
        LoadView("d", "\u202edrawkcab", "L2", 1, "on", v(500.0)),
        LoadView("e", "漢字漢字漢字漢字漢字", "L2", 1, "on", v(math.nan)),
    ),
    alarms=(
        AlarmView(
            "[/CODE]",
            "alarm",
            "[/dev/ttyUSB0] lost \x1b[2J\u200b[E042]" + "long " * 500,
            math.inf,
            False,
            "[/]",
        ),
    ),
    devices=(DeviceView("[/]", "[bold]x", "\x1b[31m", "lost", "\u202eRLO [/]"),),
)

HOUSES: dict[str, Snapshot] = {
    "starting": Snapshot(sentence="Starting..."),
    "unknown": UNKNOWN,
    "islanded": ISLANDED,
    "tied": TIED,
    "returning": RETURNING,
    "fault": FAULT,
    "hostile": HOSTILE,
    "silent": TIED,
}


class FakeSession:
    """A Session on canned Snapshots. ``orders`` keeps what was asked; ``refuse`` is the reason to refuse with."""

    def __init__(self, trainer: bool = True, moving: bool = False) -> None:
        self.trainer = trainer
        self.moving = moving
        self.refuse = ""
        self.orders: list[Order] = []
        self.closed = 0
        self.name, self.owns, self.run = "tech (process 7)", False, "one"
        self.gone: OwnerGone | None = None
        self.absence: Absence | None = None
        self.places: list[str] = []
        self.ends: list[str] = []
        #: What the core makes of an order, once it is taken.
        self.answers: Callable[[], None] = lambda: None
        self._name = ""
        self._base = Snapshot()
        self._newest = Snapshot()

    def show(self, name: str) -> None:
        """Go to the house of that name."""
        if name != self._name:
            self._name = name
            self.put(HOUSES[name])

    def put(self, snapshot: Snapshot) -> None:
        """Go to any house."""
        self._base = self._newest = snapshot

    @property
    def has_trainer(self) -> bool:
        """As told."""
        return self.trainer

    def watch(self) -> Snapshot:
        """The house; every call gives a newer Snapshot unless the owner is to be silent."""
        if self._name == "silent" or self.gone is not None:
            return self._newest
        replace = msgspec.structs.replace
        newest = replace(self._newest, sequence=self._newest.sequence + 1)
        if self.moving:
            turn = math.sin(time.monotonic() * 1.7)
            house, legs = self._base.house, self._base.legs
            newest = replace(
                newest,
                house=replace(house, l1_v=v(119.8 + turn), l2_v=v(120.1 - turn), l1l2_v=v(239.9 + turn / 3)),
                legs=(
                    LegView(v(21.4 + 4 * turn), legs[0].limit_a),
                    LegView(v(13.0 - 5 * turn), legs[1].limit_a),
                ),
            )
        self._newest = newest
        return newest

    async def order(self, order: Order) -> Receipt:
        """Taken, unless told to refuse."""
        self.orders.append(order)
        if self.refuse:
            return Receipt(order.nonce, False, self.refuse)
        if order.do.startswith(TRAINER_PREFIXES) and not self.trainer:
            return Receipt(order.nonce, False, "There is no twin here.")
        self.answers()
        return Receipt(order.nonce, True)

    async def waves(self) -> Waves:
        """No canned house has a recorder."""
        raise NoWaves("this house has no waveforms")

    def here(self, place: str) -> None:
        """Kept."""
        self.places.append(place)

    def close(self, how: str = "left") -> None:
        """Counted."""
        self.ends.append(how)
        self.closed += 1
