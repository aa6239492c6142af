"""Reads /etc/energy (below the root) into the core's Settings and the device list."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from v2h_console import plain_file
from v2h_console.core.settings import (
    CarSettings,
    Circuit,
    GridSettings,
    InverterSettings,
    LoadSettings,
    MidSettings,
    ParallelSettings,
    Settings,
    SolarSettings,
    UnitSettings,
)
from v2h_console.site import grid_profile, names, schedule, toml_place
from v2h_console.site.complaints import allowed_at, explain, one_line, shown
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import CommStack, LimitsFile, LoadsFile, ModbusTcp
from v2h_console.site.schedule import ScheduleFile

CONFIG_FOLDER = Path("etc/energy")
#: All that a site is made of; all but the first may be missing.
FILES = ("comm_stack.conf", "limits.conf", "loads.conf", "schedule.conf")
#: What the files say, by name; ``None`` = there is none.
Texts = Mapping[str, str | None]
#: A configuration longer than this is not one.
MAX_BYTES = 256 * 1024
#: The longest key here has four (grid.trips.uv1.limit).
MOST_PARTS = 16
#: What the parser gives up on.
NO_CONFIGURATION = "a number of thousands of digits, or brackets nested without end: this is no configuration"
#: A limit below this was meant in another unit; 0 is a limit that forbids.
LEAST_KW = 0.1
#: Whose published surges the core's defaults are.
SURGES_OF_W = 9_000.0

File = TypeVar("File", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Site:
    """What the files say: the core's settings and where the devices are."""

    settings: Settings
    comm: CommStack
    #: ``None`` = no peak shaving.
    schedule: ScheduleFile | None = None


def config_path(root: Path, name: str) -> Path:
    """Where a configuration file stands below the root."""
    return root / CONFIG_FOLDER / name


def is_configured(root: Path) -> bool:
    """Whether this root has a site at all. One that nobody may look at, or a disk that fails, is one all the same."""
    try:
        os.stat(config_path(root, "comm_stack.conf"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_site(root: Path) -> Site:
    """Read and check all files. Raises ConfigError with one line; changes nothing."""
    return site_of(root, read_texts(root))


def read_texts(root: Path, wanted: Iterable[str] = FILES) -> dict[str, str | None]:
    """What the files say. Raises ConfigError for one that cannot be read as text."""
    return {name: _text(config_path(root, name)) for name in wanted}


def site_of(root: Path, texts: Texts) -> Site:
    """The site that these texts make, named in messages as the files below ``root``. Raises ConfigError."""
    comm_path = config_path(root, "comm_stack.conf")
    comm_text = texts.get("comm_stack.conf")
    if comm_text is None:
        raise ConfigError(f"{comm_path}: missing; `v2h-console demo` shows a house without one")
    comm = parse(str(comm_path), comm_text, CommStack)
    limits = _parse_optional(root, texts, "limits.conf", LimitsFile)
    loads = _parse_optional(root, texts, "loads.conf", LoadsFile)
    _check_together(root, texts, comm, limits, loads)
    grid = grid_profile.settings_of(comm.grid, comm_path, comm_text)
    settings = settings_of(comm, limits, loads, grid)
    plan_path = config_path(root, "schedule.conf")
    plan_text = texts.get("schedule.conf")
    if plan_text is None:
        return Site(settings, comm)
    plan = parse(str(plan_path), plan_text, ScheduleFile)
    tariff = schedule.settings_of(str(plan_path), plan_text, plan, limits.floor_soc_pct)
    return Site(replace(settings, tariff=tariff), comm, plan)


def _parse_optional(root: Path, texts: Texts, name: str, kind: type[File]) -> File:
    text = texts.get(name)
    return kind() if text is None else parse(str(config_path(root, name)), text, kind)


def parse_alone(root: Path, name: str, text: str | None) -> None:
    """Check what one of FILES says by itself. Raises ConfigError."""
    kinds: dict[str, type[msgspec.Struct]] = {
        "comm_stack.conf": CommStack,
        "limits.conf": LimitsFile,
        "loads.conf": LoadsFile,
        "schedule.conf": ScheduleFile,
    }
    if text is not None:
        parse(str(config_path(root, name)), text, kinds[name])


def _text(path: Path) -> str | None:
    """What the file says; ``None`` where there is none."""
    try:
        raw = plain_file.read(path, MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    # Some editors begin a text with a mark of its encoding.
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8 text") from None


def parse(path: str, text: str, kind: type[File]) -> File:
    """A file's text. Raises ConfigError: "FILE, line N: what is wrong, and what is allowed"."""
    # The parser's time and memory go with the square of them: 64 KiB of dots take all of both.
    parts, number = toml_place.longest_key(text)
    if parts > MOST_PARTS:
        raise ConfigError(
            f"{path}, line {number}: a key of {parts} parts with dots between them, at most {MOST_PARTS}"
        )
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, at = str(error).partition(" (at ")
        line_found = re.match(r"line (\d+)", at)
        # "end of document": the file stops where something was still to come.
        number = int(line_found.group(1)) if line_found else max(1, len(text.splitlines()))
        line = [*text.splitlines(), "", ""][number - 1]
        raise ConfigError(f"{path}, line {number}: {_plain(said, line)}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: {NO_CONFIGURATION}") from None
    try:
        return msgspec.convert(data, kind)
    except RecursionError:
        raise ConfigError(f"{path}: {NO_CONFIGURATION}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(explain(path, text, kind, data, str(error))) from None


def _plain(said: str, line: str) -> str:
    """What the parser says, in words where it is the common mistake."""
    if said.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate")):
        if not line.lstrip().startswith("["):
            return "this key stands twice: one of them has to go"
        return "this stands twice: of several alike each begins with [[...]], the first one too"
    return f"not valid TOML: {one_line(said)}"


def _check_together(root: Path, texts: Texts, comm: CommStack, limits: LimitsFile, loads: LoadsFile) -> None:
    def wrong(name: str, where: str, said: str) -> ConfigError:
        return ConfigError(f"{toml_place.at(config_path(root, name), texts.get(name) or '', where)}: {said}")

    ids = [circuit.id for circuit in loads.circuit]
    if (nth := _second(ids)) is not None:
        raise wrong(
            "loads.conf", f"circuit[{nth}].id", f"circuit id {ids[nth]!r} stands twice: each needs its own"
        )
    most_kw, rated_kw = limits.max_discharge_power_kw, limits.rated_power_kw
    if most_kw > rated_kw:
        said = f"max_discharge_power_kw {most_kw:g} is over rated_power_kw: allowed is at most {rated_kw:g}"
        # Either may have been left at its default.
        key = "max_discharge_power_kw" if most_kw != LimitsFile().max_discharge_power_kw else "rated_power_kw"
        raise wrong("limits.conf", key, said)
    if 0.0 < most_kw < LEAST_KW:
        said = f"max_discharge_power_kw {most_kw:g} is {most_kw * 1000.0:g} W: allowed is 0, or {LEAST_KW:g} and more"
        raise wrong("limits.conf", "max_discharge_power_kw", said)
    surges = (("surge_10s_kva", limits.surge_10s_kva), ("surge_100ms_kva", limits.surge_100ms_kva))
    for key, surge_kva in surges:
        if surge_kva is not None and surge_kva < rated_kw:
            said = f"{key} {surge_kva:g} is under rated_power_kw: allowed is at least {rated_kw:g}"
            raise wrong("limits.conf", key, said)
    for where, host in comm.hosts().items():
        if not names.can_be_asked_for(host):
            said = f"{where} is {shown(host)}: {allowed_at(CommStack, where)}"
            raise wrong("comm_stack.conf", where, said)
    taken_names: dict[str, tuple[str, str]] = {}
    for where, name in comm.names().items():
        seen = names.seen(name)
        if seen in taken_names or not seen.strip():
            other, its = taken_names.get(seen, (where, name))
            line = toml_place.line_of(texts.get("comm_stack.conf") or "", other)
            of = f"{other}{'' if line is None else f', line {line}'}"
            said = f"name {shown(name)} stands twice ({of})"
            if name != its:
                said = f"{where} {shown(name)} and {other} {shown(its)} look alike ({of})"
            if not seen.strip():
                said = f"nothing is seen of {where} {shown(name)}"
            raise wrong("comm_stack.conf", where, f"{said}: each device needs a name of its own")
        taken_names[seen] = where, name
    lists = not isinstance(comm.inverter, ModbusTcp)
    devices = (*comm.inverters(), *filter(None, (comm.solar,)))
    places = [(names.one_host(one.host), one.port, one.unit) for one in devices]
    if (nth := _second(places)) is not None:
        host, its = devices[nth].host, devices[places.index(places[nth])].host
        also = "" if host == its else f" (as {shown(its)})"
        _, port, unit = places[nth]
        said = f"unit {unit} at {shown(host)}, port {port}, stands twice{also}: one device would count as two"
        where = f"inverter[{nth}].host" if lists and nth < len(comm.inverters()) else "solar.host"
        raise wrong("comm_stack.conf", where, said)
    if comm.load_centre is not None:
        taken = {comm.load_centre.relays_unit: "relays_unit"}
        for name, unit in comm.load_centre.meters.items():
            if unit in taken:
                said = f"unit {unit} stands twice on the serial line: {taken[unit]} has it already"
                raise wrong("comm_stack.conf", f"load_centre.meters.{name}", said)
            taken[unit] = shown(name)
    for name in comm.load_centre.meters if comm.load_centre else ():
        if name not in ids:
            known = ", ".join(ids) or "none"
            said = f"load_centre.meters names {shown(name)}, which is no circuit of loads.conf (there are: {known})"
            raise wrong("comm_stack.conf", f"load_centre.meters.{name}", said)


def _second(all_of_them: Sequence[object]) -> int | None:
    """The first that has stood before."""
    return next((nth for nth, one in enumerate(all_of_them) if one in all_of_them[:nth]), None)


def _parallel(inverters: tuple[ModbusTcp, ...], rated_w: float) -> ParallelSettings:
    """One inverter needs no rules of sharing."""
    if len(inverters) == 1:
        return ParallelSettings()
    return ParallelSettings(tuple(UnitSettings(one.name, rated_w) for one in inverters))


def _inverter(limits: LimitsFile) -> InverterSettings:
    """What a small one can bear for a moment is reckoned from the published one of 9 kW, where its own is not told."""
    rated_w, told = limits.rated_power_kw * 1000.0, InverterSettings()
    share = min(1.0, rated_w / SURGES_OF_W)
    surge_10s, surge_100ms = limits.surge_10s_kva, limits.surge_100ms_kva
    return InverterSettings(
        rated_w=rated_w,
        max_discharge_w=limits.max_discharge_power_kw * 1000.0,
        surge_10s_va=told.surge_10s_va * share if surge_10s is None else surge_10s * 1000.0,
        surge_100ms_va=told.surge_100ms_va * share if surge_100ms is None else surge_100ms * 1000.0,
    )


def settings_of(comm: CommStack, limits: LimitsFile, loads: LoadsFile, grid: GridSettings) -> Settings:
    """The core's Settings from the files."""
    floor = limits.floor_soc_pct
    return Settings(
        site=comm.site,
        grid=grid,
        mid=MidSettings(poles=comm.mid.poles, closing_time_ms=comm.mid.closing_time_ms),
        inverter=_inverter(limits),
        car=CarSettings(
            floor_soc_pct=floor,
            stop_soc_pct=floor + 1.0,
            shed_soc_pct=floor + 2.0,
            warn_soc_pct=floor + 5.0,
            max_discharge_a=limits.max_discharge_current_a,
        ),
        loads=LoadSettings(
            neutral_former_a=loads.neutral_former_a,
            breaker_a=loads.breaker_a,
            circuits=tuple(
                Circuit(
                    id=entry.id,
                    name=entry.name,
                    legs=entry.legs,
                    tier=entry.tier,
                    running_va=entry.running_va,
                    inrush_multiple=entry.inrush_multiple,
                    inrush_s=entry.inrush_s,
                    hold_s=entry.hold_s,
                    min_off_s=entry.min_off_s,
                    island_ceiling_va=entry.island_ceiling_va,
                )
                for entry in loads.circuit
            ),
        ),
        solar=SolarSettings(polled=comm.solar is not None),
        parallel=_parallel(comm.inverters(), limits.rated_power_kw * 1000.0),
        controller_device=comm.controller.name,
        device_codes=names.codes(comm.names().values()),
    )
