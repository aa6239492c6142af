"""What cannot start says so in one line, with status 2, and leaves the terminal as it was."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.live.terminals import MAIN, UTF8, Terminal

pytestmark = pytest.mark.live

Start = Callable[..., Terminal]

COMM = """
site = "Test"
[controller]
interface = "{interface}"
channel = "{channel}"
[inverter]
host = "127.0.0.1"
port = 1
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Terminals that go with the test."""
    opened: list[Terminal] = []

    def make(
        *arguments: str, columns: int = 80, rows: int = 24, environ: Mapping[str, str] = UTF8
    ) -> Terminal:
        terminal = Terminal([*MAIN, *arguments], columns=columns, rows=rows, environ=environ)
        opened.append(terminal)
        return terminal

    yield make
    for terminal in opened:
        terminal.close()


def site(root: Path, comm: str, **files: str) -> Path:
    """A root with these files under etc/energy."""
    folder = root / "etc" / "energy"
    folder.mkdir(parents=True)
    (folder / "comm_stack.conf").write_text(comm)
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return root


def complaint(terminal: Terminal) -> str:
    """The one line, after all has been checked that every refusal owes."""
    assert terminal.ended() == 2, terminal.seen
    assert terminal.is_sane
    lines = [line for line in terminal.seen.decode().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({**UTF8, "TERM": "dumb"}, "TERM=dumb"),
        ({"LC_ALL": "C.UTF-8"}, "TERM"),
        ({"TERM": "xterm", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "UTF-8"),
    ],
)
def test_a_terminal_that_cannot_carry_it(start: Start, environ: Mapping[str, str], says: str) -> None:
    assert says in complaint(start("demo", environ=environ))


@pytest.mark.parametrize(("columns", "rows"), [(79, 24), (80, 23), (20, 5)])
def test_a_terminal_that_is_too_small(start: Start, columns: int, rows: int) -> None:
    said = complaint(start("demo", columns=columns, rows=rows))
    assert f"{columns} x {rows}" in said
    assert "80 x 24" in said


def test_no_terminal_at_all() -> None:
    done = subprocess.run(
        [*MAIN, "demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "not a terminal" in done.stderr


def test_a_site_without_its_can_interface(start: Start, tmp_path: Path) -> None:
    root = site(tmp_path, COMM.format(interface="socketcan", channel="can7"))
    terminal = start("--root", str(root))
    assert terminal.ended() == 2
    assert terminal.is_sane
    said = terminal.seen.decode().splitlines()[-1]
    assert "can7" in said
    assert "Traceback" not in terminal.seen.decode()


@pytest.mark.parametrize(
    ("comm", "files", "says"),
    [
        ("site = ", {}, ["comm_stack.conf", "line 1"]),
        ("[controller]\ninterface = 3\n", {}, ["line 2", "interface"]),
        ('[controller]\n[inverter]\nhost = "x"\nprot = 5\n', {}, ["line 4", "prot", "port"]),
        ('[controller]\n[inverter]\nhost = "x"\nport = 70000\n', {}, ["line 4", "65535"]),
        (
            COMM.format(interface="udp_multicast", channel="x"),
            {"limits": "floor_soc_pct = 5"},
            ["limits.conf", "20"],
        ),
        (
            COMM.format(interface="udp_multicast", channel="x"),
            {"loads": "[[circuit]]\nid = 'A B'"},
            ["loads.conf"],
        ),
        ("\x00\xff", {}, ["comm_stack.conf"]),
    ],
)
def test_a_broken_configuration(
    start: Start, tmp_path: Path, comm: str, files: dict[str, str], says: list[str]
) -> None:
    said = complaint(start("--root", str(site(tmp_path, comm, **files)), columns=200))
    for part in says:
        assert part in said


def test_a_folder_of_files_without_the_one_that_counts(start: Start, tmp_path: Path) -> None:
    site(tmp_path, "x").joinpath("etc/energy/comm_stack.conf").rename(tmp_path / "etc/energy/other.conf")
    assert "no comm_stack.conf" in complaint(start("--root", str(tmp_path), columns=200))


def test_a_root_that_is_not_there_opens_no_other_house(start: Start, tmp_path: Path) -> None:
    assert "no such folder" in complaint(start("--root", str(tmp_path / "sit"), columns=200))


def test_hostile_names_in_a_configuration_are_shown_inert(start: Start, tmp_path: Path) -> None:
    text = '[controller]\nname = "ok"\n[inverter]\nhost = "x"\n"\\u001b[2J[/bold]" = 1\n'
    said = complaint(start("--root", str(site(tmp_path, text)), columns=200))
    assert "\x1b" not in said


def test_a_busy_port_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        done = subprocess.run(
            [*MAIN, "twin", "--modbus-port", str(port)],
            stdin=subprocess.PIPE,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["demo", "--for", "nan", "--headless"],
        ["demo", "--for", "-1", "--headless"],
        ["demo", "--scenario", "no-such-scenario", "--headless"],
        ["twin", "--modbus-port", "99999"],
        ["twin", "--can-port", "x"],
        ["twin", "--scenario", "/no/such/file.toml"],
        ["simulate", "no-such-scenario"],
        ["bench", "transfer", "--outages", "0"],
        ["campaign", "--seeds", "0"],
        ["campaign", "--faults", "mid.loved"],
        ["--root"],
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str]) -> None:
    done = subprocess.run(
        [*MAIN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    done = subprocess.run(
        [*MAIN, "demo", "--headless", "--for", "1", "--root", str(in_the_way / "below")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr


def test_every_command_has_its_help() -> None:
    for command in ("demo", "twin", "simulate", "campaign", "bench"):
        done = subprocess.run(
            [sys.executable, "-m", "v2h_console.cli.main", command, "--help"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
