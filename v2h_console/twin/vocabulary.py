"""What can be done to the house: the ``do`` vocabulary, with the parameters of each word and what they may be.

A bad name or parameter raises ``ScenarioError`` with one line that names what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Value = float | str | bool
Params = dict[str, Value]


class ScenarioError(ValueError):
    """One line of plain text."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number within [least, most]; ``unit`` for the error's text."""

    least: float
    most: float
    unit: str = ""
    required: bool = False

    def check(self, value: object) -> Value:
        """The value, or ``ScenarioError`` with the range."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ScenarioError(f"must be a number, {self.words()}, not {value!r}")
        if not self.least <= value <= self.most:
            raise ScenarioError(f"must be {self.words()}, not {value!r}")
        return float(value)

    def words(self) -> str:
        """The allowed values in words."""
        return f"{self.least:g} to {self.most:g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    required: bool = False

    def check(self, value: object) -> Value:
        """The value, or ``ScenarioError``."""
        if not isinstance(value, bool):
            raise ScenarioError(f"must be true or false, not {value!r}")
        return value

    def words(self) -> str:
        """The allowed values in words."""
        return "true or false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words or whole numbers; numbers are handed on as numbers."""

    allowed: tuple[str | int, ...]
    required: bool = False

    def check(self, value: object) -> Value:
        """The value, or ``ScenarioError`` with the list."""
        if not isinstance(value, bool):
            for word in self.allowed:
                if value == word:
                    return word if isinstance(word, str) else float(word)
        raise ScenarioError(f"must be one of {self.words()}, not {value!r}")

    def words(self) -> str:
        """The allowed values in words."""
        return ", ".join(str(word) for word in self.allowed)


@dataclass(frozen=True, slots=True)
class Load:
    """The id of one of the house's circuits; the world, which knows the house, checks it."""

    required: bool = True

    def check(self, value: object) -> Value:
        """The value, or ``ScenarioError``."""
        if not isinstance(value, str) or not value:
            raise ScenarioError(f"must be the id of a circuit, not {value!r}")
        return value

    def words(self) -> str:
        """The allowed values in words."""
        return "the id of a circuit"


Kind = Number | Flag | Choice | Load

#: Fault names and the parameters of each.
FAULTS: Mapping[str, Mapping[str, Kind]] = {
    "mid.welded": {"pole": Choice((1, 2))},
    "mid.slow": {"latency_ms": Number(1.0, 60_000.0, "ms")},
    "mid.fails_to_close": {},
    "mid.chatter": {"every_ms": Number(5.0, 1_000.0, "ms")},
    "mid.aux_wrong": {"contact": Choice(("nc", "no", "both")), "reads": Choice(("open", "closed"))},
    "mid.uncommanded_close": {},
    "grid_sense.off": {},
    "grid_sense.stuck": {},
    "grid_sense.garbage": {},
    "grid_sense.drift": {"pct": Number(-10.0, 10.0, "%")},
    "grid_sense.noise": {},
    "grid.balanced_island": {"for_s": Number(0.1, 2.0, "s")},
    "house.open_neutral": {"shift_pu": Number(-0.5, 0.5, "pu")},
    "ct.off": {},
    "inverter_temp.stuck": {"reads": Choice(("rail", "last"))},
    "fan.dead": {"tachometer_lies": Flag()},
    "inverter.trips": {},
    "inverter.wont_form": {},
    "load.switch_stuck": {"load": Load()},
    "load.locked_rotor": {"load": Load()},
    "load.uncontrolled": {"va": Number(0.0, 20_000.0, "VA"), "leg": Choice((1, 2))},
    "dc_bus.out_of_range": {"volts": Number(-400.0, 600.0, "V")},
    "ev.silent": {},
    "ev.soc_jumps": {"pct": Number(-100.0, 100.0, "%")},
    "ev.limit_drops": {"kw": Number(0.0, 50.0, "kW")},
    "precharge.fails": {},
    "ev.contactor_welded": {},
    "ev.insulation_low": {"ohm_per_v": Number(0.0, 499.0, "ohm/V")},
    "ev.soc_low": {"pct": Number(0.0, 100.0, "%")},
    "aux_supply.low": {"volts": Number(0.0, 30.0, "V")},
    "pv.surplus": {"kw": Number(0.0, 50.0, "kW"), "pct": Number(0.0, 100.0, "%"), "stubborn": Flag()},
    "neutral_former.trips": {},
    "parallel.primary_lost": {},
    "parallel.phase_error": {"deg": Number(-180.0, 180.0, "degrees")},
}

#: Faults of the site around the house (its bus, its storage, its owner): virtual time injects them, the house alone
#: knows nothing of them.
SITE_FAULTS: Mapping[str, Mapping[str, Kind]] = {
    "can.bus_off": {},
    "can.frames_lost": {
        "how": Choice(("checksum", "one_id", "random", "bursts", "replay")),
        "frame": Choice(("grid_fast", "mid_state", "inv_state", "heartbeat", "grid_cycle")),
    },
    "modbus.timeout": {"how": Choice(("silent", "late", "half"))},
    "modbus.garbage": {
        "link": Choice(("tcp", "rtu")),
        "how": Choice(
            ("data", "checksum", "length", "transaction", "unit", "exception", "function", "noise")
        ),
        "share_pct": Number(1.0, 100.0, "%"),
    },
    "modbus.unit_conflict": {"link": Choice(("tcp", "rtu")), "other": Choice(("same", "solar"))},
    "modbus.write_ignored": {"how": Choice(("register", "effect"))},
    "control.tick_overrun": {"for_s": Number(0.05, 10.0, "s")},
    "storage.full": {},
    "storage.torn_write": {"how": Choice(("empty", "truncated", "half_json", "garbage", "flipped", "older"))},
    "lc.frozen": {"how": Choice(("repeats", "values", "counter", "heartbeat"))},
    "control.second_master": {},
    "clock.steps": {"by_s": Number(-31_536_000.0, 31_536_000.0, "s")},
}

_LOAD: Mapping[str, Kind] = {"load": Load()}
_LEG = Choice((1, 2))

#: What the world does.
WORLD_VERBS: Mapping[str, Mapping[str, Kind]] = {
    "grid.loss": {"leg": _LEG, "backfeed": Flag()},
    "grid.return": {"in_phase": Flag()},
    "grid.sag": {"pu": Number(0.0, 1.5, "pu", required=True), "for_s": Number(0.001, 86_400.0, "s")},
    "grid.phase_jump": {"deg": Number(-180.0, 180.0, "degrees", required=True)},
    "grid.frequency": {"hz": Number(45.0, 70.0, "Hz", required=True)},
    "load.on": _LOAD,
    "load.off": _LOAD,
    "fault.inject": {"fault": Choice((*FAULTS, *SITE_FAULTS), required=True)},
    "fault.clear": {"fault": Choice((*FAULTS, *SITE_FAULTS), required=True)},
    "ev.plug": {},
    "ev.unplug": {},
    "ev.limit": {"kw": Number(0.0, 50.0, "kW", required=True)},
    "pv.power": {"kw": Number(0.0, 50.0, "kW", required=True)},
    "generator.on": {},
    "generator.off": {},
    "bypass.close": {"street_ohm": Number(0.05, 1e6, "ohm")},
    "bypass.open": {},
}

#: What only an owner or a person at it does: a scenario may name them, the world does not carry them out.
OWNER_VERBS: Mapping[str, Mapping[str, Kind]] = {
    "owner.restart": {},
    "operator.open_mid": {},
    "operator.island": {},
    "operator.close_mid": {},
    "operator.reset_lockout": {},
    "operator.set_discharge_limit": {"kw": Number(0.0, 50.0, "kW", required=True)},
}

ALL_VERBS: Mapping[str, Mapping[str, Kind]] = {**WORLD_VERBS, **OWNER_VERBS}


def check(
    name: str, params: Mapping[str, object], verbs: Mapping[str, Mapping[str, Kind]] = ALL_VERBS
) -> Params:
    """``params`` of ``name``, checked, numbers as floats. Raises ``ScenarioError`` with what is allowed."""
    if name not in verbs:
        if name in OWNER_VERBS:
            raise ScenarioError(f"{name}: only a running owner does this, not the house alone")
        raise ScenarioError(f"unknown do {name!r}: allowed are {', '.join(verbs)}")
    kinds = dict(verbs[name])
    if name in ("fault.inject", "fault.clear") and isinstance(fault := params.get("fault"), str):
        # `clear` takes what `inject` takes, so that a line can be copied; it needs the fault's name only.
        kinds |= FAULTS.get(fault, SITE_FAULTS.get(fault, {}))
    for key in params:
        if key not in kinds:
            allowed = ", ".join(kinds) or "none"
            raise ScenarioError(f"{name}: unknown parameter {key!r}: allowed are {allowed}")
    checked: Params = {}
    for key, kind in kinds.items():
        if key in params:
            try:
                checked[key] = kind.check(params[key])
            except ScenarioError as error:
                raise ScenarioError(f"{name}: {key} {error}") from None
        elif kind.required and not (name == "fault.clear" and key != "fault"):
            raise ScenarioError(f"{name}: {key} is missing: {kind.words()}")
    return checked
