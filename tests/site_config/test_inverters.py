"""One inverter or several in comm_stack.conf: read, named, and refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from v2h_console.core import alarms
from v2h_console.core.settings import NS_PER_S
from v2h_console.core.state import boot
from v2h_console.site import names, reader
from v2h_console.site.errors import ConfigError
from v2h_console.tui.inert import clean
from v2h_drivers.capabilities.slow_readings import LinkHealth, LinkState

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
            ONE + 'name = "Well\u200dhead"\n[solar]\nhost = "b"\nname = "Wellhead"\n',
            "look alike (inverter.name, line 5)",
        ),
        (
            ONE + 'name = "E\u0301lm"\n[solar]\nhost = "b"\nname = "\u00c9lm"\n',
            "look alike (inverter.name, line 5)",
        ),
        (ONE + 'name = "\u0301"\n', "line 5: nothing is seen of inverter.name"),
    ],
)
def test_no_two_devices_look_alike(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site(tmp_path, text)
    assert words in str(raised.value)
    assert str(raised.value).endswith("each device needs a name of its own")


EAST = '[[inverter]]\nhost = "a"\nname = "East-1"\n[[inverter]]\nhost = "b"\nname = "East 1"\n'


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (MANY, {"Controller": "CONTROLLER", "Inverter": "INVERTER", "Inverter 2": "INVERTER_2"}),
        (EAST, {"Controller": "CONTROLLER", "East-1": "EAST_1", "East 1": "EAST_1_D93BD2"}),
        (
            ONE + 'name = "東京"\n[solar]\nhost = "b"\nname = "大阪"\n',
            {"Controller": "CONTROLLER", "東京": "___130016", "大阪": "___6DF977"},
        ),
        (
            ONE + 'name = "é"\n[solar]\nhost = "b"\nname = "-"\n',
            {"Controller": "CONTROLLER", "é": "__4A9955", "-": "_"},
        ),
        (ONE + 'name = "Ofen Süd"\n', {"Controller": "CONTROLLER", "Ofen Süd": "OFEN_S_D"}),
    ],
)
def test_each_device_has_an_alarm_of_its_own(tmp_path: Path, text: str, codes: dict[str, str]) -> None:
    settings = site(tmp_path, text).settings
    links = tuple(
        LinkHealth(0, name, "SunSpec", "x", LinkState.LOST, "no answer", None, 0, 0, None) for name in codes
    )
    state = boot(settings, 0)
    state = replace(state, senses=replace(state.senses, links=links))
    raised = {code for code, _, _ in alarms.standing(settings, state, 10 * NS_PER_S)}
    lost = {f"{code}_LOST" for name, code in codes.items() if name != "Controller"}
    assert {code for code in raised if code.endswith("_LOST")} == lost


@pytest.mark.parametrize("name", ["Solar", "Solar 2"])
def test_a_roof_without_a_name_makes_way_for_an_inverter_called_solar(tmp_path: Path, name: str) -> None:
    read = site(
        tmp_path,
        f'[[inverter]]\nhost = "a"\nname = "Solar"\n[[inverter]]\nhost = "b"\nname = "B {name}"\n[solar]\nhost = "c"\n',
    )
    assert read.comm.solar is not None
    assert read.comm.solar.name == "Solar 2"


@pytest.mark.parametrize("host", ["wärmepumpe.lan", "münchen.example", "東京.lan", "gateway.lan", "::1"])
def test_a_host_in_any_letters_that_the_resolver_can_be_asked_for_is_one(tmp_path: Path, host: str) -> None:
    assert site(tmp_path, f'[inverter]\nhost = "{host}"\n').comm.inverters()[0].host == host


@pytest.mark.parametrize(
    "host", ["wärme pumpe", f"{'ä' * 63}.lan", "wärme..lan", "ä／b", "ä\u3000b", "wärmepumpe.lan:502"]
)
def test_a_host_that_it_cannot_be_asked_for_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=r"line 4: inverter\.host is '.*: allowed is a host's name"):
        site(tmp_path, f'[inverter]\nhost = "{host}"\n')


def test_a_name_is_seen_as_the_screens_show_it() -> None:
    signs = map(
        chr, [*range(0x20, 0x7F), *range(0xA0, 0xD800), *range(0xE000, 0x11000), *range(0xE0000, 0xE0200)]
    )
    assert [one for one in signs if clean(f"a{one}b") != names.seen(f"a{one}b")] == []


@pytest.mark.parametrize(
    ("host", "other"),
    [
        ("gw.lan", "GW.lan"),
        ("localhost", "127.0.0.1"),
        ("gw.lan", "gw.lan."),
        ("bücher.lan", "BÜCHER.lan."),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("fe80::a%eth0", "FE80:0::A%eth0"),
        ("10.0.0.1", "::ffff:10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"),
    ],
)
def test_one_device_does_not_count_as_two_however_its_host_is_spelled(
    tmp_path: Path, host: str, other: str
) -> None:
    text = f'[[inverter]]\nhost = "{host}"\n[[inverter]]\nhost = "{other}"\n'
    with pytest.raises(ConfigError) as refusal:
        site(tmp_path, text)
    said = f"line 6: unit 1 at '{other}', port 502, stands twice (as '{host}'): one device would count as two"
    assert str(refusal.value).endswith(said)


@pytest.mark.parametrize(
    ("host", "other"), [("gw.lan", "gw2.lan"), ("10.0.0.1", "10.0.0.2"), ("fe80::a%eth0", "fe80::a%eth1")]
)
def test_two_devices_are_two_each_asked_for_as_its_host_is_spelled(
    tmp_path: Path, host: str, other: str
) -> None:
    text = f'[[inverter]]\nhost = "{host.upper()}"\n[[inverter]]\nhost = "{other}"\n'
    assert [one.host for one in site(tmp_path, text).comm.inverters()] == [host.upper(), other]
