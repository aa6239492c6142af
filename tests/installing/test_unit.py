"""The unit as systemd reads it, and the names on which installer and owner have to agree."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from tests.installing.roots import FILES
from v2h_console.installing import layout
from v2h_console.runtime import lock, logs, peers, precedence
from v2h_console.session import place
from v2h_console.site import reader
from v2h_console.wiring.building import STATE_FOLDER

HAS_ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
UNIT = next(file.content.decode() for file in FILES if file.path == layout.UNIT)
#: In docs/install.md too.
EXPOSURE = 2.2


def settings(text: str) -> dict[str, str]:
    """The last of each; a unit is an INI file with repeated keys."""
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w+=", line))


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """With a program that is there."""
    program = next(file.content.decode() for file in layout.wanted("/bin/true") if file.path == layout.UNIT)
    path = tmp_path / "v2h-manager.service"
    path.write_text(program)
    return path


@HAS_ANALYZE
def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@HAS_ANALYZE
def test_its_exposure_is_what_is_said(unit: Path) -> None:
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            f"--threshold={EXPOSURE * 10:.0f}",
            str(unit),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    (said,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(said) <= EXPOSURE


def test_its_names_are_the_programs_own() -> None:
    unit = settings(UNIT)
    assert Path("run") / unit["RuntimeDirectory"] == place.FOLDER
    assert Path("var/lib") / unit["StateDirectory"] == STATE_FOLDER
    assert Path("var/log") / unit["LogsDirectory"] == logs.FOLDER
    assert {str(place.FOLDER), str(STATE_FOLDER), str(logs.FOLDER)} == set(layout.SERVICE_FOLDERS)
    assert {
        f"run/v2h/{name}" for name in (place.LOCK, place.HOLDER, place.HEIR, place.RECORDS, place.SOCKET)
    } == set(layout.RUN_LEAVINGS)
    assert {group for group, _ in peers.GROUPS} | {unit["User"]} == set(layout.ACCOUNTS)
    assert int(unit["LimitRTPRIO"]) >= precedence.REAL_TIME_PRIORITY
    assert int(unit["Nice"]) == precedence.NICE
    assert all(str(reader.CONFIG_FOLDER) in file.path for file in FILES if file.persons)
    assert lock.OwnerLock is not None


def test_the_lane_gets_its_priority_and_the_clock_can_be_asked() -> None:
    """adjtimex(3) is the call clock_adjtime in glibc from 2.31 on; ProtectClock= refuses it to everybody."""
    unit = settings(UNIT)
    assert {"sched_setscheduler", "adjtimex", "clock_adjtime"} <= set(unit["SystemCallFilter"].split())
    assert unit["CapabilityBoundingSet"] == ""
    assert unit.keys().isdisjoint({"ProtectClock", "RestrictRealtime", "PrivateUsers", "PrivateDevices"})


def test_tmpfiles_and_unit_give_the_same_modes() -> None:
    unit = settings(UNIT)
    tmpfiles = (resources.files("v2h_console.installing") / "files/tmpfiles.conf").read_text("utf-8")
    modes = dict(re.findall(r"^d /(\S+)\s+(\d+)\s+v2h\s+v2h ", tmpfiles, re.MULTILINE))
    assert modes.pop(layout.CONFIGURATION) == "0755"
    assert f"-/{layout.CONFIGURATION}" in unit["ReadWritePaths"].split()
    assert modes == {
        "run/v2h": unit["RuntimeDirectoryMode"],
        "var/lib/v2h": unit["StateDirectoryMode"],
        "var/log/v2h": unit["LogsDirectoryMode"],
    }
    assert {path: int(mode, 8) for path, mode in modes.items()} == {
        path: layout.FOLDER_MODES[path] for path in layout.SERVICE_FOLDERS
    }


def test_sysusers_makes_every_account() -> None:
    sysusers = (resources.files("v2h_console.installing") / "files/sysusers.conf").read_text("utf-8")
    assert set(re.findall(r"^[ug] (\S+)", sysusers, re.MULTILINE)) == set(layout.ACCOUNTS)
