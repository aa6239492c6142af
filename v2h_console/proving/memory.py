"""Remembering what a small machine knows, to put it back after a look ahead that came to nothing.

Made for drivers' machines: attributes that hold numbers, words or frozen values, and one level of plain containers or
slotted records below them. Cheap enough to be taken before every hop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import Any

_CONTAINERS = (list, dict, set, deque, bytearray)


_FIELDS: dict[type, tuple[str, ...]] = {}
_READERS: dict[type, Callable[[Any], Any]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a record that can change; () for everything else."""
    known = _FIELDS.get(kind)
    if known is None:
        parameters = getattr(kind, "__dataclass_params__", None)
        changes = parameters is not None and not parameters.frozen
        known = _FIELDS[kind] = tuple(getattr(kind, "__dataclass_fields__", ())) if changes else ()
        if known:
            _READERS[kind] = attrgetter(*known)
    return known


class Memory:
    """What ``machine`` knows now; ``restore`` puts it back, however often."""

    __slots__ = ("_attributes", "_containers", "_machine", "_records")

    def __init__(self, machine: object) -> None:
        self._machine = machine
        self._attributes: dict[str, Any] = dict(vars(machine))
        self._containers: list[tuple[Any, Any]] = []
        self._records: list[tuple[Any, Any]] = []
        for value in self._attributes.values():
            if isinstance(value, _CONTAINERS):
                self._containers.append((value, value.copy()))
                for inner in value.values() if isinstance(value, dict) else value:
                    self._record(inner)
            else:
                self._record(value)

    def _record(self, value: Any) -> None:
        if _fields(type(value)):
            self._records.append((value, _READERS[type(value)](value)))

    def restore(self) -> None:
        """As it was."""
        vars(self._machine).clear()
        vars(self._machine).update(self._attributes)
        for container, copy in self._containers:
            container.clear()
            if isinstance(container, (dict, set)):
                container.update(copy)
            else:
                container.extend(copy)
        for record, values in self._records:
            names = _fields(type(record))
            for name, value in zip(names, values if len(names) > 1 else (values,), strict=True):
                setattr(record, name, value)
