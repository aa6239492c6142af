"""The owner without a screen: notified, logged, attached to, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live.terminals import MAIN
from tests.live.test_twin import until
from v2h_console.runtime.service_notify import SEND_S, STUCK_MS, ServiceNotifier
from v2h_console.twin.launch import TwinProcess
from v2h_console.wiring.demo_site import write_demo_site

pytestmark = pytest.mark.live

MANAGER = [sys.executable, "-m", "v2h_console.cli.manager"]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10.0)
        yield listener


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A site on a twin."""
    twin = TwinProcess()
    write_demo_site(tmp_path, twin.addresses, 600.0)
    yield tmp_path
    twin.stop()


def started(root: Path, *options: str, **environ: str) -> subprocess.Popen[str]:
    """The manager on that root."""
    command = [*MANAGER, "--root", str(root), *options]
    return subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True)


def test_it_says_ready_feeds_the_watchdog_logs_and_ends_orderly(root: Path, line: socket.socket) -> None:
    process = started(root, NOTIFY_SOCKET=str(root / "notify"), WATCHDOG_USEC="1000000")
    try:
        assert line.recv(400).startswith(b"READY=1")
        assert line.recv(400) == b"WATCHDOG=1"
        log = root / "var/log/v2h/init.log"
        until(lambda: "House lit from the car" in log.read_text(), "the log line")
        attach = [*MAIN, "attach", "--json", "--for", "0.5", "--root", str(root)]
        done = subprocess.run(attach, capture_output=True, text=True, check=False, timeout=20)
        assert json.loads(done.stdout)["mode"] == "islanded"
        os.kill(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGTSTP)
        assert line.recv(400) == b"WATCHDOG=1"
        process.terminate()
        assert process.wait(10) == 0
        assert "ended orderly" in log.read_text()
        assert (root / "var/log/v2h/error.log").exists()
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_is_an_orderly_end(root: Path) -> None:
    process = started(root)
    others: list[subprocess.Popen[str]] = []
    try:
        until(lambda: (root / "dev/shm/energy_state").exists(), "energy_state")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert "ended orderly" in (root / "var/log/v2h/init.log").read_text()
        assert json.loads((root / "var/lib/v2h/attendance.json").read_text())["ended"]
        assert not (root / "run/v2h/session.sock").exists()
        assert not (root / "dev/shm/energy_state").exists()
        others.append(started(root, "--wait"))
        owns = root / "dev/shm/energy_state"
        until(owns.exists, "the next owner")
        others.append(idle := started(root, "--wait"))
        assert idle.stderr is not None
        assert "waits: " in idle.stderr.readline()
        idle.send_signal(signal.SIGINT)
        assert idle.wait(10) == 130
        others[0].terminate()
        assert others[0].wait(10) == 0
    finally:
        for one in (process, *others):
            one.kill()
            one.wait()


def test_stop_ends_it_and_a_second_one_is_refused(root: Path) -> None:
    process = started(root)
    try:
        until(lambda: (root / "dev/shm/energy_state").exists(), "energy_state")
        second = subprocess.run(
            [*MANAGER, "--root", str(root)], capture_output=True, text=True, check=False, timeout=20
        )
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1
        assert subprocess.run([*MAIN, "stop", "--root", str(root)], check=False, timeout=20).returncode == 0
        assert process.wait(10) == 0
        assert not (root / "dev/shm/energy_state").exists()
    finally:
        process.kill()
        process.wait()


def test_one_that_waits_is_ready_says_so_once_and_has_the_house_after_the_other(
    root: Path, line: socket.socket
) -> None:
    log = root / "var/log/v2h/init.log"
    owner = started(root)
    waits: subprocess.Popen[str] | None = None
    try:
        until(lambda: (root / "dev/shm/energy_state").exists(), "energy_state")
        waits = started(root, "--wait", NOTIFY_SOCKET=str(root / "notify"), WATCHDOG_USEC="1000000")
        assert line.recv(400).startswith(b"READY=1\nSTATUS=waits")
        for _ in range(4):
            assert line.recv(400) == b"WATCHDOG=1"
        owner.kill()
        until(lambda: f"v2h-manager {waits.pid} owns" in log.read_text(), "the next owner")
        attach = [*MAIN, "attach", "--json", "--for", "0.5", "--root", str(root)]
        done = subprocess.run(attach, capture_output=True, text=True, check=False, timeout=20)
        assert json.loads(done.stdout)["mode"] in ("dark", "forming", "islanded", "boot_open")
        idle = started(root, "--wait")
        assert idle.stderr is not None
        assert "waits: " in idle.stderr.readline()
        idle.terminate()
        assert idle.wait(10) == 0
        assert idle.stderr.read() == ""
        waits.terminate()
        assert waits.wait(10) == 0
        assert waits.stderr is not None
        assert waits.stderr.read().count("waits: ") == 1
    finally:
        for process in (owner, waits):
            if process is not None:
                process.kill()
                process.wait()


def test_a_site_that_is_broken_or_missing_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*MANAGER, "--root", str(tmp_path)], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not started" in (tmp_path / "var/log/v2h/error.log").read_text()


def test_a_service_manager_that_reads_nothing_holds_nobody_up_and_is_told_again_later(
    line: socket.socket, tmp_path: Path
) -> None:
    notifier = ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"})
    line.settimeout(0.0)
    for _ in range(600):
        # The kernel keeps some ten of them unread (net.unix.max_dgram_qlen), and then the line is full.
        began_s = time.monotonic()
        notifier.status("runs")
        if time.monotonic() - began_s >= SEND_S:
            break
    else:
        pytest.fail("the line never filled")
    with suppress(BlockingIOError):
        while line.recv(400):
            pass
    notifier.stopping()
    assert line.recv(400) == b"STOPPING=1"


def test_a_lane_that_stands_still_is_not_fed(line: socket.socket, tmp_path: Path) -> None:
    notifier = ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"})
    assert notifier.watchdog_s == 1.0
    assert notifier.feed(lambda: STUCK_MS + 1.0) is False
    assert notifier.feed(lambda: 5.0) is True
    assert line.recv(100) == b"WATCHDOG=1"


def test_without_a_service_manager_it_is_silent() -> None:
    notifier = ServiceNotifier({})
    assert notifier.watchdog_s is None
    notifier.ready("x")
    assert notifier.feed(lambda: 1.0) is True
