"""/dev/shm/energy_state: replaced whole, owner checked, never through a link."""

from __future__ import annotations

import os
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


def test_a_link_planted_under_the_temporary_name_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    file = EnergyStateFile(tmp_path)
    file.path.parent.mkdir(parents=True)
    (file.path.parent / f".energy_state.{os.getpid()}").symlink_to(victim)
    file.write(b"new\n")
    assert victim.read_bytes() == b"precious"
    assert file.path.read_bytes() == b"new\n"


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
