"""An owner that starts on a disk that has turned read-only lights the house; a folder that is merely not ours is refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.live.test_twin import until
from v2h_console.storage.disk import Disk
from v2h_console.wiring.running import StartFailed
from v2h_console.wiring.starting import start_demo

pytestmark = pytest.mark.live


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written below /var/lib/v2h."""

    def refuse(self: Disk, path: Path, mode: int) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Disk, "open_new", refuse)
    monkeypatch.setattr(Disk, "open_append", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def test_a_read_only_disk_does_not_keep_the_house_dark(
    unwritable: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class ReadOnly:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr(os, "statvfs", lambda path: ReadOnly)
    running = start_demo(tmp_path, enter_service_s=600.0)
    try:
        session = running.session()
        until(lambda: session.watch().mode == "islanded", "the house lit from the car")
        said = [one.text for one in session.watch().alarms if one.code == "STORAGE_FAILED"]
        assert len(said) == 1
        assert "Read-only file system" in said[0]
    finally:
        running.stop()


def test_a_folder_that_belongs_to_somebody_else_is_refused(unwritable: None, tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="not writable"):
        start_demo(tmp_path)
