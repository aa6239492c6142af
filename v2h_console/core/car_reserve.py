"""The car as the island's only source: whether it can be used, how far its reserve reaches (I7, I9)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from v2h_console.core import car_session, pack, reserve_end, soc
from v2h_console.core.car_session import SessionState
from v2h_console.core.frozen import replace
from v2h_console.core.pack import PackState
from v2h_console.core.reserve_end import RUNG_LATE, RUNG_NONE, RUNG_SOON, RUNG_STOP, LimitTrend, Rung
from v2h_console.core.senses import Senses, fresh
from v2h_console.core.settings import NS_PER_MS, CarSettings
from v2h_console.core.soc import SocState
from v2h_drivers.capabilities.fast_readings import CarStage
from v2h_drivers.capabilities.slow_readings import CarSource, CarStatus

#: How old a native link's word may be; a polled one is judged by the site's setting.
NATIVE_FRESH_MS = {CarSource.ISO_15118: 500.0, CarSource.CHADEMO: 300.0}
#: A motor's start between two polls is no load: the runtime goes by the mean of so long.
MEAN_TAU_S = 10.0
#: From so many polls of an island on, the mean of ``MEAN_TAU_S`` is the slower one.
MANY_POLLS = 50
#: An island that the pack's end stopped needs this much more charge to begin again by itself.
CHARGED_PCT = 1.0


@dataclass(frozen=True, slots=True)
class Use:
    """What the car is used for now: ``lit`` = it alone holds the house up, ``tied`` = the grid does. ``held_w``: circuits
    that wait to return."""

    lit: bool = False
    tied: bool = False
    held_w: float = 0.0
    #: Nobody could poll the car while one owner handed over to the next: so much older its status may be.
    patience_ms: float = 0.0


IDLE = Use()


@dataclass(frozen=True, slots=True)
class CarState:
    """``own_refusal``: why the car's charge or voltage cannot feed the house now, "" when they can.

    ``known_soc_pct`` is the charge that is believed, not always the one reported. ``runtime_s`` is the time to the
    end named by ``ends_by`` at the present load, ``planned_s`` with all that waits; ``ended_pct``: the charge at which
    the pack's end stopped the island, until it is charged or the grid is back. ``spared``: not known, or at the
    stop and until it is a clear 1 % above: nothing is drawn from it, not even for the inverter beside the grid.
    """

    own_refusal: str = "the car has not been heard"
    known_soc_pct: float | None = None
    low: bool = False
    short_of_charge: bool = False
    below_stop: bool = False
    spared: bool = False
    rung: Rung = Rung()
    ended_pct: float | None = None
    runtime_s: float | None = None
    planned_s: float | None = None
    ends_by: str = ""
    mean_w: float | None = None
    #: Polls since the island stands.
    lit_polls: int = 0
    dc_voltage_v: float | None = None
    judged_at_ns: int | None = None
    soc: SocState = SocState()
    #: The plug was out, or is; and since when the contactors have been closed again after that, until it has been judged.
    unplugged: bool = False
    anew_since_ns: int | None = None
    pack: PackState = PackState()
    trend: LimitTrend = LimitTrend()
    session: SessionState = SessionState()

    @property
    def refusal(self) -> str:
        """Why the car cannot feed the house now, "" when it can: its DC side first, which is quicker."""
        return self.session.refusal or self.own_refusal

    @property
    def stop(self) -> bool:
        """Whether the discharge ends in order: at the reserve, or a minute before the pack's own end."""
        return self.below_stop or self.ended_pct is not None

    @property
    def shed_from(self) -> int:
        """Circuits of this tier and above are off for the reserve's sake; 0 = none."""
        if self.short_of_charge or self.rung.rung >= RUNG_SOON:
            return 2
        return 3 if self.rung.rung == RUNG_LATE else 0

    @property
    def shed(self) -> bool:
        """Whether only must-run circuits stay on."""
        return self.shed_from == 2

    @property
    def doubted_pct(self) -> int | None:
        """Whole per cents that a doubted charge is taken for; ``None`` = it is not doubted."""
        return self.soc.doubted_pct

    @property
    def fullest_pct(self) -> float | None:
        """The charge that matters where a full car is the danger: the higher of report and count."""
        if self.known_soc_pct is None or self.soc.doubted_since_ns is None:
            return self.known_soc_pct
        return max(self.soc.counted_pct, self.soc.reported_pct)


def with_doubt(state: CarState, doubted_pct: int | None) -> CarState:
    """With the doubt that the last run left behind: its newest message is judged anew."""
    if doubted_pct is None:
        return state
    return replace(state, soc=soc.remembered(float(doubted_pct)), judged_at_ns=None)


def of_another_device(state: CarState) -> CarState:
    """Its charge is read at another address from now on: what was counted by the last one's words says nothing of it. A doubt
    stays: it may be the same car behind another name."""
    counted = SocState() if state.soc.doubted_since_ns is None else state.soc
    return replace(state, soc=counted, pack=PackState(), trend=LimitTrend(), ended_pct=None)


def _fresh_ms(settings: CarSettings, heard: CarStatus | None, patience_ms: float) -> float:
    polled_ms = settings.fresh_ms + patience_ms
    return polled_ms if heard is None else NATIVE_FRESH_MS.get(heard.source, polled_ms)


def silence_ns(settings: CarSettings, senses: Senses) -> int | None:
    """When the car counts as silent, should it say nothing more; ``None`` = it has not been heard."""
    heard = senses.car
    return None if heard is None else heard.at_ns + int(_fresh_ms(settings, heard, 0.0) * NS_PER_MS) + 1


def update(settings: CarSettings, state: CarState, senses: Senses, now_ns: int, use: Use = IDLE) -> CarState:
    """Judge the car. Unknown is never enough: a silent car refuses."""
    session = car_session.update(settings, state.session, senses, now_ns)
    if session is not state.session:
        state = _follow_plug(replace(state, session=session), senses)
    if not use.lit and state.rung.rung is not RUNG_NONE:
        state = replace(state, rung=Rung())
    if use.tied and state.ended_pct is not None:
        state = replace(state, ended_pct=None)
    heard = senses.car
    car = fresh(heard, now_ns, _fresh_ms(settings, heard, use.patience_ms))
    if car is None:
        return _unknown(state, "the car's link is silent" if heard else "the car has not been heard", None)
    if state.judged_at_ns == car.at_ns:
        return state
    if car.soc_pct is None:
        return _unknown(state, "the car's charge is unknown", car.at_ns)
    return _judge(settings, state, car, car.soc_pct, senses, use)


def _follow_plug(state: CarState, senses: Senses) -> CarState:
    """A plug that was out: another car may hang on it, and what was counted of the last one says nothing of it."""
    heard = senses.car_session
    if heard is None:
        return state
    if heard.stage is CarStage.UNPLUGGED:
        return state if state.unplugged else replace(state, unplugged=True, anew_since_ns=None)
    if state.unplugged and heard.stage is CarStage.ENERGISED:
        return replace(state, unplugged=False, anew_since_ns=heard.at_ns)
    return state


def _unknown(state: CarState, refusal: str, judged_at_ns: int | None) -> CarState:
    return replace(
        state,
        own_refusal=refusal,
        runtime_s=None,
        planned_s=None,
        ends_by="",
        mean_w=None,
        spared=True,
        dc_voltage_v=None,
        judged_at_ns=judged_at_ns,
    )


def _judge(
    settings: CarSettings, state: CarState, car: CarStatus, reported_pct: float, senses: Senses, use: Use
) -> CarState:
    # A status from before the contactors closed may still be the last car's.
    anew = state.anew_since_ns is not None and car.at_ns > state.anew_since_ns
    if anew:
        # What the last one's pack had come to says nothing of this one.
        state = replace(state, ended_pct=None, pack=PackState(), trend=LimitTrend())
    doubt = soc.update(state.soc, car, reported_pct, tied=use.tied, plugged_anew=anew)
    soc_pct = doubt.believed_pct
    behind = pack.update(state.pack, car, soc_pct)
    link = senses.car_session
    trend = reserve_end.follow_limit(state.trend, None if link is None else link.limit_a, soc_pct)
    polls = min(state.lit_polls + 1, MANY_POLLS) if use.lit else 0
    mean_w = _mean_w(state, car, polls)
    end = reserve_end.find(settings, car, behind, trend, soc_pct, mean_w, use.held_w)
    rung = reserve_end.climb(state.rung, end, car.at_ns) if use.lit else Rung()
    ended_pct = state.ended_pct
    if rung.rung == RUNG_STOP:
        ended_pct = soc_pct
    elif ended_pct is not None and soc_pct >= ended_pct + CHARGED_PCT:
        ended_pct = None
    # Each rung holds until the charge is a clear 1 % above it, so that it cannot flutter on the last digit.
    return replace(
        state,
        own_refusal=_refusal(settings, car.dc_voltage_v, soc_pct, ended_pct),
        known_soc_pct=soc_pct,
        low=soc_pct <= settings.warn_soc_pct or (state.low and soc_pct <= settings.warn_soc_pct + 1),
        short_of_charge=soc_pct <= settings.shed_soc_pct
        or (state.short_of_charge and soc_pct <= settings.shed_soc_pct + 1),
        below_stop=soc_pct < settings.stop_soc_pct,
        spared=soc_pct < settings.stop_soc_pct or (state.spared and soc_pct <= settings.stop_soc_pct + 1),
        rung=rung,
        ended_pct=ended_pct,
        runtime_s=end.runtime_s,
        planned_s=end.planned_s,
        ends_by=end.ends_by,
        mean_w=mean_w,
        lit_polls=polls,
        dc_voltage_v=car.dc_voltage_v,
        judged_at_ns=car.at_ns,
        soc=doubt,
        anew_since_ns=None if anew else state.anew_since_ns,
        pack=behind,
        trend=trend,
    )


def _mean_w(state: CarState, car: CarStatus, polls: int) -> float:
    """What the house draws from the car, starts smoothed away; an unknown power changes nothing.

    A young island is averaged over its own polls: what the car gave on the grid is no part of its load.
    """
    watts, before_w = pack.power_w(car), state.mean_w
    if watts is None:
        return before_w or 0.0
    if before_w is None or state.judged_at_ns is None:
        return watts
    kept = math.exp(min(0.0, (state.judged_at_ns - car.at_ns) * 1e-9 / MEAN_TAU_S))
    if 0 < polls < MANY_POLLS:
        kept = min(kept, (polls - 1) / polls)
    return watts + (before_w - watts) * kept


def _refusal(settings: CarSettings, volts: float | None, soc_pct: float, ended_pct: float | None) -> str:
    if volts is None:
        return "the DC voltage is unknown"
    if not settings.dc_lo_v <= volts <= settings.dc_hi_v:
        return f"the DC bus is at {volts:.0f} V, allowed {settings.dc_lo_v:.0f} to {settings.dc_hi_v:.0f} V"
    if soc_pct < settings.stop_soc_pct:
        return f"the car is at {soc_pct:.0f} %, the reserve ends at {settings.stop_soc_pct:.0f} %"
    if ended_pct is not None:
        return f"the pack was at its end at {ended_pct:.0f} %, it needs {ended_pct + CHARGED_PCT:.0f} %"
    return ""
