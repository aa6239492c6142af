"""The files that come with the program: they can be used as they stand, and they name every key there is."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from v2h_console.core.settings import Settings
from v2h_console.site import reader
from v2h_console.site.files import CommStack, LimitsFile, LoadsFile

KINDS: dict[str, type[msgspec.Struct]] = {
    "comm_stack.conf": CommStack,
    "limits.conf": LimitsFile,
    "loads.conf": LoadsFile,
}


def text_of(name: str) -> str:
    """A file as it comes, with the one thing that has to be filled in."""
    place = (
        ("v2h_console.site", "examples") if name == "schedule.conf" else ("v2h_console.installing", "files")
    )
    text = (resources.files(place[0]) / place[1] / name).read_text("utf-8")
    return text.replace('# host = "192.0.2.10"', 'host = "192.0.2.10"')


def without_marks(text: str) -> str:
    """The same with every key in it, none at its default by silence; a closing remark stays one."""
    return re.sub(r"^# (?=\[|[a-z_0-9]+ = )", "", text, flags=re.MULTILINE)


def keys_of(kind: type[msgspec.Struct]) -> set[str]:
    """Every key of the file and of its tables."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        found.add(field.name)
        inside = [
            field.type,
            *get_args(field.type),
            *(deeper for one in get_args(field.type) for deeper in get_args(one)),
        ]
        for one in inside:
            # A trip element is written out once, for all of them.
            if isinstance(one, type) and issubclass(one, msgspec.Struct):
                found |= keys_of(one)
    return found


def site_of(tmp_path: Path, change: str = "") -> Settings:
    """What the files make, below a root."""
    texts = {name: text_of(name) for name in (*KINDS, "schedule.conf")}
    if change == "without marks":
        texts = {name: without_marks(text) for name, text in texts.items()}
    return reader.site_of(tmp_path, texts).settings


def test_they_can_be_used_as_they_stand_and_say_nothing_but_the_defaults(tmp_path: Path) -> None:
    bare = 'site = "unnamed site"\n[controller]\n[inverter]\nhost = "192.0.2.10"\n'
    defaults = reader.site_of(tmp_path, {"comm_stack.conf": bare}).settings
    assert site_of(tmp_path) == defaults


def test_with_every_mark_taken_off_they_are_still_valid(tmp_path: Path) -> None:
    made = site_of(tmp_path, "without marks")
    assert [circuit.id for circuit in made.loads.circuits] == ["fridge"]
    assert made.tariff.windows


@pytest.mark.parametrize("name", KINDS)
def test_every_key_stands_there(name: str) -> None:
    shown = set(re.findall(r"^(?:# )?(?:\[+)?([a-z_0-9.]+)", text_of(name), flags=re.MULTILINE))
    said = {part for one in shown for part in one.split(".")} | set(
        re.findall(r"\b[ou][vf][12]\b", text_of(name))
    )
    assert keys_of(KINDS[name]) <= said, keys_of(KINDS[name]) - said


@pytest.mark.parametrize("name", ["comm_stack.conf", "limits.conf"])
def test_a_default_that_is_shown_is_the_one_that_holds(name: str, tmp_path: Path) -> None:
    """The figures beside the keys, against what silence gives."""
    shown = reader.parse(name, without_marks(text_of(name)), KINDS[name])
    bare = reader.parse(name, text_of(name), KINDS[name])
    shared = ("grid", "mid", "http", "controller") if name == "comm_stack.conf" else ()
    assert shared or name == "limits.conf"
    for table in shared:
        one, other = getattr(shown, table), getattr(bare, table)
        for key in one.__struct_fields__:
            # Shown by example: the delay that the utility sets, its trip elements, a loopback port.
            if key not in ("trips", "enter_service_delay_s", "port"):
                assert getattr(one, key) == getattr(other, key), f"{table}.{key}"
    if name == "limits.conf":
        assert {key for key in shown.__struct_fields__ if getattr(shown, key) != getattr(bare, key)} == {
            "max_discharge_current_a",
            "surge_10s_kva",
            "surge_100ms_kva",
        }
