"""An edit of the configuration comes over the socket like any order, and nobody else waits for its disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.disks import HungDisk
from v2h_console.runtime.config_keeper import MOST_TEXT, ConfigKeeper, digest
from v2h_console.runtime.desk import HELM, INSTALLER, Desk, Seat
from v2h_console.runtime.lock import OwnerLock
from v2h_console.runtime.pace import AT_ONCE
from v2h_console.runtime.session_server import SessionServer
from v2h_console.session.orders import SAVE_CONFIG, Order, Receipt
from v2h_console.session.remote import RemoteSession
from v2h_console.session.snapshot import Snapshot
from v2h_console.storage.disk import Disk

COMM = '[controller]\n[inverter]\nhost = "10.0.9.11"\n'
LIMITS = "floor_soc_pct = 30\n"
Door = Callable[..., RemoteSession]
#: What the audit hears.
audited: list[tuple[Order, Receipt]] = []


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Consoles on an owner whose site is below tmp_path."""
    (tmp_path / "etc/energy").mkdir(parents=True)
    (tmp_path / "etc/energy/comm_stack.conf").write_text(COMM)
    (tmp_path / "etc/energy/limits.conf").write_text(LIMITS)
    opened: list[SessionServer] = []
    audited.clear()
    roles: list[str] = []
    lock = OwnerLock(tmp_path)

    def attach(role: str = INSTALLER, disk: Disk | None = None) -> RemoteSession:
        roles.append(role)
        if not opened:
            desk = Desk(Snapshot, lambda order: Receipt(order.nonce, accepted=True))
            desk.on_answer = lambda seat, order, receipt: audited.append((order, receipt))
            desk.on_edit = ConfigKeeper(tmp_path, disk=disk or Disk()).edit
            server = SessionServer(
                lock.folder, desk, has_trainer=False, identify=lambda line: Seat("tech", roles[-1])
            )
            server.start()
            opened.append(server)
        return RemoteSession(tmp_path)

    yield attach
    for server in opened:
        server.stop()
        server.join(5.0)
    lock.release()


def edit(nonce: str, text: str, before: str = LIMITS) -> Order:
    """An edit of limits.conf that began from ``before``."""
    params: dict[str, float | str | bool] = {
        "file": "limits.conf",
        "text": text,
        "edited_sha256": digest(before.encode()),
    }
    return Order(nonce, SAVE_CONFIG, params)


def test_an_installer_saves_a_file_and_hears_when_it_is_in_effect(door: Door, tmp_path: Path) -> None:
    receipt = door().ask(edit("1", "floor_soc_pct = 40\n")).result(5.0)
    assert receipt.accepted
    assert "in effect from the owner's next start" in receipt.reason
    assert (tmp_path / "etc/energy/limits.conf").read_text() == "floor_soc_pct = 40\n"


def test_a_wrong_file_comes_back_in_one_line_with_its_place(door: Door, tmp_path: Path) -> None:
    session = door()
    receipt = session.ask(edit("1", "# mine\nfloor_soc_pct = 5\n")).result(5.0)
    assert not receipt.accepted
    assert "limits.conf, line 2" in receipt.reason
    stale = session.ask(edit("2", "floor_soc_pct = 40\n", before="something else")).result(5.0)
    assert "somebody else changed it" in stale.reason
    assert (tmp_path / "etc/energy/limits.conf").read_text() == LIMITS


def test_the_longest_file_fits_through_the_door(door: Door, tmp_path: Path) -> None:
    session = door()
    longest = LIMITS + "#" * (MOST_TEXT - len(LIMITS))
    assert session.ask(edit("1", longest)).result(5.0).accepted
    assert (tmp_path / "etc/energy/limits.conf").stat().st_size == MOST_TEXT
    receipt = session.ask(edit("2", longest + "#", before=longest)).result(5.0)
    assert "longer than" in receipt.reason


def test_who_has_the_helm_alone_edits_nothing(door: Door, tmp_path: Path) -> None:
    receipt = door(HELM).ask(edit("1", "floor_soc_pct = 40\n")).result(5.0)
    assert receipt.reason == "only an installer changes the configuration"
    assert (tmp_path / "etc/energy/limits.conf").read_text() == LIMITS


def test_an_opening_does_not_wait_for_the_disk_of_an_edit(door: Door, tmp_path: Path) -> None:
    disk = HungDisk()
    editor = door(disk=disk)
    saved = editor.ask(edit("1", "floor_soc_pct = 40\n"))
    assert disk.reached.wait(5.0)
    assert door(HELM).ask(Order("2", "operator.open_mid")).result(5.0).accepted
    second = editor.ask(edit("3", "floor_soc_pct = 50\n")).result(5.0)
    assert second.reason == "one change at a time"
    assert [receipt for order, receipt in audited if order.nonce == "3"] == [second]
    assert not saved.done()
    disk.go.set()
    assert saved.result(5.0).accepted
    assert (tmp_path / "etc/energy/limits.conf").read_text() == "floor_soc_pct = 40\n"


def test_a_file_s_text_stands_in_no_audit_however_its_edit_is_refused(door: Door) -> None:
    session = door()
    for nth in range(int(AT_ONCE)):
        session.ask(Order(f"a{nth}", "operator.acknowledge"))
    refused = [session.ask(edit(f"e{nth}", '[mqtt]\nusername = "secret"\n')) for nth in range(5)]
    answers = [answer.result(5.0) for answer in refused]
    assert any("too many orders" in answer.reason for answer in answers)
    edits = [order for order, _ in audited if order.do == SAVE_CONFIG]
    assert "e4" in [order.nonce for order in edits]
    assert all(str(order.params["text"]).startswith("sha256 ") for order in edits)
    assert "secret" not in str(audited)
