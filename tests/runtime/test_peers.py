"""Who may do what at the owner's socket goes by groups, as the kernel and the account files say."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import socket
from types import SimpleNamespace

import pytest

from v2h_console.runtime import peers
from v2h_console.runtime.desk import HELM, INSTALLER, WATCH

#: What the machine says, before a test puts something else there.
USERS_HERE = [(one.pw_name, one.pw_gid) for one in pwd.getpwall()]
GROUPS_OF = peers.groups_of

GIDS = {"v2h-watch": 901, "v2h-helm": 902, "v2h-install": 903}
USER, OWNER, PLAIN = 4001, 4000, 4001


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """The owner runs as 4000; tech is 4001 and in the groups that a test puts there."""
    member_of: dict[str, set[int]] = {"tech": set()}

    def user(uid: int) -> SimpleNamespace:
        if uid != USER:
            raise KeyError(uid)
        return SimpleNamespace(pw_name="tech")

    def group(name: str) -> SimpleNamespace:
        return SimpleNamespace(gr_gid=GIDS[name])

    monkeypatch.setattr(pwd, "getpwuid", user)
    monkeypatch.setattr(grp, "getgrnam", group)
    monkeypatch.setattr(peers, "groups_of", lambda name, gid: {gid, *member_of[name]})
    monkeypatch.setattr(os, "getuid", lambda: OWNER)
    return member_of


def role(uid: int, gid: int = PLAIN) -> str | None:
    seat = peers.seat(77, uid, gid)
    return None if seat is None else seat.role


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), None),
        (("v2h-watch",), WATCH),
        (("v2h-helm",), HELM),
        (("v2h-install",), INSTALLER),
        (("v2h-watch", "v2h-helm"), HELM),
        (("v2h-watch", "v2h-install"), INSTALLER),
        (("v2h-watch", "v2h-helm", "v2h-install"), INSTALLER),
    ],
)
def test_the_most_that_a_group_gives(
    accounts: dict[str, set[int]], groups: tuple[str, ...], expected: str | None
) -> None:
    accounts["tech"] = {GIDS[name] for name in groups}
    assert role(USER) == expected


def test_the_group_of_the_process_itself_counts() -> None:
    assert role(USER, GIDS["v2h-helm"]) == HELM


def test_root_and_the_owners_user_need_no_group() -> None:
    assert role(0) == INSTALLER
    assert role(OWNER) == INSTALLER


def test_a_user_without_a_name_has_the_group_that_the_kernel_says() -> None:
    assert role(5000) is None
    assert role(5000, GIDS["v2h-watch"]) == WATCH


def test_a_machine_without_the_groups_lets_nobody_in_by_them(
    accounts: dict[str, set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts["tech"] = set(GIDS.values())
    monkeypatch.setitem(GIDS, "v2h-install", 999)
    assert role(USER) == HELM
    for name in tuple(GIDS):
        monkeypatch.delitem(GIDS, name)
    assert role(USER) is None
    assert role(0) == INSTALLER


def test_the_kernel_says_who_is_there() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peers.credentials(ours) == (os.getpid(), os.geteuid(), os.getegid())


def test_the_groups_of_a_user_are_those_of_the_system_and_nobody_is_held_up_by_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert USERS_HERE
    expected = [set(os.getgrouplist(name, gid)) for name, gid in USERS_HERE]
    # It does not let go of the interpreter while it asks.
    monkeypatch.delattr(os, "getgrouplist")
    assert [GROUPS_OF(name, gid) for name, gid in USERS_HERE] == expected
    monkeypatch.setattr(peers, "groups_of", GROUPS_OF)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name=USERS_HERE[0][0]))
    monkeypatch.setitem(GIDS, "v2h-helm", USERS_HERE[0][1])
    assert role(USER, USERS_HERE[0][1]) == HELM


def test_a_user_in_more_groups_than_there_is_room_for_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(_name: bytes, gid: ctypes.c_uint, listed: list[int], count: object) -> int:
        room: ctypes.c_int = count._obj  # type: ignore[attr-defined]
        if room.value < 200:
            room.value = 200
            return -1
        listed[:200] = [gid.value, *range(1, 200)]
        room.value = 200
        return 200

    monkeypatch.setattr(peers, "_LIBC", SimpleNamespace(getgrouplist=answers))
    assert GROUPS_OF("tech", 4001) == {4001, *range(1, 200)}
