"""What a scenario looked like over time, for `simulate --plot`: sampled as it ran, drawn with plotext."""

from __future__ import annotations

from v2h_console.proving.virtual import S, VirtualSite

#: More points than a terminal has columns would only cost time.
POINTS = 400
WIDTH, HEIGHT = 100, 12

_SERIES = (
    ("grid L1 and house L1, V", ("grid", "house")),
    ("inverter power, kW", ("power",)),
    ("charge of the car, %", ("soc",)),
)


class Recorder:
    """Samples the house while a scenario runs; ``draw`` gives the charts as text."""

    def __init__(self, site: VirtualSite, duration_s: float) -> None:
        self._site = site
        self._every_ns = int(duration_s * S / POINTS)
        self._next_ns = 0
        self._at_s: list[float] = []
        self._values: dict[str, list[float]] = {"grid": [], "house": [], "power": [], "soc": []}

    def look(self) -> None:
        """Take a sample when it is time for one."""
        world = self._site.world
        if world.now_ns < self._next_ns:
            return
        self._next_ns = world.now_ns + self._every_ns
        self._at_s.append(world.now_ns / S)
        self._values["grid"].append(world.rms_v("grid", 1))
        self._values["house"].append(world.rms_v("house", 1))
        self._values["power"].append(world.inverter.power_w / 1000.0)
        self._values["soc"].append(world.car.soc_pct)

    def draw(self) -> str:
        """Three charts, one below the other, without colours."""
        import plotext

        charts = []
        for title, names in _SERIES:
            figure = plotext.figure
            figure.clear()
            for name in names:
                curve = figure.signal(
                    self._at_s, self._values[name], marker="braille" if name != "grid" else "dot"
                )
                figure.draw(curve)
            figure.title(title)
            figure.plot_size(WIDTH, HEIGHT)
            charts.append(str(plotext.uncolorize(str(figure.build()))))
        return "\n".join(charts)
