"""The demo and somebody's house below one root: the house's files are its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.runtime.configured import House, started
from v2h_console.cli import main
from v2h_console.wiring.demo_site import write_demo_site
from v2h_console.wiring.running import StartFailed

ADDRESSES: dict[str, Any] = {
    "can": {"interface": "udp_multicast", "channel": "239.74.163.77", "port": 43977},
    "modbus_tcp": {"host": "127.0.0.1", "port": 59020, "units": {"inverter": 1, "solar": 2}},
    "load_centre": {"tty": "/dev/pts/99", "baud": 9600, "units": {"relays": 1, "meters": {}}},
}


def files(root: Path) -> dict[str, bytes]:
    """All that stands below the root."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def only_a_copy(house: House) -> None:
    """The configuration is lost, what was good of it is still known."""
    for path in house.energy.iterdir():
        path.unlink()


def only_limits(house: House) -> None:
    """The file that names the devices is lost."""
    (house.energy / "comm_stack.conf").unlink()


def not_text(house: House) -> None:
    """A file that cannot be read says nothing of whose it is."""
    house.write("comm_stack", b"\xff")


@pytest.mark.parametrize("left", [None, only_a_copy, only_limits, not_text])
@pytest.mark.parametrize(
    "command", [("demo", "--headless", "--for", "0.1"), ("bench", "transfer", "--outages", "1")]
)
def test_a_demo_below_a_real_sites_root_is_refused_and_touches_nothing(
    tmp_path: Path, left: Any, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    house = started(tmp_path)
    if left is not None:
        left(house)
    before = files(tmp_path)
    assert main.main([*command, "--root", str(tmp_path)]) == 2
    assert files(tmp_path) == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(tmp_path) in said
    assert "give it another --root" in said


def test_a_demo_writes_over_its_own_files_whatever_a_person_made_of_them(tmp_path: Path) -> None:
    write_demo_site(tmp_path, ADDRESSES, 15.0)
    comm = tmp_path / "etc/energy/comm_stack.conf"
    comm.write_text(comm.read_text() + "\n[http]\nenabled = false\n")
    write_demo_site(tmp_path, ADDRESSES, 15.0)
    assert "[http]" not in comm.read_text()


@pytest.mark.parametrize("missing", [False, True])
def test_a_demo_that_may_not_write_one_file_has_replaced_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    write_demo_site(tmp_path, ADDRESSES, 15.0)
    if missing:
        (tmp_path / "etc/energy/limits.conf").unlink()
    before = files(tmp_path)
    opened = Path.open

    def refused(path: Path, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        if path.name == "schedule.conf" and mode != "r" and path.is_relative_to(tmp_path):
            raise PermissionError(13, "Permission denied")
        return opened(path, mode, *arguments, **more)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(StartFailed, match=f"cannot write below {tmp_path}: Permission denied"):
        write_demo_site(tmp_path, ADDRESSES, 600.0)
    monkeypatch.undo()
    assert files(tmp_path) == before
