"""A start from whatever a power cut left: locked and open, never a crash (fault classes 40 and 42)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2h_console.core.commands import PersistLatch
from v2h_console.core.observation import Kept
from v2h_console.proving.course import JudgedSite
from v2h_console.proving.torn_latch import TORN, damaged
from v2h_console.runtime.latch_file import read_latch, write_latch
from v2h_console.site import reader
from v2h_console.site.errors import ConfigError
from v2h_console.twin.scenario import Scenario, Start, Step

S = 1_000_000_000
CLEAR = PersistLatch(7, False, "grid requalified", Kept())
DEMO = Path(reader.__file__).parent / "demo"


@given(st.sampled_from([how for how in TORN if how != "older"]), st.floats(0.0, 1.0))
@settings(max_examples=150, deadline=None)
def test_a_torn_clear_record_reads_as_locked_and_needs_a_person(how: str, where: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latch"
        write_latch(path, CLEAR)
        assert not read_latch(path).locked
        path.write_bytes(damaged(path.read_bytes(), how, where))
        found = read_latch(path)
        assert found.locked
        assert found.kept.lk_close


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_content_of_the_latch_s_file_opens_the_lock(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latch"
        path.write_bytes(content)
        assert read_latch(path).locked


@pytest.mark.parametrize("how", TORN)
def test_a_start_from_a_torn_record_opens_and_what_cannot_be_read_keeps_it_open(how: str) -> None:
    steps = (
        Step(3.0, "fault.inject", {"fault": "storage.torn_write", "how": how}),
        Step(3.001, "owner.restart", {}),
        Step(3.002, "fault.clear", {"fault": "storage.torn_write"}),
    )
    start = Start(enter_service_s=15.0, soc_pct=60.0, ambient_c=20.0)
    course = JudgedSite(Scenario("torn", 60.0, start, steps), 2).play()
    assert not course.violations
    opened = [truth.at_ns / S for truth in course.run.truths if truth.truth == "mid.opened"]
    closed = [truth.at_ns / S for truth in course.run.truths if truth.truth == "coil.on"]
    assert 3.0 < opened[0] < 3.3
    if how == "older":
        # Whole, if old: the grid serves its delay, and the house comes back by itself.
        assert closed
        assert closed[0] > 3.0 + 15.0
    else:
        assert not closed


COMM_STACK = """\
[controller]
interface = "socketcan"
[inverter]
host = "10.0.0.2"
[solar]
host = "10.0.0.3"
"""


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_a_damaged_configuration_is_refused_in_words_or_still_in_range(data: st.DataObject) -> None:
    texts = {"comm_stack.conf": COMM_STACK.encode()}
    texts |= {path.name: path.read_bytes() for path in sorted(DEMO.glob("*.conf"))}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        reader.config_path(root, "").mkdir(parents=True)
        for name, content in texts.items():
            reader.config_path(root, name).write_bytes(content)
        healthy = reader.read_site(root).settings
        name = data.draw(st.sampled_from(sorted(texts)))
        at = data.draw(st.integers(0, len(texts[name]) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=40))
        rest = b"" if data.draw(st.booleans()) else texts[name][at:]
        reader.config_path(root, name).write_bytes(texts[name][:at] + junk + rest)
        said, read = "", healthy
        try:
            read = reader.read_site(root).settings
        except ConfigError as error:
            said = str(error)
        if said:
            assert str(root) in said
            assert "\n" not in said
        else:
            # What a digit more or less can still say stays within what the files allow at all.
            assert 0.0 < read.inverter.rated_w <= 100.0 * healthy.inverter.rated_w
            assert read.car.stop_soc_pct >= 20.0
