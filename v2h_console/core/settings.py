"""What ``step`` obeys: one frozen value, read from the site's files by ``site``, never changed by the core.

Units are in the names. Defaults are IEEE 1547-2018's where it has one (enter service: Table 4; trip settings:
Tables 11-13 and 18), otherwise the site's, with their reason beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_console.core.grid_code import TRIP_TABLES, Category, TripElement

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

#: Line to neutral RMS volts of 1 pu in a 120/240 V split-phase house.
NOMINAL_V = 120.0


@dataclass(frozen=True, slots=True)
class Detector:
    """Grid-loss detector: the worse leg's SOGI amplitude below 0.5 pu, or its half-cycle RMS below 0.88 pu, for
    these holds."""

    name: str
    below_050_hold_ms: float
    below_088_hold_ms: float


#: Never tripped on the benign events tried (dips of 4 and 8 ms, 60° jumps, notches): the default.
STEADY = Detector("steady", 8.3, 50.0)
#: Quicker on brown-outs and motor back-feed, at the price of tripping on 8 ms dips: the utility must permit it.
FAST = Detector("fast", 4.0, 16.7)


class Separation(str, Enum):
    """When the site may leave the grid sooner than the category's ride-through.

    AUTO: while its export has been under a tenth of the nameplate for 30 s, so that nothing is lost to the grid.
    PERMITTED: always; the utility says so in writing. RIDE_THROUGH: never; the trip tables alone decide.
    """

    AUTO = "auto"
    PERMITTED = "permitted"
    RIDE_THROUGH = "ride_through"


@dataclass(frozen=True, slots=True)
class EnterService:
    """The window that the grid must keep, inclusive, for ``delay_s`` before anything may close onto it."""

    v_lo_pu: float = 0.917
    v_hi_pu: float = 1.05
    f_lo_hz: float = 59.5
    f_hi_hz: float = 60.1
    delay_s: float = 300.0
    #: Export after a return rises over this time (IEEE 1547-2018, 4.10.3).
    ramp_s: float = 300.0


@dataclass(frozen=True, slots=True)
class GridSettings:
    """The site's grid code."""

    category: Category = Category.III
    detector: Detector = STEADY
    enter_service: EnterService = EnterService()
    separation: Separation = Separation.AUTO
    #: The trip elements in force: the category's own unless the utility has set others within their ranges.
    trips: tuple[TripElement, ...] = TRIP_TABLES[Category.III]


@dataclass(frozen=True, slots=True)
class MidSettings:
    """The interconnection device and what proves it."""

    poles: int = 2
    proof_hold_ms: float = 12.0
    #: Above this in an open pole, the contacts' word is not believed.
    proof_max_pole_a: float = 0.2
    #: Coil command to contacts, for the predicted angle; learned values replace it.
    closing_time_ms: float = 31.0
    alarm_open_ms: float = 33.0
    lockout_open_ms: float = 100.0
    #: Learned from the device's own label or commissioning; only shown.
    name: str = "MID"


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """When a close onto a live grid may be commanded: all on the predicted angle at contact."""

    max_phase_deg: float = 10.0
    max_slip_hz: float = 0.1
    max_voltage_difference_pct: float = 3.0
    hold_ms: float = 500.0
    #: A sync reading older than this counts as none (I1).
    max_age_ms: float = 20.0
    steer_max_hz: float = 0.1
    timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class InverterSettings:
    """Nameplate and set limit; the screen always shows now / set / rated."""

    rated_w: float = 10_000.0
    max_discharge_w: float = 7_600.0
    surge_10s_va: float = 16_000.0
    surge_100ms_va: float = 25_000.0
    #: The inverter picks up what voltage is left on the house bus and starts in phase with it.
    flying_start: bool = True
    nominal_v: float = NOMINAL_V
    nominal_hz: float = 60.0
    #: Its loss curve in watts: a + b P + c P².
    loss_a_w: float = 60.0
    loss_b: float = 0.01
    loss_c_per_w: float = 1.9e-6


@dataclass(frozen=True, slots=True)
class CarSettings:
    """The car as a source: the reserve ladder (I7) and the DC window (I9)."""

    warn_soc_pct: float = 25.0
    shed_soc_pct: float = 22.0
    stop_soc_pct: float = 21.0
    floor_soc_pct: float = 20.0
    dc_lo_v: float = 350.0
    dc_hi_v: float = 900.0
    #: Three polls of a polled car link; a native link is judged by its own, shorter limit.
    fresh_ms: float = 1_000.0
    #: Most DC amps that cable and contactors may carry, where the site has such a limit.
    max_discharge_a: float | None = None


@dataclass(frozen=True, slots=True)
class ThermalSettings:
    """Fan rule and derating of the inverter's heatsink."""

    fan_on_c: float = 40.0
    fan_off_c: float = 36.0
    derate_from_c: float = 45.0
    derate_per_k: float = 0.025
    stop_c: float = 75.0
    #: The heatsink: what it stores, and what it gives to still and to blown air.
    capacity_j_per_k: float = 4_000.0
    still_k_per_w: float = 0.16
    blown_k_per_w: float = 0.055


@dataclass(frozen=True, slots=True)
class Circuit:
    """One switched circuit of the load centre. ``tier`` 1 must, 2 soon, 3 late, 4 shed while islanded.

    ``running_va``, ``inrush_multiple`` and ``inrush_s`` describe a start; ``hold_s`` keeps it off after islanding
    (heavy loads: 60 s); ``min_off_s`` is the compressor's minimum rest. ``island_ceiling_va``: most it may draw while
    islanded, for what takes all it can get, as a charging station does; ``None`` = as much as there is room for.
    """

    id: str
    name: str
    legs: str
    tier: int
    running_va: float
    inrush_multiple: float = 1.0
    inrush_s: float = 0.0
    hold_s: float = 0.0
    min_off_s: float = 0.0
    island_ceiling_va: float | None = None

    @property
    def heavy(self) -> bool:
        """Whether it drops before forming and is held for the first minute (I10)."""
        return self.tier >= 3 or self.hold_s >= 60.0


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The load table, by circuit index (the bit in SHED and LOAD_FB)."""

    circuits: tuple[Circuit, ...] = ()
    heavy_hold_s: float = 60.0
    stagger_s: float = 5.0
    #: Share of the limit that is ever planned for; the rest is what tables do not know.
    planning_share: float = 0.9
    #: Continuous amperes of the device that makes the neutral; ``None`` = the inverter's own, as strong as a leg.
    neutral_former_a: float | None = None
    #: Rating of the breaker between inverter and load centre, per leg; ``None`` = not the weakest link.
    breaker_a: float | None = None


@dataclass(frozen=True, slots=True)
class SupplySettings:
    """The controller's 24 V and its buffer battery. Below ``mains_v`` nothing charges the buffer."""

    mains_v: float = 23.7
    recovered_v: float = 23.0
    warn_v: float = 22.5
    stop_v: float = 21.5
    warn_hold_up_min: float = 15.0
    stop_hold_up_min: float = 2.0
    #: Two to three SUPPLY frames: one sag of a motor's start stops nothing.
    confirm_ms: float = 250.0
    recover_s: float = 10.0


@dataclass(frozen=True, slots=True)
class SolarSettings:
    """What a roof may do to the island: ``raise_most_hz`` above nominal at the most, then it is told to leave.

    ``polled``: the site has one that says what it gives; one that has said nothing yet may give anything.
    """

    polled: bool = False
    rated_w: float = 5_000.0
    raise_most_hz: float = 1.0
    #: Surplus for this long in spite of the frequency: leave.
    patience_s: float = 1.1
    max_charge_w: float = 7_600.0
    full_from_pct: float = 95.0
    full_pct: float = 98.0


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """One of several inverters, by rank: the name of its device, which is its car's too."""

    name: str
    rated_w: float = 10_000.0


@dataclass(frozen=True, slots=True)
class ParallelSettings:
    """Several inverters on one house; ``units`` is empty where there is one."""

    units: tuple[UnitSettings, ...] = ()
    join_phase_deg: float = 5.0
    join_slip_hz: float = 0.05
    join_voltage_pct: float = 2.0
    join_hold_ms: float = 200.0
    #: Beyond this a unit that runs is dropped: the current that circulates is twice what joining allows.
    drop_phase_deg: float = 10.0
    #: The island stands this long before others join, and each lets the last one settle.
    settle_s: float = 2.0
    between_joins_s: float = 1.0
    rejoin_s: float = 10.0
    most_drops: int = 3


@dataclass(frozen=True, slots=True)
class TariffWindow:
    """A high tariff in local time: minutes of the day, ``ends_min`` exclusive (1440 = midnight).

    ``weekdays``: Monday is 0. One that ends before it begins passes midnight, and belongs to the day it began on.
    """

    weekdays: tuple[int, ...]
    begins_min: int
    ends_min: int


@dataclass(frozen=True, slots=True)
class TariffSettings:
    """Peak shaving: no windows, no shaving. ``most_w``: at most so much; ``None`` = what the house takes."""

    windows: tuple[TariffWindow, ...] = ()
    most_w: float | None = None
    disengage_at_soc_pct: float = 50.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that ``step`` obeys."""

    site: str = "unnamed site"
    grid: GridSettings = GridSettings()
    mid: MidSettings = MidSettings()
    sync: SyncSettings = SyncSettings()
    inverter: InverterSettings = InverterSettings()
    car: CarSettings = CarSettings()
    thermal: ThermalSettings = ThermalSettings()
    loads: LoadSettings = LoadSettings()
    supply: SupplySettings = SupplySettings()
    solar: SolarSettings = SolarSettings()
    parallel: ParallelSettings = ParallelSettings()
    tariff: TariffSettings = TariffSettings()
    #: Names of the devices whose readings count as the inverter's and the car's.
    controller_device: str = "Controller"
    #: Device and code, where a name's letters alone would make two devices one in the alarms.
    device_codes: tuple[tuple[str, str], ...] = ()
