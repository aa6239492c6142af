"""/dev/shm/energy_state: replaced whole, owner checked, never through a link."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2h_console.outlets import energy_state
from v2h_console.outlets.energy_state import EnergyStateFailed, EnergyStateFile

OURS = frozenset((os.geteuid(),))


def test_a_reader_finds_the_old_file_or_the_new_one_whole(tmp_path: Path) -> None:
    file = EnergyStateFile(tmp_path)
    file.write(b"first\n")
    with file.path.open("rb") as old:
        file.write(b"second and longer\n")
        assert old.read() == b"first\n"
    assert energy_state.read(tmp_path, trusted_uids=OURS) == b"second and longer\n"
    assert file.path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in file.path.parent.iterdir()] == ["energy_state"]


def test_a_link_under_that_name_is_refused_and_its_target_untouched(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    file = EnergyStateFile(tmp_path)
    file.path.parent.mkdir(parents=True)
    file.path.symlink_to(victim)
    with pytest.raises(EnergyStateFailed, match="no regular file"):
        file.write(b"x")
    assert victim.read_bytes() == b"precious"
    with pytest.raises(EnergyStateFailed):
        energy_state.read(tmp_path, trusted_uids=OURS)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A root whose /dev/shm is everybody's."""
    with tempfile.TemporaryDirectory() as name:
        shm = Path(name) / "dev/shm"
        shm.mkdir(parents=True)
        Path(name).chmod(0o755)
        shm.chmod(0o1777)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="two users, made by root")
def test_nobody_else_can_take_the_name_of_a_new_picture(open_to_all: Path) -> None:
    file = EnergyStateFile(open_to_all)
    planted = file.path.with_name(f".energy_state.{os.getpid()}")
    planted.touch()
    os.chown(planted, 65534, 65534)
    os.seteuid(65533)
    try:
        file.write(b"tied\n")
        file.write(b"islanded\n")
        assert file.path.read_bytes() == b"islanded\n"
    finally:
        os.seteuid(0)
    assert planted.exists()


def test_a_name_is_used_once_and_a_link_under_it_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    file = EnergyStateFile(tmp_path)
    file.write(b"old\n")
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    file.path.with_name(".energy_state.guessed").symlink_to(victim)
    with pytest.raises(EnergyStateFailed, match=r"dev/shm: File exists$"):
        file.write(b"new\n")
    assert victim.read_bytes() == b"precious"


def test_what_a_killed_owner_left_half_written_goes_with_the_next_ones_first_picture(tmp_path: Path) -> None:
    file = EnergyStateFile(tmp_path)
    file.path.parent.mkdir(parents=True)
    for name in (".energy_state.4711", ".energy_state.0f0f", ".energy_stat", "energy_state.x"):
        file.path.with_name(name).write_bytes(b"half")
    file.write(b"whole\n")
    left = sorted(entry.name for entry in file.path.parent.iterdir())
    assert left == [".energy_stat", "energy_state", "energy_state.x"]


@pytest.mark.skipif(os.geteuid() != 0, reason="two users, made by root")
def test_a_folder_that_may_be_written_and_not_listed_is_enough(open_to_all: Path) -> None:
    file = EnergyStateFile(open_to_all)
    file.path.parent.chmod(0o1733)
    os.seteuid(65533)
    try:
        file.write(b"tied\n")
        assert file.path.read_bytes() == b"tied\n"
    finally:
        os.seteuid(0)


def test_a_picture_that_can_be_renewed_no_more_is_not_left_to_be_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EnergyStateFile(tmp_path)
    file.write(b"tied\n")

    def full(descriptor: int, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fchmod", full)
        with pytest.raises(EnergyStateFailed) as refused:
            file.write(b"islanded\n")
    assert str(refused.value) == f"{file.path}: No space left on device"
    assert list(file.path.parent.iterdir()) == []
    file.write(b"islanded\n")
    assert file.path.read_bytes() == b"islanded\n"


def test_a_new_picture_that_is_taken_away_half_way_is_said_of_the_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, renamed = EnergyStateFile(tmp_path), os.rename

    def gone(source: Path, target: Path) -> None:
        os.unlink(source)
        renamed(source, target)

    monkeypatch.setattr(os, "rename", gone)
    with pytest.raises(EnergyStateFailed, match=r"energy_state: No such file or directory$"):
        file.write(b"x\n")


def test_somebody_elses_file_is_neither_replaced_nor_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EnergyStateFile(tmp_path)
    file.write(b"theirs\n")
    with pytest.raises(EnergyStateFailed, match="belongs to user"):
        energy_state.read(tmp_path, trusted_uids=frozenset((54321,)))
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    with pytest.raises(EnergyStateFailed, match="belongs to user"):
        file.write(b"ours\n")
    assert file.path.read_bytes() == b"theirs\n"


def test_at_the_owners_end_no_old_picture_is_left(tmp_path: Path) -> None:
    file = EnergyStateFile(tmp_path)
    file.write(b"last\n")
    file.remove()
    assert not file.path.exists()
    file.remove()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "dev").write_text("a file where a folder must be")
    with pytest.raises(EnergyStateFailed) as refused:
        EnergyStateFile(tmp_path).write(b"x")
    assert "\n" not in str(refused.value)
