"""The drivers read by DBC what the twin packs by hand, and the other way round: two hands, frame by frame."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2h_console.twin.faces import lc_frames
from v2h_drivers.can.codec import COUNTER_BYTE
from v2h_drivers.can.crc8 import crc8
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import (
    CarSession,
    CarStage,
    ForeignCommand,
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
from v2h_drivers.capabilities.requests import ControlRequest, FanRequest, InverterSetpoint, ShedRequest
from v2h_drivers.capabilities.slow_readings import LinkState

MS = 1_000_000


def maybe(low: float, high: float) -> st.SearchStrategy[float | None]:
    """A value that the sensor may also not know."""
    return st.one_of(st.none(), st.floats(low, high))


def heard(
    arbitration_id: int, signals: int, *, link: LogicControllerLink | None = None, counter: int = 1
) -> Reading:
    """What a link makes of the twin's frame."""
    reading = (link or LogicControllerLink("C", "t")).receive(
        arbitration_id, lc_frames.frame(arbitration_id, signals, counter), 5 * MS
    )
    assert reading is not None
    assert reading.quality is Quality.GOOD
    return reading


def same(read: float | None, sent: float | None, step: float) -> None:
    """Unknown stays unknown; a value comes back within half a step of the wire."""
    if sent is None:
        assert read is None
    else:
        assert read == pytest.approx(sent, abs=0.501 * step)


FAST = settings(max_examples=60, deadline=None)


@FAST
@given(l1=maybe(0, 1.9), l2=maybe(0, 1.9), below_050=st.floats(0, 400), below_088=st.floats(0, 400))
def test_grid_fast(l1: float | None, l2: float | None, below_050: float, below_088: float) -> None:
    reading = heard(lc_frames.GRID_FAST, lc_frames.grid_fast(l1, l2, below_050, below_088))
    assert isinstance(reading, GridFast)
    same(reading.l1_pu, l1, 0.0005)
    same(reading.l2_pu, l2, 0.0005)
    same(reading.below_050_ms, below_050, 0.1)
    same(reading.below_088_ms, below_088, 0.1)


@FAST
@given(l1=maybe(0, 1.9), l2=maybe(0, 1.9), shift=maybe(-0.9, 0.9))
def test_house_fast(l1: float | None, l2: float | None, shift: float | None) -> None:
    reading = heard(lc_frames.HOUSE_FAST, lc_frames.house_fast(l1, l2, shift))
    assert isinstance(reading, HouseFast)
    same(reading.l1_pu, l1, 0.0005)
    same(reading.neutral_shift_pu, shift, 0.0005)


@FAST
@given(
    flags=st.tuples(*[st.booleans()] * 5),
    since=st.floats(0, 6553),
    pole=st.floats(0, 65),
    operations=st.integers(0, 254),
)
def test_mid_state(flags: tuple[bool, ...], since: float, pole: float, operations: int) -> None:
    nc, no, coil, bond, interlock = flags
    reading = heard(
        lc_frames.MID_STATE, lc_frames.mid_state(nc, no, coil, bond, interlock, since, pole, operations)
    )
    assert isinstance(reading, MidState)
    got = (
        reading.nc_mirror_closed,
        reading.no_contact_closed,
        reading.coil_on,
        reading.bond_closed,
        reading.interlock_ok,
    )
    assert got == flags
    same(reading.since_edge_ms, since, 0.1)
    same(reading.pole_current_a, pole, 0.001)
    assert reading.operations == operations


@FAST
@given(
    mode=st.sampled_from(lc_frames.MODES),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    volts=maybe(0, 250),
    hertz=maybe(50, 70),
    amps=maybe(0, 127),
    limit=maybe(0, 127),
)
def test_inv_state(
    mode: str,
    flags: tuple[bool, bool, bool],
    volts: float | None,
    hertz: float | None,
    amps: float | None,
    limit: float | None,
) -> None:
    reading = heard(lc_frames.INV_STATE, lc_frames.inv_state(mode, *flags, volts, hertz, amps, limit))
    assert isinstance(reading, InverterFast)
    assert reading.mode is InverterMode(mode)
    assert (reading.gate_on, reading.form_enabled, reading.fault) == flags
    same(reading.voltage_v, volts, 0.25)
    same(reading.frequency_hz, hertz, 0.005)
    same(reading.current_a, amps, 0.25)


@FAST
@given(
    arbitration_id=st.sampled_from(sorted(lc_frames.UNIT_STATES)),
    mode=st.sampled_from(lc_frames.MODES),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    phase=maybe(-180, 180),
    slip=maybe(-1.2, 1.2),
    difference=maybe(-12, 12),
    amps=maybe(0, 126),
    limit=maybe(0, 126),
)
def test_unit_states(
    arbitration_id: int,
    mode: str,
    flags: tuple[bool, bool, bool],
    phase: float | None,
    slip: float | None,
    difference: float | None,
    amps: float | None,
    limit: float | None,
) -> None:
    signals = lc_frames.unit_state(mode, *flags, phase, slip, difference, amps, limit)
    reading = heard(arbitration_id, signals)
    assert isinstance(reading, UnitFast)
    assert reading.unit == lc_frames.UNIT_STATES[arbitration_id] + 1
    assert reading.mode is InverterMode(mode)
    assert (reading.gate_on, reading.form_enabled, reading.fault) == flags
    same(reading.phase_deg, phase, 0.2)
    same(reading.slip_hz, slip, 0.005)
    same(reading.voltage_difference_pct, difference, 0.1)
    same(reading.current_a, amps, 1.0)
    same(reading.limit_a, limit, 1.0)


@FAST
@given(phase=maybe(-180, 180), slip=maybe(-2, 2), difference=maybe(-50, 50), at=st.integers(0, 10**6))
def test_sync(phase: float | None, slip: float | None, difference: float | None, at: int) -> None:
    reading = heard(lc_frames.SYNC, lc_frames.sync(phase, slip, difference, at))
    assert isinstance(reading, Sync)
    same(reading.phase_deg, phase, 0.01)
    same(reading.slip_mhz, None if slip is None else 1000.0 * slip, 1.0)
    same(reading.voltage_difference_pct, difference, 0.1)


@FAST
@given(
    side=st.sampled_from([Side.GRID, Side.HOUSE]),
    l1=maybe(0, 280),
    l2=maybe(0, 280),
    both=maybe(0, 560),
    hertz=maybe(50, 70),
)
def test_cycles(
    side: Side, l1: float | None, l2: float | None, both: float | None, hertz: float | None
) -> None:
    frame = lc_frames.GRID_CYC if side is Side.GRID else lc_frames.HOUSE_CYC
    reading = heard(frame, lc_frames.cycle(l1, l2, both, hertz))
    assert isinstance(reading, SideCycle)
    assert reading.side is side
    same(reading.l1_v, l1, 0.1)
    same(reading.l1l2_v, both, 0.2)
    same(reading.frequency_hz, hertz, 0.005)


@FAST
@given(l1=maybe(-200, 200), l2=maybe(-200, 200), n=maybe(-200, 200))
def test_currents(l1: float | None, l2: float | None, n: float | None) -> None:
    reading = heard(lc_frames.CURRENTS, lc_frames.currents(l1, l2, n))
    assert isinstance(reading, LegCurrents)
    same(reading.l1_a, l1, 0.01)
    same(reading.n_a, n, 0.01)


@FAST
@given(
    heatsink=maybe(-40, 120),
    ambient=maybe(-40, 70),
    rpm=maybe(0, 9000),
    volts=maybe(0, 30),
    minutes=maybe(0, 600),
)
def test_temperatures_and_supply(
    heatsink: float | None,
    ambient: float | None,
    rpm: float | None,
    volts: float | None,
    minutes: float | None,
) -> None:
    warm = heard(lc_frames.TEMPS, lc_frames.temperatures(heatsink, ambient, rpm))
    assert isinstance(warm, Temperatures)
    same(warm.heatsink_c, heatsink, 0.1)
    same(warm.ambient_c, ambient, 0.1)
    same(warm.fan_rpm, rpm, 1.0)
    fed = heard(lc_frames.SUPPLY, lc_frames.supply(volts, minutes))
    assert isinstance(fed, Supply)
    same(fed.supply_v, volts, 0.001)
    same(fed.hold_up_min, minutes, 0.1)


@FAST
@given(mask=st.integers(0, 0xFFFF_FFFE))
def test_load_feedback(mask: int) -> None:
    reading = heard(lc_frames.LOAD_FB, lc_frames.load_feedback(mask))
    assert isinstance(reading, LoadFeedback)
    assert reading.closed_mask == mask


def sent(link: LogicControllerLink, arbitration_id: int, now_ns: int = 10 * MS) -> bytes:
    """The frame of that id that the link sends now."""
    return dict(link.frames_due(now_ns))[arbitration_id]


@FAST
@given(
    flags=st.tuples(*[st.booleans()] * 4),
    mask=st.integers(0, 255),
    primary=st.integers(0, 7),
    token=st.integers(0, 255),
    nonce=st.integers(1, 0xFFFE),
)
def test_the_twin_unpacks_the_command_that_was_asked(
    flags: tuple[bool, ...], mask: int, primary: int, token: int, nonce: int
) -> None:
    link = LogicControllerLink("C", "t")
    heard(lc_frames.HB_LC, lc_frames.heartbeat(nonce, 3, 1, 20), link=link)
    open_mid, close_mid, gate, form = flags
    link.request(ControlRequest(open_mid, close_mid, gate, form, mask, token, primary), 10 * MS)
    frame = sent(link, lc_frames.CMD)
    assert lc_frames.crc8(lc_frames.CMD, frame[:7]) == frame[7]
    command = lc_frames.unpack_command(int.from_bytes(frame[:6], "little"))
    assert (command.open_mid, command.close_mid, command.gate, command.form) == flags
    assert command.primary == primary
    assert (command.inverter_mask, command.close_token, command.nonce) == (mask, token, nonce)


@FAST
@given(
    hertz=st.floats(55, 65),
    volts=st.floats(100, 140),
    watts=st.floats(-20_000, 20_000),
    share=st.floats(0, 1),
    duty=st.integers(0, 100),
)
def test_setpoint_shed_and_fan(hertz: float, volts: float, watts: float, share: float, duty: int) -> None:
    link = LogicControllerLink("C", "t")
    link.request(InverterSetpoint(hertz, volts, watts, share), 0)
    link.request(ShedRequest(0xA5A5), 0)
    link.request(FanRequest(duty), 0)
    frames = dict(link.frames_due(10 * MS))
    setpoint = lc_frames.unpack_setpoint(int.from_bytes(frames[lc_frames.INV_SET][:6], "little"))
    assert setpoint is not None
    for read, wanted, step in zip(
        setpoint, (hertz, volts, watts, share), (0.005, 0.1, 10.0, 1 / 254), strict=True
    ):
        same(read, wanted, step)
    assert int.from_bytes(frames[lc_frames.SHED][:4], "little") == 0xA5A5
    assert frames[lc_frames.FAN][0] == duty


def test_our_own_command_heard_again_is_nobody_and_another_s_is_somebody() -> None:
    link = LogicControllerLink("C", "t")
    heard(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 20), link=link)
    link.request(ControlRequest(True, False, False, False), 10 * MS)
    own = sent(link, lc_frames.CMD)
    assert link.receive(lc_frames.CMD, own, 11 * MS) is None
    other = lc_frames.frame(lc_frames.CMD, 1 << 2 | 77 << 24, 200)
    assert isinstance(link.receive(lc_frames.CMD, other, 12 * MS), ForeignCommand)
    broken = other[:7] + bytes((other[7] ^ 1,))
    assert link.receive(lc_frames.CMD, broken, 13 * MS) is None


def test_crc8_has_its_check_value() -> None:
    assert crc8(b"123456789") == 0x4B


@settings(max_examples=200, deadline=None)
@given(bit=st.integers(0, 63), data=st.binary(min_size=6, max_size=6), counter=st.integers(0, 255))
def test_one_turned_bit_is_never_taken(bit: int, data: bytes, counter: int) -> None:
    link = LogicControllerLink("C", "t")
    frame = bytearray(lc_frames.frame(lc_frames.GRID_FAST, int.from_bytes(data, "little"), counter))
    frame[bit // 8] ^= 1 << bit % 8
    assert link.receive(lc_frames.GRID_FAST, bytes(frame), 0) is None
    assert link.statistics.bad_crc == 1


@settings(max_examples=200, deadline=None)
@given(arbitration_id=st.integers(0, 0x7FF), data=st.binary(max_size=12))
def test_garbage_never_raises_and_an_impossible_value_is_bad(arbitration_id: int, data: bytes) -> None:
    reading = LogicControllerLink("C", "t").receive(arbitration_id, data, 0)
    assert reading is None or reading.quality in (Quality.GOOD, Quality.BAD)


def test_a_frame_said_again_is_old_and_three_times_is_a_stuck_sender() -> None:
    link = LogicControllerLink("C", "t")
    frame = lc_frames.frame(lc_frames.GRID_FAST, lc_frames.grid_fast(1.0, 1.0, 0, 0), 9)
    answers = [link.receive(lc_frames.GRID_FAST, frame, nth * MS) for nth in range(5)]
    assert answers[0] is not None
    assert answers[1:3] == [None, None]
    assert answers[3] is not None
    assert answers[3].quality is Quality.BAD


def test_the_link_comes_and_goes_and_comes_back() -> None:
    link = LogicControllerLink("C", "t")
    assert link.health(0).state is LinkState.CONNECTING
    heard(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 20), link=link)
    assert link.health(6 * MS).state is LinkState.OK
    assert link.health(200 * MS).state is LinkState.LOST
    link.receive(
        lc_frames.HB_LC, lc_frames.frame(lc_frames.HB_LC, lc_frames.heartbeat(78, 0, 1, 10), 2), 900 * MS
    )
    health = link.health(910 * MS)
    assert health.state is LinkState.OK
    assert "restarted" in health.reason


def test_nothing_is_commanded_before_a_nonce_and_nothing_for_a_silent_core() -> None:
    link = LogicControllerLink("C", "t")
    hold = ControlRequest(open_mid=True, close_mid=False, gate=False, form=False)
    link.request(hold, 0)
    assert lc_frames.CMD not in dict(link.frames_due(10 * MS))
    heard(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 20), link=link)
    link.request(hold, 10 * MS)
    assert lc_frames.CMD in dict(link.frames_due(10 * MS))
    assert lc_frames.CMD not in dict(link.frames_due(120 * MS)), "a core that is stuck must not be spoken for"


def test_a_close_token_is_worth_nothing_after_50_ms() -> None:
    link = LogicControllerLink("C", "t")
    heard(lc_frames.HB_LC, lc_frames.heartbeat(77, 5, 1, 20), link=link)
    close = ControlRequest(open_mid=False, close_mid=True, gate=True, form=True, close_token=5)
    tokens = []
    for now_ms in range(10, 110, 20):
        link.request(close, now_ms * MS)
        frame = sent(link, lc_frames.CMD, now_ms * MS)
        tokens.append(lc_frames.unpack_command(int.from_bytes(frame[:6], "little")).close_token)
    assert tokens[0] == 5
    assert tokens[-1] == 0


def test_counters_move_by_one() -> None:
    link = LogicControllerLink("C", "t")
    link.request(FanRequest(10), 0)
    counters = [sent(link, lc_frames.FAN, nth * 500 * MS)[COUNTER_BYTE] for nth in range(300)]
    assert all((b - a) & 0xFF == 1 for a, b in itertools.pairwise(counters))


@FAST
@given(
    stage=st.sampled_from([*lc_frames.STAGES, None]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    volts=st.tuples(maybe(0, 1_000), maybe(0, 1_000)),
    insulation=maybe(0, 2_000),
    limit_a=maybe(0, 127),
)
def test_car_session(
    stage: str | None,
    flags: tuple[bool, bool, bool],
    volts: tuple[float | None, float | None],
    insulation: float | None,
    limit_a: float | None,
) -> None:
    signals = lc_frames.car_session(stage, *flags, *volts, insulation, limit_a)
    reading = heard(lc_frames.CAR_SESSION, signals)
    assert isinstance(reading, CarSession)
    assert reading.stage is (CarStage.UNKNOWN if stage is None else CarStage(stage))
    assert (reading.commanded_closed, reading.positive_closed, reading.negative_closed) == flags
    same(reading.dc_voltage_v, volts[0], 0.5)
    same(reading.pack_voltage_v, volts[1], 0.5)
    same(reading.insulation_ohm_per_v, insulation, 4.0)
    same(reading.limit_a, limit_a, 0.25)
