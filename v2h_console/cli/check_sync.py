"""``check-sync``: is the local 60 Hz steady and clean, and how far is it from the bus that it shall be joined to?

    check-sync --source internal --target main_bus
    check-sync --source RECORDING.cfg

``internal`` is the house's side of the MID, ``main_bus`` the street's; both are recorded through the running owner. A
COMTRADE recording needs no owner. Exit 0 when everything passes, 1 when something fails or could not be judged (a dead
street, a recording that is too slow for its harmonics), 2 when it could not be run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2h_console.cli.console import Refusal
from v2h_console.cli.main import OneLineParser, guarded

if TYPE_CHECKING:
    from v2h_console.session.waves import Waves
    from v2h_console.signals.comtrade_file import Recording
    from v2h_console.signals.sync_check import Row, Side

INTERNAL, MAIN_BUS = "internal", "main_bus"
#: A recording's first two voltages are the split phase's legs.
LEGS = 2
ONE_NODE = "MID closed: both sides are one, and nothing was compared that could differ"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = OneLineParser(
        prog="check-sync", description="Is the house's voltage steady, clean and near the street's?"
    )
    parser.add_argument("--source", default=INTERNAL, metavar="internal|FILE.cfg")
    parser.add_argument("--target", default=MAIN_BUS, metavar="main_bus")
    parser.add_argument("--root", type=Path, default=Path("/"), help="the owner's root; default /")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return guarded("check-sync", lambda: run(parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> int:
    """Check and print."""
    from v2h_console.signals.spectrum import NotAVoltage
    from v2h_console.signals.sync_check import SyncLimits, Verdict, difference, quality
    from v2h_console.tui.inert import clean

    source: str = arguments.source
    recorded = source.lower().endswith(".cfg")
    if source != INTERNAL and not recorded:
        raise Refusal(f"--source takes internal or a COMTRADE recording FILE.cfg, not {source[:60]!r}")
    if arguments.target != MAIN_BUS:
        raise Refusal(f"--target takes main_bus, not {arguments.target[:60]!r}")
    target: Side = []
    stamped_hz: float | None = None
    alone = note = ""
    if recorded:
        recording, alone = _recording(Path(source))
        rate_hz, own = recording.rate_hz, list(recording.channels[:LEGS])
        stamped_hz = recording.stamped_hz
        taken_s, whole_s = recording.taken_s, recording.whole_s
    else:
        waves, position = _waves(arguments.root)
        note = ONE_NODE if position == "closed" else ""
        rate_hz = waves.rate_hz
        own = _side(waves.house_l1_v, waves.house_l2_v)
        target = _side(waves.grid_l1_v, waves.grid_l2_v)
        taken_s = whole_s = len(waves.house_l1_v) / rate_hz
    limits = SyncLimits()
    try:
        rows, spectra = quality(own, rate_hz, limits, stamped_hz)
    except NotAVoltage as error:
        raise Refusal(clean(f"{source}: {error}")) from None
    if target:
        rows += difference(spectra, target, rate_hz, limits)
    # Nothing passes that was not judged whole; a recording is one side, which is no want of it.
    judged = all(row.verdict is not Verdict.NOT_COMPARED for row in rows)
    if not target:
        rows.append(_alone(alone))
    failed = [row for row in rows if row.verdict is Verdict.FAIL]
    if arguments.json:
        document = {
            "source": source,
            "target": None if recorded else arguments.target,
            "verdict": (Verdict.FAIL if failed else Verdict.PASS if judged else Verdict.NOT_COMPARED).value,
            "frequency_hz": round(spectra[0].frequency_hz, 4),
            "thd_pct": [round(one.thd_pct, 3) for one in spectra],
            "judged_ms": round(1000.0 * taken_s, 1),
            "recorded_ms": round(1000.0 * whole_s, 1),
            "note": note,
            "rows": [_row(row) for row in rows],
        }
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        _say(rows)
        if note:
            print(note)
    return 1 if failed or not judged else 0


def _alone(note: str) -> Row:
    """A recording is one side: there is nothing that it could be compared with."""
    from v2h_console.signals.sync_check import Row, Verdict

    return Row("difference", "", None, 0.0, "", Verdict.NOT_COMPARED, note)


def _recording(path: Path) -> tuple[Recording, str]:
    """The recording, and what of it is judged. Raises Refusal."""
    from v2h_console.signals.comtrade_file import RecordingError, read
    from v2h_console.tui.inert import clean

    try:
        recording = read(path)
    except RecordingError as error:
        raise Refusal(clean(str(error))) from None
    of = "" if recording.taken_s == recording.whole_s else f" of {1000 * recording.whole_s:.0f}"
    note = (
        f"judged alone: a recording's first two voltages, their first {1000 * recording.taken_s:.0f}{of} ms"
    )
    for (name, _), ratio in zip(recording.channels[:LEGS], recording.ratios, strict=False):
        if ratio != 1.0:
            note += f"; {name}: recorded behind a transformer, taken {ratio:g} times"
    left_out = [name for name, _ in recording.channels[LEGS:]]
    return recording, f"{note}; left out: {', '.join(left_out)}" if left_out else note


def _waves(root: Path) -> tuple[Waves, str]:
    """A window recorded now, through the running owner, and the MID's position at its end. Raises Refusal."""
    from v2h_console.session.remote import NoOwner, RemoteSession
    from v2h_console.session.waves import WAVES_S, NoWaves
    from v2h_console.session.wire import WireError

    try:
        session = RemoteSession(root, watch=True)
    except (NoOwner, WireError) as error:
        raise Refusal(f"{error}; it records the waveforms, and nobody else may") from None
    if sys.stderr.isatty():
        print(
            "recording 217 ms of both sides: takes about 4 s (12 s with several inverters) ...",
            file=sys.stderr,
        )
    try:
        waves = session.ask_waves().result(WAVES_S)
        return waves, session.watch().mid.position
    except NoWaves as error:
        raise Refusal(f"no waveforms: {error}") from None
    except TimeoutError:
        raise Refusal(f"no waveforms within {WAVES_S:.0f} s") from None
    finally:
        session.close()


def _side(l1_v: Sequence[float | None], l2_v: Sequence[float | None]) -> Side:
    import numpy as np

    side: Side = []
    for leg, samples in (("L1", l1_v), ("L2", l2_v)):
        if any(value is None for value in samples):
            raise Refusal(f"{leg}: the sensor gives nothing")
        side.append((leg, np.asarray(samples, dtype=np.float64)))
    return side


def _row(row: Row) -> dict[str, Any]:
    return {
        "what": row.what,
        "leg": row.leg,
        "measured": None if row.measured is None else round(row.measured, 4),
        "nominal": row.nominal,
        "limit": row.limit,
        "unit": row.unit,
        "verdict": row.verdict.value,
        "note": row.note,
    }


def _say(rows: Sequence[Row]) -> None:
    from v2h_console.tui.inert import clean

    print(f"{'':<12} {'leg':<8} {'measured':>10} {'limit':>10} {'':<4} verdict")
    for row in rows:
        measured = "--" if row.measured is None else f"{row.measured:.3f}"
        around = "" if row.nominal is None else f"{row.nominal:g}±"
        limit = f"{around}{row.limit:g}" if row.unit else ""
        print(
            f"{row.what:<12} {clean(row.leg, 8):<8} {measured:>10} {limit:>10} {row.unit:<4} {row.verdict.value} {clean(row.note)}"
        )


if __name__ == "__main__":
    sys.exit(main())
