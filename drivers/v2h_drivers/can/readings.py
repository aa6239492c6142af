"""From the logic controller's frames to the words of ``capabilities`` (docs/can.md, table of frames).

A builder takes a whole frame that has passed its checks. A value that the controller does not know is ``None``
and leaves the quality GOOD; an impossible one is ``None`` and makes it BAD. Where a reading has no room for
``None``, not knowing is BAD too, and the field carries the wire's own "not available" (all bits set), an inverter
mode FAULT, a contact False: a pair of contacts that are both False is not proven open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from v2h_drivers.can.codec import FrameLayout
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import (
    CarSession,
    CarStage,
    ControllerConfig,
    ControllerHeartbeat,
    GridFast,
    HouseFast,
    InverterFast,
    InverterMode,
    LegCurrents,
    LoadFeedback,
    MidState,
    Side,
    SideCycle,
    Supply,
    Sync,
    Temperatures,
    UnitFast,
)
from v2h_drivers.capabilities.quality import Quality

Builder = Callable[[bytes, int], Reading]

_MODES: Final = (
    InverterMode.OFF,
    InverterMode.STANDBY,
    InverterMode.FOLLOWING,
    InverterMode.FORMING,
    InverterMode.FAULT,
)
_STAGES: Final = (
    CarStage.UNPLUGGED,
    CarStage.LINKING,
    CarStage.INSULATION,
    CarStage.PRECHARGE,
    CarStage.ENERGISED,
    CarStage.STOPPED,
    CarStage.FAULT,
)
#: HB_LC states in which the controller itself holds the MID open and the gates off whatever it is told.
_STATE_FAIL_SAFE: Final = 2
_STATE_FAULT: Final = 3
#: Inverters that have a state frame of their own.
UNITS: Final = range(1, 9)
_UNKNOWN_MASK: Final = 0xFFFF_FFFF
_UNKNOWN_NONCE: Final = 0xFFFF
_UNKNOWN_OPERATIONS: Final = 0xFF


def builders(layouts: Mapping[str, FrameLayout]) -> dict[str, Builder]:
    """One builder for each frame that the controller sends, by the frame's name.

    Raises :class:`~v2h_drivers.can.codec.LayoutError` or KeyError when the DBC lacks a frame or a signal.
    """
    return {
        "MID_STATE": _mid_state(layouts["MID_STATE"]),
        "GRID_FAST": _grid_fast(layouts["GRID_FAST"]),
        "HOUSE_FAST": _house_fast(layouts["HOUSE_FAST"]),
        "INV_STATE": _inverter_fast(layouts["INV_STATE"]),
        **{f"UNIT{unit}_STATE": _unit_fast(layouts[f"UNIT{unit}_STATE"], unit) for unit in UNITS},
        "SYNC": _sync(layouts["SYNC"]),
        "CURRENTS": _currents(layouts["CURRENTS"]),
        "GRID_CYC": _side_cycle(layouts["GRID_CYC"], Side.GRID),
        "HOUSE_CYC": _side_cycle(layouts["HOUSE_CYC"], Side.HOUSE),
        "HB_LC": _heartbeat(layouts["HB_LC"]),
        "LOAD_FB": _load_feedback(layouts["LOAD_FB"]),
        "TEMPS": _temperatures(layouts["TEMPS"]),
        "SUPPLY": _supply(layouts["SUPPLY"]),
        "CAR_SESSION": _car_session(layouts["CAR_SESSION"]),
        "CFG": _config(layouts["CFG"]),
    }


def blank(frame: str, at_ns: int) -> Reading:
    """A BAD reading of a frame's kind with nothing in it: for a controller that is caught repeating itself."""
    if frame.startswith("UNIT"):
        return _blank_unit(int(frame[4]), at_ns)
    return _BLANKS[frame](at_ns)


_BLANKS: Final[dict[str, Callable[[int], Reading]]] = {
    "MID_STATE": lambda at_ns: MidState(
        at_ns, Quality.BAD, False, False, False, False, False, None, None, _UNKNOWN_OPERATIONS
    ),
    "GRID_FAST": lambda at_ns: GridFast(at_ns, Quality.BAD, None, None, None, None),
    "HOUSE_FAST": lambda at_ns: HouseFast(at_ns, Quality.BAD, None, None, None),
    "INV_STATE": lambda at_ns: InverterFast(
        at_ns, Quality.BAD, InverterMode.FAULT, False, False, True, None, None, None, None
    ),
    "SYNC": lambda at_ns: Sync(at_ns, Quality.BAD, None, None, None, None),
    "CURRENTS": lambda at_ns: LegCurrents(at_ns, Quality.BAD, None, None, None),
    "GRID_CYC": lambda at_ns: SideCycle(at_ns, Quality.BAD, Side.GRID, None, None, None, None),
    "HOUSE_CYC": lambda at_ns: SideCycle(at_ns, Quality.BAD, Side.HOUSE, None, None, None, None),
    "HB_LC": lambda at_ns: ControllerHeartbeat(at_ns, Quality.BAD, _UNKNOWN_NONCE, None, True, None),
    "LOAD_FB": lambda at_ns: LoadFeedback(at_ns, Quality.BAD, _UNKNOWN_MASK),
    "TEMPS": lambda at_ns: Temperatures(at_ns, Quality.BAD, None, None, None),
    "SUPPLY": lambda at_ns: Supply(at_ns, Quality.BAD, None, None),
    "CAR_SESSION": lambda at_ns: CarSession(
        at_ns, Quality.BAD, CarStage.UNKNOWN, False, False, False, None, None, None, None
    ),
    "CFG": lambda at_ns: ControllerConfig(at_ns, Quality.BAD, None),
}


def _judged(possible: bool) -> Quality:
    return Quality.GOOD if possible else Quality.BAD


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _mid_state(layout: FrameLayout) -> Builder:
    read = layout.pick(
        "nc_mirror_closed",
        "no_contact_closed",
        "coil_on",
        "bond_closed",
        "interlock_ok",
        "since_edge",
        "pole_current",
        "operations",
    ).read

    def build(data: bytes, at_ns: int) -> Reading:
        (nc, no, coil, bond, interlock, since_edge_ms, pole_current_a, operations), possible = read(data)
        return MidState(
            at_ns,
            _judged(possible),
            bool(nc),
            bool(no),
            bool(coil),
            bool(bond),
            bool(interlock),
            since_edge_ms,
            pole_current_a,
            _UNKNOWN_OPERATIONS if operations is None else int(operations),
        )

    return build


def _grid_fast(layout: FrameLayout) -> Builder:
    read = layout.pick("l1_amplitude", "l2_amplitude", "below_050", "below_088").read

    def build(data: bytes, at_ns: int) -> Reading:
        (l1_pu, l2_pu, below_050_ms, below_088_ms), possible = read(data)
        return GridFast(at_ns, _judged(possible), l1_pu, l2_pu, below_050_ms, below_088_ms)

    return build


def _house_fast(layout: FrameLayout) -> Builder:
    read = layout.pick("l1_amplitude", "l2_amplitude", "neutral_shift").read

    def build(data: bytes, at_ns: int) -> Reading:
        (l1_pu, l2_pu, neutral_shift_pu), possible = read(data)
        return HouseFast(at_ns, _judged(possible), l1_pu, l2_pu, neutral_shift_pu)

    return build


def _inverter_fast(layout: FrameLayout) -> Builder:
    read = layout.pick(
        "mode", "gate_on", "form_enabled", "fault", "voltage", "frequency", "current", "limit"
    ).read

    def build(data: bytes, at_ns: int) -> Reading:
        (mode, gate, form, fault, voltage_v, frequency_hz, current_a, limit_a), possible = read(data)
        return InverterFast(
            at_ns,
            _judged(possible and mode is not None),
            InverterMode.FAULT if mode is None else _MODES[int(mode)],
            bool(gate),
            bool(form),
            bool(fault),
            voltage_v,
            frequency_hz,
            current_a,
            limit_a,
        )

    return build


def _unit_fast(layout: FrameLayout, unit: int) -> Builder:
    read = layout.pick(
        "mode",
        "gate_on",
        "form_enabled",
        "fault",
        "phase",
        "slip",
        "voltage_difference",
        "current",
        "limit",
    ).read

    def build(data: bytes, at_ns: int) -> Reading:
        (mode, gate, form, fault, phase_deg, slip_hz, difference_pct, current_a, limit_a), possible = read(
            data
        )
        return UnitFast(
            at_ns,
            _judged(possible and mode is not None),
            unit,
            InverterMode.FAULT if mode is None else _MODES[int(mode)],
            bool(gate),
            bool(form),
            bool(fault),
            phase_deg,
            slip_hz,
            difference_pct,
            current_a,
            limit_a,
        )

    return build


def _blank_unit(unit: int, at_ns: int) -> Reading:
    return UnitFast(
        at_ns, Quality.BAD, unit, InverterMode.FAULT, False, False, True, None, None, None, None, None
    )


def _sync(layout: FrameLayout) -> Builder:
    read = layout.pick("phase", "slip", "voltage_difference", "lc_time").read

    def build(data: bytes, at_ns: int) -> Reading:
        (phase_deg, slip_mhz, difference_pct, lc_time_ms), possible = read(data)
        return Sync(at_ns, _judged(possible), phase_deg, slip_mhz, difference_pct, _whole(lc_time_ms))

    return build


def _currents(layout: FrameLayout) -> Builder:
    read = layout.pick("l1", "l2", "n").read

    def build(data: bytes, at_ns: int) -> Reading:
        (l1_a, l2_a, n_a), possible = read(data)
        return LegCurrents(at_ns, _judged(possible), l1_a, l2_a, n_a)

    return build


def _side_cycle(layout: FrameLayout, side: Side) -> Builder:
    read = layout.pick("l1_rms", "l2_rms", "l1l2_rms", "frequency").read

    def build(data: bytes, at_ns: int) -> Reading:
        (l1_v, l2_v, l1l2_v, frequency_hz), possible = read(data)
        return SideCycle(at_ns, _judged(possible), side, l1_v, l2_v, l1l2_v, frequency_hz)

    return build


def _heartbeat(layout: FrameLayout) -> Builder:
    read = layout.pick("nonce", "uptime", "state", "lc_time").read

    def build(data: bytes, at_ns: int) -> Reading:
        (nonce, uptime_s, state, lc_time_ms), possible = read(data)
        return ControllerHeartbeat(
            at_ns,
            _judged(possible and nonce is not None and state is not None),
            _UNKNOWN_NONCE if nonce is None else int(nonce),
            _whole(uptime_s),
            state is None or state in (_STATE_FAIL_SAFE, _STATE_FAULT),
            _whole(lc_time_ms),
        )

    return build


def _load_feedback(layout: FrameLayout) -> Builder:
    read = layout.pick("mask").read

    def build(data: bytes, at_ns: int) -> Reading:
        (mask,), possible = read(data)
        if mask is None:
            return LoadFeedback(at_ns, Quality.BAD, _UNKNOWN_MASK)
        return LoadFeedback(at_ns, _judged(possible), int(mask))

    return build


def _temperatures(layout: FrameLayout) -> Builder:
    read = layout.pick("heatsink", "ambient", "fan").read

    def build(data: bytes, at_ns: int) -> Reading:
        (heatsink_c, ambient_c, fan_rpm), possible = read(data)
        return Temperatures(at_ns, _judged(possible), heatsink_c, ambient_c, fan_rpm)

    return build


def _supply(layout: FrameLayout) -> Builder:
    read = layout.pick("supply", "hold_up").read

    def build(data: bytes, at_ns: int) -> Reading:
        (supply_v, hold_up_min), possible = read(data)
        return Supply(at_ns, _judged(possible), supply_v, hold_up_min)

    return build


def _car_session(layout: FrameLayout) -> Builder:
    read = layout.pick(
        "stage",
        "commanded_closed",
        "positive_closed",
        "negative_closed",
        "dc_voltage",
        "pack_voltage",
        "insulation",
        "limit",
    ).read

    def build(data: bytes, at_ns: int) -> Reading:
        (stage, commanded, positive, negative, dc_v, pack_v, insulation, limit_a), possible = read(data)
        return CarSession(
            at_ns,
            _judged(possible),
            CarStage.UNKNOWN if stage is None else _STAGES[int(stage)],
            bool(commanded),
            bool(positive),
            bool(negative),
            dc_v,
            pack_v,
            insulation,
            limit_a,
        )

    return build


def _config(layout: FrameLayout) -> Builder:
    read = layout.pick("configuration_crc").read

    def build(data: bytes, at_ns: int) -> Reading:
        (configuration_crc,), possible = read(data)
        return ControllerConfig(at_ns, _judged(possible), _whole(configuration_crc))

    return build
