"""A key of dots without end, which no parser is asked about; and dots that are none of a key's."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2h_console.site import reader, toml_place
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import CommStack, LimitsFile, LoadsFile

BASE = '[controller]\nchannel = "can0"\n[inverter]\nhost = "h"\n'
MANY = ".".join("a" * 30_000)


@pytest.mark.parametrize(
    "text",
    [
        f"{MANY} = 1",
        f"[{MANY}]",
        "x = {" + " . ".join("a" * 10_000) + " = 1}",
        'x = 1 # "\n' + ".".join(('"b.c"', "'d'", "e") * 9_000) + " = 1",
        f'x = """a\n\\""" # """\n{MANY} = 1',
    ],
    ids=["key", "table", "inline", "quoted", "behind a text"],
)
def test_a_key_of_thousands_of_dots_is_refused_before_it_takes_all_memory(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tomllib, "loads", lambda text: pytest.fail("the parser was asked"))
    with pytest.raises(ConfigError) as refusal:
        reader.parse("limits.conf", text, LimitsFile)
    said = str(refusal.value)
    assert said.startswith(f"limits.conf, line {text.count(chr(10)) + 1}: a key of ")
    assert said.endswith("000 parts with dots between them, at most 16")


@pytest.mark.parametrize("dots", ["." * 5_000, "a." * 5_000, ". " * 5_000], ids=["...", "a.a.a.", ". . ."])
def test_dots_in_a_remark_or_in_a_text_are_a_persons(dots: str) -> None:
    reader.parse("limits.conf", f"# {dots}\nfloor_soc_pct = 30.5 # it's {dots}\n# '{dots}\n", LimitsFile)
    for quote in ('"', "'", '"""', "'''"):
        text = f'{BASE}[grid]\nsource = {quote}{dots[:200]}{quote} # "{dots}\n'
        assert reader.parse("site.conf", text, CommStack).grid.source == dots[:200]
    several = f"{BASE}[grid]\nsource = '''\n{dots[:100]}\n# {dots[:50]}'''\n"
    assert reader.parse("site.conf", several, CommStack).grid.source == f"{dots[:100]}\n# {dots[:50]}"


def test_numbers_with_dots_on_one_line_are_no_key() -> None:
    circuits = ", ".join(
        f'{{id = "c{nth}", name = "C.{nth}", legs = "L1", tier = 1, running_va = 180.5, inrush_multiple = 6.5}}'
        for nth in range(30)
    )
    assert len(reader.parse("loads.conf", f"circuit = [{circuits}]\n", LoadsFile).circuit) == 30


PARTS = st.sampled_from(("a", "b-1", "3", '"."', '"a.b#"', "'.'", '"\\".="', "'#'"))
VALUES = st.sampled_from(
    (
        *("1.5", '"a.b.c # d"', "'..'", '"""\n.\\""".\n"""', "'''\n\".''.'\n'''"),
        *('""""a.b"""""', "[1.5,\n 2.5]", "{z.z.z = 1.5}"),
    )
)
REMARKS = st.sampled_from(("", " # ...", ' # "', " # '''", ' # """'))


@given(
    entries=st.lists(
        st.tuples(st.lists(PARTS, max_size=6), st.sampled_from((".", " . ", "\t.")), VALUES, REMARKS),
        min_size=1,
    )
)
def test_the_longest_key_is_found_whatever_stands_around_it(
    entries: list[tuple[list[str], str, str, str]],
) -> None:
    keys = [[f"k{nth}", *parts] for nth, (parts, _, _, _) in enumerate(entries)]
    lines = [
        f"{dot.join(parts)} = {value}{remark}\n"
        for parts, (_, dot, value, remark) in zip(keys, entries, strict=True)
    ]
    tomllib.loads("".join(lines))
    found, line = toml_place.longest_key("".join(lines))
    longest = max(map(len, keys))
    # A number with a point, and what stands in braces, has up to three.
    assert longest <= found <= max(longest, 3)
    if longest > 3:
        nth = next(nth for nth, parts in enumerate(keys) if len(parts) == longest)
        assert line == "".join(lines[:nth]).count("\n") + 1
