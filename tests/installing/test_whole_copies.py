"""Files that are written by root into folders that may be somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2h_console.installing.record import copy_whole, half_written, write_whole


@pytest.mark.parametrize("how", ["write", "copy"])
def test_a_link_that_waits_under_the_temporary_name_is_not_followed(how: str, tmp_path: Path) -> None:
    victim, target, source = tmp_path / "victim", tmp_path / "target", tmp_path / "source"
    victim.write_bytes(b"somebody else's")
    source.write_bytes(b"the original")
    half_written(target).symlink_to(victim)
    if how == "write":
        write_whole(target, b"the original", 0o640)
    else:
        copy_whole(source, target)
    assert victim.read_bytes() == b"somebody else's"
    assert not target.is_symlink()
    assert target.read_bytes() == b"the original"


def test_a_copy_carries_mode_owner_and_times(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 100_000)
    source.chmod(0o640)
    os.utime(source, ns=(1_000_000_000, 2_000_000_000))
    copy_whole(source, target)
    was, copied = source.stat(), target.stat()
    assert (copied.st_mode, copied.st_uid, copied.st_gid) == (was.st_mode, was.st_uid, was.st_gid)
    assert copied.st_mtime_ns == 2_000_000_000
    assert target.read_bytes() == source.read_bytes()
