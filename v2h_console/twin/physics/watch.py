"""When a node's SOGI amplitude or half-cycle RMS crosses a threshold: found ahead of time, to the nanosecond.

After each change of a node's voltage the watcher looks ahead in strides counted from the change, finds the first
crossing and makes an appointment for it. What is watched is continuous in time, so a crossing never falls on the
change itself. Strides are counted from the change or from the last crossing, never from somebody's steps.
"""

from __future__ import annotations

from collections.abc import Callable

from v2h_console.twin.physics.agenda import Agenda
from v2h_console.twin.physics.node import Node

_STRIDE_NS = 2_000_000
_STRIDES = 4
#: A SOGI's free part is e^-12 after 45 ms; the half-cycle window has long passed.
_SETTLED_NS = 45_000_000
_SMALL_PU = 0.02
_CLEAR_PU = 0.05


class Watch:
    """``below`` whether the quantity is below ``threshold``, ``since_ns`` the instant at which that became so."""

    __slots__ = ("below", "measure", "on_change", "since_ns", "threshold")

    def __init__(
        self, measure: Callable[[int], float], threshold: float, at_ns: int, on_change: Callable[[], None]
    ) -> None:
        self.measure = measure
        self.threshold = threshold
        self.below = measure(at_ns) < threshold
        self.since_ns = at_ns
        self.on_change = on_change

    def below_ms(self, now_ns: int) -> float:
        """How long it has been below, in milliseconds; 0 when it is not."""
        return (now_ns - self.since_ns) * 1e-6 if self.below else 0.0


class Watcher:
    """Looks ahead on one node for all of its watches."""

    __slots__ = ("_agenda", "_name", "_node", "watches")

    def __init__(self, agenda: Agenda, node: Node) -> None:
        self._agenda = agenda
        self._node = node
        self._name = f"watch/{node.name}"
        self.watches: list[Watch] = []

    def changed(self, at_ns: int, step_pu: float) -> None:
        """The node's voltage changes by ``step_pu`` (size of the phasor's change) from ``at_ns`` on: look again.

        A small step on a settled node far from every threshold cannot cross one.
        """
        if step_pu < _SMALL_PU and not self._agenda.has(self._name):
            level = abs(self._node.steady(at_ns))
            if all(
                abs(level - w.threshold) > _CLEAR_PU and w.below == (level < w.threshold)
                for w in self.watches
            ):
                return
        self._look(at_ns)

    def _look(self, from_ns: int) -> None:
        node = self._node
        damped = any(s.real < 0.0 for _, s in node.segment.terms)
        if not damped and from_ns - node.segment.t0_ns > _SETTLED_NS:
            self._agenda.cancel(self._name)
            return
        earlier = from_ns
        for stride in range(_STRIDES + 1):
            at_ns = from_ns + stride * _STRIDE_NS
            crossed = [
                watch for watch in self.watches if (watch.measure(at_ns) < watch.threshold) != watch.below
            ]
            if crossed:
                first, first_ns = crossed[0], _crossing(crossed[0], earlier, at_ns)
                for watch in crossed[1:]:
                    if (watch.measure(first_ns) < watch.threshold) != watch.below:
                        sooner_ns = _crossing(watch, earlier, first_ns)
                        if sooner_ns < first_ns:
                            first, first_ns = watch, sooner_ns
                self._appoint(first_ns, first)
                return
            earlier = at_ns
        self._agenda.put(self._name, earlier, lambda: self._look(earlier))

    def _appoint(self, at_ns: int, watch: Watch) -> None:
        def cross() -> None:
            watch.below = not watch.below
            watch.since_ns = at_ns
            before = self._node.segment
            watch.on_change()
            if self._node.segment is before:
                self._look(at_ns)

        self._agenda.put(self._name, at_ns, cross)


def _crossing(watch: Watch, low_ns: int, high_ns: int) -> int:
    """The nanosecond within (low, high] from which ``watch`` stands otherwise than now.

    False position with the Illinois halving: a handful of looks where bisection takes twenty, and the same answer
    for the same segment whoever asks.
    """
    if high_ns - low_ns <= 1:
        return high_ns
    below = watch.below
    low, high = watch.measure(low_ns) - watch.threshold, watch.measure(high_ns) - watch.threshold
    last = 0
    while high_ns - low_ns > 1:
        span_ns = high_ns - low_ns
        share = low / (low - high) if low != high else 0.5
        # A guess on the very edge would only creep up on the other side.
        middle_ns = low_ns + min(span_ns - 1, max(1, round(span_ns * share)))
        value = watch.measure(middle_ns) - watch.threshold
        if (value < 0.0) == below:
            low_ns, low = middle_ns, value
            if last < 0:
                high *= 0.5
            last = -1
        else:
            high_ns, high = middle_ns, value
            if last > 0:
                low *= 0.5
            last = 1
    return high_ns
