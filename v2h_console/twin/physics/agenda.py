"""What will happen, in exact order: named appointments, each of which replaces an earlier one of the same name."""

from __future__ import annotations

import heapq
from collections.abc import Callable

#: Far enough never to come (292 years), small enough for a signed 64-bit integer.
NEVER_NS = 2**63 - 1


class Agenda:
    """Appointments at integer nanoseconds; those of the same instant happen in the order they were made."""

    __slots__ = ("_heap", "_live", "_serial", "taken")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str, Callable[[], None]]] = []
        self._live: dict[str, int] = {}
        self._serial = 0
        #: How many appointments have been kept: whoever cached something asks whether anything happened since.
        self.taken = 0

    def put(self, name: str, at_ns: int, action: Callable[[], None]) -> None:
        """Do ``action`` at ``at_ns``; an earlier appointment ``name`` is dropped."""
        self._serial += 1
        self._live[name] = self._serial
        heapq.heappush(self._heap, (at_ns, self._serial, name, action))

    def cancel(self, name: str) -> None:
        """Drop the appointment ``name``; nothing happens where there is none."""
        self._live.pop(name, None)

    def cancel_all(self, prefix: str) -> None:
        """Drop every appointment whose name begins with ``prefix``."""
        for name in [name for name in self._live if name.startswith(prefix)]:
            del self._live[name]

    def has(self, name: str) -> bool:
        """Whether the appointment ``name`` stands."""
        return name in self._live

    def next_ns(self) -> int:
        """When the next appointment is, or ``NEVER_NS``."""
        heap = self._heap
        while heap and self._live.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][0] if heap else NEVER_NS

    def take(self) -> Callable[[], None]:
        """Remove the next appointment and give its action; only after ``next_ns`` has named a time."""
        _, _, name, action = heapq.heappop(self._heap)
        del self._live[name]
        self.taken += 1
        return action
