"""One node of the house (a side of the MID, one leg): its voltage as a sequence of exact segments.

A segment is Re Σ U e^{s(t − t0)} in per unit of 120 V RMS (169.7 V peak); at most two terms: where the voltage is
going, and what still fades of where it was. Everything read from it is evaluated from the segment's start, so that
reading never changes anything.
"""

from __future__ import annotations

import cmath
import math
from collections import deque
from itertools import pairwise

from v2h_console.signals.sogi import SogiResponse, Term
from v2h_console.twin.physics.half_cycle import HALF_CYCLE_NS, square_integral

#: A fading term is dropped after 14 time constants (8e-7 of it is left).
FADED = 14.0
_SAME = 1e-7


class Segment:
    """From ``t0_ns`` on: the sum of ``terms``, τ in seconds from ``t0_ns``."""

    __slots__ = ("t0_ns", "terms")

    def __init__(self, t0_ns: int, terms: tuple[Term, ...]) -> None:
        self.t0_ns = t0_ns
        self.terms = terms

    def analytic(self, at_ns: int) -> complex:
        """The complex voltage whose real part is the voltage."""
        tau = (at_ns - self.t0_ns) * 1e-9
        total = 0j
        for u, s in self.terms:
            total += u * cmath.exp(s * tau)
        return total


class Node:
    """The voltage of one leg on one side. ``steady`` term first, then the fading one."""

    __slots__ = ("_history", "_sogi", "fades_at_ns", "name", "omega", "segment")

    def __init__(self, name: str, at_ns: int, steady: complex, omega: float) -> None:
        self.name = name
        self.omega = omega
        terms: tuple[Term, ...] = ((steady, complex(0.0, omega)),) if steady else ()
        self.segment = Segment(at_ns, terms)
        self._sogi = SogiResponse(terms, None)
        # A settled house has always been so: the past of the first window is the same sinusoid.
        before = at_ns - 2 * HALF_CYCLE_NS
        past = tuple((u * cmath.exp(s * (before - at_ns) * 1e-9), s) for u, s in terms)
        self._history: deque[Segment] = deque([Segment(before, past)])
        self.fades_at_ns: int | None = None

    def analytic(self, at_ns: int) -> complex:
        """The complex voltage at ``at_ns``, per unit."""
        return self.segment.analytic(at_ns)

    def value(self, at_ns: int) -> complex:
        """The complex voltage at an instant that may lie up to half a cycle back."""
        if at_ns >= self.segment.t0_ns:
            return self.segment.analytic(at_ns)
        for piece in reversed(self._history):
            if piece.t0_ns <= at_ns:
                return piece.analytic(at_ns)
        return self._history[0].analytic(at_ns)

    def stepped(self, at_ns: int, within_ns: int, by_pu: float) -> bool:
        """Whether its voltage went to another size by more than ``by_pu`` within the last ``within_ns``."""
        began_ns = self.segment.t0_ns
        if at_ns - began_ns > within_ns or not self._history:
            return False
        before = abs(self._history[-1].analytic(began_ns))
        return abs(abs(self.steady(at_ns)) - before) > by_pu

    def steady(self, at_ns: int) -> complex:
        """Where the voltage is going: the analytic value of the term that stays."""
        terms = self.segment.terms
        if not terms or terms[0][1].real < 0.0:
            return 0j
        u, s = terms[0]
        return u * cmath.exp(s * (at_ns - self.segment.t0_ns) * 1e-9)

    def go(
        self, at_ns: int, steady: complex, omega: float, tau_s: float, start: complex | None = None
    ) -> bool:
        """From ``at_ns`` the voltage goes to ``steady`` (a rotating phasor at ``omega``) with time constant ``tau_s``.

        It leaves from where it is, or from ``start`` at once. ``tau_s`` 0 is at once. Returns whether anything
        changed.
        """
        old = self.analytic(at_ns)
        begin = steady if tau_s == 0.0 else (old if start is None else start)
        fading = begin - steady
        if (
            abs(begin - old) < _SAME
            and abs(steady - self.steady(at_ns)) < _SAME
            and omega == self.omega
            and self._fading_like(abs(fading), tau_s)
        ):
            return False
        terms: list[Term] = []
        if abs(steady) > _SAME:
            terms.append((steady, complex(0.0, omega)))
        if abs(fading) > _SAME:
            terms.append((fading, complex(-1.0 / tau_s, omega)))
            self.fades_at_ns = at_ns + round(FADED * tau_s * 1e9)
        else:
            self.fades_at_ns = None
        self.omega = omega
        self._replace(at_ns, tuple(terms))
        return True

    def _fading_like(self, size: float, tau_s: float) -> bool:
        """Whether what fades now already fades with this time constant (or nothing does and nothing shall)."""
        damped = [s for _, s in self.segment.terms if s.real < 0.0]
        if not damped:
            return size < _SAME
        return tau_s > 0.0 and abs(-1.0 / damped[0].real - tau_s) < 1e-12

    def faded(self, at_ns: int) -> None:
        """Drop what has faded."""
        self.fades_at_ns = None
        steady = self.steady(at_ns)
        terms: tuple[Term, ...] = ((steady, complex(0.0, self.omega)),) if steady else ()
        self._replace(at_ns, terms)

    def _replace(self, at_ns: int, terms: tuple[Term, ...]) -> None:
        state = self._sogi.state((at_ns - self.segment.t0_ns) * 1e-9)
        if at_ns > self.segment.t0_ns:
            self._history.append(self.segment)
        oldest = at_ns - HALF_CYCLE_NS
        # The first entry must reach back to the window's start; whatever ended before it can go.
        while len(self._history) > 1 and self._history[1].t0_ns <= oldest:
            self._history.popleft()
        self.segment = Segment(at_ns, terms)
        self._sogi = SogiResponse(terms, state)

    def sogi(self, at_ns: int) -> float:
        """The SOGI's amplitude at ``at_ns``, per unit of the nominal peak."""
        return self._sogi.amplitude((at_ns - self.segment.t0_ns) * 1e-9)

    def pieces(self, from_ns: int, to_ns: int) -> list[Segment]:
        """The segments that touch the window, oldest first."""
        if self.segment.t0_ns <= from_ns:
            return [self.segment]
        found = [self.segment]
        for segment in reversed(self._history):
            if found[-1].t0_ns <= from_ns:
                break
            if segment.t0_ns < to_ns:
                found.append(segment)
        found.reverse()
        return found

    def rms(self, at_ns: int) -> float:
        """RMS over the half cycle that ends at ``at_ns``, per unit of the nominal RMS."""
        from_ns = at_ns - HALF_CYCLE_NS
        if self.segment.t0_ns <= from_ns and len(self.segment.terms) <= 1:
            return self._rms_of_one(from_ns)
        total = 0.0
        pieces = self.pieces(from_ns, at_ns)
        for i, piece in enumerate(pieces):
            begin = from_ns if i == 0 else piece.t0_ns
            end = pieces[i + 1].t0_ns if i + 1 < len(pieces) else at_ns
            if piece.terms and end > begin:
                total += square_integral(piece.terms, (begin - piece.t0_ns) * 1e-9, (end - begin) * 1e-9)
        return math.sqrt(max(0.0, 2.0 * total / (HALF_CYCLE_NS * 1e-9)))

    def _rms_of_one(self, from_ns: int) -> float:
        """`rms` within a segment of one lasting term (or none): its mean, and the ripple of a window that is not its half."""
        if not self.segment.terms:
            return 0.0
        u, s = self.segment.terms[0]
        if s.real != 0.0:
            span = square_integral(
                self.segment.terms, (from_ns - self.segment.t0_ns) * 1e-9, HALF_CYCLE_NS * 1e-9
            )
            return math.sqrt(max(0.0, 2.0 * span / (HALF_CYCLE_NS * 1e-9)))
        # 2/T ∫ (Re a e^{jωτ})² dτ = |a|² + Re(a² (e^{2jωT} − 1) / 2jωT)
        a = u * cmath.exp(s * ((from_ns - self.segment.t0_ns) * 1e-9))
        turn = 2.0 * s * (HALF_CYCLE_NS * 1e-9)
        ripple = a * a * (cmath.exp(turn) - 1.0) / turn
        return math.sqrt(max(0.0, abs(u) ** 2 + ripple.real))


def rms_between(one: Node, two: Node, at_ns: int) -> float:
    """Half-cycle RMS of ``one`` − ``two``, per unit of the line-to-neutral nominal RMS."""
    from_ns = at_ns - HALF_CYCLE_NS
    first, second = one.pieces(from_ns, at_ns), two.pieces(from_ns, at_ns)
    edges = sorted({max(from_ns, piece.t0_ns) for piece in (*first, *second)} | {at_ns})
    total = 0.0
    for begin, end in pairwise(edges):
        a = next(piece for piece in reversed(first) if piece.t0_ns <= begin or piece is first[0])
        b = next(piece for piece in reversed(second) if piece.t0_ns <= begin or piece is second[0])
        terms = [(u * cmath.exp(s * ((begin - a.t0_ns) * 1e-9)), s) for u, s in a.terms]
        terms += [(-u * cmath.exp(s * ((begin - b.t0_ns) * 1e-9)), s) for u, s in b.terms]
        if terms:
            total += square_integral(_merged(terms), 0.0, (end - begin) * 1e-9)
    return math.sqrt(max(0.0, 2.0 * total / (HALF_CYCLE_NS * 1e-9)))


def _merged(terms: list[Term]) -> tuple[Term, ...]:
    """Terms of the same exponent added up: the usual case is one sinusoid on both legs."""
    sums: dict[complex, complex] = {}
    for u, s in terms:
        sums[s] = sums.get(s, 0j) + u
    return tuple((u, s) for s, u in sums.items())
