"""/etc/energy as the owner keeps it: edited by two, on a disk that fails, when the power goes."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.configured import COMM, LIMITS, LOADS, House, started
from tests.storage.disks import ERRORS, Cut, FakeDisk, fails_once, power_goes_at
from v2h_console.runtime.config_keeper import KEPT, MOST_TEXT, ConfigKeeper, EditRefused, digest
from v2h_console.runtime.desk import HELM, INSTALLER, WATCH, Desk, Seat
from v2h_console.session.orders import SAVE_CONFIG, Order, Receipt
from v2h_console.session.snapshot import Snapshot
from v2h_console.storage.disk import Disk


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A site that has started once."""
    return started(tmp_path)


# ------------------------------------------------------------ edits


def test_an_edit_is_saved_whole_with_the_one_before_and_holds_from_the_next_start(house: House) -> None:
    (house.energy / "limits.conf").chmod(0o600)
    said = house.keeper.save("limits.conf", LIMITS.replace("30", "40"), house.hash("limits"))
    assert "limits.conf is saved" in said
    assert "in effect from the owner's next start" in said
    assert house.text("limits") == LIMITS.replace("30", "40")
    assert (house.energy / "limits.conf").stat().st_mode & 0o777 == 0o600
    assert (house.kept / "limits.conf.20260714T140253.500000Z").read_text() == LIMITS
    assert house.keeper.load().site.settings.car.floor_soc_pct == 40.0


def test_a_file_that_is_not_there_yet_is_edited_from_nothing(house: House) -> None:
    text = "zone = 'America/New_York'\n"
    assert "somebody else" in house.refused("schedule", text, "0" * 64)
    assert house.keeper.save("schedule.conf", text, "")
    assert house.text("schedule") == text


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("limits", "floor_soc_pct = 5\n", ["limits.conf, line 1", "20"]),
        ("limits", "floor = 30\n", ["limits.conf, line 1", "allowed are", "floor_soc_pct"]),
        ("limits", "rated_power_kw = 3\n", ["limits.conf", "7.6", "rated_power_kw"]),
        ("loads", LOADS + LOADS, ["loads.conf", "fridge", "twice"]),
        ("comm_stack", COMM + "[grid]\nseparation = 'now'\n", ["line 6", "auto, permitted, ride_through"]),
        ("comm_stack", COMM + "[grid.trips.uv1]\nlimit = 0.99\nclearing_s = 21\n", ["line 6", "allows"]),
        ("limits", "x" * (MOST_TEXT + 1), ["longer than"]),
        ("limits", "# \ud800\n", ["UTF-8"]),
        ("limits", "", ["limits.conf: empty, though", "leave a file with one remark"]),
        ("loads", " \n", ["loads.conf: empty, though"]),
    ],
)
def test_a_wrong_edit_is_refused_with_its_place_and_what_is_allowed(
    house: House, name: str, text: str, says: list[str]
) -> None:
    said = house.refused(name, text)
    for part in says:
        assert part in said


@pytest.mark.parametrize("name", ["../limits", "/etc/passwd", "mqtt.password", "limits.conf\x00", ""])
def test_only_the_four_files_can_be_edited(house: House, name: str) -> None:
    with pytest.raises(EditRefused, match="no such file"):
        house.keeper.save(name, "x", "")


def test_what_two_edit_at_once_is_lost_by_neither(house: House) -> None:
    read = house.hash("limits")
    house.keeper.save("limits.conf", LIMITS.replace("30", "40"), read)
    assert "somebody else changed it" in house.refused("limits", LIMITS.replace("30", "50"), read)
    assert house.text("limits") == LIMITS.replace("30", "40")


class ByHand(Disk):
    """While its nth fsync lasts, a person at the machine saves the file with an editor, or puts a link there."""

    def __init__(self, nth: int, save: Callable[[], object]) -> None:
        self._left, self._save = nth, save

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._left -= 1
        if not self._left:
            self._save()


@pytest.mark.parametrize("nth", [1, 2])
def test_what_a_person_saves_by_hand_while_the_disk_is_slow_is_not_lost(house: House, nth: int) -> None:
    theirs = LIMITS.replace("30", "60")
    keeper = ConfigKeeper(house.root, disk=ByHand(nth, lambda: house.write("limits", theirs)))
    with pytest.raises(EditRefused, match="somebody else changed it meanwhile"):
        keeper.save("limits.conf", LIMITS.replace("30", "40"), house.hash("limits"))
    assert house.text("limits") == theirs
    assert sorted(path.name for path in house.energy.iterdir()) == [
        "comm_stack.conf",
        "limits.conf",
        "loads.conf",
    ]


def test_a_new_file_that_a_person_makes_by_hand_meanwhile_is_not_lost(house: House) -> None:
    keeper = ConfigKeeper(house.root, disk=ByHand(1, lambda: house.write("schedule", "# theirs\n")))
    with pytest.raises(EditRefused, match="somebody else changed it meanwhile"):
        keeper.save("schedule.conf", "zone = 'America/New_York'\n", "")
    assert house.text("schedule") == "# theirs\n"


def test_a_link_to_a_file_that_is_kept_elsewhere_stays_one(house: House) -> None:
    limits, elsewhere = house.energy / "limits.conf", house.root / "limits.winter"
    limits.rename(elsewhere)
    limits.symlink_to("../../limits.winter")
    said = house.refused("limits", LIMITS.replace("30", "40"))
    assert "limits.conf: is a link" in said
    assert "edit by hand what it leads to" in said
    assert limits.is_symlink()
    limits.unlink()
    limits.write_text(LIMITS)

    def link() -> None:
        limits.unlink()
        limits.symlink_to("../../limits.winter")

    with pytest.raises(EditRefused, match="is a link"):
        ConfigKeeper(house.root, disk=ByHand(2, link)).save(
            "limits.conf", LIMITS.replace("30", "40"), house.hash("limits")
        )
    assert limits.is_symlink()
    assert elsewhere.read_text() == LIMITS


def test_a_pipe_in_a_files_place_is_refused_at_once(house: House) -> None:
    """Waited for, it would keep every later edit waiting, too."""
    edited = house.hash("limits")
    limits = house.energy / "limits.conf"
    limits.unlink()
    os.mkfifo(limits)
    with pytest.raises(EditRefused, match=r"limits\.conf: cannot be read: is no plain file"):
        house.keeper.save("limits.conf", LIMITS.replace("30", "40"), edited)
    assert limits.is_fifo()


def test_a_file_that_names_what_another_one_lacks_is_refused(house: House) -> None:
    text = COMM + '[load_centre]\ntty = "/dev/ttyUSB0"\n[load_centre.meters]\nrange = 12\n'
    assert "'range'" in house.refused("comm_stack", text)


def test_two_broken_files_are_corrected_one_after_the_other(house: House) -> None:
    house.write("limits", "broken")
    house.write("loads", b"\xff")
    said = house.keeper.save("limits.conf", LIMITS, house.hash("limits"))
    assert "Still to be corrected" in said
    assert "loads.conf" in said
    assert "Still" not in house.keeper.save("loads.conf", LOADS, house.hash("loads"))
    assert house.keeper.load().complaint == ""


def test_who_could_read_the_file_before_an_edit_still_can(house: House) -> None:
    limits = house.energy / "limits.conf"
    limits.chmod(0o644)
    before = os.umask(0o027)  # the service's
    try:
        house.keeper.save("limits.conf", "floor_soc_pct = 40\n", house.hash("limits"))
        house.keeper.save("schedule.conf", "zone = 'America/New_York'\n", "")
    finally:
        os.umask(before)
    assert limits.stat().st_mode & 0o777 == 0o644
    assert (house.energy / "schedule.conf").stat().st_mode & 0o777 == 0o644, "as install makes its neighbours"


def test_what_only_the_next_start_takes_up_is_told_until_it_is_taken_back(house: House) -> None:
    heard: list[str] = []
    house.keeper.load()
    house.keeper.on_edited = heard.append
    house.keeper.save("limits.conf", "floor_soc_pct = 40\n", house.hash("limits"))
    house.keeper.save("loads.conf", "# none\n", house.hash("loads"))
    assert re.fullmatch(r"limits\.conf was edited at \d\d:\d\d: counts from the owner's next start", heard[0])
    assert re.match(r"limits\.conf was edited at .*, loads\.conf was edited at ", heard[1])
    house.refused("limits", "floor_soc_pct = 400\n")
    house.keeper.save("limits.conf", LIMITS, house.hash("limits"))
    house.keeper.save("loads.conf", LOADS, house.hash("loads"))
    assert heard[2].startswith("loads.conf")
    assert heard[3:] == [""]


def test_an_edit_that_names_a_file_that_cannot_be_used_is_taken_and_says_so(house: House) -> None:
    """A start takes it too: the house does not stay dark over its telemetry."""
    text = COMM + '[mqtt]\nhost = "10.0.9.2"\ntls = true\nca_file = "/etc/energy/ca.pem"\n'
    said = house.keeper.save("comm_stack.conf", text, house.hash("comm_stack"))
    assert f"Still to be corrected: {house.energy}/comm_stack.conf, line 8: mqtt.ca_file" in said
    assert house.keeper.load().complaint == ""


def test_of_each_file_so_many_are_kept(house: House) -> None:
    for nth in range(KEPT + 5):
        keeper = ConfigKeeper(house.root, wall_s=lambda nth=nth: 1_784_037_773.0 + nth)  # type: ignore[misc]
        keeper.save("limits.conf", f"{LIMITS}# {nth}\n", house.hash("limits"))
    kept = sorted(path.name for path in house.kept.iterdir() if path.name.startswith("limits.conf."))
    assert len(kept) == KEPT
    assert (house.kept / kept[-1]).read_text().endswith(f"# {KEPT + 3}\n")


def test_on_a_clock_that_went_back_what_was_just_kept_is_not_the_oldest(house: House) -> None:
    for nth in range(KEPT):
        keeper = ConfigKeeper(house.root, wall_s=lambda nth=nth: 1_784_037_773.0 + nth)  # type: ignore[misc]
        keeper.save("limits.conf", f"{LIMITS}# {nth}\n", house.hash("limits"))
    keeper = ConfigKeeper(house.root, wall_s=lambda: 12.0)
    said = keeper.save("limits.conf", f"{LIMITS}# of 1970\n", house.hash("limits"))
    kept = Path(said.split("the one before is ")[1].split(". It is")[0])
    assert kept.read_text().endswith(f"# {KEPT - 1}\n")
    assert len([path for path in house.kept.iterdir() if path.name.startswith("limits.conf.")]) == KEPT


def test_an_edit_that_the_owner_before_took_during_a_take_over_counts_from_the_next_start(
    house: House,
) -> None:
    edited: list[str] = []
    house.keeper.load()
    house.keeper.on_edited = edited.append
    house.keeper.look_again()
    assert edited == []
    (house.energy / "limits.conf").write_text(LIMITS + "# anna's\n")
    house.keeper.look_again()
    assert len(edited) == 1
    assert "limits.conf was edited at" in edited[0]


# ------------------------------------------------------------ a disk that fails in an edit


def on(disk: FakeDisk, root: Path) -> ConfigKeeper:
    """A keeper on that disk; the other files are read from the real one."""
    return ConfigKeeper(root, disk=disk, wall_s=lambda: 1_784_037_773.5)


def edit_calls(root: Path) -> int:
    """How many calls an edit makes."""
    disk = FakeDisk({root / "etc/energy/limits.conf": LIMITS.encode()})
    on(disk, root).save("limits.conf", LIMITS + "# new\n", digest(LIMITS.encode()))
    return len(disk.calls)


@pytest.mark.parametrize("error", ERRORS)
def test_an_edit_on_a_disk_that_fails_anywhere_is_refused_and_nothing_is_torn(
    house: House, error: int
) -> None:
    path = house.energy / "limits.conf"
    refusals: list[str] = []
    unsure: list[str] = []
    calls = edit_calls(house.root)
    assert calls > 15
    for number in range(calls):
        disk = FakeDisk({path: LIMITS.encode()})
        fails_once(disk, number, error)
        keeper, edited = on(disk, house.root), list[str]()
        keeper.on_edited = edited.append
        expected = LIMITS
        try:
            said = keeper.save("limits.conf", LIMITS + "# new\n", digest(LIMITS.encode()))
        except EditRefused as refused:
            refusals.append(str(refused))
        else:
            expected = LIMITS + "# new\n"
            unsure += [said] if "did not confirm" in said else []
        assert bytes(disk.files[path].data).decode() == expected, "what is said is so"
        assert bool(edited) is (expected != LIMITS)
    assert len(refusals) > 10
    assert unsure, "the folder's own sync comes after the name has changed hands"
    assert all(errno.errorcode[error] in one for one in refusals)


@settings(max_examples=150, deadline=None)
@given(number=st.integers(0, 40), data=st.data())
def test_a_loss_of_power_in_an_edit_leaves_the_old_file_or_the_new_one(
    tmp_path_factory: pytest.TempPathFactory, number: int, data: st.DataObject
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    path = house.energy / "limits.conf"
    disk = FakeDisk({path: LIMITS.encode()})
    power_goes_at(disk, number)
    saved = False
    with suppress(Cut):
        on(disk, house.root).save("limits.conf", LIMITS + "# new\n", digest(LIMITS.encode()))
        saved = True
    found = bytes(disk.power_cut(lambda most: data.draw(st.integers(0, most))).files[path].data).decode()
    assert found == LIMITS + "# new\n" if saved else found in (LIMITS, LIMITS + "# new\n")


# ------------------------------------------------------------ who may


def desk_of(keeper: ConfigKeeper) -> tuple[Desk, list[tuple[Order, Receipt]]]:
    """A desk that edits, and what it told the audit."""
    told: list[tuple[Order, Receipt]] = []
    desk = Desk(Snapshot, lambda order: Receipt(order.nonce, accepted=True))
    desk.on_edit = keeper.edit
    desk.on_answer = lambda seat, order, receipt: told.append((order, receipt))
    return desk, told


def edit_of(house: House, text: str) -> Order:
    """An order that edits limits.conf as it stands."""
    params: dict[str, float | str | bool] = {
        "file": "limits.conf",
        "text": text,
        "edited_sha256": house.hash("limits"),
    }
    return Order(secrets.token_hex(8), SAVE_CONFIG, params)


@pytest.mark.parametrize("role", [WATCH, HELM])
def test_who_is_no_installer_changes_no_configuration(house: House, role: str) -> None:
    desk, told = desk_of(house.keeper)
    receipt = desk.edit(Seat("somebody", role), edit_of(house, LIMITS)).result(5.0)
    assert not receipt.accepted
    assert house.text("limits") == LIMITS
    assert told[0][1] == receipt, "the try is audited"


def test_an_installer_needs_no_helm_and_the_audit_keeps_hashes_not_texts(house: House) -> None:
    desk, told = desk_of(house.keeper)
    text = LIMITS.replace("30", "40")
    receipt = desk.edit(Seat("tech", INSTALLER), edit_of(house, text)).result(5.0)
    assert receipt.accepted
    assert house.text("limits") == text
    (order, _), *_ = told
    assert order.params["text"] == f"sha256 {digest(text.encode())}"
    assert order.params["file"] == "limits.conf"


@pytest.mark.parametrize(
    "params", [{}, {"file": "limits.conf"}, {"file": 3.0, "text": True, "edited_sha256": ""}]
)
def test_an_edit_without_its_parts_is_refused(house: House, params: dict[str, float | str | bool]) -> None:
    receipt = house.keeper.edit(Order("n", SAVE_CONFIG, params)).result(5.0)
    assert receipt.reason == "config.save needs file, text and edited_sha256"


def test_a_refusal_is_one_inert_line(house: House) -> None:
    order = edit_of(house, '"\\u001b[2J\\n" = 1\n')
    receipt = house.keeper.edit(order).result(5.0)
    assert not receipt.accepted
    assert receipt.reason.isprintable()


def test_an_owner_without_files_says_so() -> None:
    desk = Desk(Snapshot, lambda order: Receipt(order.nonce, accepted=True))
    answer: Future[Receipt] = desk.edit(Seat("tech", INSTALLER), Order("n", SAVE_CONFIG))
    assert answer.result(0.0).reason == "this owner has no configuration to change"
