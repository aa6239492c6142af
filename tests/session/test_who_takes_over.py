"""Who may take a house over: whoever can read what is handed over, and leaves files that the service can read."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from v2h_console.cli import console
from v2h_console.runtime.desk import HAND_OVER, INSTALLER, Desk, Seat
from v2h_console.runtime.lock import OwnerLock
from v2h_console.session.orders import Order, Receipt
from v2h_console.session.snapshot import Snapshot
from v2h_console.wiring import building, succession
from v2h_console.wiring.demo_site import write_demo_site
from v2h_console.wiring.running import StartFailed
from v2h_console.wiring.starting import start_site

SERVICE, TECHNICIAN = 991, 1501
ADDRESSES = {
    "can": {"interface": "udp_multicast", "channel": "239.74.163.2", "port": 43113},
    "modbus_tcp": {"host": "127.0.0.1", "port": 5020, "units": {"inverter": 1, "solar": 2}},
    "load_centre": {"tty": "/dev/pts/9", "baud": 9600, "units": {"relays": 1, "meters": {}}},
}


@pytest.mark.parametrize(
    ("uid", "given"), [(SERVICE, True), (0, True), (TECHNICIAN, False), (None, False)], ids=str
)
def test_the_core_is_given_to_the_owners_user_and_to_root_alone(uid: int | None, given: bool) -> None:
    asked: list[str] = []

    def give(shape: str) -> str:
        asked.append(shape)
        return ""

    desk = Desk(Snapshot, lambda order: Receipt(order.nonce, accepted=True), own_uid=SERVICE)
    desk.on_hand_over, desk.on_stop = give, lambda: None
    seat = Seat("next owner", INSTALLER, "somebody", uid=uid)
    receipt = desk.order(seat, Order("1", HAND_OVER, {"shape": "s"}, confirmed=True))
    assert receipt.accepted is given
    assert bool(asked) is given
    assert given or "own user" in receipt.reason


def services(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site whose state belongs to the service's user, and this process is root's."""
    folder = root / building.STATE_FOLDER
    folder.mkdir(parents=True)
    write_demo_site(root, ADDRESSES, 15.0)
    if os.geteuid() == 0:
        os.chown(folder, SERVICE, SERVICE)
    monkeypatch.setattr("os.geteuid", lambda: 0)


def test_root_starts_no_owner_on_a_services_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services(tmp_path, monkeypatch)
    for start in (start_site, succession.take_over):
        with pytest.raises(StartFailed, match="sudo -u"):
            start(tmp_path)
    assert console.run(argparse.Namespace(root=tmp_path)) == 2
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / building.STATE_FOLDER).iterdir()), "nothing of root's is left behind"


def test_a_taker_that_could_not_lock_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_demo_site(tmp_path, ADDRESSES, 15.0)
    owner = OwnerLock(tmp_path)

    def denied(root: Path) -> str:
        raise PermissionError(13, "Permission denied", str(root / "run/v2h/owner.lock"))

    monkeypatch.setattr(succession, "holder", denied)
    monkeypatch.setattr(succession, "RemoteSession", lambda root: pytest.fail("it asked"))
    with pytest.raises(StartFailed, match="Permission denied: `sudo -u"):
        succession.take_over(tmp_path)
    owner.release()
