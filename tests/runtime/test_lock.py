"""One owner, and one heir: while a house is being taken over, nobody else gets the lock that falls free."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from v2h_console.runtime.lock import HeirLock, Held, OwnerLock, RecordsLock, holder
from v2h_console.wiring import building, succession
from v2h_console.wiring.running import OwnerRuns, StartFailed


def test_a_lock_that_falls_free_in_a_take_over_is_the_heirs(tmp_path: Path) -> None:
    before = OwnerLock(tmp_path)
    heir = HeirLock(tmp_path)
    before.release()
    with pytest.raises(OwnerRuns, match="takes the house over"):
        building.lock(tmp_path)
    taken = succession._lock_when_free(tmp_path, heir, str(os.getpid()))
    heir.release()
    with pytest.raises(Held, match="an owner runs already"):
        OwnerLock(tmp_path)
    taken.release()
    OwnerLock(tmp_path).release()


def test_two_heirs_come_one_after_the_other(tmp_path: Path) -> None:
    first = HeirLock(tmp_path)
    with pytest.raises(Held, match="already"):
        HeirLock(tmp_path, patience_s=0.0)
    first.release()
    HeirLock(tmp_path, patience_s=0.0).release()


def test_who_starts_and_finds_an_owner_is_in_no_heirs_way(tmp_path: Path) -> None:
    owner = OwnerLock(tmp_path)
    with pytest.raises(Held):
        OwnerLock(tmp_path)
    HeirLock(tmp_path, patience_s=0.0).release()
    owner.release()


def test_an_heir_that_finds_somebody_else_in_possession_gives_up_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heir = HeirLock(tmp_path)
    stranger = OwnerLock(tmp_path, heir)
    monkeypatch.setattr("time.sleep", lambda s: pytest.fail("it waited"))
    with pytest.raises(StartFailed, match="let go of the house"):
        succession._lock_when_free(tmp_path, heir, "1")
    assert holder(tmp_path) == str(os.getpid())
    stranger.release()
    heir.release()


@pytest.mark.parametrize("left", [None, 0o644])
def test_nobody_else_can_lock_what_an_owner_waits_for(tmp_path: Path, left: int | None) -> None:
    folder = tmp_path / "run/v2h"
    if left is not None:
        folder.mkdir(parents=True)
        for name in ("heir.lock", "records.lock"):
            (folder / name).touch(left)
    OwnerLock(tmp_path).release()
    RecordsLock(tmp_path).release()
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("heir.lock", "records.lock")}
    assert modes == {"heir.lock": 0o600, "records.lock": 0o600}
