"""What a scenario looked like over time, for `simulate --plot`: sampled as it ran, drawn with plotext."""

from __future__ import annotations

import math
import shutil

from v2h_console.proving.virtual import S, VirtualSite

#: More points than a terminal has columns would only cost time.
POINTS = 400
#: A terminal's width is used from here to there; 80 where there is none.
NARROWEST, WIDEST = 40, 100
HEIGHT = 12

_SERIES = (
    ("volts: grid L1 (•), house L1 (line)", ("grid", "house")),
    ("inverter, kW", ("power",)),
    ("charge of the car, %", ("soc",)),
)


class Recorder:
    """Samples the house while a scenario runs; ``draw`` gives the charts as text."""

    def __init__(self, site: VirtualSite, duration_s: float) -> None:
        self._site = site
        self._duration_s = duration_s
        self._every_ns = int(duration_s * S / POINTS)
        self._next_ns = 0
        self._at_s: list[float] = []
        self._values: dict[str, list[float]] = {"grid": [], "house": [], "power": [], "soc": []}

    def look(self) -> None:
        """Take a sample when it is time for one."""
        world = self._site.world
        if world.now_ns < self._next_ns and world.now_ns < self._duration_s * S:
            return
        self._next_ns = world.now_ns + self._every_ns
        self._at_s.append(world.now_ns / S)
        self._values["grid"].append(world.rms_v("grid", 1))
        self._values["house"].append(world.rms_v("house", 1))
        self._values["power"].append(world.inverter.power_w / 1000.0)
        self._values["soc"].append(world.car.soc_pct)

    def draw(self) -> str:
        """Three charts, one below the other, without colours, no wider than the terminal."""
        import plotext

        width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((80, 24)).columns))
        charts = []
        for title, names in _SERIES:
            figure = plotext.figure
            figure.clear()
            for name in names:
                marker = "•" if name == "grid" else "braille"
                figure.draw(figure.signal(self._at_s, self._values[name], marker=marker))
            for axis, values, most in (
                ("x", [0.0, self._duration_s], width // 11),
                ("y", [value for name in names for value in self._values[name]], 5),
            ):
                ticks = round_ticks(min(values), max(values), most)
                ruler = figure.ruler(axis)
                ruler.lim(ticks[0] if axis == "y" else 0.0, ticks[-1] if axis == "y" else self._duration_s)
                ruler.ticks(ticks, [f"{tick:g}" for tick in ticks])
            figure.title(title)
            figure.label("seconds")
            figure.plot_size(width, HEIGHT)
            charts.append(str(plotext.uncolorize(str(figure.build()))))
        return "\n".join(charts)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` + 2 round numbers, evenly apart, from at or below ``low`` to at or above ``high``."""
    span = max(high - low, 1e-3 * max(abs(high), 1.0))
    rough = span / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(nth * step, 9) for nth in range(first, max(last, first + 1) + 1)]
