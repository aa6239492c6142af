"""Whether the heatsink gets the air that the fan's tachometer claims: C dT/dt = loss − (T − Ta) / R.

A fan that turns without moving air (a blade off its hub, a clogged filter) and a tachometer that lies look alike from
here: the heat stays. Judged by whole windows of the clock, two in a row.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.settings import NS_PER_S, ThermalSettings
from v2h_drivers.capabilities.fast_readings import Temperatures

WINDOW_NS = 60 * NS_PER_S
#: Below these the balance is smaller than its own errors; the border is the geometric mean of still and blown.
LEAST_RISE_K, LEAST_LOSS_W = 6.0, 50.0
#: The fan's claim: below this it does not claim to blow in earnest.
BLOWS_RPM = 1_500.0
WINDOWS_TO_TELL = 2


@dataclass(frozen=True, slots=True)
class BalanceState:
    """The window that runs: ``energy_j`` lost in it so far, its first temperature and when; ``valid``: the fan has claimed
    to blow, and the loss has been known, all through it. ``short``: windows in a row without air."""

    window: int | None = None
    first_c: float = 0.0
    first_ns: int = 0
    last_ns: int = 0
    energy_j: float = 0.0
    rise_ks: float = 0.0
    valid: bool = False
    short: int = 0

    @property
    def no_air(self) -> bool:
        """Whether the heat says that no air moves."""
        return self.short >= WINDOWS_TO_TELL


def update(
    settings: ThermalSettings, state: BalanceState, reading: Temperatures, loss_w: float | None
) -> BalanceState:
    """Take one message with the loss at its time, ``None`` = unknown."""
    at_ns, heatsink_c, ambient_c = reading.at_ns, reading.heatsink_c, reading.ambient_c
    if at_ns == state.last_ns:
        return state
    claims = reading.fan_rpm is not None and reading.fan_rpm >= BLOWS_RPM
    if heatsink_c is None or ambient_c is None or loss_w is None or not claims:
        # Nothing claims to blow, or nothing can be reckoned: the verdict stays as it is.
        return replace(state, window=None, valid=False, last_ns=at_ns)
    window = at_ns // WINDOW_NS
    gone_s = (at_ns - state.last_ns) / NS_PER_S
    if state.window == window:
        return replace(
            state,
            last_ns=at_ns,
            energy_j=state.energy_j + loss_w * gone_s,
            rise_ks=state.rise_ks + (heatsink_c - ambient_c) * gone_s,
        )
    short = state.short
    if state.valid and state.window == window - 1:
        verdict = _has_air(settings, state, heatsink_c, at_ns)
        if verdict is not None:
            short = 0 if verdict else short + 1
    # Only a window that was entered from the one before is whole.
    return BalanceState(window, heatsink_c, at_ns, at_ns, valid=state.window == window - 1, short=short)


def _has_air(settings: ThermalSettings, state: BalanceState, heatsink_c: float, at_ns: int) -> bool | None:
    """``None``: too little heat to tell."""
    span_s = (state.last_ns - state.first_ns) / NS_PER_S
    if span_s <= 0.0:
        return None
    rise_k, loss_w = state.rise_ks / span_s, state.energy_j / span_s
    if loss_w < LEAST_LOSS_W:
        return None
    stored_w = (
        settings.capacity_j_per_k * (heatsink_c - state.first_c) / ((at_ns - state.first_ns) / NS_PER_S)
    )
    between_w_per_k = (1.0 / (settings.still_k_per_w * settings.blown_k_per_w)) ** 0.5
    if loss_w - stored_w >= between_w_per_k * rise_k:
        return True
    return False if rise_k >= LEAST_RISE_K else None
