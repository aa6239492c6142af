"""Who may do what at the owner's socket goes by groups, as the kernel and the account files say."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from types import SimpleNamespace

import pytest

from v2h_console.runtime import peers
from v2h_console.runtime.desk import HELM, INSTALLER, WATCH

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
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [gid, *member_of[name]])
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
