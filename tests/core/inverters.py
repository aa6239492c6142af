"""Three inverters in time for the tests: what each tells, and what the core makes of it."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.core.houses import START_NS
from v2h_console.core import parallel, sharing
from v2h_console.core.senses import Senses
from v2h_console.core.settings import NS_PER_MS, CarSettings, ParallelSettings, UnitSettings
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import HouseFast, InverterMode, UnitFast
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus

THREE = ParallelSettings(tuple(UnitSettings(name) for name in ("Inverter", "Inverter 2", "Inverter 3")))
TICK_NS = 20 * NS_PER_MS
STANDBY = InverterMode.STANDBY


def unit(at_ns: int, number: int, **changes: object) -> UnitFast:
    """A follower, in phase unless told otherwise."""
    said = UnitFast(
        at_ns, Quality.GOOD, number, InverterMode.FOLLOWING, True, False, False, 0.0, 0.0, 0.0, 5.0, 32.0
    )  # fmt: skip
    return replace(said, **changes)  # type: ignore[arg-type]  # field names


def car(at_ns: int, name: str, soc_pct: float | None = 70.0) -> CarStatus:
    """A car behind the inverter of that name."""
    return CarStatus(at_ns, Quality.GOOD, name, soc_pct, 95.0, 75_000.0, 400.0, 0.0, 0.0)


def dead_bus(at_ns: int) -> Senses:
    """A house bus without volts."""
    return Senses(house_fast=HouseFast(at_ns, Quality.GOOD, 0.0, 0.0, 0.0))


class Group:
    """Three units in time, the first of them the primary; ``told`` says what each tells at an instant."""

    def __init__(self) -> None:
        self.state = parallel.initial(THREE)
        self.now_ns = START_NS
        self.angles: dict[int, float | None] = {2: 0.0, 3: 0.0}
        self.changes: dict[int, dict[str, object]] = {}
        self.silent: set[int] = set()
        self.cars: dict[int, float] = {}
        self.unit_limit_w = math.inf

    def tick(
        self,
        *,
        lit: bool = True,
        settled: bool = True,
        senses: Senses | None = None,
        started: bool = False,
        gated: bool = True,
    ) -> None:
        self.now_ns += TICK_NS
        told: list[Reading] = [
            unit(
                self.now_ns,
                number,
                **{"phase_deg": self.angles.get(number, 0.0), **self.changes.get(number, {})},
            )
            for number in (1, 2, 3)
            if number not in self.silent
        ]
        told += [
            replace(car(self.now_ns, one.name), soc_pct=self.cars.get(number, 64.0))
            for number, one in enumerate(THREE.units, 1)
        ]
        self.state, _ = parallel.sense(THREE, self.state, tuple(told))
        self.state = sharing.update(
            THREE,
            CarSettings(),
            self.state,
            senses or Senses(),
            lit=lit,
            tied=False,
            settled=settled,
            started=started,
            gated=gated,
            unit_limit_w=self.unit_limit_w,
            now_ns=self.now_ns,
        )

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()


def joined() -> Group:
    """All three run."""
    group = Group()
    group.run(120)
    assert group.state.mask == 0b111
    return group
