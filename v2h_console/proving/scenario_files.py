"""The scenarios that come with the program, and those in files of one's own."""

from __future__ import annotations

from pathlib import Path

from v2h_console.twin import scenario as scenarios
from v2h_console.twin.scenario import Scenario
from v2h_console.twin.vocabulary import ScenarioError

FOLDER = Path(__file__).with_name("scenarios")


def names() -> list[str]:
    """The scenarios that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def path_of(name_or_path: str) -> Path:
    """Where a scenario stands, by its name or its file. Raises ScenarioError with one line."""
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        return path
    if name_or_path not in names():
        raise ScenarioError(f"no scenario file or name {name_or_path[:60]!r}; names are {', '.join(names())}")
    return FOLDER / f"{name_or_path}.toml"


def find(name_or_path: str) -> Scenario:
    """A scenario by its name or its file. Raises ScenarioError with one line."""
    return scenarios.read(path_of(name_or_path))
