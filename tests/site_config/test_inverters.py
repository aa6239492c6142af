"""One inverter or several in comm_stack.conf: read, named, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2h_console.site import reader
from v2h_console.site.errors import ConfigError

HEAD = '[controller]\ninterface = "socketcan"\n'
ONE = '[inverter]\nhost = "10.0.0.2"\n'
MANY = '[[inverter]]\nhost = "10.0.0.2"\n[[inverter]]\nhost = "10.0.0.3"\nunit = 2\n'


def site(root: Path, text: str) -> reader.Site:
    """A site with this comm_stack.conf."""
    path = reader.config_path(root, "comm_stack.conf")
    path.parent.mkdir(parents=True)
    path.write_text(HEAD + text, encoding="utf-8")
    return reader.read_site(root)


def test_one_table_is_one_inverter_without_rules_of_sharing(tmp_path: Path) -> None:
    read = site(tmp_path, ONE)
    assert [one.host for one in read.comm.inverters()] == ["10.0.0.2"]
    assert read.settings.parallel.units == ()


def test_a_list_is_as_many_by_rank_each_with_a_name(tmp_path: Path) -> None:
    read = site(tmp_path, MANY)
    assert [one.name for one in read.settings.parallel.units] == ["Inverter", "Inverter 2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ONE * 1 + "unit = 300\n", "unit"),
        (MANY + "power = 3\n", "allowed are host, port, unit, name"),
        ('[[inverter]]\nhost = "a"\nname = "X"\n' * 2, "'X' stands twice"),
        (
            '[[inverter]]\nhost = "a"\n' * 9,
            "inverter is a list of 9: allowed is one table [inverter], or [[inverter]] once for each of up to 8",
        ),
        ("", "inverter"),
    ],
)
def test_what_is_wrong_is_one_line_with_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site(tmp_path, text)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_roof_whose_name_is_left_out_is_no_inverter_of_the_house(tmp_path: Path) -> None:
    read = site(tmp_path, ONE + '[solar]\nhost = "10.0.0.3"\n')
    assert read.comm.solar is not None
    assert read.comm.solar.name == "Solar"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ONE + '[solar]\nhost = "10.0.0.3"\nname = "Inverter"\n',
            "line 7: name 'Inverter' stands twice (inverter.name, line 3)",
        ),
        (ONE + 'name = "Controller"\n', "line 5: name 'Controller' stands twice (controller.name, line 1)"),
        (
            '[[inverter]]\nhost = "a"\nname = "East-1"\n[[inverter]]\nhost = "b"\nname = "East 1"\n',
            "line 8: inverter[1].name 'East 1' and inverter[0].name 'East-1' are one in alarms, EAST_1 (inverter[0].name, line 5)",
        ),
        (
            ONE + '[load_centre]\ntty = "t"\nname = "INVERTER"\n',
            "load_centre.name 'INVERTER' and inverter.name 'Inverter' are one in alarms, INVERTER",
        ),
        (
            ONE + 'name = "東京"\n[solar]\nhost = "b"\nname = "大阪"\n',
            "solar.name '大阪' and inverter.name '東京' are one in alarms, __",
        ),
    ],
)
def test_no_two_devices_are_one_in_the_alarms(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site(tmp_path, text)
    assert words in str(raised.value)
    assert str(raised.value).endswith("each device needs a name of its own")
