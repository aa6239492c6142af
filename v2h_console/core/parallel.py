"""Several inverters on one house: one makes the frequency, the others share the current (I14). Here: what is heard of each.

Who may run with the primary is judged in ``sharing``, who follows one that is lost in ``succession``. With one inverter
nothing of it runs: ``Settings.parallel.units`` is empty then.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.car_reserve import CarState
from v2h_console.core.frozen import replace
from v2h_console.core.senses import fresh, garbled
from v2h_console.core.settings import NS_PER_MS, ParallelSettings
from v2h_console.core.soc import SocState
from v2h_drivers.capabilities.devices import Reading
from v2h_drivers.capabilities.fast_readings import ForeignCommand, InverterFast, InverterMode, UnitFast
from v2h_drivers.capabilities.quality import Quality
from v2h_drivers.capabilities.slow_readings import CarStatus, InverterStatus

#: Three periods of a unit's state frame: longer is silence (fault class 61).
UNIT_LIMIT_MS = 60.0
#: A gate that was told off is off after this, by the controller's own hand where the unit does not answer.
TOLD_OFF_NS = 120 * NS_PER_MS
#: One stray frame is no rival: a unit that makes a frequency says so in each, every 20 ms.
RIVAL_FRAMES = 3
#: A second voice on the bus counts when it speaks this often within this time: one stray frame is no master.
FOREIGN_VOICES = 3
FOREIGN_WITHIN_NS = 500 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Unit:
    """One inverter as last heard. ``reason``: why it does not run with the others, "" = it does or may.

    ``forming_frames``: how many of its last frames in a row said that it makes a frequency; ``soc``: what its car's word
    is worth while it is not the primary's; ``kept``: what was known of its car when it was the primary; ``out_since_ns``:
    since when it has not been among those whose gate may be on.
    """

    reading: UnitFast | None = None
    car: CarStatus | None = None
    soc: SocState = SocState()
    kept: CarState | None = None
    joined: bool = False
    joined_ns: int = 0
    forming_frames: int = 0
    out_since_ns: int | None = None
    in_phase_since_ns: int | None = None
    drops: int = 0
    not_before_ns: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ParallelState:
    """``primary``: index of the unit that makes the frequency; ``mask``: whose gates may be on, bit = index.

    ``second_master``: who else commands or makes a frequency, in words. ``gated_since_ns``: since when the gates have been
    asked for; ``elected_ns`` and ``elected_tries``: when a primary was last elected, and after how many failed starts.
    """

    primary: int = 0
    mask: int = 1
    units: tuple[Unit, ...] = ()
    dead_since_ns: int | None = None
    next_join_ns: int = 0
    gated_since_ns: int | None = None
    elected_ns: int | None = None
    elected_tries: int = 0
    second_master: str = ""
    foreign: ForeignCommand | None = None
    foreign_heard: int = 0
    foreign_first_ns: int = 0

    @property
    def units_running(self) -> int:
        """How many inverters carry the house, or would: the primary and those that have joined."""
        return self.mask.bit_count()


def initial(settings: ParallelSettings) -> ParallelState:
    """Nothing heard, the first in rank is the primary."""
    return ParallelState(units=tuple(Unit() for _ in settings.units))


def sense(
    settings: ParallelSettings, state: ParallelState, readings: tuple[Reading, ...]
) -> tuple[ParallelState, tuple[Reading, ...]]:
    """Take what the units and their cars said; what the core is to see as its one inverter comes back.

    All rules of the island speak of "the inverter": that is the primary, whichever unit it is.
    """
    names = tuple(unit.name for unit in settings.units)
    units = list(state.units)
    seen: list[Reading] = []
    for reading in readings:
        match reading:
            case InverterFast():
                # Unit 1's own frame, ten times as rich: it is what the core sees while unit 1 is the primary.
                if state.primary == 0:
                    seen.append(reading)
            case UnitFast():
                index = reading.unit - 1
                if 0 <= index < len(units):
                    forms = reading.mode is InverterMode.FORMING and reading.quality is Quality.GOOD
                    frames = min(units[index].forming_frames + 1, RIVAL_FRAMES) if forms else 0
                    units[index] = replace(units[index], reading=reading, forming_frames=frames)
                    if index == state.primary != 0:
                        seen.append(as_primary(reading))
            case CarStatus() | InverterStatus() if reading.device in names:
                index = names.index(reading.device)
                if isinstance(reading, CarStatus) and not garbled(reading, units[index].car):
                    units[index] = replace(units[index], car=reading)
                if index == state.primary:
                    seen.append(reading)
            case _:
                seen.append(reading)
    return replace(state, units=tuple(units)), tuple(seen)


def as_primary(reading: UnitFast) -> InverterFast:
    """A unit's frame as what the core knows as its inverter."""
    return InverterFast(
        reading.at_ns, reading.quality, reading.mode, reading.gate_on, reading.form_enabled, reading.fault,
        None, None, reading.current_a, reading.limit_a,
    )  # fmt: skip


def hear_foreign(state: ParallelState, heard: ForeignCommand | None) -> ParallelState:
    """Count a command on the bus that is not ours; several in a short time are a second master."""
    if heard is None:
        return replace(state, foreign=None)
    if state.foreign_heard and heard.at_ns - state.foreign_first_ns <= FOREIGN_WITHIN_NS:
        count, first_ns = state.foreign_heard + 1, state.foreign_first_ns
    else:
        count, first_ns = 1, heard.at_ns
    words = "somebody else commands the controller" if count >= FOREIGN_VOICES else state.second_master
    return replace(state, foreign=heard, foreign_heard=count, foreign_first_ns=first_ns, second_master=words)


def healthy(unit: Unit, now_ns: int) -> bool:
    """Heard within 60 ms and without a fault."""
    reading = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
    return (
        reading is not None
        and not reading.fault
        and reading.mode not in (InverterMode.FAULT, InverterMode.OFF)
    )


def gates_off(state: ParallelState, now_ns: int, *, told_off: bool) -> bool:
    """Every gate that is heard of is off. ``told_off``: all have been told so for longer than it takes; the controller
    itself turns a silent unit's off with the others, and its last word from before says nothing any more."""
    return not any(
        unit.reading is not None
        and unit.reading.gate_on
        and not (fresh(unit.reading, now_ns, UNIT_LIMIT_MS) is None and (told_off or _long_out(unit, now_ns)))
        for unit in state.units
    )


def gate_against_orders(state: ParallelState, now_ns: int) -> bool:
    """Whether a unit that has long been left out says that its gate is on."""
    for unit in state.units:
        reading = fresh(unit.reading, now_ns, UNIT_LIMIT_MS)
        if reading is not None and reading.gate_on and _long_out(unit, now_ns):
            return True
    return False


def _long_out(unit: Unit, now_ns: int) -> bool:
    return unit.out_since_ns is not None and now_ns - unit.out_since_ns >= TOLD_OFF_NS


def reset(state: ParallelState) -> ParallelState:
    """A person has looked: all may join again, and whoever else commanded is believed to be gone."""
    units = tuple(replace(unit, drops=0, not_before_ns=0, reason="") for unit in state.units)
    return replace(state, units=units, second_master="", foreign_heard=0)
