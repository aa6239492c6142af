"""Whether a recording's .dat is the one that its .cfg tells of: as many rows, numbered on, stamped at the header's rate.

The rate is what every frequency is reckoned from; rows that are missing turn a clean voltage into a wrong one that may pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64]

#: Bytes of one analog value.
WIDTHS = {"BINARY": 2, "BINARY32": 4, "FLOAT32": 4}
#: Revisions without nanoseconds.
EARLY = ("1991", "1999", "2001")
#: In a binary file a stamp that was not taken.
NO_STAMP = 0xFFFFFFFF
#: Stamps are rounded, and some recorders count on with a rounded period: so far they may stray from the rate.
STAMP_UNITS = 2.0
STAMP_SHARE = 0.005
#: A rate that is this much off is a frequency that is 0.012 Hz off, a quarter of what a house may be.
DOUBT_SHARE = 0.0002
#: From one row to the next, in periods.
STEP_PERIODS = 0.5


class WrongRows(ValueError):
    """What does not go with the header, and in which row, in one line."""


def kind(cfg: Any) -> str:
    """How the rows are written, as the header says: ASCII, or one of ``WIDTHS``."""
    return str(cfg.ft).strip().upper()


def stamped_hz(cfg: Any, held: bytes, rate_hz: float, looked_at_s: float) -> float | None:
    """At which rate the rows of the first ``looked_at_s`` are stamped; ``None`` = at the header's, as far as their rounding tells.

    ``cfg`` is the library's. Raises WrongRows, and ValueError for what are no rows.
    """
    form = kind(cfg)
    if form != "ASCII" and form not in WIDTHS:
        raise ValueError(f"the .dat's kind is {form[:20]!r}")
    size = 8 + WIDTHS.get(form, 0) * cfg.analog_count + 2 * -(-cfg.status_count // 16)
    if form in WIDTHS and len(held) % size:
        raise WrongRows(f"ends in the middle of row {len(held) // size + 1}")
    numbers, stamps = _ascii(held) if form == "ASCII" else _binary(held, size)
    said = cfg.sample_rates[-1][1]
    if len(numbers) != said:
        raise WrongRows(f"holds {len(numbers)} rows, the .cfg says {said}")
    wrong = np.flatnonzero(np.diff(numbers) != 1)
    if numbers[0] not in (0, 1):
        raise WrongRows(f"row 1 has number {numbers[0]:.0f}")
    if wrong.size:
        raise WrongRows(
            f"row {wrong[0] + 2} has number {numbers[wrong[0] + 1]:.0f}, the one before {numbers[wrong[0]]:.0f}"
        )
    # Before 2013 a stamp was in microseconds, however the header writes its own times.
    unit_s = cfg.timemult * (cfg.time_base if str(cfg.rev_year) not in EARLY else 1e-6)
    # A factor of 0 tells that nobody keeps the time.
    if not unit_s:
        return None
    _stamped(stamps * unit_s, unit_s, rate_hz)
    return _fitted_hz(stamps[: int(looked_at_s * rate_hz)] * unit_s, unit_s, rate_hz)


def _fitted_hz(stamps_s: Column, unit_s: float, rate_hz: float) -> float | None:
    """From all stamps, so that one that came late does not count for much."""
    rows = np.flatnonzero(np.isfinite(stamps_s))
    if rows.size < 2:
        return None
    at_rows, at_s = rows - rows.mean(), stamps_s[rows] - stamps_s[rows].mean()
    period_s = float(np.sum(at_rows * at_s) / np.sum(np.square(at_rows)))
    rounding = STAMP_UNITS * unit_s * rate_hz / float(rows[-1] - rows[0])
    return None if abs(period_s * rate_hz - 1.0) <= max(DOUBT_SHARE, rounding) else 1.0 / period_s


def _stamped(stamps_s: Column, unit_s: float, rate_hz: float) -> None:
    """Rows without a stamp are passed over. Raises WrongRows."""
    rows = np.flatnonzero(np.isfinite(stamps_s))
    if rows.size < 2:
        return
    taken = stamps_s[rows] - stamps_s[rows[0]]
    due = (rows - rows[0]) / rate_hz
    astray = np.abs(taken - due) > STAMP_UNITS * unit_s + STAMP_SHARE * due
    steps, due_steps = np.diff(taken), np.diff(due)
    # A leap late in a long recording is a small share of it.
    astray[1:] |= np.abs(steps - due_steps) > STAMP_UNITS * unit_s + STEP_PERIODS * due_steps
    found = np.flatnonzero(astray)
    if not found.size:
        return
    nth = found[0]
    raise WrongRows(
        f"row {rows[nth] + 1} is stamped {taken[nth] * 1000:.3f} ms after the first, "
        f"at the .cfg's {rate_hz:g} Hz it would be {due[nth] * 1000:.3f} ms"
    )


def _ascii(held: bytes) -> tuple[Column, Column]:
    numbers, stamps = [], []
    for line in held.splitlines():
        if line.strip():
            number, stamp, _ = line.split(b",", 2)
            numbers.append(float(int(number)))
            stamps.append(float(stamp) if stamp.strip() else np.nan)
    return np.array(numbers), np.array(stamps)


def _binary(held: bytes, size: int) -> tuple[Column, Column]:
    heads = np.frombuffer(held, dtype=np.uint8).reshape(-1, size)[:, :8].copy().view("<u4")
    stamps = heads[:, 1].astype(np.float64)
    stamps[heads[:, 1] == NO_STAMP] = np.nan
    return heads[:, 0].astype(np.float64), stamps
