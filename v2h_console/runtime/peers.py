"""Who is at the other end of a local socket, and what that person may do."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import socket
import struct

from v2h_console.runtime.desk import HELM, INSTALLER, WATCH, Seat

#: A site that has none of these groups lets in the owner's own user and root alone.
GROUPS = (("v2h-install", INSTALLER), ("v2h-helm", HELM), ("v2h-watch", WATCH))
_CREDENTIALS = struct.Struct("3i")
_LIBC = ctypes.CDLL(None)
#: Linux knows no more of one user (NGROUPS_MAX).
_MOST_GROUPS = 1 << 16


def credentials(line: socket.socket) -> tuple[int, int, int]:
    """pid, uid and gid of the peer, as the kernel knows them (unix(7), SO_PEERCRED)."""
    pid, uid, gid = _CREDENTIALS.unpack(
        line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid, gid


def own_name() -> str:
    """The user that this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def seat(pid: int, uid: int, gid: int) -> Seat | None:
    """The peer's seat, or ``None`` for a user who may not even watch."""
    try:
        name = pwd.getpwuid(uid).pw_name
        groups = groups_of(name, gid)
    except (KeyError, OSError):
        name, groups = f"user {uid}", {gid}
    if uid in (0, os.getuid()):
        return Seat(f"{name} (process {pid})", INSTALLER, name, uid=uid)
    for group, role in GROUPS:
        try:
            number = grp.getgrnam(group).gr_gid
        except KeyError:
            continue
        if number in groups:
            return Seat(f"{name} (process {pid})", role, name, uid=uid)
    return None


def groups_of(name: str, gid: int) -> set[int]:
    """What ``os.getgrouplist`` says: that one keeps the interpreter to itself while the accounts are asked, and with it
    the fast lane (accounts that took 100 ms to answer held it up for 100 ms). Raises OSError."""
    room = 64
    while room <= _MOST_GROUPS:
        listed, count = (ctypes.c_uint * room)(), ctypes.c_int(room)
        if _LIBC.getgrouplist(os.fsencode(name), ctypes.c_uint(gid), listed, ctypes.byref(count)) >= 0:
            return set(listed[: count.value])
        room *= 2
    raise OSError(f"more than {_MOST_GROUPS} groups of {name}")
