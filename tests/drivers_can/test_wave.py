"""A window of waveforms over the bus: the driver's assembler against the twin's recorder, with losses on the way."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from v2h_console.twin.faces import lc_frames
from v2h_console.twin.faces.logic_controller import LogicController
from v2h_console.twin.house import House
from v2h_console.twin.world import World
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.can.wave import SAMPLES, WAVE_ID
from v2h_drivers.capabilities.requests import ControlRequest, WaveCapture

MS = 1_000_000
HOLD = ControlRequest(open_mid=False, close_mid=False, gate=True, form=False)


def captured(
    lost: Callable[[int, int], bool], *, limit_ms: int = 20_000
) -> tuple[WaveCapture | str | None, int]:
    """What a capture gives when ``lost(index, nth time it was sent)`` frames do not arrive, and the ms it took."""
    world = World(House(), 3, boot=False)
    controller = LogicController(world, 77, running=True)
    link = LogicControllerLink("Controller", "test")
    sent: dict[int, int] = {}
    link.capture(0)
    for now_ms in range(1, limit_ms):
        now_ns = now_ms * MS
        world.advance(now_ns)
        for arbitration_id, data in controller.frames_due(now_ns):
            if arbitration_id == WAVE_ID:
                index = int.from_bytes(data[:2], "little")
                sent[index] = sent.get(index, 0) + 1
                if lost(index, sent[index]):
                    continue
            link.receive(arbitration_id, data, now_ns)
        link.request(HOLD, now_ns)
        for arbitration_id, data in link.frames_due(now_ns):
            controller.receive(arbitration_id, data, now_ns)
        result = link.captured()
        if result is not None:
            return result, now_ms
    return None, limit_ms


def test_a_window_arrives_whole_and_is_the_houses_voltage() -> None:
    capture, took_ms = captured(lambda _index, _nth: False)
    assert isinstance(capture, WaveCapture)
    assert 3_200 < took_ms < 3_600
    for column in (capture.grid_l1_v, capture.grid_l2_v, capture.house_l1_v, capture.house_l2_v):
        assert len(column) == SAMPLES
        rms = math.sqrt(sum((value or 0.0) ** 2 for value in column) / SAMPLES)
        assert rms == pytest.approx(120.8, rel=0.01)


def test_what_was_lost_is_asked_for_again() -> None:
    capture, took_ms = captured(lambda index, nth: nth == 1 and index % 97 == 5)
    assert isinstance(capture, WaveCapture)
    assert took_ms > 3_400


def test_a_controller_that_sends_nothing_is_said_and_given_up() -> None:
    capture, took_ms = captured(lambda _index, _nth: True)
    assert capture == "the controller sends no waveform"
    assert took_ms < 20_000


def test_samples_that_never_come_end_it_with_their_count() -> None:
    capture, _ = captured(lambda index, _nth: index == 700)
    assert capture == f"only {SAMPLES - 1} of {SAMPLES} samples came"


def test_a_request_beyond_the_window_changes_nothing() -> None:
    world = World(House(), 3, boot=False)
    controller = LogicController(world, 77, running=True)
    for first, count in ((SAMPLES, 1), (0, SAMPLES + 1), (0, 0)):
        word = 9 | first << 8 | count << 24
        data = word.to_bytes(6, "little") + b"\x01"
        frame = data + bytes((lc_frames.crc8(lc_frames.WAVE_REQ, data),))
        controller.receive(lc_frames.WAVE_REQ, frame, 0)
    world.advance(10 * MS)
    assert WAVE_ID not in [arbitration_id for arbitration_id, _ in controller.frames_due(10 * MS)]
