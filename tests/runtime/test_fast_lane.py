"""The lane that was held up: what the devices said meanwhile is read before anything is decided."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Observation
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, Settings
from v2h_console.core.state import Mode, State
from v2h_console.core.step import Step
from v2h_console.proving.course import JudgedSite
from v2h_console.proving.virtual import VirtualSite
from v2h_console.runtime.fast_lane import FastLane, Inbox
from v2h_console.runtime.halts import Halts
from v2h_console.runtime.urgency import TURN_NS, turn_of
from v2h_console.twin.scenario import Scenario, Start
from v2h_drivers.can.logic_controller import LogicControllerLink
from v2h_drivers.capabilities.requests import SlowRequest

TIED_AT_S = 8.0
TRIPS_AT_S = TIED_AT_S + 0.5
#: Longer than the controller may be silent.
HELD_UP_NS = 150 * NS_PER_MS


@dataclass
class RecordedBus:
    """What a controller said, to be read at its time; the clock goes on with the waiting."""

    frames: deque[tuple[int, int, bytes]]
    now_ns: int = 0
    bad_datagrams: int = 0
    sent: list[int] = field(default_factory=list)
    waits: int = 0

    def clock_ns(self) -> int:
        return self.now_ns

    def send(self, arbitration_id: int, data: bytes) -> None:
        self.sent.append(self.now_ns)

    def recv(self, timeout_s: float) -> tuple[int, bytes, int] | None:
        self.waits += timeout_s > 0.0
        until_ns = self.now_ns + round(timeout_s * NS_PER_S)
        if self.frames and self.frames[0][0] <= until_ns:
            at_ns, arbitration_id, data = self.frames.popleft()
            self.now_ns = max(self.now_ns, at_ns)
            return arbitration_id, data, self.now_ns
        self.now_ns = until_ns
        return None

    def pause(self, seconds: float) -> None:
        self.waits += 1
        self.now_ns += round(seconds * NS_PER_S)

    def fileno(self) -> int:
        return -1

    def shutdown(self) -> None:
        """Nothing to let go of."""


@dataclass
class HeldUp:
    """A lane in a house on the grid, put aside once, after so many steps, for ``held_up_ns``."""

    lane: FastLane
    bus: RecordedBus
    steps: list[tuple[int, Observation, Step]]
    #: After which of the steps something that had come by then was still unread.
    unread: list[int]


def slow(_request: SlowRequest) -> None:
    """Nobody polls here."""


def persist(_command: PersistLatch) -> None:
    """No disk here."""


Said = tuple[Settings, State, list[tuple[int, int, bytes]], int]


def overheard(site: VirtualSite, at_s: float) -> Said:
    """The frames from ``at_s`` on, while they come in, with the core's memory at their beginning."""
    frames: list[tuple[int, int, bytes]] = []

    def overhear(arbitration_id: int, data: bytes, at_ns: int) -> bytes:
        frames.append((at_ns, arbitration_id, data))
        return data

    site.advance(round(at_s * NS_PER_S))
    site.to_console = overhear
    return site.settings, site.state, frames, round(at_s * NS_PER_S)


def house() -> VirtualSite:
    return JudgedSite(Scenario("house", 20.0, Start(enter_service_s=1.0), ()), 3, fixed=True).site


@pytest.fixture(scope="module")
def said() -> Said:
    """Three seconds of frames of a house on the grid."""
    site = house()
    heard = overheard(site, TIED_AT_S)
    assert site.state.islanding.mode is Mode.TIED
    site.advance(round((TIED_AT_S + 3.0) * NS_PER_S))
    return heard


@pytest.fixture(scope="module")
def said_alone() -> Said:
    """A second of frames of a house that has been alone for a while; in the middle its inverter trips."""
    site = house()
    site.advance(NS_PER_S)
    site.do("grid.loss", {})
    heard = overheard(site, TIED_AT_S)
    assert site.state.islanding.mode is Mode.ISLANDED
    site.advance(round(TRIPS_AT_S * NS_PER_S))
    site.do("fault.inject", {"fault": "inverter.trips"})
    site.advance(round((TIED_AT_S + 1.0) * NS_PER_S))
    return heard


def run(said: Said, held_up_ns: int, *, steps_at_most: int = 30, after: int = 20) -> HeldUp:
    """The lane over the frames; after so many steps it is held up."""
    settings, state, frames, from_ns = said
    bus = RecordedBus(deque(frames), from_ns)
    steps: list[tuple[int, Observation, Step]] = []
    unread: list[int] = []

    def recorded(_before: State, observation: Observation, now_ns: int, result: Step) -> None:
        if bus.frames and bus.frames[0][0] <= now_ns:
            unread.append(len(steps))
        steps.append((now_ns, observation, result))
        if len(steps) == after:
            bus.now_ns += held_up_ns
        if len(steps) == steps_at_most:
            lane.stop()

    link = LogicControllerLink("Controller", "recorded")
    lane = FastLane(
        settings,
        bus,
        link,
        Inbox(),
        slow_request=slow,
        persist=persist,
        recorded=recorded,
        clock_ns=bus.clock_ns,
        pause=bus.pause,
    )
    lane.take_up(state)
    lane.run()
    return HeldUp(lane, bus, steps, unread)


def test_a_halt_of_the_whole_machine_is_told_to_the_link(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(Halts, "newly_ns", lambda _halts: 34 * NS_PER_S if not told else 0)
    monkeypatch.setattr(LogicControllerLink, "halted", lambda _link, for_ns: told.append(for_ns))
    run(said, 0)
    assert told == [34 * NS_PER_S]


def test_what_waits_on_the_bus_is_read_before_the_first_decision(said: Said) -> None:
    held = run(said, HELD_UP_NS)
    assert held.lane.failure is None
    put_aside_ns, (back_ns, observation, _) = held.steps[19][0], held.steps[20]
    assert back_ns - put_aside_ns >= HELD_UP_NS
    waiting = sum(put_aside_ns < at_ns <= back_ns for at_ns, _, _ in said[2])
    assert waiting > 40
    assert len(observation.readings) >= waiting * 0.9


@pytest.mark.parametrize("held_up_ms", [100, 150, 200, 400, 800])
def test_however_long_it_was_held_up_it_says_how_late_it_is_and_reads_all_that_waits(
    said: Said, held_up_ms: int
) -> None:
    held = run(said, held_up_ms * NS_PER_MS)
    assert held.lane.lateness.missed == 1
    assert held.lane.lateness.max_ns >= (held_up_ms - 50) * NS_PER_MS
    assert not held.unread, "it decided on the oldest part of what had come"


@pytest.mark.parametrize("held_up_ms", [200, 270])
def test_a_house_alone_is_not_decided_on_in_part_either(said_alone: Said, held_up_ms: int) -> None:
    held = run(said_alone, held_up_ms * NS_PER_MS, steps_at_most=7, after=5)
    assert {turn_of(result.state) for _, _, result in held.steps} == {TURN_NS}
    assert held.lane.lateness.max_ns >= (held_up_ms - 50) * NS_PER_MS
    assert not held.unread


def test_its_own_absence_is_not_taken_for_the_controllers_silence(said: Said) -> None:
    held = run(said, HELD_UP_NS)
    assert [event.code for _, _, result in held.steps for event in result.events] == []
    assert {result.state.islanding.mode.value for _, _, result in held.steps} == {"tied"}
    assert held.lane.lateness.max_ns >= HELD_UP_NS - 50 * NS_PER_MS


def test_a_controller_that_was_silent_as_long_is_silent(said: Said) -> None:
    settings, state, frames, from_ns = said
    silent = [frame for frame in frames if not 200 * NS_PER_MS < frame[0] - from_ns < 400 * NS_PER_MS]
    held = run((settings, state, silent, from_ns), 0)
    codes = [event.code for _, _, result in held.steps for event in result.events]
    assert "CONTROLLER_SILENT" in codes


def test_a_house_alone_is_listened_to_in_turns(said_alone: Said) -> None:
    alone = run(said_alone, 0, steps_at_most=10)
    passed_s = (alone.steps[-1][0] - said_alone[3]) / NS_PER_S
    heard = sum(len(observation.readings) for _, observation, _ in alone.steps)
    assert heard > 1_300 * passed_s
    assert alone.bus.waits < 130 * passed_s
    assert not alone.unread, "a step decided on a part of what had come"


def test_its_inverters_trip_waits_for_the_turn_and_no_longer(said_alone: Said) -> None:
    alone = run(said_alone, 0, steps_at_most=60)
    said_ns = round(TRIPS_AT_S * NS_PER_S)
    dark_ns = next(now for now, _, result in alone.steps if result.state.islanding.mode is Mode.DARK)
    # The controller says a state at once when it changes; then a turn, and the bus's own way.
    assert 0 < dark_ns - said_ns <= TURN_NS + NS_PER_MS
