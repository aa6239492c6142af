"""The second-order generalised integrator (SOGI), propagated exactly on damped sinusoids.

    v'  = ω0 (k (u − x1) − x2)          (in-phase output x1)
    qv' = ω0 x1                         (quadrature output x2)

With u(τ) = Re Σ U e^{sτ} the equations are linear with constant coefficients, so the state at any τ is a particular
solution for each term plus a free part e^{Aτ}: no time step, no integration error. Two readings of one segment
never depend on each other, which makes them independent of how often somebody looks.
"""

from __future__ import annotations

import cmath
import math

#: One damped complex exponential: amplitude U (per unit of the peak) and exponent s (1/s).
Term = tuple[complex, complex]

DAMPING = math.sqrt(2.0)
OMEGA_60_HZ = 2.0 * math.pi * 60.0

#: Beyond e^-40 the free part is nothing beside a double's rounding.
_FREE_PART_GONE = -40.0


class SogiResponse:
    """A SOGI's answer, from ``state`` = (v', qv') at τ = 0, to ``terms`` that began at τ = 0.

    ``state`` None: settled, without a free part. τ in seconds, values in per unit of the input's peak.
    Raises ``ValueError`` for a damping outside (0, 2).
    """

    __slots__ = ("_a", "_b", "_f1", "_f2", "_g1", "_g2", "_parts")

    def __init__(
        self,
        terms: tuple[Term, ...],
        state: tuple[float, float] | None,
        k: float = DAMPING,
        omega0: float = OMEGA_60_HZ,
    ) -> None:
        if not 0.0 < k < 2.0:
            raise ValueError(f"SOGI damping must lie between 0 and 2: {k}")
        parts: list[tuple[complex, complex, complex]] = []
        at_1 = 0.0
        at_2 = 0.0
        for u, s in terms:
            determinant = s * s + s * (omega0 * k) + omega0 * omega0
            if abs(determinant) < 1e-6 * omega0 * omega0:
                # The input decays exactly like the filter itself: the particular solution would need τ·e^{sτ}.
                # Moving s by a millionth changes the answer by less than that.
                s = s * (1.0 + 1e-6) + 1e-6 * omega0
                determinant = s * s + s * (omega0 * k) + omega0 * omega0
            x2 = omega0 * omega0 * k * u / determinant
            x1 = x2 * s / omega0
            parts.append((x1, x2, s))
            at_1 += x1.real
            at_2 += x2.real
        self._parts = parts
        free_1, free_2 = (0.0, 0.0) if state is None else (state[0] - at_1, state[1] - at_2)
        self._a = -0.5 * omega0 * k
        self._b = omega0 * math.sqrt(1.0 - 0.25 * k * k)
        # e^{Aτ} = e^{aτ} (cos bτ · I + sin bτ / b · (A − aI)), with A = ω0 [[−k, −1], [1, 0]].
        self._f1, self._f2 = free_1, free_2
        self._g1 = ((-omega0 * k - self._a) * free_1 - omega0 * free_2) / self._b
        self._g2 = (omega0 * free_1 - self._a * free_2) / self._b

    def state(self, tau_s: float) -> tuple[float, float]:
        """(v', qv') at ``tau_s`` ≥ 0."""
        x1 = 0.0
        x2 = 0.0
        for p1, p2, s in self._parts:
            e = cmath.exp(s * tau_s)
            x1 += p1.real * e.real - p1.imag * e.imag
            x2 += p2.real * e.real - p2.imag * e.imag
        decay = self._a * tau_s
        if decay > _FREE_PART_GONE:
            envelope = math.exp(decay)
            c = envelope * math.cos(self._b * tau_s)
            d = envelope * math.sin(self._b * tau_s)
            x1 += c * self._f1 + d * self._g1
            x2 += c * self._f2 + d * self._g2
        return x1, x2

    def amplitude(self, tau_s: float) -> float:
        """hypot(v', qv') at ``tau_s``: the estimated peak, per unit."""
        return math.hypot(*self.state(tau_s))
