"""The logic controller's frames, packed and unpacked by hand from docs/can.md.

Apart from the drivers' DBC on purpose: two hands that make the same mistake are rarer than one. ``None`` packs as
"not available" (all bits set; signed: the most negative value); values beyond a field's range are clamped.
"""

from __future__ import annotations

from dataclasses import dataclass

CMD, INV_SET, SHED, FAN, WAVE_REQ = 0x010, 0x138, 0x140, 0x220, 0x148
MID_STATE, GRID_FAST, HOUSE_FAST, INV_STATE, SYNC, CURRENTS = 0x020, 0x100, 0x108, 0x110, 0x118, 0x120
GRID_CYC, HOUSE_CYC, HB_LC, LOAD_FB, TEMPS, SUPPLY, CFG = 0x128, 0x130, 0x200, 0x208, 0x210, 0x218, 0x228
CAR_SESSION = 0x230

#: Units 2 to 8, then unit 1 beside its INV_STATE: (id, unit's index).
UNIT_STATES = {0x119: 0, 0x111: 1, 0x112: 2, 0x113: 3, 0x114: 4, 0x115: 5, 0x116: 6, 0x117: 7}

STAGES = ("unplugged", "linking", "insulation", "precharge", "energised", "stopped", "fault")
_UNKNOWN_STAGE = 7
MODES = ("off", "standby", "following", "forming", "fault")


def crc8(arbitration_id: int, first_seven: bytes) -> int:
    """CRC-8 SAE J1850 (0x1D, init 0xFF, final XOR 0xFF) over id low, id high, bytes 0-6."""
    crc = 0xFF
    for byte in (arbitration_id & 0xFF, arbitration_id >> 8, *first_seven):
        crc = _TABLE[crc ^ byte]
    return crc ^ 0xFF


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc << 1) ^ 0x1D if crc & 0x80 else crc << 1
        table.append(crc & 0xFF)
    return tuple(table)


_TABLE = _table()


def frame(arbitration_id: int, signals: int, counter: int) -> bytes:
    """Six bytes of signals, the counter, the checksum."""
    body = signals.to_bytes(6, "little") + bytes((counter & 0xFF,))
    return body + bytes((crc8(arbitration_id, body),))


def _u(value: float | None, scale: float, bits: int, start: int, offset: float = 0.0) -> int:
    """Unsigned; the highest raw value is kept for "not available"."""
    top = (1 << bits) - 1
    raw = top if value is None else min(top - 1, max(0, round((value - offset) / scale)))
    return raw << start


def _s(value: float | None, scale: float, bits: int, start: int) -> int:
    """Two's complement; the lowest raw value is kept for "not available"."""
    low = -(1 << (bits - 1))
    raw = low if value is None else min(-low - 1, max(low + 1, round(value / scale)))
    return (raw & ((1 << bits) - 1)) << start


def mid_state(
    nc_closed: bool,
    no_closed: bool,
    coil_on: bool,
    bond_closed: bool,
    interlock_ok: bool,
    since_edge_ms: float,
    pole_a: float,
    operations: int,
) -> int:
    """MID_STATE."""
    flags = nc_closed | no_closed << 1 | coil_on << 2 | bond_closed << 3 | interlock_ok << 4
    return flags | _u(since_edge_ms, 0.1, 16, 8) | _u(pole_a, 0.001, 16, 24) | (operations & 0xFF) << 40


def grid_fast(l1_pu: float | None, l2_pu: float | None, below_050_ms: float, below_088_ms: float) -> int:
    """GRID_FAST."""
    return (
        _u(l1_pu, 0.0005, 12, 0)
        | _u(l2_pu, 0.0005, 12, 12)
        | _u(below_050_ms, 0.1, 12, 24)
        | _u(below_088_ms, 0.1, 12, 36)
    )


def house_fast(l1_pu: float | None, l2_pu: float | None, neutral_shift_pu: float | None) -> int:
    """HOUSE_FAST."""
    return _u(l1_pu, 0.0005, 12, 0) | _u(l2_pu, 0.0005, 12, 12) | _s(neutral_shift_pu, 0.0005, 12, 24)


def inv_state(
    mode: str,
    gate_on: bool,
    form_enabled: bool,
    fault: bool,
    voltage_v: float | None,
    frequency_hz: float | None,
    current_a: float | None,
    limit_a: float | None,
) -> int:
    """INV_STATE."""
    flags = MODES.index(mode) | gate_on << 3 | form_enabled << 4 | fault << 5
    return (
        flags
        | _u(voltage_v, 0.25, 10, 8)
        | _u(frequency_hz, 0.005, 12, 18, 50.0)
        | _u(current_a, 0.25, 9, 30)
        | _u(limit_a, 0.25, 9, 39)
    )


def unit_state(
    mode: str,
    gate_on: bool,
    form_enabled: bool,
    fault: bool,
    phase_deg: float | None,
    slip_hz: float | None,
    difference_pct: float | None,
    current_a: float | None,
    limit_a: float | None,
) -> int:
    """UNITn_STATE."""
    flags = MODES.index(mode) | gate_on << 3 | form_enabled << 4 | fault << 5
    return (
        flags
        | _s(phase_deg, 0.2, 11, 6)
        | _s(slip_hz, 0.005, 9, 17)
        | _s(difference_pct, 0.1, 8, 26)
        | _u(current_a, 1.0, 7, 34)
        | _u(limit_a, 1.0, 7, 41)
    )


def sync(
    phase_deg: float | None, slip_hz: float | None, voltage_difference_pct: float | None, lc_time_ms: int
) -> int:
    """SYNC."""
    slip_mhz = None if slip_hz is None else slip_hz * 1000.0
    return (
        _s(phase_deg, 0.01, 16, 0)
        | _s(slip_mhz, 1.0, 12, 16)
        | _s(voltage_difference_pct, 0.1, 10, 28)
        | (lc_time_ms % 1000) << 38
    )


def currents(l1_a: float | None, l2_a: float | None, n_a: float | None) -> int:
    """CURRENTS."""
    return _s(l1_a, 0.01, 16, 0) | _s(l2_a, 0.01, 16, 16) | _s(n_a, 0.01, 16, 32)


def cycle(l1_v: float | None, l2_v: float | None, l1l2_v: float | None, frequency_hz: float | None) -> int:
    """GRID_CYC and HOUSE_CYC."""
    return (
        _u(l1_v, 0.1, 12, 0)
        | _u(l2_v, 0.1, 12, 12)
        | _u(l1l2_v, 0.2, 12, 24)
        | _u(frequency_hz, 0.005, 12, 36, 50.0)
    )


def heartbeat(nonce: int, uptime_s: int, state: int, lc_time_ms: int) -> int:
    """HB_LC."""
    return nonce | min(uptime_s, 4094) << 16 | state << 28 | (lc_time_ms % 65535) << 32


def load_feedback(mask: int) -> int:
    """LOAD_FB."""
    return mask & 0xFFFFFFFF


def temperatures(heatsink_c: float | None, ambient_c: float | None, fan_rpm: float | None) -> int:
    """TEMPS."""
    return _s(heatsink_c, 0.1, 16, 0) | _s(ambient_c, 0.1, 16, 16) | _u(fan_rpm, 1.0, 16, 32)


def supply(supply_v: float | None, hold_up_min: float | None) -> int:
    """SUPPLY."""
    return _u(supply_v, 0.001, 16, 0) | _u(hold_up_min, 0.1, 16, 16)


def car_session(
    stage: str | None,
    commanded: bool,
    positive: bool,
    negative: bool,
    dc_v: float | None,
    pack_v: float | None,
    insulation_ohm_per_v: float | None,
    limit_a: float | None,
) -> int:
    """CAR_SESSION."""
    number = _UNKNOWN_STAGE if stage is None else STAGES.index(stage)
    flags = number | commanded << 3 | positive << 4 | negative << 5
    return (
        flags
        | _u(dc_v, 0.5, 11, 8)
        | _u(pack_v, 0.5, 11, 19)
        | _u(insulation_ohm_per_v, 4.0, 9, 30)
        | _u(limit_a, 0.25, 9, 39)
    )


@dataclass(frozen=True, slots=True)
class Command:
    """CMD as received."""

    open_mid: bool
    close_mid: bool
    gate: bool
    form: bool
    inverter_mask: int
    close_token: int
    nonce: int
    primary: int = 0


def unpack_command(signals: int) -> Command:
    """CMD's six bytes as a little-endian number."""
    return Command(
        bool(signals & 1),
        bool(signals & 2),
        bool(signals & 4),
        bool(signals & 8),
        signals >> 8 & 0xFF,
        signals >> 16 & 0xFF,
        signals >> 24 & 0xFFFF,
        signals >> 40 & 0x7,
    )


def unpack_setpoint(signals: int) -> tuple[float, float, float, float] | None:
    """INV_SET: hertz, volts, watts, share of leg 1; ``None`` when any part is not available."""
    frequency, voltage = signals & 0xFFF, signals >> 12 & 0xFFF
    power = signals >> 24 & 0xFFFF
    share = signals >> 40 & 0xFF
    if frequency == 0xFFF or voltage == 0xFFF or power == 0x8000 or share == 0xFF:
        return None
    signed_power = power - 0x10000 if power & 0x8000 else power
    return frequency * 0.005 + 50.0, voltage * 0.1, signed_power * 10.0, share / 254.0


def unpack_wave_request(signals: int) -> tuple[int, int, int]:
    """WAVE_REQ: window number, first sample, count."""
    return signals & 0xFF, signals >> 8 & 0xFFFF, signals >> 24 & 0xFFFF
