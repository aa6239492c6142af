"""Mean squares of sums of damped sinusoids, in closed form."""

from __future__ import annotations

import cmath

from v2h_console.signals.sogi import Term

HALF_CYCLE_NS = 8_333_333


def _integral(exponent: complex, span_s: float) -> complex:
    """∫ e^{exponent·τ} dτ over 0..span_s."""
    x = exponent * span_s
    if abs(x) < 1e-6:
        # e^x − 1 would cancel; two terms of its series are exact to a double here.
        return span_s * (1.0 + 0.5 * x)
    result: complex = (cmath.exp(x) - 1.0) / exponent
    return result


def square_integral(terms: tuple[Term, ...], from_s: float, span_s: float) -> float:
    """∫ (Re Σ U e^{sτ})² dτ from ``from_s`` over ``span_s`` seconds.

    With Re a · Re b = ½ Re(ab + a b̄) every pair of terms is one exponential with, and one without, conjugation.
    """
    if len(terms) == 1:
        u, s = terms[0]
        a = u * cmath.exp(s * from_s)
        return 0.5 * (
            (a * a * _integral(2.0 * s, span_s)).real
            + abs(a) ** 2 * _integral(complex(2.0 * s.real), span_s).real
        )
    shifted = [(u * cmath.exp(s * from_s), s) for u, s in terms]
    total = 0.0
    for i, (a, s) in enumerate(shifted):
        for j in range(i, len(shifted)):
            b, r = shifted[j]
            weight = 0.5 if i == j else 1.0
            pair = a * b * _integral(s + r, span_s) + a * b.conjugate() * _integral(s + r.conjugate(), span_s)
            total += weight * pair.real
    return total
