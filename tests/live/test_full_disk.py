"""A real owner on a twin whose disk is full: the house is lit, nothing closes, it is said, and it ends with the disk's trouble."""

from __future__ import annotations

import errno
import json
import secrets
from pathlib import Path

import pytest

from tests.live.test_twin import until
from v2h_console.runtime import audit
from v2h_console.runtime.desk import Seat
from v2h_console.session.orders import Order
from v2h_console.session.snapshot import Snapshot
from v2h_console.storage import audit_file
from v2h_console.storage.disk import Disk
from v2h_console.wiring.running import Running
from v2h_console.wiring.starting import start_demo

pytestmark = pytest.mark.live


class Full:
    """Whether the disk under every write is full."""

    now = True


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Full:
    """A disk that takes half of what it is given and refuses the rest."""
    state, write = Full(), Disk.write

    def refuse(self: Disk, descriptor: int, data: bytes) -> int:
        if state.now:
            write(self, descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, descriptor, data)

    monkeypatch.setattr(Disk, "write", refuse)
    return state


def alarm(picture: Snapshot) -> str:
    """What it says of the storage."""
    return next((one.text for one in picture.alarms if one.code == "STORAGE_FAILED"), "")


def lives_through_it(house: Running, full: Full) -> None:
    """Lit, not closed, closed once there is room, opened by a person while there is none again."""
    session = house.session(helm=True)
    until(lambda: session.watch().mode == "islanded", "the house lit from the car")
    until(lambda: "Once open, the MID stays open" in alarm(session.watch()), "the latch's clearing was tried")
    assert "No space left on device" in alarm(session.watch())
    assert session.watch().mid.position == "open"
    full.now = False
    until(lambda: session.watch().mode == "tied", "the close that waited for the latch")
    until(lambda: not alarm(session.watch()), "the alarm's end", 30.0)
    full.now = True
    line_worker = Seat("a line worker", "watch", uid=1234)
    assert house.desk.order(line_worker, Order(secrets.token_hex(8), "operator.open_mid")).accepted
    until(lambda: session.watch().mode == "islanded", "an opening that waits for no disk")
    until(lambda: "audit" in alarm(session.watch()), "the alarm again")


def test_the_house_lives_on_a_full_disk_and_closes_once_there_is_room(full: Full, tmp_path: Path) -> None:
    # Its grid is good, and it may close after a second.
    house = start_demo(tmp_path, enter_service_s=1.0)
    try:
        lives_through_it(house, full)
    finally:
        full.now = False
        house.stop()
    report = audit_file.verify(tmp_path / audit.FOLDER)
    assert report.breaks == ()
    (file,) = (tmp_path / audit.FOLDER).glob("*.jsonl")
    said = [json.loads(line) for line in file.read_text().splitlines()]
    assert said[0]["what"] == "start"
    assert said[-1]["what"] == "stop"
    orders = [line["said"]["do"] for line in said if line["what"] == "order"]
    assert orders == ["helm.take", "operator.open_mid"]
