"""One owner, and one heir: while a house is being taken over, nobody else gets the lock that falls free."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from v2h_console.runtime.lock import HeirLock, Held, OwnerLock, RecordsLock, holder
from v2h_console.session import place
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


def test_a_full_run_keeps_no_house_without_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OwnerLock(tmp_path).release()

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "run/v2h/owner.pid").write_text("1\n")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        owner = OwnerLock(tmp_path)
    assert {path.name for path in (tmp_path / "run/v2h").iterdir()} == {"owner.lock", "heir.lock"}
    with pytest.raises(OwnerRuns, match=r"an owner runs already \(process unknown\)"):
        building.lock(tmp_path)
    assert holder(tmp_path) == "", "no earlier owner is named in its place"
    owner.release()
    OwnerLock(tmp_path).release()


@pytest.mark.parametrize("lock", [OwnerLock, HeirLock, RecordsLock])
def test_a_lock_that_the_kernel_refuses_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[[Path], object]
) -> None:
    def none_left(handle: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none_left)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No locks"):
        lock(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("left", [None, 0o644])
def test_nobody_else_can_lock_what_an_owner_waits_for(tmp_path: Path, left: int | None) -> None:
    folder = tmp_path / "run/v2h"
    if left is not None:
        folder.mkdir(parents=True)
        for name in ("owner.lock", "heir.lock", "records.lock"):
            (folder / name).touch(left)
    OwnerLock(tmp_path).release()
    RecordsLock(tmp_path).release()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"owner.lock": 0o600, "heir.lock": 0o600, "records.lock": 0o600}


def test_who_may_not_open_the_lock_reads_which_process_has_the_house(tmp_path: Path) -> None:
    assert place.owner_process(tmp_path) is None
    owner = OwnerLock(tmp_path)
    said = tmp_path / "run/v2h/owner.pid"
    assert stat.S_IMODE(said.stat().st_mode) == 0o644
    assert place.owner_process(tmp_path) == os.getpid()
    with said.open() as held_by_a_stranger:
        fcntl.flock(held_by_a_stranger, fcntl.LOCK_EX)
        owner.release()
        assert place.owner_process(tmp_path) is None
        OwnerLock(tmp_path).release()


def test_an_owner_that_died_without_a_word_is_nobody(tmp_path: Path) -> None:
    OwnerLock(tmp_path).release()
    gone = subprocess.run(("sh", "-c", "echo $$"), capture_output=True, check=True).stdout
    for left in (gone, b"", b"x", b"9" * 40):
        (tmp_path / "run/v2h/owner.pid").write_bytes(left)
        assert place.owner_process(tmp_path) is None


def test_who_may_not_own_the_house_hears_who_has_it_and_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = OwnerLock(tmp_path)
    opened = os.open

    def refused(path: Path, *arguments: Any) -> int:
        if Path(path).suffix == ".lock":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr("os.open", refused)
    with pytest.raises(StartFailed, match=rf"heir.lock: .* \(process {os.getpid()}\), .* `sudo -u "):
        building.lock(tmp_path)
    owner.release()
