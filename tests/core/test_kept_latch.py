"""A restart forgets nothing that only a person ends (I3)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.core.houses import SETTINGS, START_NS, House
from tests.core.inverters import THREE, car
from v2h_console.core import soc
from v2h_console.core.commands import PersistLatch
from v2h_console.core.kept_latch import kept_of, take_receipts
from v2h_console.core.load_state import CULPRIT, CULPRIT_TRIPS
from v2h_console.core.observation import Kept, LatchReceipt, OrderKind
from v2h_console.core.settings import NS_PER_MS, NS_PER_S
from v2h_console.core.soc import SocState
from v2h_console.core.state import FaultCause, Mode, boot
from v2h_console.runtime.latch_file import DAMAGED, read_latch, write_latch


def test_an_mid_opened_by_hand_stays_open_across_a_restart_until_a_person_closes_it() -> None:
    house = House.tied()
    house.tick(OrderKind.OPEN_MID)
    house.until(Mode.ISLANDED)
    assert house.disk.kept.held_open
    house.restart()
    house.until(Mode.ISLANDED)
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    assert "LATCH_KEPT" in house.codes()
    house.tick(OrderKind.CLOSE_MID)
    house.until(Mode.TIED)
    assert not house.disk.kept.held_open


@pytest.mark.parametrize("lock", ["lk_form", "lk_close"])
def test_a_lockout_outlives_the_process_and_ends_with_a_person(lock: str) -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.phase_deg = 40.0
    house.state = replace(house.state, islanding=replace(house.state.islanding, **{lock: "tested"}))  # type: ignore[arg-type]  # both are words
    house.run_ms(50)
    assert getattr(house.disk.kept, lock) == "tested"
    house.restart()
    house.run_ms(3_000, tick_ms=10)
    assert getattr(house.state.islanding, lock) == "tested"
    # Locked forming leaves the house to the grid, locked closing to the car.
    house.must_be(Mode.TIED if lock == "lk_form" else Mode.ISLANDED)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.run_ms(50)
    house.plant.phase_deg = 0.0
    assert house.disk.kept == Kept()
    house.until(Mode.TIED)


@pytest.mark.parametrize("restarts_after", [(1,), (2,), (1, 2), (3,)])
def test_a_relay_that_does_not_close_has_three_tries_however_often_the_owner_starts(
    restarts_after: tuple[int, ...],
) -> None:
    house = House.islanded()
    house.plant.grid_returns()
    house.plant.will_not_close = True
    tries_ns = []
    for nth in (1, 2, 3):
        house.until(Mode.CLOSING_SYNC, within_ms=40_000, tick_ms=10)
        tries_ns.append(house.now_ns)
        house.until(Mode.ISLANDED)
        house.run_ms(50)
        if nth in restarts_after:
            assert house.disk.kept.close_tries == nth
            house.restart()
            house.until(Mode.ISLANDED)
            assert "LATCH_KEPT" in house.codes()
    assert all(later - earlier >= 30 * NS_PER_S for earlier, later in pairwise(tries_ns))
    house.run_ms(60_000, tick_ms=20)
    house.must_be(Mode.ISLANDED)
    assert house.state.islanding.lk_close
    house.plant.will_not_close = False
    house.plant.phase_deg = 40.0
    house.run_ms(3_000, tick_ms=10)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.plant.phase_deg = 0.0
    house.until(Mode.TIED, within_ms=10_000)
    house.run_ms(50)
    assert house.disk.kept == Kept()


@pytest.mark.parametrize("cause", [FaultCause.UNBIDDEN, FaultCause.DISAGREEMENT, FaultCause.BACKFEED])
def test_a_fault_that_a_person_must_look_into_is_a_lockout_after_the_restart(cause: FaultCause) -> None:
    house = House.islanded()
    islanding = replace(house.state.islanding, mode=Mode.FAULT_OPEN, fault_cause=cause)
    house.state = replace(house.state, islanding=islanding)
    house.run_ms(50)
    house.must_be(Mode.FAULT_OPEN)
    house.restart()
    house.run_ms(2_000)
    house.must_be(Mode.DARK)
    assert house.state.islanding.lk_form
    assert house.state.islanding.lk_close


def test_nothing_forms_or_closes_and_nothing_is_written_before_the_record_has_been_read() -> None:
    house = House.booting()
    house.receipts = []
    house.plant.grid_falls(house.now_ns - NS_PER_MS * 1_000)
    house.run_ms(2_000)
    house.must_be(Mode.DARK)
    assert house.disk == LatchReceipt(0, locked=True)
    house.receipts = [LatchReceipt(7, locked=True)]
    house.until(Mode.ISLANDED)


def test_a_disk_that_takes_nothing_delays_no_opening_and_no_forming() -> None:
    house = House.tied()
    house.disk_ok = False
    house.tick(OrderKind.OPEN_MID)
    house.must_be(Mode.OPENING)
    house.until(Mode.ISLANDED)
    assert kept_of(house.settings, house.state).held_open


def test_a_switch_that_does_not_open_is_known_after_the_restart_so_that_the_next_outage_does_not_wait_for_it() -> (
    None
):
    def outage(house: House) -> float:
        house.plant.grid_falls(house.now_ns)
        return house.until(Mode.ISLANDED)

    house = House.tied()
    heavy = next(index for index, circuit in enumerate(house.settings.loads.circuits) if circuit.heavy)
    name = house.settings.loads.circuits[heavy]
    house.plant.relay_stuck_mask = 1 << heavy
    waited_ms = outage(house)
    house.run_ms(200)
    assert house.disk.kept.doubted == (name.id,)
    house.plant.grid_returns()
    house.until(Mode.TIED, within_ms=400_000, tick_ms=50)
    house.restart()
    house.until(Mode.TIED)
    house.rest()
    assert f"switches that did not open: {name.name}" in _last_kept(house)
    assert outage(house) <= waited_ms - 60.0


def test_a_culprit_stays_off_across_a_restart_until_a_person_resets_it() -> None:
    house = House.islanded()
    id_ = house.settings.loads.circuits[0].id
    first = replace(house.state.loads.circuits[0], trips=CULPRIT_TRIPS)
    house.state = replace(
        house.state, loads=replace(house.state.loads, circuits=(first, *house.state.loads.circuits[1:]))
    )
    house.run_ms(50)
    assert house.disk.kept.culprits == (id_,)
    house.restart()
    house.until(Mode.ISLANDED)
    assert house.settings.loads.circuits[0].name in _last_kept(house)
    house.run_ms(1_000)
    held = house.state.loads.circuits[0]
    assert (held.shed, held.reason) == (True, CULPRIT)
    house.tick(OrderKind.RESET_LOCKOUT)
    house.run_ms(50)
    assert house.disk.kept == Kept()


def test_a_circuit_that_the_load_table_no_longer_has_is_passed_over_and_forgotten() -> None:
    house = House.booting()
    house.receipts = [LatchReceipt(3, locked=True, kept=Kept(culprits=("gone",), doubted=("gone", "too")))]
    house.until(Mode.TIED)
    assert "LATCH_KEPT" not in house.codes()
    assert house.disk.kept == Kept()


def _last_kept(house: House) -> str:
    return [event.text for event in house.events if event.code == "LATCH_KEPT"][-1]


def test_numbers_begin_elsewhere_where_no_record_is_found() -> None:
    """The controller may remember the close tokens of a record that is lost with its disk."""
    house = House.booting()
    house.receipts = [LatchReceipt(0, locked=True)]
    house.tick()
    assert house.state.latch.sequence == house.state.started_ns // NS_PER_MS % 255
    assert house.state.latch.lock_is_durable
    kept = House.booting()
    kept.receipts = [LatchReceipt(77, locked=True)]
    kept.tick()
    assert kept.state.latch.sequence == 77


def test_what_is_doubted_of_each_car_is_doubted_of_that_car_after_a_restart() -> None:
    three = replace(SETTINGS, parallel=THREE)
    before = boot(three, START_NS)
    doubt = SocState(START_NS, 60.0, 22.9, 22.9, 22.9, START_NS)
    units = list(before.parallel.units)
    units[0] = replace(units[0], soc=doubt)
    units[2] = replace(units[2], soc=replace(doubt, believed_pct=40.2))
    # The second was elected: what the core takes for its car is that one's, and nobody doubts it.
    elected = replace(before.parallel, units=tuple(units), primary=1)
    kept = kept_of(three, replace(before, parallel=elected))
    assert kept.doubted_cars == (("Inverter", 22), ("Inverter 3", 40))
    assert kept.doubted_soc_pct is None
    receipt = LatchReceipt(7, locked=True, kept=kept)
    after, events = take_receipts(three, boot(three, START_NS), (receipt,), START_NS)
    assert after.car.doubted_pct == 22
    assert after.parallel.units[1].soc.doubted_since_ns is None
    third = after.parallel.units[2].soc
    heard = soc.update(third, car(START_NS, "Inverter 3", 60.0), 60.0, tied=False)
    assert heard.believed_pct == 40.0
    assert "Inverter 3's car" in events[0].text


@pytest.mark.parametrize("several", [False, True])
def test_a_count_that_ran_past_the_top_makes_no_record_that_reads_as_damaged(
    tmp_path: Path, several: bool
) -> None:
    """A garbled size of the pack, ten seconds of silence while it charges, and a report that leaps."""
    tiny = replace(car(START_NS, "Inverter", 100.0), capacity_wh=2_000.0, dc_power_w=-12_000.0)
    later = replace(tiny, at_ns=START_NS + 9_900_000_000)
    doubt = soc.update(soc.update(SocState(), tiny, 100.0, tied=False), later, 60.0, tied=False)
    assert doubt.believed_pct > 101.0
    settings = replace(SETTINGS, parallel=THREE) if several else SETTINGS
    state = boot(settings, START_NS)
    state = replace(state, car=replace(state.car, soc=doubt))
    kept = kept_of(settings, state)
    assert 100 in (kept.doubted_soc_pct, *dict(kept.doubted_cars).values())
    write_latch(tmp_path / "latch", PersistLatch(7, True, "tied", kept))
    assert read_latch(tmp_path / "latch") == LatchReceipt(7, locked=True, kept=kept)


def test_a_record_that_is_damaged_may_have_held_the_mid_open_for_a_line_worker_and_no_reset_closes_it() -> (
    None
):
    house = House.booting()
    house.receipts = [DAMAGED]
    house.plant.phase_deg = 40.0
    house.until(Mode.ISLANDED)
    house.run_ms(3_000, tick_ms=10)
    house.tick(OrderKind.RESET_LOCKOUT)
    assert not house.state.islanding.lk_close
    house.run_ms(5_000, tick_ms=10)
    house.must_be(Mode.ISLANDED)
    house.plant.phase_deg = 0.0
    house.tick(OrderKind.CLOSE_MID)
    house.until(Mode.TIED)
