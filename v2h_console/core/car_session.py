"""The DC side between car and inverter: whether it may be used, and how much the car gives through it.

The contactors belong to the car's link; what the core can do is to refuse, to stop in order, and to lock out (LK_FORM)
what only a person may trust again: welded contactors, and an insulation that is low.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2h_console.core.frozen import replace
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_MS, NS_PER_S, CarSettings
from v2h_drivers.capabilities.fast_readings import CarSession, CarStage

#: A native link is silent after this; a damaged message in between is not silence.
FRESH_MS = 500.0
#: IEC 61851-23: less than this and no session may run.
LEAST_OHM_PER_V = 500.0
#: A monitor's first low sample stops; the lockout waits until it has stood.
INSULATION_LOCK_NS = 1 * NS_PER_S
#: Weld check: the contactors' own feedback, then a quarter of the pack's volts, then touchable.
WELD_FEEDBACK_NS = 500 * NS_PER_MS
WELD_QUARTER_NS = 1 * NS_PER_S
WELD_TOUCH_NS = 2 * NS_PER_S
WELD_SHARE, TOUCH_V = 0.25, 10.0
#: The link gives up after 10 s; a precharge that fails is said before that.
PRECHARGE_NS = 9_500 * NS_PER_MS
#: DC amps to AC watts: what the inverter keeps for itself at any power, and of each watt.
EFFICIENCY, IDLE_W = 0.97, 70.0

#: A smaller fall of the limit comes from the volts; a fall has been met by the end of this.
DROP_W, DROP_NS = 200.0, 200 * NS_PER_MS
#: A car opens its contactors after two seconds of too much: a start is over by then.
HOLD_NS = 1 * NS_PER_S

WELDED = "the car's contactors are welded: do not pull the plug"
LEAKS = "the DC side's insulation is low"
#: Only a person ends these, on the grid too.
DC_LOCKS = (WELDED, LEAKS)

_WORDS = {
    CarStage.UNKNOWN: "what the car's link does is unknown",
    CarStage.UNPLUGGED: "the car is not plugged in",
    CarStage.LINKING: "the car's link is being set up",
    CarStage.INSULATION: "the DC side's insulation is being tested",
    CarStage.STOPPED: "the car has ended its session",
    CarStage.FAULT: "the car's link reports a fault",
}


@dataclass(frozen=True, slots=True)
class SessionState:
    """``refusal``: why the DC side cannot be used, "" when it can. ``limit_w``: AC watts that the car allows; ``None``
    = unknown. ``heard_ns``: the last message that could be believed."""

    refusal: str = "the car's DC side has not been heard"
    limit_w: float | None = None
    heard_ns: int | None = None
    judged_ns: int | None = None
    opened_ns: int | None = None
    precharge_ns: int | None = None
    low_since_ns: int | None = None
    insulation_ohm_per_v: float | None = None
    welded: bool = False
    precharge_failed: bool = False
    dropped_ns: int | None = None

    def hold_ns(self, now_ns: int) -> int:
        """How long the car bears more than its limit: not at all when it has just lowered it (fault class 59)."""
        dropped_ns = self.dropped_ns
        return 0 if dropped_ns is not None and now_ns - dropped_ns < DROP_NS else HOLD_NS

    @property
    def insulation_low(self) -> bool:
        """Whether the newest measurement is below what a session needs."""
        return self.low_since_ns is not None

    def lock(self, now_ns: int) -> str:
        """Why forming must wait for a person; "" = it need not."""
        if self.welded:
            return WELDED
        since_ns = self.low_since_ns
        return LEAKS if since_ns is not None and now_ns - since_ns >= INSULATION_LOCK_NS else ""


def update(settings: CarSettings, state: SessionState, senses: Senses, now_ns: int) -> SessionState:
    """Judge the newest message, and the time since its last change. Unknown is never enough."""
    reading = fresh(senses.car_session, now_ns, FRESH_MS)
    if reading is None:
        heard_ns = state.heard_ns
        if heard_ns is None or now_ns - heard_ns <= FRESH_MS * NS_PER_MS:
            return state
        return replace(state, refusal="the car's DC side is silent", limit_w=None, insulation_ohm_per_v=None)
    timed = state.opened_ns is not None or state.precharge_ns is not None
    if reading.at_ns == state.judged_ns and not timed:
        return state
    opened_ns = None if reading.commanded_closed else _since(state.opened_ns, reading.at_ns)
    charging = reading.stage is CarStage.PRECHARGE
    precharge_ns = _since(state.precharge_ns, reading.at_ns) if charging else None
    ohm_per_v = reading.insulation_ohm_per_v
    low = ohm_per_v is not None and ohm_per_v < LEAST_OHM_PER_V
    open_ns = 0 if opened_ns is None else now_ns - opened_ns
    judged = SessionState(
        limit_w=_limit_w(settings, reading),
        heard_ns=reading.at_ns,
        judged_ns=reading.at_ns,
        dropped_ns=_dropped_ns(settings, state, reading),
        opened_ns=opened_ns,
        precharge_ns=precharge_ns,
        low_since_ns=_since(state.low_since_ns, reading.at_ns) if low else None,
        insulation_ohm_per_v=ohm_per_v,
        welded=_welded(settings, state, reading, open_ns),
        # It stays said until the next one has matched.
        precharge_failed=(precharge_ns is not None and now_ns - precharge_ns >= PRECHARGE_NS)
        or (state.precharge_failed and reading.stage is not CarStage.ENERGISED),
    )
    return replace(judged, refusal=_refusal(judged, reading))


def _dropped_ns(settings: CarSettings, state: SessionState, reading: CarSession) -> int | None:
    limit_w = _limit_w(settings, reading)
    if limit_w is None or state.limit_w is None or limit_w > state.limit_w - DROP_W:
        return state.dropped_ns
    return reading.at_ns


def _since(since_ns: int | None, at_ns: int) -> int:
    return at_ns if since_ns is None else since_ns


def _welded(settings: CarSettings, state: SessionState, reading: CarSession, open_ns: int) -> bool:
    """Told to open, and not open. A test or a precharge puts volts on the bus by itself; then feedback alone counts."""
    if reading.commanded_closed:
        return False
    either = reading.positive_closed or reading.negative_closed
    if either and open_ns >= WELD_FEEDBACK_NS:
        return True
    volts = reading.dc_voltage_v
    if reading.stage not in (CarStage.UNPLUGGED, CarStage.STOPPED, CarStage.FAULT, CarStage.UNKNOWN):
        return state.welded and either
    if volts is None:
        return state.welded
    pack_v = settings.dc_lo_v if reading.pack_voltage_v is None else reading.pack_voltage_v
    if open_ns >= WELD_TOUCH_NS and volts > TOUCH_V:
        return True
    if open_ns >= WELD_QUARTER_NS and volts > WELD_SHARE * pack_v:
        return True
    return state.welded and (either or volts > TOUCH_V)


def _refusal(judged: SessionState, reading: CarSession) -> str:
    stage = reading.stage
    if judged.welded:
        return WELDED
    if judged.insulation_low:
        return f"{LEAKS}: {reading.insulation_ohm_per_v:.0f} ohm/V, {LEAST_OHM_PER_V:.0f} are needed"
    if stage is CarStage.PRECHARGE:
        begun = f"{_volts(reading.dc_voltage_v)} of {_volts(reading.pack_voltage_v)}"
        return f"the precharge {'does not match' if judged.precharge_failed else 'runs'}: {begun}"
    if stage is not CarStage.ENERGISED:
        return _WORDS[stage]
    if not (reading.commanded_closed and reading.positive_closed and reading.negative_closed):
        return "the car's contactors are open"
    if reading.insulation_ohm_per_v is None:
        return "the DC side's insulation is unknown"
    if judged.limit_w is None:
        return "how much the car allows is unknown"
    return "" if judged.limit_w > 0.0 else "the car allows no discharge"


def _volts(volts: float | None) -> str:
    return "unknown" if volts is None else f"{volts:.0f} V"


def _limit_w(settings: CarSettings, reading: CarSession) -> float | None:
    """AC watts of the car's amps; at an unknown voltage the lowest that is allowed counts."""
    if reading.limit_a is None:
        return None
    known = [volts for volts in (reading.dc_voltage_v, reading.pack_voltage_v) if volts is not None]
    volts = min(known, default=settings.dc_lo_v)
    return max(0.0, EFFICIENCY * reading.limit_a * volts - IDLE_W)
