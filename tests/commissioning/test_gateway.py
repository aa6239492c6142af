"""The gateway's prerequisites, asked of machines that are made for the question."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2h_console.cli.check import _alive, _anonymous, _listen, this_machine
from v2h_console.commissioning.gateway import check
from v2h_console.commissioning.machine import Finding, Machine, Verdict
from v2h_console.runtime.audit import OWNER, AuditWriter

COMM = """
site = "Elm Street 4"
[controller]
interface = "{interface}"
channel = "can0"
[inverter]
host = "10.0.9.11"
{more}
"""

CPUINFO = "processor : 0\ncpu MHz : 1500.0\n" * 4


class Gateway:
    """A good one; a test breaks what it asks about."""

    def __init__(self, folder: Path) -> None:
        self.root, self.system = folder / "root", folder / "system"
        self.answers: dict[str, str] = {"timedatectl": "yes\n", "uname": "6.1.0\n"}
        self.reached, self.anonymous, self.free = True, False, 5_000_000_000
        self.handshake: OSError | None = None
        self.alive: bool | None = None
        self.listen: OSError | None = None
        self.rt_priority = 99
        self.python = (3, 12)
        self.uid = os.geteuid()
        self.site()
        self.write("proc/cpuinfo", CPUINFO)
        self.write("proc/meminfo", "MemTotal:        2000000 kB\n")
        self.write("proc/modules", "can_raw 20480 0 - Live\ncan 28672 1 can_raw, Live\n")
        self.write("sys/class/net/can0/operstate", "up\n")
        (self.system / "etc").mkdir(parents=True, exist_ok=True)
        (self.system / "etc/localtime").symlink_to("/usr/share/zoneinfo/America/Denver")

    def site(self, interface: str = "socketcan", more: str = "") -> None:
        """The site's configuration."""
        path = self.root / "etc/energy/comm_stack.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMM.format(interface=interface, more=more))

    def write(self, name: str, text: str) -> None:
        """A file of the system."""
        path = self.system / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(self) -> dict[str, Finding]:
        """Every answer by its id."""
        machine = Machine(
            self.root,
            self.system,
            run=lambda command: self.answers.get(command[0]),
            connect=lambda _host, _port: self.reached,
            alive=lambda _host, _port: self.alive,
            listen=lambda _host, _port: self.listen,
            anonymous=lambda _host, _port, _context: self.anonymous,
            handshake=lambda _host, _port, _context: self.handshake,
            free_bytes=lambda _path: self.free,
            rt_priority=self.rt_priority,
            python=self.python,
            uid=self.uid,
        )
        return {finding.id: finding for finding in check(machine)}


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """A good one."""
    return Gateway(tmp_path)


def test_a_good_gateway_fails_nothing(gateway: Gateway) -> None:
    gateway.site(more='[mqtt]\nhost = "127.0.0.1"\nusername = "v2h"')
    found = gateway.found()
    assert {one.id for one in found.values() if one.verdict is Verdict.FAIL} == set()
    assert found["can"].found == "can0 up"
    assert found["zone"].found == "America/Denver"


@pytest.mark.parametrize(
    ("file", "text", "failing"),
    [
        ("proc/cpuinfo", "processor : 0\ncpu MHz : 1500.0\n" * 2, "cpu"),
        ("proc/cpuinfo", "processor : 0\ncpu MHz : 900.0\n" * 4, "cpu"),
        ("proc/meminfo", "MemTotal: 900000 kB\n", "memory"),
        ("proc/modules", "can 28672 0 - Live\n", "module.can_raw"),
        ("sys/class/net/can0/operstate", "down\n", "can"),
        ("etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n", "logind"),
        ("etc/systemd/logind.conf.d/x.conf", "[Login]\nKillUserProcesses=true\n", "logind"),
    ],
)
def test_each_lack_is_found_and_says_what_to_do(gateway: Gateway, file: str, text: str, failing: str) -> None:
    gateway.write(file, text)
    found = gateway.found()
    assert {name for name, one in found.items() if one.verdict is Verdict.FAIL} == {failing}
    assert found[failing].fix


def test_a_comment_in_logind_conf_is_no_setting(gateway: Gateway) -> None:
    gateway.write("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n")
    assert gateway.found()["logind"].verdict is Verdict.PASS


def test_a_module_that_is_built_in_is_there(gateway: Gateway) -> None:
    gateway.write("proc/modules", "")
    gateway.write("lib/modules/6.1.0/modules.builtin", "kernel/net/can/can.ko\nkernel/net/can/can_raw.ko\n")
    assert gateway.found()["module.can"].verdict is Verdict.PASS


def test_what_cannot_be_asked_is_unknown_and_never_a_pass(gateway: Gateway) -> None:
    for name in ("proc/cpuinfo", "proc/meminfo"):
        (gateway.system / name).unlink()
    gateway.answers.clear()
    found = gateway.found()
    assert {found[name].verdict for name in ("cpu", "memory", "clock")} == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({"free": 1_000}, "disk"),
        ({"rt_priority": 0}, "rtprio"),
        ({"python": (3, 10)}, "python"),
        ({"answers": {"timedatectl": "no\n"}}, "clock"),
    ],
)
def test_what_is_not_in_a_file_is_asked_too(
    gateway: Gateway, change: dict[str, object], failing: str
) -> None:
    for name, value in change.items():
        setattr(gateway, name, value)
    assert gateway.found()[failing].verdict is Verdict.FAIL


def test_a_broken_configuration_is_the_first_finding_and_the_machine_is_asked_all_the_same(
    gateway: Gateway,
) -> None:
    (gateway.root / "etc/energy/comm_stack.conf").write_text("site = \n")
    found = gateway.found()
    assert found["config"].verdict is Verdict.FAIL
    assert "line 1" in found["config"].found
    assert found["memory"].verdict is Verdict.PASS
    assert "can" not in found


def test_a_broker_that_takes_anybody_fails_and_one_that_is_silent_too(gateway: Gateway) -> None:
    gateway.site(more='[mqtt]\nhost = "127.0.0.1"')
    gateway.anonymous = True
    assert gateway.found()["mqtt.anonymous"].verdict is Verdict.FAIL
    gateway.reached = False
    found = gateway.found()
    assert found["mosquitto"].verdict is Verdict.FAIL
    assert "mqtt.anonymous" not in found


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        (
            'tls = true\nca_file = "/etc/energy/ca.pem"',
            11,
            "ca.pem: No such file or directory; allowed is a file of",
        ),
        ('tls = true\nca_file = "/etc/energy"', 11, "is no plain file; allowed is"),
        ('tls = true\nca_file = "/etc/energy/comm_stack.conf"', 11, "holds no certificate; allowed is"),
        ('tls = true\nca_file = "/etc/energy/empty"', 11, "empty; allowed is"),
        ('ca_file = "/etc/energy/ca.pem"', 10, "given while tls is false"),
        ('password_file = "/etc/energy/none"', 10, "none: No such file or directory; allowed is"),
        ('password_file = "/etc/energy/comm_stack.conf"', 10, "several lines; allowed is"),
        ('password_file = "/etc/energy/empty"', 10, "empty; allowed is"),
        ('password_file = "/etc/energy/nul"', 10, "holds a NUL"),
        ('password_file = "/etc/energy/secret"', 10, "given without username, so no password would be sent"),
        ('password_file = "/etc/energy/a\\u0000b"', 10, "no file has a NUL in its name"),
    ],
)
def test_a_file_that_mqtt_names_and_cannot_be_used_is_named_with_its_line(
    gateway: Gateway, more: str, line: int, said: str
) -> None:
    gateway.site(more=f'[mqtt]\nhost = "127.0.0.1"\n{more}')
    (gateway.root / "etc/energy/empty").touch()
    (gateway.root / "etc/energy/secret").write_text("secret\n")
    (gateway.root / "etc/energy/nul").write_text("sec\0ret\n")
    found = gateway.found()
    assert found["config"].verdict is Verdict.PASS
    one = found["mqtt.files"]
    assert one.verdict is Verdict.FAIL
    assert f"/etc/energy/comm_stack.conf, line {line}: mqtt." in one.found
    assert said in one.found
    # With files that are not what they should be, nothing is tried on the broker.
    assert found.keys().isdisjoint({"mqtt.tls", "mqtt.anonymous"})


def test_a_password_in_clear_beyond_this_machine_fails(gateway: Gateway) -> None:
    gateway.site(more='[mqtt]\nhost = "10.0.9.2"')
    assert gateway.found()["mqtt.clear"].verdict is Verdict.FAIL
    gateway.site(more='[mqtt]\nhost = "10.0.9.2"\ntls = true')
    found = gateway.found()
    assert "mqtt.clear" not in found
    assert (found["mqtt.tls"].verdict, found["mqtt.anonymous"].verdict) == (Verdict.PASS, Verdict.PASS)


def test_a_handshake_that_fails_is_said_and_nothing_else_is_tried(gateway: Gateway) -> None:
    gateway.site(more='[mqtt]\nhost = "10.0.9.2"\ntls = true')
    gateway.handshake = ConnectionResetError(104, "Connection reset by peer")
    found = gateway.found()
    assert found["mqtt.tls"].verdict is Verdict.FAIL
    assert found["mqtt.tls"].found.startswith("10.0.9.2:1883 does not answer in TLS: port must be")
    assert "mqtt.anonymous" not in found


def test_an_audit_that_was_altered_fails_and_shows_where(gateway: Gateway) -> None:
    assert gateway.found()["audit"].verdict is Verdict.NOTE
    writer = AuditWriter(gateway.root / "var/lib/v2h/audit")
    for load in ("fridge", "range", "hvac"):
        writer.submit(OWNER, "order", {"do": "operator.load_off", "load": load})
    assert writer.write()
    whole = gateway.found()["audit"]
    assert whole.verdict is Verdict.PASS
    assert whole.found.startswith("3 lines, the last is 3, hash ")
    (path,) = (gateway.root / "var/lib/v2h/audit").iterdir()
    path.write_text(path.read_text().replace("range", "lamps"))
    altered = gateway.found()["audit"]
    assert altered.verdict is Verdict.FAIL
    assert altered.found == "audit-000000000001.jsonl, line 2: altered (sequence 2 by its place)"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that answers one client with what the test says."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


@pytest.mark.parametrize(
    ("answer", "taken"),
    [(b"\x20\x02\x00\x00", True), (b"\x20\x02\x00\x05", False), (b"", False), (b"HTTP", None)],
)
def test_a_connect_without_a_name_is_really_tried(
    listener: socket.socket, answer: bytes, taken: bool | None
) -> None:
    seen: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            seen.append(client.recv(100))
            client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    assert _anonymous("127.0.0.1", listener.getsockname()[1], None) is taken
    thread.join()
    assert seen[0][:1] == b"\x10"
    assert b"MQTT" in seen[0]


def test_this_machine_can_be_asked(gateway: Gateway) -> None:
    found = {finding.id: finding for finding in check(this_machine(gateway.root))}
    assert found["memory"].verdict in (Verdict.PASS, Verdict.FAIL)
    assert found["python"].verdict is Verdict.PASS


def test_a_port_that_another_program_has_taken_is_told_with_what_to_do(gateway: Gateway) -> None:
    assert gateway.found()["http"].verdict is Verdict.PASS
    gateway.alive = True
    assert gateway.found()["http"].verdict is Verdict.PASS
    gateway.alive = False
    taken = gateway.found()["http"]
    assert taken.verdict is Verdict.FAIL
    assert "127.0.0.1:8080" in taken.found
    assert "http.port" in taken.fix
    gateway.site(more="[http]\nenabled = false")
    assert "http" not in gateway.found()


def test_an_address_that_is_not_this_machine_s_is_not_free(gateway: Gateway) -> None:
    gateway.listen = OSError(99, "Cannot assign requested address")
    found = gateway.found()["http"]
    assert found.verdict is Verdict.FAIL
    assert "Cannot assign requested address" in found.found
    assert "http.address" in found.fix
    assert _listen("127.0.0.1", 0) is None
    assert _listen("192.0.2.1", 8080) is not None


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{"ok":true,"mode":"tied"}\n', True),
        (b'HTTP/1.1 503 No\r\nContent-Length: 25\r\n\r\n{"ok":false,"reason":"x"}', True),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False),
        (b"", False),
    ],
)
def test_who_listens_is_told_by_what_it_answers(answer: bytes, ours: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert _alive("127.0.0.1", port) is ours
        thread.join(5.0)
    assert _alive("127.0.0.1", port) is None
