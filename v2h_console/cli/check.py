"""``v2h-console check``: the configuration and what this machine must be able to do."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2h_console.cli.console import Refusal

if TYPE_CHECKING:
    import ssl

    from v2h_console.commissioning.machine import Machine

COMMAND_S = 5.0
CONNECT_S = 2.0
#: Of an answer from a port that may be anybody's.
ANSWER_BYTES = 4096


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add ``check`` to the command line."""
    parser = commands.add_parser(
        "check", parents=parents, help="configuration and prerequisites of this gateway"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when nothing fails, 1 when something does, 2 when there is nothing to check."""
    from v2h_console.commissioning import gateway
    from v2h_console.commissioning.machine import Verdict
    from v2h_console.site import reader
    from v2h_console.tui.inert import clean

    root: Path = getattr(arguments, "root", Path("/"))
    if not reader.is_configured(root):
        raise Refusal(
            f"{reader.config_path(root, 'comm_stack.conf')}: missing; there is no site to check here"
        )
    findings = gateway.check(this_machine(root))
    failed = sum(one.verdict is Verdict.FAIL for one in findings)
    if arguments.json:
        checks = [
            {
                "id": f.id,
                "title": f.title,
                "found": f.found,
                "wanted": f.wanted,
                "verdict": f.verdict.value,
                "fix": f.fix,
            }
            for f in findings
        ]
        json.dump({"ok": not failed, "failed": failed, "checks": checks}, sys.stdout, indent=2)
        print()
    else:
        for finding in findings:
            # What a device or a file says is never markup.
            print(f"{finding.verdict.value:<8} {finding.title:<22} {clean(finding.found)}")
            if finding.verdict is not Verdict.PASS:
                fix = f". {clean(finding.fix)}" if finding.fix else ""
                print(f"{'':<31} wanted: {clean(finding.wanted)}{fix}")
    return 1 if failed else 0


def this_machine(root: Path) -> Machine:
    """The machine that this runs on."""
    from v2h_console.commissioning.machine import Machine

    return Machine(
        root=root,
        system=Path("/"),
        run=_run,
        connect=_connect,
        alive=_alive,
        listen=_listen,
        anonymous=_anonymous,
        handshake=_handshake,
        free_bytes=_free_bytes,
        rt_priority=_rt_priority(),
    )


def _run(command: tuple[str, ...]) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _connect(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return True
    except OSError:
        return False


def _alive(host: str, port: int) -> bool | None:
    """Whether ``/healthz`` answers there as ours does, also where it says that the core is not well."""
    from http.client import HTTPConnection, HTTPException

    # What listens on every address is asked on this machine.
    line = HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=CONNECT_S)
    try:
        line.connect()
    except OSError:
        return None
    try:
        line.request("GET", "/healthz")
        said = json.loads(line.getresponse().read(ANSWER_BYTES))
    except (OSError, HTTPException, ValueError, RecursionError):
        return False
    finally:
        line.close()
    return isinstance(said, dict) and isinstance(said.get("ok"), bool)


def _listen(host: str, port: int) -> OSError | None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind((host, port))
    except OSError as error:
        return error
    return None


def _handshake(host: str, port: int, context: ssl.SSLContext) -> OSError | None:
    """A TLS handshake alone: nothing is said to the broker."""
    try:
        with (
            socket.create_connection((host, port), CONNECT_S) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return None
    except OSError as error:
        return error


def _anonymous(host: str, port: int, context: ssl.SSLContext | None) -> bool | None:
    """A real MQTT CONNECT without a name: whether the broker takes it."""
    # MQTT 3.1.1: CONNECT, protocol MQTT level 4, clean session, keep-alive 10 s, a client id of our own.
    name = b"v2h-check"
    body = b"\x00\x04MQTT\x04\x02\x00\x0a" + len(name).to_bytes(2, "big") + name
    try:
        with ExitStack() as opened:
            line = opened.enter_context(socket.create_connection((host, port), CONNECT_S))
            if context is not None:
                line = opened.enter_context(context.wrap_socket(line, server_hostname=host))
            line.sendall(b"\x10" + bytes((len(body),)) + body)
            answer = line.recv(4)
    except OSError:
        return None
    if len(answer) < 4 or answer[0] != 0x20:
        # Closed without a word: refused as well.
        return False if not answer else None
    return answer[3] == 0


def _free_bytes(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _rt_priority() -> int:
    """The highest real-time priority that this user may take."""
    import resource

    if os.geteuid() == 0:
        return os.sched_get_priority_max(os.SCHED_FIFO)
    return max(0, resource.getrlimit(resource.RLIMIT_RTPRIO)[0])
