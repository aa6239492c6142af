"""Both legs over the last ten minutes, as narrow strips: one per leg and quantity, so none needs a colour."""

from __future__ import annotations

from v2h_console.tui.history import CHANNELS
from v2h_console.tui.lines import Row, fit
from v2h_console.tui.picture import Picture
from v2h_console.tui.words import known, number

#: Braille dots of the left and right column of a cell, top to bottom (Unicode block 2800, ISO/TR 11548-1 numbering).
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_LABEL = 9
ROWS_PER_STRIP = 3


def plot_block(picture: Picture, rows: list[Row], column: int, width: int) -> None:
    """Draw into ``rows`` from ``column`` on: a heading, then as many strips as there is room for."""
    if len(rows) < 1 + ROWS_PER_STRIP:
        return
    strips = min(len(CHANNELS), (len(rows) - 2) // ROWS_PER_STRIP)
    each = (len(rows) - 2) // strips
    limits, snapshot = picture.snapshot.limits, picture.snapshot
    beyond = (limits.enter_v_hi - limits.enter_v_lo) * 0.75
    volts = (limits.enter_v_lo - beyond, limits.enter_v_hi + beyond)
    cells = width - _LABEL
    dots = 2 if picture.braille else 1
    span_s = picture.history.span_s(cells * dots)
    rows[0].at(column, f"LEGS, last {span_s // 60} min", "title")
    for channel in range(strips):
        top = 1 + channel * each
        is_volts = channel < 2
        low, high = volts if is_volts else (0.0, max(snapshot.legs[channel - 2].limit_a, 1.0))
        value = (
            (snapshot.house.l1_v, snapshot.house.l2_v)[channel]
            if is_volts
            else snapshot.legs[channel - 2].current_a
        )
        shown = number(value.value, 1) if known(value) else "--"
        rows[top].at(column, CHANNELS[channel], "title")
        rows[top + each - 1].at(column, f"{number(low, 0):>6} ")
        if each > 2:
            rows[top + 1].at(column, f"{shown:>6} ", "value")
        rows[top].right(column + _LABEL - 1, number(high, 0))
        samples = picture.history.columns(channel, cells * dots, picture.now_s, span_s)
        draw = braille if picture.braille else blocks
        for index, text in enumerate(draw(samples, low, high, each)):
            rows[top + index].at(column + _LABEL, fit(text, cells), "mark")
    foot = rows[1 + strips * each]
    foot.at(column + _LABEL, f"-{span_s // 60} min", "rule").right(column + width, "now", "rule")


def _levels(
    samples: list[tuple[float, float] | None], low: float, high: float, count: int
) -> list[tuple[int, int] | None]:
    """Each sample's least and greatest as levels 0 (bottom) to ``count - 1``; outside the scale = its edge."""

    def level(value: float) -> int:
        return max(0, min(count - 1, int((value - low) / (high - low) * count)))

    return [None if sample is None else (level(sample[0]), level(sample[1])) for sample in samples]


def braille(samples: list[tuple[float, float] | None], low: float, high: float, height: int) -> list[str]:
    """``height`` rows, top first; two samples a cell, four levels a row, each sample a run from least to greatest."""
    levels = _levels(samples, low, high, height * 4)
    lines = []
    for row in range(height):
        cells = []
        for left in range(0, len(levels), 2):
            pattern = 0
            for side, held in enumerate(levels[left : left + 2]):
                if held is None:
                    continue
                for dot in range(4):
                    if held[0] <= (height - row) * 4 - 1 - dot <= held[1]:
                        pattern |= _DOTS[side][dot]
            cells.append(chr(0x2800 + pattern) if pattern else " ")
        lines.append("".join(cells))
    return lines


def blocks(samples: list[tuple[float, float] | None], low: float, high: float, height: int) -> list[str]:
    """The same with half blocks, for terminals whose font has no braille (the Linux console); two levels a row."""
    levels = _levels(samples, low, high, height * 2)
    lines = []
    for row in range(height):
        cells = []
        for held in levels:
            upper, lower = (height - row) * 2 - 1, (height - row) * 2 - 2
            on = (
                held is not None and held[0] <= upper <= held[1],
                held is not None and held[0] <= lower <= held[1],
            )
            cells.append({(True, True): "█", (True, False): "▀", (False, True): "▄"}.get(on, " "))
        lines.append("".join(cells))
    return lines
