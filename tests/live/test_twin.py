"""The twin as any other program meets it: addresses, truth and commands in lines, registers by public clients."""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import struct
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.terminals import MAIN
from v2h_console.twin.launch import TwinProcess

pytestmark = pytest.mark.live

MBPOLL = shutil.which("mbpoll")
needs_mbpoll = pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed here")


def until(holds: Callable[[], object], what: str, limit_s: float = 15.0) -> None:
    """Other processes do things in their own time: wait for them."""
    ends_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < ends_s, f"{what} did not come within {limit_s:.0f} s"
        time.sleep(0.01)


@pytest.fixture
def twin() -> Iterator[TwinProcess]:
    """A twin alone."""
    process = TwinProcess()
    yield process
    process.stop()


class Demo:
    """A whole demo as a process of its own; what it shows is read from its energy_state."""

    def __init__(self, root: Path) -> None:
        self._root = root
        command = [*MAIN, "demo", "--headless", "--for", "120", "--root", str(root)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def shown(self) -> dict[str, Any]:
        """The newest picture; empty while there is none."""
        try:
            return dict(json.loads((self._root / "dev/shm/energy_state").read_text()))
        except FileNotFoundError:
            return {}

    @property
    def inverter(self) -> tuple[str, int]:
        """Where the inverters answer, as the site's file says."""
        site = tomllib.loads((self._root / "etc/energy/comm_stack.conf").read_text())
        return site["inverter"]["host"], site["inverter"]["port"]

    def stop(self) -> None:
        """As Ctrl+C would."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(10) == 130


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A lit house whose inverter has been heard."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    until(
        lambda: demo.shown().get("mode") == "islanded" and demo.shown()["inverter"]["power_w"] is not None,
        "a lit house",
    )
    yield demo
    demo.stop()


def test_the_first_line_says_where_everything_is(twin: TwinProcess) -> None:
    addresses = twin.addresses
    assert addresses["twin"] is True
    assert addresses["can"]["interface"] == "udp_multicast"
    assert 0 < addresses["modbus_tcp"]["port"] < 65536
    assert addresses["modbus_tcp"]["units"] == {"inverter": 1, "solar": 2}
    assert Path(addresses["load_centre"]["tty"]).exists()
    ids = [circuit["id"] for circuit in addresses["house"]["circuits"]]
    assert set(addresses["load_centre"]["units"]["meters"]) == set(ids)
    assert len(ids) == 8


def test_truth_follows_commands_line_by_line(twin: TwinProcess) -> None:
    twin.do("load.off", {"load": "fridge"})
    twin.do("grid.loss", {})
    twin.do("grid.return", {})
    seen: list[str] = []

    def returned() -> bool:
        seen.extend(str(line.get("truth")) for line in twin.drain())
        return "grid.returned" in seen

    until(returned, "the grid's return")
    assert seen.index("grid.lost") < seen.index("grid.returned")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"do": "grid.loss"', "JSON"),
        ('{"leg": 1}', '"do"'),
        ("grid.explode", "grid.explode"),
        ("load.on load=sauna", "sauna"),
        ("grid.sag pu=9 for_s=1", "pu"),
        ("operator.open_mid", "owner"),
        ("x" * 3000, "2000"),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_and_changes_nothing(
    twin: TwinProcess, line: str, says: str
) -> None:
    process = twin._process
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answers: list[str] = []

    def answered() -> bool:
        answers.extend(line["error"] for line in twin.drain() if "error" in line)
        return bool(answers)

    until(answered, "the answer")
    assert says in answers[0]
    assert "\n" not in answers[0]
    assert twin.alive()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_without_anybody_at_its_stdin_it_lives_until_a_signal(number: int, status: int) -> None:
    with subprocess.Popen(
        [*MAIN, "twin"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as alone:
        assert alone.stdout is not None
        assert json.loads(alone.stdout.readline())["twin"] is True
        with pytest.raises(subprocess.TimeoutExpired):
            alone.wait(1.0)
        alone.send_signal(number)
        assert alone.wait(10) == status


def test_it_ends_with_its_stdin(twin: TwinProcess) -> None:
    process = twin._process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(5) == 0


# ------------------------------------------------------------ public clients


def sunspec(demo: Demo, unit: int) -> dict[int, dict[str, Any]]:
    """Every model of a unit as pysunspec2's own client reads it."""
    from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

    host, port = demo.inverter
    device = SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr=host, ipport=port, timeout=5)
    device.scan()
    models: dict[int, dict[str, Any]] = {}
    for number, found in device.models.items():
        if isinstance(number, int):
            found[0].read()
            models[number] = {name: point.cvalue for name, point in found[0].points.items()}
    device.close()
    return models


#: (model, point, where the screen's value stands, a register's step and what moves between two polls)
POINTS = [
    (701, "W", ("inverter", "power_w"), 60.0),
    (701, "VL1", ("house", "l1_v"), 0.7),
    (701, "VL2", ("house", "l2_v"), 0.7),
    (701, "Hz", ("house", "frequency_hz"), 0.03),
    (713, "SoC", ("car", "soc_pct"), 0.2),
]


def test_pysunspec2_finds_the_models(house: Demo) -> None:
    models = sunspec(house, 1)
    assert {1, 701, 702, 703, 704, 713, 714, 715} <= set(models)
    assert models[701]["ACType"] == 1  # split phase
    assert {1, 701} <= set(sunspec(house, 2))


@pytest.mark.parametrize(("model", "point", "place", "step"), POINTS)
def test_pysunspec2_reads_what_the_screen_shows(
    house: Demo, model: int, point: str, place: tuple[str, str], step: float
) -> None:
    def both_agree() -> bool:
        read, screen = sunspec(house, 1)[model][point], house.shown()[place[0]][place[1]]
        return read is not None and screen is not None and abs(float(read) - float(screen)) <= step

    until(both_agree, f"agreement on {point}")


def mbpoll(*arguments: str) -> list[str]:
    """The values that mbpoll prints."""
    assert MBPOLL is not None
    done = subprocess.run(
        [MBPOLL, "-1", "-q", *arguments], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE)


@needs_mbpoll
def test_mbpoll_reads_the_sunspec_marker_over_tcp(house: Demo) -> None:
    host, port = house.inverter
    words = mbpoll(
        "-m",
        "tcp",
        "-p",
        str(port),
        "-a",
        "1",
        "-0",
        "-r",
        "40000",
        "-c",
        "2",
        "-t",
        "4:hex",
        host,
    )
    assert bytes.fromhex("".join(word.removeprefix("0x") for word in words)) == b"SunS"


@needs_mbpoll
def test_an_absent_unit_stays_silent_or_is_refused(house: Demo) -> None:
    assert MBPOLL is not None
    host, port = house.inverter
    command = [
        MBPOLL,
        "-1",
        "-q",
        "-m",
        "tcp",
        "-p",
        str(port),
        "-a",
        "77",
        "-0",
        "-r",
        "40000",
        "-o",
        "0.5",
    ]
    done = subprocess.run([*command, host], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode != 0


@needs_mbpoll
def test_mbpoll_reads_a_circuit_meter_over_rtu_while_the_owner_rests(tmp_path: Path) -> None:
    # A serial line has one master: this reads a twin whose line nobody else holds.
    twin = TwinProcess()
    try:
        centre = twin.addresses["load_centre"]
        unit = centre["units"]["meters"]["fridge"]
        words = mbpoll(
            "-m",
            "rtu",
            "-b",
            "9600",
            "-P",
            "none",
            "-a",
            str(unit),
            "-0",
            "-r",
            "0",
            "-c",
            "2",
            "-t",
            "3:hex",
            centre["tty"],
        )
        volts = struct.unpack(">f", bytes.fromhex("".join(word.removeprefix("0x") for word in words)))[0]
        assert math.isfinite(volts)
        relays = mbpoll(
            "-m",
            "rtu",
            "-b",
            "9600",
            "-P",
            "none",
            "-a",
            "1",
            "-0",
            "-r",
            "0",
            "-c",
            "8",
            "-t",
            "0",
            centre["tty"],
        )
        assert len(relays) == 8
    finally:
        twin.stop()


# ------------------------------------------------------------ the demo without a screen


def test_the_headless_demo_prints_the_contracts_document_and_keeps_a_log(tmp_path: Path) -> None:
    done = subprocess.run(
        [*MAIN, "demo", "--headless", "--for", "4", "--json", "--root", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {"mode", "mid", "readings", "devices"} <= set(document)
    assert document["mode"] in ("islanded", "syncing")
    assert document["mid"] == "open"
    names = {device["name"]: device for device in document["devices"]}
    assert set(names) == {"Controller", "Inverter", "Solar", "Load centre"}
    for device in names.values():
        assert {"name", "protocol", "address", "ok", "last_age_ms"} <= set(device)
        assert device["ok"] is True
    log = (tmp_path / "var/log/v2h/init.log").read_text()
    assert "ISLANDED House lit from the car." in log
    assert "OWNER_ENDED" in log.splitlines()[-2]
    assert log.endswith("ended orderly\n")


def test_a_shipped_scenario_plays_in_real_time_by_its_name() -> None:
    done = subprocess.run(
        [*MAIN, "demo", "--headless", "--for", "3", "--json", "--scenario", "first-morning"],
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mid"] == "open"


def test_a_scenario_that_needs_virtual_time_says_which_command_plays_it() -> None:
    done = subprocess.run(
        [*MAIN, "demo", "--headless", "--scenario", "restart-in-the-dark"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "simulate" in done.stderr
