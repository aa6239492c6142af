"""Heat: the auxiliary fan with hysteresis, and derating that cuts at once and relaxes slowly (I11)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from v2h_console.core import efficiency, heat_balance, still_sensor
from v2h_console.core.efficiency import EfficiencyState
from v2h_console.core.frozen import replace
from v2h_console.core.heat_balance import BalanceState
from v2h_console.core.senses import INVERTER_LIMIT_MS, TEMPERATURES_LIMIT_MS, Senses, fresh, implausible_heat
from v2h_console.core.settings import NS_PER_S, InverterSettings, ThermalSettings
from v2h_console.core.still_sensor import StillState
from v2h_drivers.capabilities.fast_readings import InverterMode, Temperatures

#: With no believable temperature: assume hot, this much at most (fault class 11).
BLIND_LIMIT_W = 1_000.0
#: A derated limit rises again by no more than this, so that it doesn't hunt around the threshold.
RELAX_W_PER_S = 50.0
#: Derating goes by the temperature in such steps, rounded up. It comes down only when a whole step more has gone:
#: the sensor's noise never pulls the limit down behind itself.
STEP_K = 0.5
#: A fan that was told to turn has this long to reach a speed worth the name (fault class 24).
FAN_START_NS = 10 * NS_PER_S
FAN_TURNS_RPM = 300.0
#: Without its fan the heatsink runs away sooner: derating begins this much earlier.
NO_FAN_EARLIER_K = 5.0
#: An inverter that carries this much per leg works.
WORKS_A = 2.0
#: At the very start the first temperature frame is still on its way: five of its periods.
START_GRACE_NS = NS_PER_S // 2


@dataclass(frozen=True, slots=True)
class ThermalState:
    """``limit_w``: most power that heat allows now; ``fan_on``: what is asked of the fan.

    ``judged_c``: the heatsink's temperature as derating counts it, in steps. ``rises_since_ns``: since when the limit
    has been rising from ``rises_from_w`` to what this temperature allows; ``None`` = it is there.
    ``fan_still_since_ns``: since when it was told to turn and does not, or does not say that it does.
    """

    fan_on: bool = False
    limit_w: float | None = None
    judged_c: float | None = None
    rises_from_w: float = 0.0
    rises_since_ns: int | None = None
    blind: bool = False
    stopped: bool = False
    fan_still_since_ns: int | None = None
    tachometer_still: bool = False
    still: StillState = StillState()
    efficiency: EfficiencyState = EfficiencyState()
    balance: BalanceState = BalanceState()

    @property
    def fan_dead(self) -> bool:
        """Whether no air moves: by its tachometer, or by the heat that stays."""
        return self.tachometer_still or self.balance.no_air


def update(
    settings: ThermalSettings,
    inverter: InverterSettings,
    state: ThermalState,
    senses: Senses,
    started_ns: int,
    now_ns: int,
) -> ThermalState:
    """Judge the heatsink's temperature; an unknown one counts as hot, fan on."""
    reading = fresh(senses.temperatures, now_ns, TEMPERATURES_LIMIT_MS)
    known_c = None if reading is None or implausible_heat(reading) else reading.heatsink_c
    lost = efficiency.update(inverter, state.efficiency, senses, known_c, now_ns)
    if lost is not state.efficiency:
        state = replace(state, efficiency=lost)
    if reading is not None and known_c is not None and reading.at_ns != state.balance.last_ns:
        still = still_sensor.update(state.still, known_c, reading.at_ns, working=_works(senses, now_ns))
        balance = heat_balance.update(settings, state.balance, reading, lost.newest_w)
        state = replace(state, still=still, balance=balance)
    if reading is None or known_c is None or state.still.stuck:
        if senses.temperatures is None and now_ns - started_ns < START_GRACE_NS:
            return state
        return replace(
            state, fan_on=True, limit_w=BLIND_LIMIT_W, judged_c=None, rises_since_ns=None, blind=True
        )
    still_since_ns, tachometer_still = _fan(state, reading)
    fan_dead = tachometer_still or state.balance.no_air
    heatsink_c = known_c
    fan_on = _fan_on(settings, state, heatsink_c)
    stopped = heatsink_c >= settings.stop_c
    judged_c = _judged_c(state.judged_c, heatsink_c)
    earlier_k = NO_FAN_EARLIER_K if fan_dead else 0.0
    target_w = 0.0 if stopped else allowed_w(settings, inverter, judged_c + earlier_k)
    return replace(
        _towards(state, target_w, now_ns),
        fan_on=fan_on,
        judged_c=judged_c,
        blind=False,
        stopped=stopped,
        fan_still_since_ns=still_since_ns,
        tachometer_still=tachometer_still,
    )


def turns(settings: ThermalSettings, state: ThermalState, reading: Temperatures) -> bool:
    """Whether this reading, by itself, would change what heat allows or what is asked of the fan."""
    heatsink_c = reading.heatsink_c
    if heatsink_c is None or state.judged_c is None:
        return state.judged_c is not None
    return (
        _judged_c(state.judged_c, heatsink_c) != state.judged_c
        or _fan_on(settings, state, heatsink_c) != state.fan_on
        or (heatsink_c >= settings.stop_c) != state.stopped
    )


def _fan_on(settings: ThermalSettings, state: ThermalState, heatsink_c: float) -> bool:
    return heatsink_c > settings.fan_on_c or (state.fan_on and heatsink_c > settings.fan_off_c)


def _judged_c(before_c: float | None, heatsink_c: float) -> float:
    """The temperature in whole steps, never below the measured one and never more than two above it."""
    if before_c is not None and before_c - 2.0 * STEP_K <= heatsink_c <= before_c:
        return before_c
    return math.ceil(heatsink_c / STEP_K) * STEP_K


def _towards(state: ThermalState, target_w: float, now_ns: int) -> ThermalState:
    """Down at once, up slowly: by the time since the rise began, however often anybody asked in between."""
    if target_w == state.limit_w and state.rises_since_ns is None:
        return state
    if state.limit_w is None or state.blind or target_w <= state.limit_w:
        return replace(state, limit_w=target_w, rises_since_ns=None)
    if state.rises_since_ns is None:
        return replace(state, rises_from_w=state.limit_w, rises_since_ns=now_ns)
    risen_w = RELAX_W_PER_S * (now_ns - state.rises_since_ns) / NS_PER_S
    limit_w = min(target_w, state.rises_from_w + risen_w)
    return replace(
        state, limit_w=limit_w, rises_since_ns=None if limit_w == target_w else state.rises_since_ns
    )


def _fan(state: ThermalState, reading: Temperatures) -> tuple[int | None, bool]:
    """Since when the fan has stood still against its order, and whether it counts as dead.

    The verdict stays while the fan is not asked to turn: only a turning fan disproves it.
    """
    rpm = reading.fan_rpm
    if rpm is not None and rpm >= FAN_TURNS_RPM:
        return None, False
    if not state.fan_on:
        return None, state.tachometer_still
    since_ns = reading.at_ns if state.fan_still_since_ns is None else state.fan_still_since_ns
    return since_ns, state.tachometer_still or reading.at_ns - since_ns >= FAN_START_NS


def _works(senses: Senses, now_ns: int) -> bool:
    """Whether the inverter carries current: at rest a heatsink may be as quiet as the air."""
    inverter = fresh(senses.inverter_fast, now_ns, INVERTER_LIMIT_MS)
    return (
        inverter is not None
        and inverter.mode in (InverterMode.FOLLOWING, InverterMode.FORMING)
        and inverter.current_a is not None
        and inverter.current_a >= WORKS_A
    )


def allowed_w(settings: ThermalSettings, inverter: InverterSettings, heatsink_c: float) -> float:
    """Power that a heatsink so hot allows: rated up to the derating point, from there on less with each kelvin."""
    over_k = max(0.0, heatsink_c - settings.derate_from_c)
    return max(0.0, inverter.rated_w * (1.0 - settings.derate_per_k * over_k))
