"""What is asked of the site's own files: whose they are, whether they are there, and whether the load table can be meant."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from tests.commissioning.test_gateway import Gateway
from v2h_console.commissioning import gateway as gateway_questions
from v2h_console.commissioning.machine import Verdict
from v2h_console.runtime.audit import OWNER, AuditWriter
from v2h_console.runtime.config_keeper import ConfigKeeper
from v2h_console.site import reader
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import CommStack
from v2h_console.storage.audit_file import KEPT, AuditFile
from v2h_console.storage.disk import Disk

CIRCUIT = """
[[circuit]]
id = "{id}"
name = "{id}"
legs = "{legs}"
tier = {tier}
running_va = {va}
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """A good one."""
    return Gateway(tmp_path)


def test_a_picture_that_is_somebody_else_s_is_not_ours_to_replace(gateway: Gateway) -> None:
    path = gateway.root / "dev/shm/energy_state"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert gateway.found()["shm"].verdict is Verdict.PASS
    mine = gateway.uid
    gateway.uid = mine + 7
    found = gateway.found()["shm"]
    assert found.verdict is Verdict.FAIL
    assert f"belongs to user {mine}" in found.found
    gateway.write("etc/passwd", f"root:x:0:0::/:/bin/sh\nv2h:x:{mine}:997::/:/usr/sbin/nologin\n")
    assert gateway.found()["shm"].verdict is Verdict.PASS, "the service's own"


def test_an_audit_whose_oldest_files_made_room_says_where_it_begins(gateway: Gateway) -> None:
    folder = gateway.root / "var/lib/v2h/audit"
    file = AuditFile(folder, most_bytes=1)
    for day in range(1, KEPT + 4):
        said = {"at": f"2026-01-01T00:00:00+00:00, day {day}"}
        file.append([{**said, "what": "order"}], said)
        if day == 1:
            assert "begins" not in gateway.found()["audit"].found
    file.close()
    found = gateway.found()["audit"]
    assert found.verdict is Verdict.PASS
    # Day 1 was one line, the next one two: that another file was begun, and an order.
    assert found.found.endswith(
        "; it begins with 4 of 2026-01-01T00:00:00+00:00, day 3: what was before has made room"
    )


@pytest.mark.parametrize("emptied", [False, True])
def test_an_audit_whose_files_are_gone_fails(gateway: Gateway, emptied: bool) -> None:
    folder = gateway.root / "var/lib/v2h/audit"
    writer = AuditWriter(folder)
    writer.start()
    writer.submit(OWNER, "start", {})
    writer.stop()
    writer.join(5.0)
    assert gateway.found()["audit"].verdict is Verdict.PASS
    (path,) = folder.iterdir()
    if emptied:
        path.write_bytes(b"")
    else:
        path.unlink()
    found = gateway.found()["audit"]
    assert found.verdict is Verdict.FAIL
    assert "holds no line" in found.found
    assert "taken away or emptied" in found.fix
    shutil.rmtree(folder)
    assert gateway.found()["audit"].verdict is Verdict.NOTE


class Full(Disk):
    """Has room for names, and for no byte."""

    def write(self, descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_first_line_that_a_full_disk_refused_is_not_told_as_a_theft_alone(gateway: Gateway) -> None:
    audit = AuditFile(gateway.root / "var/lib/v2h/audit", disk=Full())
    with pytest.raises(OSError, match="No space left"):
        audit.append([{"what": "start"}], {})
    found = gateway.found()["audit"]
    assert found.verdict is Verdict.FAIL
    assert found.fix.startswith("a full disk may have refused the first: make room and start the owner;")


def test_the_picture_of_an_owner_that_is_neither_the_checker_nor_the_service_is_its_own(
    gateway: Gateway,
) -> None:
    state, path = gateway.root / "var/lib/v2h", gateway.root / "dev/shm/energy_state"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    gateway.uid += 7
    assert gateway.found()["shm"].verdict is Verdict.FAIL
    state.mkdir(parents=True)
    assert gateway.found()["shm"].verdict is Verdict.PASS


@pytest.mark.parametrize("refused", [None, PermissionError(errno.EACCES, "Permission denied")])
def test_a_port_of_root_s_is_not_free_for_a_service_that_is_not_root(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, refused: OSError | None
) -> None:
    gateway.site(more="[http]\nport = 80")
    gateway.listen = refused
    found = gateway.found()["http"]
    assert (found.verdict, found.fix) == (Verdict.FAIL, "give http.port a number from 1024 on")
    assert "is for root alone" in found.found
    monkeypatch.setattr(gateway_questions, "_owner_uid", lambda _machine: 0)
    as_root = gateway.found()["http"].verdict
    assert as_root is (Verdict.PASS if refused is None else Verdict.UNKNOWN)
    monkeypatch.undo()
    gateway.write("proc/sys/net/ipv4/ip_unprivileged_port_start", "80\n")
    gateway.listen = None
    assert gateway.found()["http"].verdict is Verdict.PASS


def test_a_circuit_for_which_there_is_never_room_gets_a_note(gateway: Gateway) -> None:
    loads = gateway.root / "etc/energy/loads.conf"
    loads.write_text(
        "breaker_a = 30\n"
        + CIRCUIT.format(id="fridge", legs="L1", tier=1, va=180)
        + CIRCUIT.format(id="oven", legs="L1", tier=2, va=3300)
        + CIRCUIT.format(id="range", legs="L12", tier=2, va=6400)
        + CIRCUIT.format(id="charger", legs="L12", tier=3, va=11000)
        + CIRCUIT.format(id="pool", legs="L12", tier=4, va=11000)
    )
    found = gateway.found()
    assert {name for name in found if name.startswith("load.")} == {"load.oven", "load.charger"}
    assert found["load.oven"].verdict is Verdict.NOTE
    assert found["load.oven"].found == (
        "oven: never on while islanded: 3300 VA on leg 1 (continuous), allowed 3240 VA"
    )


@pytest.mark.parametrize(
    "host",
    [
        "gateway",
        "a-1.lan",
        "broker.home.arpa.",
        "192.168.1.11",
        "::1",
        "fe80::1%eth0",
        "_mqtt.lan",
        "1st.lan",
    ],
)
def test_a_host_s_name_or_address_is_taken(host: str) -> None:
    text = f"[controller]\n[inverter]\nhost = '{host}'\n[http]\naddress = '{host}'\n[mqtt]\nhost = '{host}'\n"
    assert reader.parse("comm_stack.conf", text, CommStack).http.address == host


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1..11",
        "192.168.1.256",
        "192.0.2.010",
        "1.2.3",
        "broker..lan",
        ".lan",
        "a b",
        "",
        "-a",
        "a" * 64,
        "h\n",
    ],
)
@pytest.mark.parametrize("where", ["[inverter]\nhost", "[solar]\nhost", "[http]\naddress", "[mqtt]\nhost"])
def test_what_no_resolver_can_be_asked_for_is_refused_with_its_line(where: str, host: str) -> None:
    table = where.split("\n")[0]
    first = "" if table == "[inverter]" else "[inverter]\nhost = 'a'\n"
    value = host.replace("\n", "\\n")
    text = f'[controller]\n{first}{where} = "{value}"\n'
    with pytest.raises(ConfigError, match=r"line \d+: .*allowed is a host's name or its address"):
        reader.parse("comm_stack.conf", text, CommStack)


def test_limits_that_are_lost_are_asked_for_as_a_start_does(gateway: Gateway) -> None:
    limits = gateway.root / "etc/energy/limits.conf"
    limits.write_text("max_discharge_power_kw = 5.0\n")
    assert ConfigKeeper(gateway.root).load().complaint == ""
    assert gateway.found()["config"].verdict is Verdict.PASS
    limits.unlink()
    found = gateway.found()["config"]
    assert (found.verdict, found.found) == (
        Verdict.FAIL,
        f"{limits}: missing, though the last good configuration has one: put it back; where it shall be none, leave a file with one remark (#)",
    )
    limits.write_text("# none\n")
    assert gateway.found()["config"].verdict is Verdict.PASS
