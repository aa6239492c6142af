"""What `core.frozen` does, in a module that a compiler can take: there the checker's view of ``replace`` stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Of each class: the names of its slots and what sets them past the frozen front door.
_SLOTS: dict[type, tuple[tuple[str, Callable[[Any, Any], None]], ...]] = {}


def replace(value: Any, /, **changes: Any) -> Any:
    """``value`` with ``changes``; ``value`` itself when they change nothing. Raises TypeError for unknown names."""
    for name, new in changes.items():
        if getattr(value, name, changes) is not new:
            break
    else:
        return value
    kind: Any = type(value)
    slots = _SLOTS.get(kind)
    if slots is None:
        slots = _SLOTS[kind] = _slots_of(kind)
    made = kind.__new__(kind)
    for name, put in slots:
        put(made, changes.pop(name) if name in changes else getattr(value, name))
    if changes:
        raise TypeError(f"{kind.__name__} has no field {', '.join(changes)}")
    return made


def _slots_of(kind: Any) -> tuple[tuple[str, Callable[[Any, Any], None]], ...]:
    if hasattr(kind, "__post_init__") or not kind.__dataclass_params__.frozen:
        raise TypeError(f"{kind.__name__} is not a plain frozen value")
    return tuple((name, getattr(kind, name).__set__) for name in kind.__dataclass_fields__)
