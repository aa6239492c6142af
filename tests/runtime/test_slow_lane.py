"""The slow lane: what is asked of it before it is there, and a device's driver that has a defect."""

from __future__ import annotations

import threading

from v2h_console.proving.virtual_loop import VirtualLoop
from v2h_console.runtime.slow_lane import MOST_EARLY, RESTART_S, SlowLane
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.requests import DischargeLimitRequest, RelayRequest, SlowRequest
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState
from v2h_drivers.modbus.connection import Connection
from v2h_drivers.modbus.load_centre import LoadCentre
from v2h_drivers.modbus.machine import Framing
from v2h_drivers.modbus.sunspec_inverter import SunSpecInverter

S = 1_000_000_000


class Limited:
    """Takes limits."""

    name = "Inverter"

    def __init__(self) -> None:
        self.taken: list[SlowRequest] = []

    async def run(self) -> None:
        """It has nothing to do."""
        raise AssertionError

    def submit(self, request: SlowRequest) -> bool:
        """Limits alone."""
        if not isinstance(request, DischargeLimitRequest):
            return False
        self.taken.append(request)
        return True

    def busy(self) -> bool:
        return bool(self.taken)

    def ended(self, words: str) -> None:
        """Nobody asks."""


def test_what_is_asked_for_before_the_lane_is_there_reaches_its_device_in_order() -> None:
    device = Limited()
    lane = SlowLane(lambda: [device])
    for watts in (5000.0, 4000.0):
        lane.submit(DischargeLimitRequest(watts))
    lane.start()
    assert lane.ready.wait(10.0)
    assert device.taken == [DischargeLimitRequest(5000.0), DischargeLimitRequest(4000.0)]
    lane.stop()
    lane.join(10.0)
    assert lane.refused_requests == 0


def test_a_limit_is_told_to_each_inverter() -> None:
    inverters = [Limited(), Limited()]
    lane = SlowLane(lambda: inverters)
    lane.submit(DischargeLimitRequest(5000.0))
    lane.start()
    assert lane.ready.wait(10.0)
    lane.stop()
    lane.join(10.0)
    assert [one.taken for one in inverters] == [[DischargeLimitRequest(5000.0)]] * 2


def test_one_that_is_told_to_end_while_it_begins_polls_nobody() -> None:
    begins, goes_on, polled = threading.Event(), threading.Event(), threading.Event()

    class Polled(Limited):
        async def run(self) -> None:
            polled.set()

    def build() -> list[Limited]:
        begins.set()
        assert goes_on.wait(10.0)
        return [Polled()]

    lane = SlowLane(build)
    lane.start()
    assert begins.wait(10.0)
    lane.stop()
    goes_on.set()
    lane.join(10.0)
    assert not lane.is_alive()
    assert not polled.is_set()


def test_more_than_that_is_refused_and_counted_as_what_no_device_takes() -> None:
    lane = SlowLane(list)
    for _ in range(MOST_EARLY + 3):
        lane.submit(RelayRequest(0, True))
    assert lane.refused_requests == 3
    lane.start()
    assert lane.ready.wait(10.0)
    lane.stop()
    lane.join(10.0)
    assert lane.refused_requests == MOST_EARLY + 3


def _broken_words(error: Exception) -> list[LinkHealth]:
    """What each device's link says while its driver raises this at every poll, for five seconds."""
    loop = VirtualLoop(5 * S)  # type: ignore[abstract]  # only what machines use
    told: list[Reading] = []

    async def open_port(_connection: Connection) -> None:
        raise error

    def connection(framing: Framing) -> Connection:
        return Connection(
            "virtual",
            framing,
            lambda one: loop.create_task(open_port(one)),
            clock_ns=lambda: loop.now_ns,
        )

    lane = SlowLane(list)
    for device in (
        SunSpecInverter("Inverter", connection(Framing.TCP), 1, told.append, clock_ns=lambda: loop.now_ns),
        LoadCentre(
            "Load centre", connection(Framing.RTU), 1, {}, 8, told.append, clock_ns=lambda: loop.now_ns
        ),
    ):
        loop.create_task(lane._keep(device))
    loop.run_until(10 * S)
    return [one for one in told if isinstance(one, LinkHealth)]


def test_a_driver_that_ends_by_a_defect_is_shown_as_lost_at_once_and_goes_on_being_said() -> None:
    said = _broken_words(RuntimeError("a scale\x1b[31m that\nnobody\u202e foresaw" + 100 * "."))
    for device in ("Inverter", "Load centre"):
        mine = [one for one in said if one.device == device]
        assert mine[0].at_ns == 5 * S
        assert len(mine) == 1 + 5 // RESTART_S
        assert all(one.state is LinkState.LOST for one in mine)
        assert mine[0].reason.startswith(
            "its driver failed: RuntimeError: a scale [31m that nobody  foresaw.."
        )
        assert mine[0].reason.isprintable()
        assert len(mine[0].reason) < 110
