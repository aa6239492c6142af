"""Setting up on a fresh machine: what is missing gets one clear line, and nothing is half made."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `prepare` looks at."""
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(TOP / "scripts" / "prepare", folder / "scripts" / "prepare")
    shutil.copy(TOP / "pyproject.toml", folder / "pyproject.toml")
    return folder


def fake(folder: Path, name: str, script: str) -> None:
    """A command of that name."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def prepare(checkout: Path, bin_folder: Path, kind: str = "run") -> subprocess.CompletedProcess[str]:
    """Run it with only the fake commands and the system's own small tools."""
    tools = bin_folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    for tool in ("sh", "dirname", "rm", "tail", "touch"):
        found = shutil.which(tool)
        assert found is not None
        if not (tools / tool).exists():
            (tools / tool).symlink_to(found)
    return subprocess.run(
        ["sh", "scripts/prepare", kind],
        cwd=checkout,
        env={"PATH": f"{bin_folder}{os.pathsep}{tools}"},
        capture_output=True,
        text=True,
        check=False,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Its complaint: exactly one line, status 2."""
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


OLD = 'case "$2" in *version_info*) exit 1;; *python_version*) echo 3.9.2;; esac'
NO_VENV = 'case "$2" in *venv*) exit 1;; esac'


def test_an_old_python_is_named_with_its_version(checkout: Path, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3", OLD)
    said = one_line(prepare(checkout, tmp_path / "bin"))
    assert "3.11 or newer" in said
    assert "3.9.2" in said
    assert not (checkout / ".venv").exists()


def test_no_python_at_all(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    assert "none" in one_line(prepare(checkout, tmp_path / "bin"))


def test_a_missing_venv_module_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3", NO_VENV)
    said = one_line(prepare(checkout, tmp_path / "bin"))
    assert "python3-venv" in said
    assert not (checkout / ".venv").exists()


def test_a_newer_python_beside_an_old_one_is_found(checkout: Path, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3", OLD)
    fake(tmp_path / "bin", "python3.12", 'case "$2" in *venv*) exit 1;; esac')
    assert "python3.12" in one_line(prepare(checkout, tmp_path / "bin"))


def test_a_second_run_does_nothing(checkout: Path, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3", OLD)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".run").touch()
    done = prepare(checkout, tmp_path / "bin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
