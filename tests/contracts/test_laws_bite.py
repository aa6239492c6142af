"""Every import law is shown to bite: a breach is planted in a copy of the tree and the checker must refuse it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

#: (law, file that gets a line, the line, what the refusal must name)
BREACHES = [
    (
        "layers: the core asks upwards",
        "v2h_console/core/car_reserve.py",
        "import v2h_console.session.orders",
        "layers",
    ),
    ("layers: neighbours", "v2h_console/runtime/lateness.py", "import v2h_console.tui.words", "layers"),
    ("core: a clock", "v2h_console/core/thermal.py", "import time", "must not import time"),
    ("core: a library", "v2h_console/core/thermal.py", "import numpy", "must not import numpy"),
    (
        "drivers",
        "drivers/v2h_drivers/can/bus.py",
        "import v2h_console.core.settings",
        "Drivers know nothing of the console",
    ),
    (
        "capabilities",
        "drivers/v2h_drivers/capabilities/requests.py",
        "import math",
        "Capabilities are words only",
    ),
    (
        "twin: the drivers' packing",
        "v2h_console/twin/faces/lc_frames.py",
        "import v2h_drivers.can.codec",
        "The twin shares",
    ),
    (
        "twin: the core",
        "v2h_console/twin/physics/car.py",
        "import v2h_console.core.settings",
        "The twin shares",
    ),
    (
        "tui: hardware",
        "v2h_console/tui/words.py",
        "import v2h_drivers.capabilities",
        "Screens live on a Session",
    ),
    (
        "tui: the owner",
        "v2h_console/tui/words.py",
        "import v2h_console.runtime.owner",
        "Screens live on a Session",
    ),
    (
        "judge: the core",
        "v2h_console/proving/judge/judging.py",
        "import v2h_console.core.state",
        "The judge knows",
    ),
    (
        "judge: the world",
        "v2h_console/proving/judge/judging.py",
        "import v2h_console.twin.world",
        "The judge knows",
    ),
    ("a room that no law knows", "v2h_console/attic/__init__.py", "", "layers"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their laws, apart from the checkout."""
    folder = tmp_path_factory.mktemp("laws")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("v2h_console", "drivers", "scripts"):
        shutil.copytree(TOP / name, folder / name, ignore=ignored)
    shutil.copy(TOP / ".importlinter", folder)
    return folder


def refusal(folder: Path) -> tuple[int, str]:
    """The checker's verdict on a tree."""
    code = (
        "import sys; sys.path[:0] = ['.', 'drivers'];"
        "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache', '--no-logo'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_tree_as_it_stands_keeps_every_law(copy: Path) -> None:
    code, said = refusal(copy)
    assert code == 0, said


@pytest.mark.parametrize(
    ("file", "line", "named"), [breach[1:] for breach in BREACHES], ids=[b[0] for b in BREACHES]
)
def test_a_planted_breach_is_refused(copy: Path, file: str, line: str, named: str) -> None:
    target = copy / file
    before = target.read_text("utf-8") if target.exists() else None
    target.parent.mkdir(exist_ok=True)
    target.write_text(f"{before or ''}\n{line}\n", "utf-8")
    try:
        code, said = refusal(copy)
    finally:
        if before is None:
            shutil.rmtree(target.parent)
        else:
            target.write_text(before, "utf-8")
    assert code != 0
    assert named in said


def test_every_init_is_empty() -> None:
    """An import in one of them would load hardware libraries into the core unseen."""
    inits = [*(TOP / "v2h_console").rglob("__init__.py"), *(TOP / "drivers").rglob("__init__.py")]
    assert len(inits) > 10
    assert [str(path) for path in inits if path.read_text("utf-8").strip()] == []
