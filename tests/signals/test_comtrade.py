"""Recordings whose .dat is not the one that the .cfg tells of, and check-sync on what a file may say."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from v2h_console.cli import check_sync
from v2h_console.signals import comtrade_file
from v2h_console.signals.comtrade_file import RecordingError

RATE_HZ = 9_600
ROWS = 4_800


class Recorder:
    """A COMTRADE recording (1999) of two clean legs of 120 V, 500 ms long, and what a test makes of it."""

    def __init__(self, folder: Path) -> None:
        self.cfg, self.dat = folder / "r.cfg", folder / "r.dat"
        self.rates: Sequence[tuple[object, int]] = [(RATE_HZ, ROWS)]
        self.names = ("V L1", "V L2")
        self.kind = "ASCII"
        #: Primary and secondary factor, and which of the two the values are.
        self.transformer = "1,1,P"
        self.start = "25/11/2026,10:00:00.000000"
        self.rate_hz, self.volts, self.hertz = float(RATE_HZ), 120.0, 60.0
        #: A number, a stamp in microseconds, two values in hundredths of a volt.
        self.rows = [(n + 1, round(n * 1e6 / RATE_HZ), *self._values(n)) for n in range(ROWS)]

    def _values(self, n: int) -> tuple[int, int]:
        value = round(100 * self.volts * math.sqrt(2) * math.cos(2 * math.pi * self.hertz * n / self.rate_hz))
        return value, -value

    def sampled(self, rate_hz: float, volts: float = 120.0) -> None:
        """Again, at another rate or of another voltage."""
        self.rate_hz, self.volts = rate_hz, volts
        count = int(rate_hz / 2)
        self.rates = [(rate_hz, count)]
        self.rows = [(n + 1, round(n * 1e6 / rate_hz), *self._values(n)) for n in range(count)]

    def write(self) -> Path:
        """The files; the header's path."""
        channels = [
            f"{n},{name},,,V,0.01,0,0,-32767,32767,{self.transformer}" for n, name in enumerate(self.names, 1)
        ]
        rates = [str(len(self.rates)), *(f"{rate},{end}" for rate, end in self.rates)]
        head = ["house,1,1999", "2,2A,0D", *channels, "60", *rates, self.start, self.start, self.kind, "1"]
        self.cfg.write_text("\n".join(head) + "\n")
        if self.kind == "ASCII":
            self.dat.write_text("".join(",".join(map(str, row)) + "\r\n" for row in self.rows))
        else:
            kinds = [("n", "<u4"), ("t", "<u4"), ("a", "<i2"), ("b", "<i2")]
            self.dat.write_bytes(np.array(self.rows, dtype=kinds).tobytes())
        return self.cfg


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A clean one."""
    return Recorder(tmp_path)


def checked(recorder: Recorder, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str, str]:
    """check-sync's exit status, stdout and stderr."""
    status = check_sync.main(["--source", str(recorder.write()), *more])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("kind", ["ASCII", "BINARY"])
def test_a_clean_recording_passes_and_says_what_of_it_was_judged(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    recorder.kind = kind
    status, out, err = checked(recorder, capsys, "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert (document["judged_ms"], document["recorded_ms"]) == (250.0, 500.0)
    assert document["rows"][-1]["note"].endswith("their first 250 of 500 ms")


def _shifted(rows: list[tuple[int, ...]], at: int) -> list[tuple[int, ...]]:
    return [(n, stamp + 2_000 * (nth >= at), *values) for nth, (n, stamp, *values) in enumerate(rows)]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows[:3_000], "holds 3000 rows, the .cfg says 4800"),
        (lambda rows: [*rows, rows[-1]], "holds 4801 rows, the .cfg says 4800"),
        (
            lambda rows: rows[:800] + rows[960:] + rows[:160],
            "row 801 has number 961, the one before 800",
        ),
        (lambda rows: rows[9:] + rows[:9], "row 1 has number 10"),
        (
            lambda rows: [(n, round(stamp * 60 / 57), *values) for n, stamp, *values in rows],
            "row 2 is stamped 0.109 ms after the first, at the .cfg's 9600 Hz it would be 0.104 ms",
        ),
        (lambda rows: _shifted(rows, 4_700), "row 4701 is stamped 491.583 ms after the first"),
    ],
)
@pytest.mark.parametrize("kind", ["ASCII", "BINARY"])
def test_rows_that_the_header_does_not_tell_of_are_not_judged(
    recorder: Recorder,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    spoil: Callable[[list[tuple[int, ...]]], list[tuple[int, ...]]],
    said: str,
) -> None:
    recorder.kind, recorder.rows = kind, spoil(recorder.rows)  # type: ignore[assignment, arg-type]
    status, out, err = checked(recorder, capsys)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_recorder_that_counts_on_with_a_rounded_period_is_judged_in_all_but_its_frequency(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.rows = [(n, 104 * (n - 1), *values) for n, _, *values in recorder.rows]  # type: ignore[misc]
    assert comtrade_file.read(recorder.write()).rate_hz == RATE_HZ
    status, out, _ = checked(recorder, capsys, "--json")
    assert (status, json.loads(out)["verdict"]) == (1, "--")
    doubted = [row["what"] for row in json.loads(out)["rows"] if row["verdict"] != "PASS"]
    assert doubted == ["frequency", "frequency", "difference"]


@pytest.mark.parametrize("kind", ["ASCII", "BINARY"])
@pytest.mark.parametrize(
    ("hertz", "verdict", "said"),
    [
        (59.82, "--", "59.999 Hz at the header's 10030 samples a second, 59.820 Hz at its stamps' 10000.0"),
        (60.0, "--", "60.180 Hz at the header's 10030 samples a second, 60.000 Hz at its stamps' 10000.0"),
        (60.4, "FAIL", "60.581 Hz at the header's 10030 samples a second, 60.400 Hz at its stamps' 10000.0"),
    ],
)
def test_a_header_that_names_another_rate_than_the_stamps_passes_no_frequency(
    recorder: Recorder,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    hertz: float,
    verdict: str,
    said: str,
) -> None:
    recorder.kind, recorder.hertz = kind, hertz
    recorder.sampled(10_000)
    recorder.rates = [(10_030, 5_000)]
    status, out, _ = checked(recorder, capsys, "--json")
    assert status == 1
    rows = {(row["what"], row["leg"]): row for row in json.loads(out)["rows"]}
    assert rows["frequency", "V L1"]["verdict"] == verdict
    assert rows["frequency", "V L1"]["note"] == said
    assert rows["THD", "V L1"]["verdict"] == "PASS"


@pytest.mark.parametrize("rate_hz", [6_000, 7_680, 9_600, 10_000, 15_360, 7_682.3])
def test_stamps_that_are_rounded_each_for_itself_raise_no_doubt(recorder: Recorder, rate_hz: float) -> None:
    recorder.sampled(rate_hz)
    assert comtrade_file.read(recorder.write()).stamped_hz is None


def test_stamps_in_milliseconds_tell_nothing_of_a_quarter_second(recorder: Recorder) -> None:
    recorder.rows = [(n, round(stamp / 1_000), *values) for n, stamp, *values in recorder.rows]  # type: ignore[misc]
    recorder.write()
    recorder.cfg.write_text(recorder.cfg.read_text().removesuffix("1\n") + "1000\n")
    assert comtrade_file.read(recorder.cfg).stamped_hz is None


def test_rows_without_stamps_go_by_the_header(recorder: Recorder) -> None:
    recorder.rows = [(n, "", *values) for n, _, *values in recorder.rows]  # type: ignore[misc]
    assert comtrade_file.read(recorder.write()).rate_hz == RATE_HZ


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([("nan", ROWS)], "has no fixed sampling rate, but nan Hz"),
        ([("inf", ROWS)], "has no fixed sampling rate, but inf Hz"),
        ([("1e300", ROWS)], "has no fixed sampling rate"),
        ([(0, ROWS)], "has no fixed sampling rate, but 0 Hz"),
        ([(9600, 600), (1200, ROWS)], "has 2 sampling rates; record with one"),
        ([(9600, 10**12)], "holds 4800 rows, the .cfg says 1000000000000"),
    ],
)
def test_a_rate_that_cannot_be_reckoned_with_is_said_in_a_line(
    recorder: Recorder, rates: Sequence[tuple[object, int]], said: str
) -> None:
    recorder.rates = rates
    with pytest.raises(RecordingError, match=said):
        comtrade_file.read(recorder.write())


@pytest.mark.parametrize(("rate_hz", "order"), [(480, 3), (4_800, 32)])
def test_what_was_sampled_too_slowly_for_its_harmonics_does_not_pass(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], rate_hz: float, order: int
) -> None:
    recorder.sampled(rate_hz)
    status, out, _ = checked(recorder, capsys)
    assert status == 1
    assert "FAIL" not in out, "nothing was found that is wrong"
    assert f"no harmonic above order {order} is in it; 6000 Hz is the least" in out


@pytest.mark.parametrize("hertz", [59.97, 60.0, 60.01, 60.04])
def test_the_least_rate_that_is_named_is_enough(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], hertz: float
) -> None:
    recorder.hertz = hertz
    recorder.sampled(6_000)
    status, out, _ = checked(recorder, capsys, "--json")
    assert (status, json.loads(out)["verdict"]) == (0, "PASS")


def test_a_slow_recording_that_is_distorted_all_the_same_fails(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.sampled(4_800)
    status, out, _ = checked(recorder, capsys, "--json")
    assert (status, json.loads(out)["verdict"]) == (1, "--")
    clipped = np.array(recorder.rows)
    clipped[:, 2:] = clipped[:, 2:].clip(-10_000, 10_000)
    recorder.rows = [(n, t, a, b) for n, t, a, b in clipped.tolist()]
    status, out, _ = checked(recorder, capsys, "--json")
    assert (status, json.loads(out)["verdict"]) == (1, "FAIL")
    thd = [row for row in json.loads(out)["rows"] if row["what"] == "THD"]
    assert {row["verdict"] for row in thd} == {"FAIL"}


@pytest.mark.parametrize("end", [b"\x1a", b"\x1a\r\n", b"\r\n\x1a\x1a", b"  \r\n"])
def test_the_mark_of_an_end_is_no_row(recorder: Recorder, end: bytes) -> None:
    recorder.write()
    recorder.dat.write_bytes(recorder.dat.read_bytes() + end)
    assert comtrade_file.read(recorder.cfg).whole_s == 0.5


def test_a_factor_of_0_leaves_the_stamps_out(recorder: Recorder) -> None:
    recorder.write()
    recorder.cfg.write_text(recorder.cfg.read_text().removesuffix("1\n") + "0\n")
    assert comtrade_file.read(recorder.cfg).whole_s == 0.5


def test_a_third_of_a_volt_is_a_dead_source(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.sampled(RATE_HZ, 0.35)
    status, out, err = checked(recorder, capsys)
    assert (status, out) == (2, "")
    assert "V L1: is dead: 0.35 V" in err


@pytest.mark.parametrize(("volts", "status"), [(117.7, 0), (117.5, 1), (122.5, 1)])
def test_a_house_two_percent_off_its_voltage_fails(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], volts: float, status: int
) -> None:
    recorder.sampled(RATE_HZ, volts)
    found, out, _ = checked(recorder, capsys, "--json")
    assert found == status
    rows = {(row["what"], row["leg"]): row for row in json.loads(out)["rows"]}
    assert rows["RMS", "V L1"]["verdict"] == ("FAIL" if status else "PASS")


@pytest.mark.parametrize(
    ("transformer", "recorded_v", "ratio"),
    [
        ("240,24,S", 12.0, 10.0),
        ("240,24,s", 12.0, 10.0),
        ("240,24,P", 120.0, 1.0),
        ("120,120,S", 120.0, 1.0),
        ("0,24,S", 120.0, 1.0),
        ("240,0,S", 120.0, 1.0),
        ("-240,24,S", 120.0, 1.0),
        ("nan,24,S", 120.0, 1.0),
        ("240,inf,S", 120.0, 1.0),
    ],
)
def test_what_was_recorded_behind_a_transformer_is_judged_before_it(
    recorder: Recorder,
    capsys: pytest.CaptureFixture[str],
    transformer: str,
    recorded_v: float,
    ratio: float,
) -> None:
    recorder.sampled(RATE_HZ, recorded_v)
    recorder.transformer = transformer
    status, out, _ = checked(recorder, capsys, "--json")
    assert status == 0
    rows = json.loads(out)["rows"]
    assert rows[0]["measured"] == pytest.approx(120.0, abs=0.05)
    said = "V L2: recorded behind a transformer, taken 10 times"
    assert (said in rows[-1]["note"]) is (ratio == 10.0)
    assert comtrade_file.read(recorder.cfg).ratios == (ratio, ratio)


def test_nothing_of_a_file_reaches_the_terminal_raw(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.names = ("\x1b[31mV", "\u202eV\x07")
    recorder.start = "25/11/2026,10:00:00.000000123"
    status, out, err = checked(recorder, capsys)
    assert (status, err) == (0, "")
    assert all(line.isprintable() for line in out.splitlines())
    recorder.kind = "AS\x1b[2JCII"
    status, out, err = checked(recorder, capsys)
    assert (status, out) == (2, "")
    assert err.rstrip("\n").isprintable()


def test_a_pipe_is_no_recording(recorder: Recorder) -> None:
    recorder.write()
    recorder.dat.unlink()
    os.mkfifo(recorder.dat)
    with pytest.raises(RecordingError, match="is no plain file"):
        comtrade_file.read(recorder.cfg)
