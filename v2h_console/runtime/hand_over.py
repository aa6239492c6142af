"""A planned restart keeps the house lit: the old owner's core goes on, step by step, in the new owner's process.

The new owner listens on the bus until it knows the controller, asks the old one, and takes up the core's memory with
the counters of the frames; the old lane ends with its last step before it says so, so that there are never two. What is
handed over is a file below /run/v2h that only the owner's user reads, gone as soon as it was read. A new owner whose
memory has another shape, or another house, is refused before anything ends.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from v2h_console.core import car_reserve
from v2h_console.core.frozen import replace
from v2h_console.core.grid_trips import TripClocks
from v2h_console.core.observation import Observation
from v2h_console.core.settings import Settings
from v2h_console.core.state import Mode, State, boot
from v2h_console.core.step import step

FILE = "hand-over"
#: In these the house stays as it is for as long as nothing happens; a transfer under way is ended first.
QUIET = (Mode.TIED, Mode.ISLANDED, Mode.DARK, Mode.FAULT_OPEN)
#: How long the lane is given to come to a quiet step.
PATIENCE_S = 1.0


class HandOver(msgspec.Struct):
    """What goes from one owner to the next. ``counters``: of each sent frame, so that the controller hears no leap."""

    shape: str
    counters: dict[str, int]
    state: State
    #: Of the rules by which the grid was judged: clocks that were counted by others mean nothing.
    grid: str = ""


def shape(settings: Settings) -> str:
    """Of the core's memory and of the house that it is about: two owners with the same understand each other."""
    told: list[str] = [
        ",".join(circuit.id for circuit in settings.loads.circuits),
        ",".join(unit.name for unit in settings.parallel.units),
    ]
    _describe(State, set(), told)
    return hashlib.blake2b("\n".join(told).encode(), digest_size=16).hexdigest()


def _describe(kind: Any, seen: set[Any], told: list[str]) -> None:
    for part in get_args(kind):
        _describe(part, seen, told)
    if not isinstance(kind, type) or not is_dataclass(kind) or kind in seen:
        return
    seen.add(kind)
    hints = get_type_hints(kind)
    told.append(f"{kind.__name__}({', '.join(f'{one.name}: {one.type}' for one in fields(kind))})")
    for one in fields(kind):
        _describe(hints[one.name], seen, told)


def refusal(state: State) -> str:
    """Why this is no moment to hand over; "" = it is one."""
    if state.islanding.mode not in QUIET:
        return f"the MID is on its way ({state.islanding.mode.value})"
    if state.islanding.mode is Mode.ISLANDED and state.transfer is not None:
        return "a transfer is under way"
    if state.latch.durable_sequence != state.latch.sequence:
        return "the open latch is on its way to the disk"
    return ""


def rehearse(settings: Settings, now_ns: int) -> None:
    """Let this process do once what it must do quickly later: the first decoding and the first step take far longer
    than those that follow."""
    state = boot(settings, now_ns)
    data = msgspec.msgpack.encode(HandOver(shape(settings), {}, state))
    for sequence in range(5):
        state = step(settings, state, Observation(sequence), now_ns + sequence).state
    msgspec.msgpack.decode(data, type=HandOver)


def write(folder: Path, handed: HandOver) -> None:
    """For the owner's user alone. Raises OSError."""
    path, making = folder / FILE, folder / f"{FILE}.new"
    making.unlink(missing_ok=True)
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(msgspec.msgpack.encode(handed))
    os.replace(making, path)


def read(folder: Path, settings: Settings) -> HandOver:
    """Take it up, once. Raises OSError, ValueError."""
    path = folder / FILE
    data = path.read_bytes()
    path.unlink()
    handed = msgspec.msgpack.decode(data, type=HandOver)
    if handed.shape != shape(settings):
        raise ValueError("what was handed over is another house's, or another version's")
    return handed


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a site has: ``addresses`` of its devices by name as links say them, "" where nobody compares it; circuits that are
    ``metered`` by their index; whether there are a ``roof`` and ``relays``."""

    addresses: Mapping[str, str]
    metered: Collection[int] = ()
    roof: bool = False
    relays: bool = False


def rules(settings: Settings) -> str:
    """Of how this owner judges the grid."""
    return hashlib.blake2b(repr(settings.grid).encode(), digest_size=16).hexdigest()


def at_this_site(handed: HandOver, settings: Settings, here: Equipment) -> State:
    """Without what the owner before knew of devices that this site does not have, and counted by rules that it has not.

    A link that nobody listens to any more would stand as it was for ever, a meter that is gone as one that is silent, and a
    roof as one that may give anything. What was asked of the inverter is asked again: it may be another one.
    """
    state = handed.state
    senses, grid = state.senses, state.grid
    if handed.grid != rules(settings):
        # The delay is served in this window, and a trip's time beyond this limit.
        grid = replace(grid, clocks=TripClocks(), ok_since_ns=None)
    moved = any(here.addresses.get(link.device, "") not in ("", link.address) for link in senses.links)
    return replace(
        state,
        senses=replace(
            senses,
            links=tuple(link for link in senses.links if link.device in here.addresses),
            identities=tuple(one for one in senses.identities if one.device in here.addresses),
            solar=senses.solar if here.roof else None,
            relays=senses.relays if here.relays else None,
            circuits=tuple(
                one if index in here.metered else None for index, one in enumerate(senses.circuits)
            ),
        ),
        grid=grid,
        car=car_reserve.of_another_device(state.car) if moved else state.car,
        thermal=replace(state.thermal, limit_w=None, rises_since_ns=None),
        requested_limit_w=None,
        limit_doubted_ns=None,
        limit_ignored="",
        limit_tries=0,
    )


class Yielding:
    """One question to the lane: end with a quiet step, and give the state. Asked once, answered or withdrawn once."""

    def __init__(self, give: Callable[[State, dict[str, int]], None]) -> None:
        self._give = give
        self._lock = threading.Lock()
        self._withdrawn = False
        self._why = "the control core does not answer"
        self._answered = threading.Event()

    def offer(self, state: State, last_words: Callable[[], dict[str, int]]) -> bool:
        """For the lane, after a step: whether it ends now. ``last_words`` sends for the last time and gives the counters."""
        why = refusal(state)
        with self._lock:
            if self._withdrawn:
                return False
            if not why:
                try:
                    self._give(state, last_words())
                except (OSError, ValueError, TypeError, OverflowError) as error:
                    # A memory that cannot be written down costs the hand-over, never the lane.
                    why = f"it cannot be written: {getattr(error, 'strerror', None) or error}"
                    self._withdrawn = True
            self._why = why
            if not why or self._withdrawn:
                self._answered.set()
        return not why

    def put_off(self, why: str) -> None:
        """For the lane, after a step that may not be its last one."""
        with self._lock:
            if not self._withdrawn:
                self._why = why

    def wait(self, patience_s: float = PATIENCE_S) -> str:
        """For whoever asks: why not, or "" once the lane has ended."""
        self._answered.wait(patience_s)
        with self._lock:
            self._withdrawn = True
            return self._why
