"""What the core saw and said around an incident, kept, written, and run again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from v2h_console.core.observation import CoreOrder, Observation, OrderKind
from v2h_console.core.settings import NS_PER_S, Settings
from v2h_console.core.state import State
from v2h_console.core.step import Step, step
from v2h_console.proving import replay
from v2h_console.proving.course import JudgedSite
from v2h_console.runtime import incident_file
from v2h_console.runtime.incident_file import Incident, IncidentError
from v2h_console.runtime.recorder import BEFORE_NS, KEPT, LONGEST_NS, IncidentWriter, Ring
from v2h_console.twin.scenario import Scenario, Start
from v2h_drivers.capabilities.fast_readings import GridFast
from v2h_drivers.capabilities.quality import Quality

Finished = tuple[str, State, tuple[bytes, ...]]


class Watched:
    """A house in virtual time whose core is recorded as the owner's is."""

    def __init__(self) -> None:
        self.finished: list[Finished] = []
        scenario = Scenario("recorded", 60.0, Start(enter_service_s=15.0), ())
        self.judged = JudgedSite(scenario, 5, step_function=self._step)
        self.settings = self.judged.site.settings
        self.ring = Ring(self.settings, lambda *incident: self.finished.append(incident))

    def _step(self, site: Settings, state: State, observation: Observation, now_ns: int) -> Step:
        result = step(site, state, observation, now_ns)
        if hasattr(self, "ring"):
            self.ring.took(state, observation, now_ns, result)
        return result

    def live(self, to_s: float) -> None:
        """Until this second."""
        self.judged.site.advance(round(to_s * NS_PER_S))

    def incident(self, nth: int = 0) -> Incident:
        """One of the finished ones as it would be written."""
        title, state, records = self.finished[nth]
        entries = tuple(incident_file.unpacked(record) for record in records)
        return Incident(title, "test", 1_784_037_773.0, self.settings, state, entries)


@pytest.fixture(scope="module")
def outage() -> Incident:
    """An outage from four seconds before it."""
    house = Watched()
    house.live(10.0)
    house.judged.do("grid.loss", {})
    house.live(16.0)
    return house.incident()


def test_an_outage_is_kept_from_before_it_began_until_the_house_was_lit(outage: Incident) -> None:
    assert outage.title == "grid_lost"
    assert outage.state.islanding.mode.value == "tied"
    lost_ns = next(e.now_ns for e in outage.entries if any(x.code == "GRID_LOST" for x in e.events))
    assert lost_ns - outage.entries[0].now_ns >= BEFORE_NS
    assert [mode for _, mode in replay.run(outage).modes] == [
        "tied",
        "opening",
        "proving",
        "forming",
        "islanded",
    ]


def test_written_and_read_again_it_leads_to_the_same_decisions_byte_for_byte(outage: Incident) -> None:
    read = incident_file.decode(incident_file.encode(outage), "test")
    replayed = replay.run(read)
    assert replayed.difference is None
    document = replayed.document()
    assert document["identical"] is True
    assert document["commands"] > 200
    assert read == outage


def test_a_core_that_decides_otherwise_is_told_where(outage: Incident) -> None:
    def hasty(site: Settings, state: State, observation: Observation, now_ns: int) -> Step:
        detector = replace(site.grid.detector, below_050_hold_ms=4.0)
        return step(replace(site, grid=replace(site.grid, detector=detector)), state, observation, now_ns)

    difference = replay.run(outage, hasty).difference
    assert difference is not None
    assert difference.what == "commands"
    assert difference.recorded != difference.replayed


def test_values_that_are_no_numbers_survive(outage: Incident) -> None:
    entry = outage.entries[0]
    odd = GridFast(entry.now_ns, Quality.GOOD, math.nan, math.inf, -math.inf, None)
    changed = replace(entry, observation=replace(entry.observation, readings=(odd,)))
    kept = incident_file.decode(incident_file.encode(replace(outage, entries=(changed,))), "test")
    reading = kept.entries[0].observation.readings[0]
    assert isinstance(reading, GridFast)
    assert reading.l1_pu is not None
    assert math.isnan(reading.l1_pu)
    assert (reading.l2_pu, reading.below_050_ms) == (math.inf, -math.inf)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_in_one_line(outage: Incident, data: st.DataObject) -> None:
    whole = bytearray(_ENCODED.setdefault("outage", incident_file.encode(outage)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(whole) - 1)))
    with pytest.raises(IncidentError) as refused:
        incident_file.decode(bytes(whole[:cut]), "x")
    assert "\n" not in str(refused.value)


_ENCODED: dict[str, bytes] = {}


@settings(max_examples=100, deadline=None)
@given(junk=st.binary(max_size=200))
def test_junk_is_no_incident(junk: bytes) -> None:
    with pytest.raises(IncidentError):
        incident_file.decode(junk, "x")


def quiet_entries(seconds: float) -> int:
    """How many steps a quiet house leaves in the ring."""
    house = Watched()
    house.live(seconds)
    assert house.finished == []
    return len(house.ring._entries)


def test_a_quiet_house_keeps_a_few_seconds_and_writes_nothing() -> None:
    assert quiet_entries(50.0) <= quiet_entries(10.0) * 2


@pytest.mark.parametrize("nonce", ["\ud800", "x"], ids=["no text at all", "a good one"])
def test_a_step_that_cannot_be_written_down_costs_the_recording_and_never_the_lane(nonce: str) -> None:
    house = Watched()
    house.live(10.0)
    order = CoreOrder(OrderKind.ACKNOWLEDGE, nonce, 20 * NS_PER_S)
    result = Step(house.judged.site.state, (), (), 0, None)
    house.ring.took(house.judged.site.state, Observation(1, orders=(order,)), 10 * NS_PER_S, result)
    assert house.ring.unwritable == (0 if nonce == "x" else 1)
    house.live(15.0)
    house.judged.do("grid.loss", {})
    house.live(21.0)
    replayed = replay.run(house.incident())
    assert replayed.modes[-1][1] == "islanded"
    if nonce != "x":
        assert replayed.difference is None


def test_what_never_ends_is_written_in_parts() -> None:
    house = Watched()
    house.live(10.0)
    house.judged.do("grid.loss", {})
    for at_s in range(12, 40, 2):
        house.live(float(at_s))
        house.judged.do("fault.inject", {"fault": "grid_sense.off"})
        house.live(at_s + 1.0)
        house.judged.do("fault.clear", {"fault": "grid_sense.off"})
    house.live(50.0)
    assert house.finished
    for nth in range(len(house.finished)):
        entries = house.incident(nth).entries
        assert entries[-1].now_ns - entries[0].now_ns <= LONGEST_NS + 3 * BEFORE_NS
    assert all(replay.run(house.incident(nth)).difference is None for nth in range(len(house.finished)))


def written(folder: Path, incident: Incident, clock: Callable[[], float], times: int = 1) -> IncidentWriter:
    """A writer that has written it."""
    writer = IncidentWriter(folder, incident.settings, clock)
    writer.start()
    for _ in range(times):
        writer.submit(incident.title, incident.state, tuple(map(incident_file.packed, incident.entries)))
    writer.stop()
    writer.join(30.0)
    return writer


def test_the_writer_leaves_whole_files_and_the_oldest_go(tmp_path: Path, outage: Incident) -> None:
    short = replace(outage, entries=outage.entries[:3])
    for nth in range(KEPT + 2):
        (tmp_path / f"20200101T{nth:06d}.000Z-old.v2hincident").touch()
    writer = written(tmp_path, short, lambda: 1_784_037_773.5)
    assert (writer.written, writer.failure) == (1, "")
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == KEPT
    assert kept[-1] == "20260714T140253.500Z-grid_lost.v2hincident"
    assert incident_file.read(tmp_path / kept[-1]).entries == short.entries


def test_on_a_clock_that_went_back_what_was_just_written_is_not_the_oldest(tmp_path: Path) -> None:
    for nth in range(KEPT):
        (tmp_path / f"20260101T000000.{nth:03d}Z-old.v2hincident").touch()
    writer = IncidentWriter(tmp_path, Settings())
    first, second = (writer._path(title, 12.0 - nth) for nth, title in enumerate(("mid_welded", "grid_lost")))
    assert writer.write(first, b"data")
    assert writer.write(second, b"data")
    assert first.exists()
    assert second.exists()
    assert len(list(tmp_path.iterdir())) == KEPT
    assert not (tmp_path / "20260101T000000.001Z-old.v2hincident").exists()


def test_a_disk_that_fails_is_said_and_costs_the_incident_only(tmp_path: Path, outage: Incident) -> None:
    in_the_way = tmp_path / "incidents"
    in_the_way.write_text("a file where a folder must be")
    writer = written(in_the_way, replace(outage, entries=()), lambda: 0.0)
    assert writer.dropped == 1
    assert writer.failure == "File exists"


def test_a_full_queue_drops_the_newest_and_counts_it(tmp_path: Path, outage: Incident) -> None:
    writer = IncidentWriter(tmp_path, outage.settings)
    for _ in range(10):
        writer.submit("x", outage.state, ())
    assert writer.dropped == 6
