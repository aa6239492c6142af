"""/etc/energy at an owner's start: broken, incomplete, taken away; the copy of the last good one."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.configured import COMM, LIMITS, LOADS, House, started
from tests.storage.disks import FakeDisk, fails_from, fails_once, works_again
from v2h_console.cli import main
from v2h_console.runtime.config_keeper import ConfigKeeper
from v2h_console.site import last_good
from v2h_console.site.errors import ConfigError
from v2h_console.site.last_good import LAST_GOOD
from v2h_console.wiring import starting
from v2h_console.wiring.running import StartFailed


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A site that has started once."""
    return started(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("limits", "floor_soc_pct = \n", "limits.conf, line 1: not valid TOML"),
        ("limits", "floor_soc_pct = 30\nmax_discharge_power_kw = 900\n", "limits.conf, line 2"),
        ("limits", b"\x00\x00\x00\xff", "limits.conf"),
        ("loads", LOADS + "\n[[circuit]]\nid = ", "loads.conf, line 9"),
        ("comm_stack", "", "comm_stack.conf"),
        ("comm_stack", COMM + "[grid]\nutility = 'nobody'\n", "comm_stack.conf, line 6"),
        ("schedule", "zone = 'Nowhere/At_All'", "schedule.conf, line 1"),
        ("limits", f"floor_soc_pct = {'9' * 5000}", "limits.conf: a number of thousands of digits"),
        ("limits", f"floor_soc_pct = {'[' * 3000}", "brackets nested without end"),
        ("limits", '"x - at `$.foo`" = 3', "limits.conf: "),
    ],
)
def test_a_file_that_is_broken_at_the_start_costs_the_change_not_the_house(
    house: House, name: str, text: str | bytes, says: str
) -> None:
    house.write(name, text)
    loaded = house.keeper.load()
    assert says in loaded.complaint
    assert "The last good configuration, of 2026-07-14T14:02:53+00:00, is used" in loaded.complaint
    assert loaded.site.settings.inverter.max_discharge_w == 5_000.0
    assert [circuit.id for circuit in loaded.site.settings.loads.circuits] == ["fridge"]
    # A second start finds the same: the broken file did not replace what was good.
    assert house.keeper.load() == loaded


def test_all_files_of_one_start_are_used_together(house: House) -> None:
    house.write("loads", LOADS.replace("fridge", "freezer"))
    house.write("limits", "broken")
    circuits = house.keeper.load().site.settings.loads.circuits
    assert [circuit.id for circuit in circuits] == ["fridge"], (
        "a good new file beside a broken one is not mixed in"
    )


def test_the_copy_follows_each_good_start(house: House) -> None:
    house.write("limits", LIMITS.replace("5.0", "4.0"))
    house.keeper.load()
    house.write("limits", "broken")
    assert house.keeper.load().site.settings.inverter.max_discharge_w == 4_000.0


def test_the_copy_does_not_follow_a_take_over_that_is_refused(house: House) -> None:
    house.write("limits", LIMITS.replace("5.0", "4.0"))
    loaded = house.keeper.load(adopt=False)
    house.write("limits", "broken")
    assert house.keeper.load().site.settings.inverter.max_discharge_w == 5_000.0
    assert house.keeper.adopt(loaded) == loaded
    assert house.keeper.load().site.settings.inverter.max_discharge_w == 4_000.0


def refuse_the_bus(*arguments: object) -> Any:
    """The adapter is not plugged in."""
    raise StartFailed("no such interface: can0")


def test_limits_that_no_owner_has_started_on_are_not_the_last_good_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = started(tmp_path)
    house.write("limits", LIMITS.replace("5.0", "9.0"))
    monkeypatch.setattr("v2h_console.wiring.building.start_owner", refuse_the_bus)
    with pytest.raises(StartFailed, match="no such interface"):
        starting.start_site(tmp_path)
    good = last_good.read(tmp_path)
    assert good is not None
    assert good[1]["limits.conf"] == LIMITS


def test_a_console_that_shows_nothing_makes_nothing_the_last_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    House(tmp_path).write("comm_stack", COMM)
    assert main.main(["--root", str(tmp_path)]) == 2
    assert "terminal" in capsys.readouterr().err
    assert last_good.read(tmp_path) is None


def test_a_start_with_nothing_new_writes_nothing(house: House) -> None:
    before = (house.kept / LAST_GOOD).stat()
    house.keeper.load()
    after = (house.kept / LAST_GOOD).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_without_a_copy_it_is_refused_as_ever(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.write("limits", "broken")
    with pytest.raises(ConfigError, match=r"limits\.conf, line 1"):
        house.keeper.load()


@pytest.fixture
def seen_by_others() -> Iterator[House]:
    """A site that has started once, in a folder that whoever runs this can see as another user too."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        yield started(root)


def test_a_folder_that_the_service_may_not_enter_costs_the_change_not_the_house(
    seen_by_others: House,
) -> None:
    seen_by_others.energy.chmod(0o000)
    root = os.geteuid() == 0
    if root:
        for path in (seen_by_others.kept, *seen_by_others.kept.iterdir()):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        loaded = seen_by_others.keeper.load()
    finally:
        if root:
            os.seteuid(0)
        seen_by_others.energy.chmod(0o755)
    assert (
        "comm_stack.conf: cannot be read: Permission denied. The last good configuration" in loaded.complaint
    )
    assert loaded.site.settings.car.floor_soc_pct == 30.0


def test_a_disk_that_cannot_say_whether_there_is_a_site_costs_the_change_not_the_house(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: object, *arguments: Any, **named: Any) -> Any:
            if str(path).startswith(str(house.energy)):
                raise OSError(errno.EIO, "Input/output error", str(path))
            return real(path, *arguments, **named)

        return call

    for name in ("stat", "open"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    assert "cannot be read: Input/output error. The last good" in house.keeper.load().complaint


def test_a_site_that_was_taken_away_is_no_slip_of_a_pen(house: House) -> None:
    (house.energy / "comm_stack.conf").unlink()
    with pytest.raises(ConfigError, match="missing"):
        house.keeper.load()


@pytest.mark.parametrize("name", ["limits", "loads"])
def test_limits_that_are_lost_are_no_looser_ones(house: House, name: str) -> None:
    (house.energy / f"{name}.conf").rename(house.energy / f"{name}.conf.bak")
    loaded = house.keeper.load()
    assert f"{name}.conf: missing, though the last good configuration has one" in loaded.complaint
    assert "leave a file with one remark (#)" in loaded.complaint
    assert loaded.site.settings.car.floor_soc_pct == 30.0
    assert [circuit.id for circuit in loaded.site.settings.loads.circuits] == ["fridge"]
    assert house.keeper.load() == loaded, "the next start says so too"
    house.write(name, "# none\n")
    loaded = house.keeper.load()
    assert loaded.complaint == "", "a remark is a person's word"
    (house.energy / f"{name}.conf").unlink()
    assert house.keeper.load().complaint == "", "nothing is lost with a remark"


@pytest.mark.parametrize("left", ["", "\n", " \t\r\n\n"])
@pytest.mark.parametrize("name", ["limits", "loads"])
def test_limits_that_an_editor_on_a_full_disk_left_empty_are_lost_ones(
    house: House, name: str, left: str
) -> None:
    house.write(name, left)
    loaded = house.keeper.load()
    assert f"{name}.conf: empty, though the last good configuration has one" in loaded.complaint
    assert loaded.site.settings.car.floor_soc_pct == 30.0
    assert [circuit.id for circuit in loaded.site.settings.loads.circuits] == ["fridge"]
    assert house.keeper.load() == loaded, "what was good is still known at the next start"


@pytest.mark.parametrize("name", ["limits", "loads"])
def test_an_edit_beside_limits_that_are_lost_is_told_what_keeps_it_from_a_start(
    house: House, name: str
) -> None:
    lost = (house.energy / f"{name}.conf").rename(house.energy / f"{name}.conf.bak")
    said = house.keeper.save(
        "comm_stack.conf", COMM.replace("Elm Street 4", "Elm 5"), house.hash("comm_stack")
    )
    assert "It is in effect from the first start that finds the rest right" in said
    assert f"Still to be corrected: {house.energy}/{name}.conf: missing, though the last good" in said
    assert house.keeper.load().site.comm.site == "Elm Street 4"
    lost.rename(house.energy / f"{name}.conf")
    assert house.keeper.load().site.comm.site == "Elm 5"


def test_limits_that_were_lost_come_back_through_an_edit(house: House) -> None:
    (house.energy / "limits.conf").unlink()
    assert "It is in effect from the owner's next start" in house.keeper.save("limits.conf", LIMITS, "")
    assert house.keeper.load().complaint == ""


def test_a_schedule_that_is_taken_away_ends_the_peak_shaving(house: House) -> None:
    house.write("schedule", "zone = 'America/New_York'")
    assert house.keeper.load().site.schedule is not None
    (house.energy / "schedule.conf").unlink()
    loaded = house.keeper.load()
    assert (loaded.complaint, loaded.site.schedule) == ("", None)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_copy_that_is_not_whole_is_not_used(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    house.keeper.load()
    whole = bytearray((house.kept / LAST_GOOD).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 127))
    (house.kept / LAST_GOOD).write_bytes(bytes(whole[: data.draw(st.sampled_from((None, at)))]))
    house.write("limits", "broken")
    with suppress(ConfigError):
        # White space between the values is all that may differ in one that is taken.
        assert house.keeper.load().site.settings.inverter.max_discharge_w == 5_000.0


@pytest.mark.parametrize("unit", ["[", '{"at":'])
@pytest.mark.parametrize("before", ["", '{"files": {"limits.conf": '])
def test_a_copy_of_nothing_but_brackets_keeps_no_house_dark(house: House, before: str, unit: str) -> None:
    copy = before + unit * 100_000
    (house.kept / LAST_GOOD).write_text(copy)
    assert house.keeper.load().complaint == ""
    (house.kept / LAST_GOOD).write_text(copy)
    house.write("limits", "broken")
    with pytest.raises(ConfigError, match=r"limits\.conf, line 1"):
        house.keeper.load()


def test_a_copy_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    disk = FakeDisk()
    for number in range(6):
        fails_once(disk, number, errno.ENOSPC)
        loaded = ConfigKeeper(tmp_path, disk=disk).load()
        works_again(disk)
        assert loaded.complaint == ""
        assert loaded.unkept in ("ENOSPC", "")
        assert loaded.site.comm.site == "Elm Street 4"
    assert house.kept / LAST_GOOD in disk.files


def test_a_copy_that_the_disk_refused_is_written_once_it_takes_it(tmp_path: Path) -> None:
    house, disk, said = House(tmp_path), FakeDisk(), list[str]()
    fails_from(disk, 0, errno.EROFS)
    keeper = ConfigKeeper(tmp_path, disk=disk)
    loaded = keeper.load()
    assert loaded.unkept == "EROFS"
    thread = keeper.keep(loaded, said.append, retry_s=0.001)
    works_again(disk)
    thread.join(5.0)
    assert said == ["EROFS", ""]
    assert house.kept / LAST_GOOD in disk.files
