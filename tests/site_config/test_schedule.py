"""schedule.conf: what it means, and each mistake in one line with its place and what is allowed."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from v2h_console.core.settings import TariffWindow
from v2h_console.site import demo_site, reader
from v2h_console.site.errors import ConfigError
from v2h_console.wiring import devices

COMM = '[controller]\ninterface = "socketcan"\n[inverter]\nhost = "192.0.2.1"\n'
GOOD = """zone = "Europe/Berlin"
disengage_at_soc = 60
[[high_tariff]]
begins = "16:30"
ends = "20:00"
[[high_tariff]]
days = ["fri", "mon"]
begins = "22:00"
ends = "06:00"
"""


def site(root: Path, text: str | None, limits: str = "") -> reader.Site:
    """The site with this schedule.conf."""
    folder = root / "etc/energy"
    folder.mkdir(parents=True)
    (folder / "comm_stack.conf").write_text(COMM)
    (folder / "limits.conf").write_text(limits)
    if text is not None:
        (folder / "schedule.conf").write_text(text)
    return reader.read_site(root)


def test_without_a_schedule_or_a_window_nothing_is_shaved(tmp_path: Path) -> None:
    assert site(tmp_path / "none", None).settings.tariff.windows == ()
    assert site(tmp_path / "zone", 'zone = "Europe/Berlin"\n').settings.tariff.windows == ()


def test_two_windows_and_the_reserve(tmp_path: Path) -> None:
    tariff = site(tmp_path, GOOD).settings.tariff
    assert tariff.windows == (
        TariffWindow((0, 1, 2, 3, 4, 5, 6), 990, 1200),
        TariffWindow((0, 4), 1320, 360),
    )
    assert tariff.disengage_at_soc_pct == 60.0
    assert tariff.most_w is None


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('"16:30"', '"16.30"', 4, "begins: '16.30' is no time of day: allowed are 00:00 to 23:59"),
        ('"16:30"', '"1٧:00"', 4, "begins: '1٧:00' is no time of day: allowed are 00:00 to 23:59"),
        ('"16:30"', '"24:00"', 4, "begins: '24:00' is no time of day: allowed are 00:00 to 23:59"),
        ('"06:00"', '"25:00"', 9, "ends: '25:00' is no time of day: allowed are 00:00 to 24:00"),
        ('"06:00"', '"22:00"', 9, "begins and ends at 22:00: allowed are two times"),
        ("Europe/Berlin", "Europe/Bern", 1, "'Europe/Bern' is no time zone of this machine: allowed are names like"),
        ("Europe/Berlin", "../../etc/passwd", 1, "is no time zone of this machine"),
        ("= 60", "= 20", 2, "disengage_at_soc is 20: allowed is a number from 25 to 95"),
        ('"fri"', '"friday"', 7, "allowed are mon, tue, wed, thu, fri, sat, sun"),
        ("disengage_at_soc", "disengage_at", 2, "unknown key 'disengage_at': allowed are zone, clock, disengage_at_soc"),
        ("ends = \"20:00\"", "end = \"20:00\"", 5, "unknown key 'end' in [high_tariff[0]]: allowed are begins, ends, days"),
        ("zone = ", "clock = \"ntp\"\nzone = ", 1, "allowed are synchronised, set_by_hand"),
        ("zone = ", "zone ", 1, "not valid TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place_and_what_is_allowed(
    tmp_path: Path, before: str, after: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        site(tmp_path, GOOD.replace(before, after))
    text = str(caught.value)
    assert "\n" not in text
    assert f"schedule.conf, line {line}: " in text
    assert said in text


def test_the_zone_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"schedule.conf: zone is missing: allowed is a text"):
        site(tmp_path, GOOD.replace('zone = "Europe/Berlin"\n', ""))


def test_the_reserve_stays_above_the_backup_s_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 2: disengage_at_soc: 60 is under 65: allowed are 65 to 95"):
        site(tmp_path, GOOD, limits="floor_soc_pct = 60\n")


def test_the_demo_and_the_example_are_what_the_reader_takes(tmp_path: Path) -> None:
    assert demo_site.settings(15.0).tariff.windows == (TariffWindow((0, 1, 2, 3, 4), 1020, 1260),)
    example = (resources.files("v2h_console.site") / "examples" / "schedule.conf").read_text("utf-8")
    assert site(tmp_path / "as it stands", example).settings.tariff.windows == ()
    lines = example.splitlines()
    taken_off = "\n".join(
        line[2:] if line.startswith("# ") and ("=" in line or line.startswith("# [[")) else line
        for line in lines
    )
    assert site(tmp_path / "taken off", taken_off).settings.tariff.windows == (
        TariffWindow((0, 1, 2, 3, 4), 1020, 1260),
    )


def test_a_site_with_a_schedule_reads_the_clock_and_one_without_does_not(tmp_path: Path) -> None:
    def names(made: reader.Site) -> list[str]:
        return [device.name for device in devices.slow_devices(made, [], lambda _reading: None)]

    assert "Clock" in names(site(tmp_path / "with", GOOD))
    assert "Clock" not in names(site(tmp_path / "without", None))
