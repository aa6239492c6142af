"""A site below a folder, its files, and the owner's keeper of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2h_console.runtime.config_keeper import ConfigKeeper, EditRefused, digest
from v2h_console.site import last_good

COMM = 'site = "Elm Street 4"\n[controller]\n[inverter]\nhost = "10.0.9.11"\n'
LIMITS = "max_discharge_power_kw = 5.0\nfloor_soc_pct = 30\n"
LOADS = '[[circuit]]\nid = "fridge"\nname = "Fridge"\nlegs = "L1"\ntier = 1\nrunning_va = 180\n'


class House:
    """A root with its files, and the owner's keeper of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.energy, self.kept = root / "etc/energy", root / last_good.FOLDER
        self.energy.mkdir(parents=True)
        for name, text in (("comm_stack", COMM), ("limits", LIMITS), ("loads", LOADS)):
            self.write(name, text)
        self.keeper = ConfigKeeper(root, wall_s=lambda: 1_784_037_773.5)

    def write(self, name: str, text: str | bytes) -> None:
        """A file by somebody else's hand."""
        content = text if isinstance(text, bytes) else text.encode()
        (self.energy / f"{name}.conf").write_bytes(content)

    def text(self, name: str) -> str:
        """What a file says."""
        return (self.energy / f"{name}.conf").read_text()

    def hash(self, name: str) -> str:
        """What an editor that reads it now names."""
        return digest((self.energy / f"{name}.conf").read_bytes())

    def refused(self, name: str, text: str, edited: str | None = None) -> str:
        """The edit is refused, and nothing has changed."""
        before = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        with pytest.raises(EditRefused) as refusal:
            self.keeper.save(f"{name}.conf", text, self.hash(name) if edited is None else edited)
        assert {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()} == before
        assert "\n" not in str(refusal.value)
        return str(refusal.value)


def started(root: Path) -> House:
    """A site that has started once."""
    made = House(root)
    loaded = made.keeper.load()
    assert (loaded.complaint, loaded.unkept) == ("", "")
    return made
