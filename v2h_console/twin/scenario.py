"""A course of events and how the house stands at its start, and the reader of scenario files.

A bad file raises ``ScenarioError`` with one line that names what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from v2h_console import plain_file
from v2h_console.twin.house import CircuitData, House, UnitData
from v2h_console.twin.vocabulary import (
    ALL_VERBS,
    Choice,
    Flag,
    Kind,
    Number,
    Params,
    ScenarioError,
    Value,
    check,
)


@dataclass(frozen=True, slots=True)
class Step:
    """``do`` with ``params`` at ``s`` seconds after the start."""

    s: float
    do: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """Overrides of the house at t = 0; None leaves it as it is. ``boot``: MID open and dark, else tied and settled."""

    soc_pct: float | None = None
    ambient_c: float | None = None
    pv_kw: float | None = None
    loads_on: tuple[str, ...] | None = None
    boot: bool = False
    enter_service_s: float = 300.0
    inverters: int = 1
    #: The charge of each further inverter's car, in their order; one that is not told of is as full as the first.
    further_soc_pct: tuple[float, ...] = ()
    #: The local hour on the wall; only the tariff asks for it.
    local_hour: float = 12.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named course of events; ``steps`` in order of time."""

    name: str
    duration_s: float
    start: Start = Start()
    steps: tuple[Step, ...] = ()

    def house(self, house: House) -> House:
        """``house`` with the start's overrides."""
        start = self.start
        if start.soc_pct is not None:
            house = replace(house, car=replace(house.car, soc_pct=start.soc_pct))
        if start.ambient_c is not None:
            house = replace(house, thermal=replace(house.thermal, ambient_c=start.ambient_c))
        if start.pv_kw is not None:
            house = replace(house, solar=replace(house.solar, available_w=1_000.0 * start.pv_kw))
        if start.loads_on is not None:
            circuits = tuple(
                replace(circuit, wants_on=circuit.id in start.loads_on) for circuit in house.circuits
            )
            house = replace(house, circuits=circuits)
        if start.inverters > 1:
            soc_pct = (*start.further_soc_pct, *[house.car.soc_pct] * start.inverters)
            more = tuple(
                UnitData(f"Inverter {n}", replace(house.car, soc_pct=soc_pct[n - 2]))
                for n in range(2, start.inverters + 1)
            )
            house = replace(house, units=more)
        return house


_START: Mapping[str, Kind] = {
    "soc_pct": Number(0.0, 100.0, "%"),
    "ambient_c": Number(-40.0, 60.0, "°C"),
    "pv_kw": Number(0.0, 50.0, "kW"),
    "boot": Flag(),
    "enter_service_s": Number(0.0, 600.0, "s"),
    "inverters": Choice((1, 2, 3, 4, 5, 6, 7, 8)),
    "local_hour": Number(0.0, 24.0, "h"),
}


#: A storm of a thousand lines fits many times over.
MAX_BYTES = 1024 * 1024
#: What the parser gives up on.
_NO_SCENARIO = "a number of hundreds of digits, or brackets nested without end: this is no scenario"


def read(path: Path, house: House | None = None) -> Scenario:
    """The scenario in the file at ``path``; loads are checked against ``house`` (the default house).

    Raises ``ScenarioError``: "FILE:LINE: what is wrong, and what is allowed".
    """
    try:
        text = plain_file.read(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or 'cannot be read'}") from None
    return parse(text, str(path), house)


def parse(text: str, name: str, house: House | None = None) -> Scenario:
    """The scenario in ``text``; ``name`` is the file's, for errors."""
    reader = _Reader(text, name, (house or House()).circuits)
    try:
        return reader.scenario()
    except ScenarioError:
        raise
    except (ValueError, OverflowError, RecursionError):
        # Python neither writes thousands of digits out nor makes a float of them.
        raise ScenarioError(f"{name}: {_NO_SCENARIO}") from None


def _is_percent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 100.0


class _Reader:
    """One file: knows where it is, so that an error can say so."""

    def __init__(self, text: str, name: str, circuits: tuple[CircuitData, ...]) -> None:
        self._lines = text.splitlines()
        self._name = name
        self._loads = tuple(circuit.id for circuit in circuits)
        try:
            self._data: dict[str, object] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            where = re.search(r"\(at line (\d+), column \d+\)", str(error))
            message = " ".join(str(error).split(" (at ")[0].split())
            raise ScenarioError(f"{name}{':' + where[1] if where else ''}: not TOML: {message}") from None
        except (ValueError, RecursionError):
            raise ScenarioError(f"{name}: {_NO_SCENARIO}") from None

    def _fail(self, text: str, header: str = "", nth: int = 0, key: str = "") -> ScenarioError:
        line = self._line_of(header, nth, key)
        return ScenarioError(f"{self._name}{f':{line}' if line else ''}: {text}")

    def _line_of(self, header: str, nth: int, key: str) -> int | None:
        """The line of ``key`` in the ``nth`` table under ``header``, or that of the header; None when not found."""
        inside = header == ""
        count = -1
        found: int | None = None
        for number, line in enumerate(self._lines, 1):
            bare = re.sub(r"\s", "", line.split("#")[0])
            if bare.startswith("["):
                inside = False
                if header and bare == header:
                    count += 1
                    if count == nth:
                        inside, found = True, number
            elif inside and key and re.match(rf"[\"']?{re.escape(key)}[\"']?=", bare):
                return number
        return found

    def scenario(self) -> Scenario:
        allowed = ("name", "duration_s", "start", "at")
        for key in self._data:
            if key not in allowed:
                table = f"[{key}]" if isinstance(self._data[key], dict) else ""
                raise self._fail(f"unknown key {key!r}: allowed are {', '.join(allowed)}", table, 0, key)
        title = self._data.get("name")
        if title is None:
            raise self._fail("name is missing: a text", key="name")
        if not isinstance(title, str) or not title.strip() or not title.isprintable():
            raise self._fail("name must be a text without control characters", key="name")
        duration_s = self._checked(
            Number(0.001, 31_536_000.0, "s"), self._data.get("duration_s"), "duration_s", "", 0
        )
        assert isinstance(duration_s, float)
        return Scenario(title, duration_s, self._start(), self._steps(duration_s))

    def _checked(self, kind: Kind, value: object, key: str, header: str, nth: int) -> Value:
        if value is None:
            raise self._fail(f"{key} is missing: {kind.words()}", header, nth)
        try:
            return kind.check(value)
        except ScenarioError as error:
            raise self._fail(f"{key} {error}", header, nth, key) from None

    def _seconds(self, most: float, least: float, value: object, key: str, header: str, nth: int) -> float:
        return float(self._checked(Number(least, most, "s"), value, key, header, nth))

    def _start(self) -> Start:
        table = self._data.get("start", {})
        if not isinstance(table, dict):
            raise self._fail("start must be a table: [start]", key="start")
        values: Params = {}
        loads_on: tuple[str, ...] | None = None
        further: tuple[float, ...] = ()
        for key, value in table.items():
            if key == "loads_on":
                if not isinstance(value, list) or any(load not in self._loads for load in value):
                    raise self._fail(
                        f"loads_on must be a list of {', '.join(self._loads)}", "[start]", 0, key
                    )
                loads_on = tuple(str(load) for load in value)
            elif key == "further_soc_pct":
                if not isinstance(value, list) or not all(_is_percent(soc_pct) for soc_pct in value):
                    raise self._fail(
                        "further_soc_pct must be a list of numbers from 0 to 100 %", "[start]", 0, key
                    )
                further = tuple(float(soc_pct) for soc_pct in value)
            elif key in _START:
                values[key] = self._checked(_START[key], value, key, "[start]", 0)
            else:
                allowed = ", ".join((*_START, "further_soc_pct", "loads_on"))
                raise self._fail(f"unknown key {key!r}: allowed are {allowed}", "[start]", 0, key)

        def number(key: str) -> float | None:
            value = values.get(key)
            return value if isinstance(value, float) else None

        inverters = int(number("inverters") or 1)
        if len(further) >= inverters:
            text = f"further_soc_pct must name at most {inverters - 1} cars: one for each inverter after the first"
            raise self._fail(text, "[start]", 0, "further_soc_pct")
        enter_s, hour = number("enter_service_s"), number("local_hour")
        return Start(
            number("soc_pct"),
            number("ambient_c"),
            number("pv_kw"),
            loads_on,
            bool(values.get("boot", False)),
            300.0 if enter_s is None else enter_s,
            inverters,
            further,
            12.0 if hour is None else hour,
        )

    def _steps(self, duration_s: float) -> tuple[Step, ...]:
        tables = self._data.get("at", [])
        if not isinstance(tables, list) or any(not isinstance(table, dict) for table in tables):
            raise self._fail("at must be a list of tables: [[at]]", key="at")
        steps: list[Step] = []
        for nth, table in enumerate(tables):
            s = self._seconds(duration_s, 0.0, table.get("s"), "s", "[[at]]", nth)
            do = table.get("do")
            if not isinstance(do, str):
                raise self._fail(f"do is missing: one of {', '.join(ALL_VERBS)}", "[[at]]", nth, "do")
            rest = {key: value for key, value in table.items() if key not in ("s", "do")}
            try:
                params = check(do, rest)
            except ScenarioError as error:
                wrong = next((key for key in rest if re.search(rf"\b{re.escape(key)}\b", str(error))), "do")
                raise self._fail(str(error), "[[at]]", nth, wrong) from None
            if "load" in params and params["load"] not in self._loads:
                allowed = ", ".join(self._loads)
                raise self._fail(
                    f"{do}: load must be one of {allowed}, not {params['load']!r}", "[[at]]", nth, "load"
                )
            steps.append(Step(s, do, params))
        return tuple(sorted(steps, key=lambda step: step.s))
