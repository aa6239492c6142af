"""What a technician reads when a file is wrong: the place, the value, and what it may be."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.site import reader, toml_place
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import CommStack, LimitsFile, LoadsFile

BASE = '[controller]\nchannel = "can0"\n[inverter]\nhost = "h"\n'
CIRCUIT = '[[circuit]]\nid = "{id}"\nname = "A"\nlegs = {legs}\ntier = 1\nrunning_va = {va}\n'


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (CommStack, "site = 3\n" + BASE, "line 1: site is 3: allowed is a text in quotes, 1 to 40 characters, no control characters"),
        (CommStack, BASE + "port = 0\n", "line 5: inverter.port is 0: allowed is a whole number from 1 to 65535"),
        (CommStack, BASE + "port = 1.5\n", "line 5: inverter.port is 1.5: allowed is a whole number from 1 to 65535"),
        (CommStack, "controller = 3\n", "line 1: controller is 3: allowed is a table"),
        (CommStack, "[controller]\n", ": inverter is missing: allowed is one table [inverter], or [[inverter]]"),
        (CommStack, "twin = 1\n" + BASE, "line 1: twin is 1: allowed is true or false"),
        (
            CommStack,
            '[controller]\n[[inverter]]\nhost = "a"\nport = 502\n[[inverter]]\nhost = "b"\nport = "x"\n',
            "line 7: inverter[1].port is 'x': allowed is a whole number from 1 to 65535",
        ),
        (
            CommStack,
            '[controller]\n[[inverter]]\nhost = "a"\n[[inverter]]\nunit = 2\n',
            "line 4: inverter[1].host is missing: allowed is a host's name or its address",
        ),
        (
            CommStack,
            BASE + '[mqtt]\nhost = "a"\ntopic_prefix = "a b"\n',
            "line 7: mqtt.topic_prefix is 'a b': allowed is a text of 1 to 64 letters from A to Z, digits, and _ / -",
        ),
        (
            CommStack,
            BASE + '[load_centre]\ntty = "a"\n[load_centre.meters]\nwell = 300\n',
            "line 7: load_centre.meters[*]: allowed is a whole number from 1 to 247",
        ),
        (LimitsFile, "floor_soc_pct = nan\n", "line 1: floor_soc_pct is nan: allowed is a number from 20 to 80"),
        (LoadsFile, "breaker_a = 0.001\n", "breaker_a is 0.001: allowed is a number from 1 to 1000"),
        (LimitsFile, "rated_power_kw = 0\n", "rated_power_kw is 0: allowed is a number from 0.5 to 100"),
        (
            LoadsFile,
            CIRCUIT.format(id="a", legs='"L1"', va=3) + CIRCUIT.format(id="b", legs="[3]", va=3),
            "line 10: circuit[1].legs is a list of 1: allowed are L1, L2, L12",
        ),
        (
            LoadsFile,
            CIRCUIT.format(id="a", legs='"L1"', va=3) + CIRCUIT.format(id="b", legs='"L1"', va=-1),
            "line 12: circuit[1].running_va is -1: allowed is a number from 0 to 50000",
        ),
        (
            LoadsFile,
            CIRCUIT.format(id="B", legs='"L1"', va=3),
            "line 2: circuit[0].id is 'B': allowed is a text of 1 to 24 small letters, digits and _, a letter first",
        ),
    ],
)  # fmt: skip
def test_a_value_that_is_not_allowed(kind: type[msgspec.Struct], text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        reader.parse("site.conf", text, kind)
    assert str(raised.value).startswith("site.conf")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BASE + '[[inverter]]\nhost = "b"\n', r"this stands twice: of several alike each begins with \[\["),
        ("[circuit]\n[circuit]\n", r"this stands twice: of several alike each begins with \[\["),
        ("twin = true\ntwin = false\n", "this key stands twice: one of them has to go"),
        ("twin = true\ntwin = false", "this key stands twice: one of them has to go"),
    ],
)
def test_what_stands_twice_is_said_in_words(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"line \d+: {words}"):
        reader.parse("site.conf", text, CommStack)


def test_a_name_that_would_move_the_cursor_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"line 1: site is .* no control characters") as raised:
        reader.parse("site.conf", 'site = "a\\u001b[2Jb"\n' + BASE, CommStack)
    assert str(raised.value).isprintable()


HIDDEN = (
    *("\\u001b[2J", "\\u0085", "\\u202e", "\\u200b", "\\u2028", "\\u2066", "\\ufeff"),
    *("\\u034f", "\\u3164", "\\uffa0"),
    # A joiner joins two letters.
    *("\\u200c", "\\u200d\\u200da"),
)


@pytest.mark.parametrize("sign", HIDDEN)
@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        (CommStack, 'site = "a{}"\n' + BASE, "site"),
        (CommStack, BASE + 'name = "{}a"\n', "inverter.name"),
        (CommStack, BASE + '[grid]\nsource = "a{}"\n', "grid.source"),
        (CommStack, BASE + '[mqtt]\nhost = "h"\nusername = "a{}"\n', "mqtt.username"),
        (CommStack, BASE + '[mqtt]\nhost = "h"\ntopic_prefix = "a{}"\n', "mqtt.topic_prefix"),
        (LoadsFile, CIRCUIT.format(id="a{}", legs='"L1"', va=1), "circuit[0].id"),
    ],
)
def test_what_cannot_be_seen_is_no_part_of_a_name(
    kind: type[msgspec.Struct], text: str, key: str, sign: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        reader.parse("site.conf", text.replace("{}", sign), kind)
    assert re.search(rf"line \d+: {re.escape(key)} is .*: allowed is a text", str(raised.value))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ['site = "a\\nb"\n' + BASE, BASE + 'name = "a\\nb"\n', BASE + '[mqtt]\nhost = "h"\nusername = "a\\nb"\n'],
)
def test_a_name_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r": allowed is a text"):
        reader.parse("site.conf", text, CommStack)


def test_a_remark_may_be_several_lines() -> None:
    text = BASE + '[grid]\nsource = """Utility letter\n\tof 2024\r\n"""\n'
    assert reader.parse("site.conf", text, CommStack).grid.source == "Utility letter\n\tof 2024\n"


@pytest.mark.parametrize(
    "name", ["کنترل‌گر", "क्‍ष", "ตู้", "E\u0301lm", "Élm Straße 4", "東京の家", "Дом", "O'Neill & 2", "50 % – ½"]
)
def test_a_name_in_any_letters_is_one(name: str) -> None:
    assert reader.parse("site.conf", f'site = "{name}"\n{BASE}', CommStack).site == name


@pytest.mark.parametrize("key", ['"a\\u001b[31m"', '"a\\n"', "Well", '""'])
def test_a_meter_s_circuit_is_named_as_circuits_are(key: str) -> None:
    text = BASE + f'[load_centre]\ntty = "a"\n[load_centre.meters]\nwell = 2\n{key} = 3\n'
    with pytest.raises(ConfigError) as raised:
        reader.parse("site.conf", text, CommStack)
    said = str(raised.value)
    assert said.startswith("site.conf, line 7: load_centre.meters names ")
    assert "allowed is a text of 1 to 24 small letters, digits and _, a letter first" in said
    assert said.isprintable()


def test_a_text_that_begins_with_its_encoding_s_mark_is_read(tmp_path: Path) -> None:
    path = reader.config_path(tmp_path, "comm_stack.conf")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    assert reader.read_site(tmp_path).comm.controller.channel == "can0"


@pytest.mark.parametrize("name", reader.FILES)
def test_what_is_no_plain_file_is_waited_for_by_nobody(tmp_path: Path, name: str) -> None:
    for each in {"comm_stack.conf", name}:
        path = reader.config_path(tmp_path, each)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BASE)
    path.unlink()
    path = reader.config_path(tmp_path, name)
    for said, put in (
        ("is no plain file", lambda: os.mkfifo(path)),
        ("is no plain file", lambda: path.symlink_to("/dev/zero")),
        ("262145 bytes long, at most 262144", lambda: path.write_bytes(b"#" * (reader.MAX_BYTES + 1))),
    ):
        path.unlink(missing_ok=True)
        put()
        with pytest.raises(ConfigError, match=rf"{name}: cannot be read: {said}"):
            reader.read_texts(tmp_path)


def test_nothing_of_a_value_reaches_the_terminal_raw() -> None:
    with pytest.raises(ConfigError) as raised:
        reader.parse("site.conf", 'site = "\\u001b]0;owned\\u0007' + "x" * 500 + '"\n' + BASE, CommStack)
    said = str(raised.value)
    assert said.isprintable()
    assert len(said) < 200


@pytest.mark.parametrize(
    "text",
    [
        f"rated_power_kw = {'9' * 5000}",
        f"rated_power_kw = 0x{'f' * 5000}",
        f"rated_power_kw = {'[' * 3000}",
        f"rated_power_kw = {'{a = ' * 3000}1{'}' * 3000}",
        f'"a[{"9" * 5000}]" = 1',
        '"x - at `$.foo" = 1',
        '"x - at `$.foo`" = 1',
        '"x - at $.rated_power_kw" = 1',
        '"\\u001b[2J`" = 1',
    ],
    ids=lambda text: text[:24],
)
def test_whatever_a_file_holds_it_is_one_line_to_the_person(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        reader.parse("limits.conf", text, LimitsFile)
    said = str(raised.value)
    assert said.startswith("limits.conf")
    assert said.isprintable()
    assert len(said) < 400


def test_a_key_with_the_parser_s_own_words_in_it_is_named_all_the_same() -> None:
    with pytest.raises(ConfigError) as raised:
        reader.parse("site.conf", BASE + '"q - at `$.foo" = 1\n', CommStack)
    assert "line 3: unknown key 'q - at `$.foo' in [inverter]: allowed are host" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "loads.conf",
            CIRCUIT.format(id="a", legs='"L1"', va=3) * 2,
            "loads.conf, line 8: circuit id 'a' stands twice",
        ),
        (
            "limits.conf",
            "rated_power_kw = 5\nmax_discharge_power_kw = 6\n",
            "limits.conf, line 2: max_discharge_power_kw 6 is over rated_power_kw: allowed is at most 5",
        ),
        (
            "limits.conf",
            "rated_power_kw = 5\n",
            "limits.conf, line 1: max_discharge_power_kw 7.6 is over rated_power_kw: allowed is at most 5",
        ),
        (
            "limits.conf",
            "max_discharge_power_kw = 0.0076\n",
            "limits.conf, line 1: max_discharge_power_kw 0.0076 is 7.6 W: allowed is 0, or 0.1 and more",
        ),
        (
            "limits.conf",
            "surge_10s_kva = 16\nsurge_100ms_kva = 9.5\n",
            "limits.conf, line 2: surge_100ms_kva 9.5 is under rated_power_kw: allowed is at least 10",
        ),
        (
            "comm_stack.conf",
            BASE + '[load_centre]\ntty = "a"\n[load_centre.meters]\nwell = 3\n',
            "comm_stack.conf, line 8: load_centre.meters names 'well', which is no circuit of loads.conf",
        ),
        (
            "comm_stack.conf",
            '[controller]\n[[inverter]]\nhost = "h"\n[[inverter]]\nname = "B"\nhost = "h"\n',
            "comm_stack.conf, line 6: unit 1 at 'h', port 502, stands twice: one device would count as two",
        ),
        (
            "comm_stack.conf",
            BASE + '[solar]\nhost = "h"\n',
            "comm_stack.conf, line 6: unit 1 at 'h', port 502, stands twice",
        ),
        (
            "comm_stack.conf",
            BASE + '[load_centre]\ntty = "a"\nrelays_unit = 3\n[load_centre.meters]\nwell = 3\n',
            "comm_stack.conf, line 9: unit 3 stands twice on the serial line: relays_unit has it already",
        ),
        (
            "comm_stack.conf",
            BASE + "[grid.trips.uv1]\nlimit = 0.5\nclearing_s = 900\n",
            "comm_stack.conf, line 7: grid.trips.uv1.clearing_s is 900: category III allows",
        ),
    ],
)
def test_what_does_not_go_together_has_its_line_too(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        reader.site_of(tmp_path, {"comm_stack.conf": BASE, name: text})
    assert said in str(raised.value)


NAMES = st.sampled_from(("a", "b", "c-d", "e_1"))


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """A file of tables and lists of tables, and the line of each key in it."""
    lines: list[str] = []
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    for table in draw(st.lists(NAMES, min_size=1, max_size=6)):
        lists = table in ("a", "b")
        if not lists and table in counts:
            continue
        counts[table] = counts.get(table, -1) + 1
        where = f"{table}[{counts[table]}]" if lists else table
        lines.append(f"[[ {table} ]]  # said" if lists else f"[{table}]")
        for key in draw(st.lists(NAMES, unique=True, max_size=3)):
            lines.extend(["", "# c = 3"] if draw(st.booleans()) else [])
            lines.append(f'  "{key}" = [1, 2]' if draw(st.booleans()) else f"{key}={{ x = 1 }}")
            places[f"{where}.{key}"] = len(lines)
    return "\n".join(lines), places


@given(file=files())
def test_every_key_is_found_on_its_line(file: tuple[str, dict[str, int]]) -> None:
    text, places = file
    tomllib.loads(text)
    for where, line in places.items():
        assert toml_place.line_of(text, where) == line
        assert toml_place.line_of(text, f"{where}[0]") == line
        assert toml_place.line_of(text, f"{where}.x") == line


def test_a_key_that_is_not_there_stands_at_its_table_s_head() -> None:
    assert toml_place.line_of("[[a]]\nx = 1\n[[a]]\n", "a[1].x") == 3
    assert toml_place.line_of("x = 1\n", "y") is None


BY_ID = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP45-if00-port0"


def test_a_line_may_be_named_as_the_system_names_it() -> None:
    text = f'[controller]\ninterface = "slcan"\nchannel = "{BY_ID}"\n[inverter]\nhost = "h"\n[load_centre]\ntty = "{BY_ID}"\n'
    comm = reader.parse("site.conf", text, CommStack)
    assert comm.load_centre is not None
    assert (comm.controller.channel, comm.load_centre.tty) == (BY_ID, BY_ID)
    with pytest.raises(
        ConfigError, match=r"line 7: load_centre\.tty is .*: allowed is a text in quotes, 1 to 128"
    ):
        reader.parse("site.conf", text.replace(f'tty = "{BY_ID}', f'tty = "{BY_ID * 3}'), CommStack)
