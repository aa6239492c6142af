"""A tick came late, and the technician asks why: the machine, another program, or this one?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.runtime.owners import QuietBus
from tests.runtime.served import served
from v2h_console.runtime import logs
from v2h_console.runtime.hold_ups import TOLD_EVERY_NS, Account, HoldUps, Kernel, Sample, words
from v2h_console.runtime.lateness import MISSED_NS, Late, Lateness

S = 1_000_000_000
MS = 1_000_000
LANE = "fast-lane"
#: Due at 2.5 s, made at 2.6 s.
LATE = Late(2_600 * MS, 100 * MS)


def at(
    s: float,
    *,
    core: tuple[int, int] = (0, 0),
    screen: tuple[int, int] = (0, 0),
    stolen_ms: int = 0,
    fetched: int = 0,
) -> Sample:
    """``core`` and ``screen``: ms on a processor, ms waiting for one, since the start."""
    threads = {
        7: Account("MainThread", screen[0] * MS, screen[1] * MS),
        8: Account(LANE, core[0] * MS, core[1] * MS),
    }
    return Sample(int(s * S), threads, stolen_ms * MS, fetched)


def said(*samples: Sample, late: Late = LATE) -> str:
    return words(late, samples, LANE)


@pytest.fixture
def lateness() -> Lateness:
    return Lateness()


def test_other_programs_had_the_processor() -> None:
    assert said(
        at(1, core=(100, 5), screen=(50, 9)),
        at(2, core=(200, 6), screen=(100, 18)),
        at(3, core=(300, 103), screen=(150, 30)),
    ) == ("A tick came 100 ms late: the core waited 97 ms for a processor (usually 1).")


def test_the_screen_worked_while_it_had_the_interpreter() -> None:
    assert said(at(1, screen=(40, 0)), at(2, screen=(80, 0)), at(3, screen=(210, 3))).endswith(
        ": this program's 'MainThread' worked 130 ms (usually 40)."
    )


def test_the_screen_was_put_aside_while_it_had_the_interpreter() -> None:
    assert said(at(1), at(2), at(3, core=(9, 2), screen=(30, 92))).endswith(
        ": this program's 'MainThread' waited 92 ms for a processor (usually 0)."
    )


def test_the_core_itself_worked() -> None:
    assert "the core worked 190 ms (usually 90)" in said(
        at(1, core=(10, 0)), at(2, core=(100, 0)), at(3, core=(290, 0))
    )


def test_the_core_collected_garbage(lateness: Lateness) -> None:
    heard: list[str] = []
    samples = iter([at(1), at(2), at(3, core=(50, 0))])
    took_ms = iter([3, 6, 54])
    watch = HoldUps(
        lambda: lateness,
        LANE,
        heard.append,
        sample=lambda: next(samples),
        collected_ns=lambda: next(took_ms) * MS,
    )
    watch.look()
    watch.look()
    lateness.tick(52 * MS, 0, 2_600 * MS)
    watch.look()
    assert heard == [
        "A tick came 52 ms late: the core worked 50 ms (usually 0); garbage passes held it for 48 ms (usually 3)."
    ]


def test_the_host_gave_the_machine_no_processor() -> None:
    assert "the host took 90 ms from this virtual machine (usually 10)" in said(
        at(1), at(2, stolen_ms=10), at(3, stolen_ms=100)
    )


def test_memory_came_back_from_a_disk() -> None:
    assert said(at(1), at(2, fetched=3), at(3, fetched=7)).endswith(
        "4 pages of memory were fetched from a disk."
    )


def test_of_many_the_three_largest_are_named_in_their_order() -> None:
    """All that wakes up once a processor is there again has waited, too."""
    many = {number: Account(f"one {number}", 0, 10 * number * MS) for number in range(20)}
    text = said(at(1), at(2), Sample(3 * S, {**many, 90: Account(LANE, 0, 95 * MS)}, stolen_ns=300 * MS))
    assert text.endswith(
        ": the host took 300 ms from this virtual machine (usually 0); "
        "this program's 'one 19' waited 190 ms for a processor (usually 0); "
        "this program's 'one 18' waited 180 ms for a processor (usually 0)."
    )


def test_what_is_usual_explains_nothing() -> None:
    busy = [at(s, core=(300 * s, 50 * s), screen=(600 * s, 90 * s)) for s in (1, 2, 3)]
    assert said(*busy) == (
        "A tick came 100 ms late: no account shows why; a process that is stopped (SIGSTOP, a freezer) has none."
    )


def test_a_delay_across_two_looks_is_counted_from_before_it_began() -> None:
    """Looked at in its middle: either second alone holds half of it."""
    samples = at(0.5), at(1.5), at(2.55, core=(0, 49)), at(3.55, core=(0, 98))
    assert "the core waited 98 ms for a processor" in said(*samples)


def test_a_thread_that_has_just_begun_is_named_with_all_that_it_did() -> None:
    quiet = Sample(1 * S, {8: Account(LANE)}), Sample(2 * S, {8: Account(LANE)})
    assert "this program's 'MainThread' worked 80 ms (usually 0)" in said(*quiet, at(3, screen=(80, 0)))


def test_one_in_the_first_second_has_no_account_yet() -> None:
    late = "A tick came 100 ms late: what held it up is not known "
    assert said(at(2.7)) == late + "(nobody kept an account yet)."
    assert said(at(1.0), at(2.7)) == late + "(nobody kept an account yet)."


def test_a_moment_in_which_nothing_can_be_read_has_no_account(tmp_path: Path) -> None:
    """No descriptor left, say: the thread that looks goes on."""
    empty = Kernel(tmp_path / "gone").sample()
    assert (empty.threads, empty.stolen_ns) == ({}, 0)


def test_a_kernel_without_accounts_is_said(tmp_path: Path) -> None:
    task = tmp_path / "self/task/1"
    task.mkdir(parents=True)
    (tmp_path / "stat").write_text("intr 0\n")
    empty = Kernel(tmp_path).sample()
    assert (empty.threads, empty.stolen_ns) == ({}, 0)
    assert said(Sample(S), Sample(2 * S), Sample(3 * S)) == (
        "A tick came 100 ms late: what held it up is not known (this kernel keeps no account of threads)."
    )


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(),
    reason="this kernel keeps no account of threads (CONFIG_SCHED_INFO)",
)
def test_the_real_kernel_names_the_real_thread_that_worked() -> None:
    kernel, go, done = Kernel(), threading.Event(), threading.Event()

    def work() -> None:
        go.wait(10.0)
        began_s = time.thread_time()
        while time.thread_time() < began_s + 0.2:
            pass
        done.set()
        go.clear()
        go.wait(10.0)

    worker = threading.Thread(target=work, name="a long formula", daemon=True)
    worker.start()
    samples = [kernel.sample(), kernel.sample()]
    due_ns = time.monotonic_ns()
    go.set()
    assert done.wait(30.0)
    samples.append(kernel.sample())
    go.set()
    late = Late(due_ns + 200 * MS, 200 * MS)
    assert "this program's 'a long formula' worked 2" in words(late, tuple(samples), LANE)


def looks(lateness: Lateness, heard: list[str]) -> HoldUps:
    """Its samples are a second apart; in each the core waits 20 ms more than in the one before."""
    samples: Iterator[Sample] = chain(
        (at(s, core=(0, 10 * s * s)) for s in range(1, 2 * TOLD_EVERY_NS // S)), repeat(at(1e6))
    )
    return HoldUps(lambda: lateness, LANE, heard.append, sample=lambda: next(samples))


def test_the_first_is_told_at_once_then_the_worst_of_ten_minutes(lateness: Lateness) -> None:
    heard: list[str] = []
    watch = looks(lateness, heard)
    watch.look()
    watch.look()
    lateness.tick(30 * MS, 0, 2_500 * MS)
    watch.look()
    assert [line.partition(":")[0] for line in heard] == ["A tick came 30 ms late"]
    assert "(usually 30)" in heard[0]
    lateness.tick(40 * MS, 0, 3_500 * MS)
    watch.look()
    lateness.tick(60 * MS, 0, 4_500 * MS)
    watch.look()
    lateness.tick(50 * MS, 0, 5_500 * MS)
    for _ in range(590):
        watch.look()
    assert len(heard) == 1
    for _ in range(10):
        watch.look()
    assert [line.partition(":")[0] for line in heard[1:]] == ["A tick came 60 ms late"]


def test_whoever_measures_begins_afresh(lateness: Lateness) -> None:
    heard: list[str] = []
    watch = looks(lateness, heard)
    watch.look()
    watch.look()
    for late_ms, at_ns in ((90, 2_500 * MS), (80, 3_500 * MS)):
        lateness.tick(late_ms * MS, 0, at_ns)
        watch.look()
    watch.afresh()
    lateness.tick(30 * MS, 0, 4_500 * MS)
    watch.look()
    assert [line.partition(":")[0] for line in watch.told] == ["A tick came 30 ms late"]


def test_a_tick_that_was_not_missed_is_no_news(lateness: Lateness) -> None:
    heard: list[str] = []
    watch = looks(lateness, heard)
    for nth in range(1, 5):
        lateness.tick(MISSED_NS, 0, nth * S)
        watch.look()
    assert heard == []


def test_the_end_tells_what_has_not_been_told(lateness: Lateness) -> None:
    heard: list[str] = []
    watch = looks(lateness, heard)
    for at_ns in (2_500 * MS, 3_500 * MS):
        watch.look()
        lateness.tick(30 * MS, 0, at_ns)
        watch.look()
    assert len(heard) == 1
    watch.stop()
    watch.start()
    watch.join(10.0)
    assert not watch.is_alive()
    assert len(heard) == 2


def test_an_owner_tells_its_people_and_its_log(tmp_path: Path) -> None:
    running = served(tmp_path, QuietBus())
    running.owner.lane.lateness.tick(70 * MS, 0, time.monotonic_ns())
    running.stop()
    assert running.hold_ups is not None
    assert not running.hold_ups.is_alive()
    assert "TICK_MISSED" in {event.code for event in running.owner.snapshot().events}
    log = (tmp_path / logs.FOLDER / "init.log").read_text()
    assert " warning TICK_MISSED A tick came 70 ms late: " in log
