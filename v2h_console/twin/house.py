"""The house that the twin simulates, as data.

Its own file on purpose: nothing here is read from the console's site file or from register maps, so that a mistake
shared by both cannot cancel. Numbers follow published devices where one is named.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GridData:
    """The utility's service. Impedances in ohms per leg; ``lost_pu`` is what is left on a dead feeder."""

    frequency_hz: float = 59.98
    leg1_v: float = 121.0
    leg2_v: float = 120.6
    source_ohm: float = 0.03
    #: The neighbourhood's loads on a dead feeder, as an island that feeds back into it would find them.
    dead_feeder_ohm: float = 0.3
    lost_pu: float = 0.03
    collapse_ms: float = 1.0
    backfeed_pu: float = 0.8
    backfeed_decay_ms: float = 100.0
    #: A sag or a return settles with this time constant.
    change_ms: float = 0.3


@dataclass(frozen=True, slots=True)
class MidData:
    """The interconnection device's mechanics, (least, most) in milliseconds, drawn per operation."""

    opening_ms: tuple[float, float] = (15.0, 25.0)
    #: Most operations lie near the middle of the range: the draw is the mean of two.
    closing_ms: tuple[float, float] = (20.0, 40.0)
    bounce_ms: tuple[float, float] = (2.0, 5.0)
    pole_offset_ms: tuple[float, float] = (0.1, 0.6)
    contact_spread_ms: tuple[float, float] = (0.5, 1.5)


@dataclass(frozen=True, slots=True)
class InverterData:
    """10 kW hybrid inverter. Surge points after a published 12 kW device (9 kW for ever, 16 kVA 10 s, 25 kVA 100 ms).

    Loss in watts = a + b P + c P².
    """

    rated_w: float = 10_000.0
    max_discharge_w: float = 7_600.0
    continuous_va: float = 9_000.0
    surge_10s_va: float = 16_000.0
    surge_100ms_va: float = 25_000.0
    output_ohm: float = 0.05
    forming_delay_ms: tuple[float, float] = (1.0, 3.0)
    ramp_tau_ms: float = 2.0
    follow_delay_ms: float = 20.0
    anti_islanding_ms: float = 2.0
    hold_up_ms: float = 2.5
    fault_reset_s: float = 1.0
    dc_lo_v: float = 350.0
    dc_hi_v: float = 900.0
    standby_loss_w: float = 8.0
    loss_a_w: float = 60.0
    loss_b: float = 0.01
    loss_c_per_w: float = 1.9e-6
    derate_from_c: float = 45.0
    derate_per_k: float = 0.025
    stop_c: float = 80.0


@dataclass(frozen=True, slots=True)
class CarData:
    """The car's pack: open-circuit voltage linear in the charge, a series resistance and one RC."""

    soc_pct: float = 64.0
    soh_pct: float = 96.0
    capacity_wh: float = 75_000.0
    empty_v: float = 372.0
    full_v: float = 420.0
    resistance_ohm: float = 0.08
    rc_ohm: float = 0.03
    rc_tau_s: float = 30.0
    max_discharge_w: float = 10_000.0
    connected: bool = True


@dataclass(frozen=True, slots=True)
class UnitData:
    """One more inverter like the first, with a car of its own."""

    name: str
    car: CarData = CarData()


@dataclass(frozen=True, slots=True)
class ThermalData:
    """C dT/dt = loss − (T − Ta) / R."""

    ambient_c: float = 26.0
    capacity_j_per_k: float = 4_000.0
    still_k_per_w: float = 0.16
    fan_k_per_w: float = 0.055
    fan_max_rpm: float = 3_200.0
    fan_tau_s: float = 1.5


@dataclass(frozen=True, slots=True)
class CircuitData:
    """One switched circuit. A start draws ``inrush_multiple`` times the running VA, decaying over ``inrush_s``."""

    id: str
    name: str
    legs: str
    running_va: float
    power_factor: float
    inrush_multiple: float = 1.0
    inrush_s: float = 0.0
    wants_on: bool = False


@dataclass(frozen=True, slots=True)
class SolarData:
    """The roof's own inverter: it leaves by itself when the house's voltage goes."""

    rated_w: float = 5_000.0
    available_w: float = 600.0
    reconnect_s: float = 60.0
    curtail_from_hz: float = 60.5
    curtail_to_hz: float = 61.0


@dataclass(frozen=True, slots=True)
class SupplyData:
    """The controller's 24 V supply and its buffer battery."""

    voltage_v: float = 24.1
    on_battery_v: float = 23.4
    hold_up_min: float = 45.0


#: Running figures and starting currents as a load table would list them; a starting motor has a power factor of
#: 0.3-0.4 and draws up to six times its running current (a soft-started heat pump twice).
CIRCUITS: tuple[CircuitData, ...] = (
    CircuitData("fridge", "Fridge", "L1", 180.0, 0.85, 6.0, 0.3, wants_on=True),
    CircuitData("furnace_fan", "Furnace fan", "L2", 420.0, 0.80, 6.0, 0.4, wants_on=True),
    CircuitData("hvac", "HVAC", "L12", 3_500.0, 0.92, 2.0, 0.4),
    CircuitData("range", "Range", "L12", 5_200.0, 1.0),
    CircuitData("evse", "EVSE (AC)", "L12", 7_200.0, 0.99),
    CircuitData("lights", "Lights up", "L1", 300.0, 0.97, wants_on=True),
    CircuitData("garage_door", "Garage door", "L2", 550.0, 0.70, 3.0, 0.4),
    CircuitData("well_pump", "Well pump", "L12", 1_000.0, 0.80, 5.0, 0.4, wants_on=True),
)


@dataclass(frozen=True, slots=True)
class House:
    """Everything at t = 0. ``uncontrolled_va`` per leg is always on: what no table lists."""

    name: str = "twin house"
    nominal_v: float = 120.0
    grid: GridData = GridData()
    mid: MidData = MidData()
    inverter: InverterData = InverterData()
    car: CarData = CarData()
    #: Inverters beside the first; none in most houses.
    units: tuple[UnitData, ...] = ()
    thermal: ThermalData = ThermalData()
    solar: SolarData = SolarData()
    supply: SupplyData = SupplyData()
    circuits: tuple[CircuitData, ...] = CIRCUITS
    uncontrolled_va: tuple[float, float] = (110.0, 90.0)
    uncontrolled_power_factor: float = 0.95
    #: (order, percent of the fundamental) of the street's voltage and of the inverter's own.
    grid_harmonics_pct: tuple[tuple[int, float], ...] = ((3, 0.8), (5, 1.2), (7, 0.6), (11, 0.3))
    inverter_harmonics_pct: tuple[tuple[int, float], ...] = ((3, 0.8), (5, 0.6), (7, 0.4), (13, 0.2))
    #: The time constant of a house that nothing holds up any more.
    decay_ms: float = 3.0
