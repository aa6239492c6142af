"""Whether the MID is open, and by what proof (I2b).

Open is proven when the NC mirror and the NO contact agree on open for 12 ms, the pole current is under 0.2 A, and,
where either side still has voltage, the two sides differ. On a dead grid both sides read 0 V, so voltages alone
prove nothing; anything but agreement is "not open".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_console.core.frozen import replace
from v2h_console.core.senses import GRID_FAST_LIMIT_MS, HOUSE_FAST_LIMIT_MS, MID_LIMIT_MS, Senses, fresh
from v2h_console.core.settings import NS_PER_MS, MidSettings
from v2h_drivers.capabilities.fast_readings import GridFast, HouseFast, MidState

#: A side under this has too little voltage to say anything about the contacts.
QUIET_PU = 0.1
#: The sides must differ by this much, where one has voltage, before voltages confirm an open MID.
DIFFERENCE_PU = 0.05


class Position(str, Enum):
    """Where the main contacts are, as far as the auxiliary contacts agree."""

    UNKNOWN = "unknown"
    OPEN = "open"
    CLOSED = "closed"
    DISAGREE = "disagree"


@dataclass(frozen=True, slots=True)
class ProofState:
    """``position`` and since when; ``opened_at_ns``: the last edge into open as the LC timed it; ``proven``: open by
    all the proof there is now; ``by_volts``: the voltages confirm it too; ``doubt``: why it is not proven."""

    position: Position = Position.UNKNOWN
    since_ns: int = 0
    opened_at_ns: int | None = None
    proven: bool = False
    proven_at_ns: int | None = None
    by_volts: bool = False
    doubt: str = "the MID's contacts have not been heard"
    last_known: Position = Position.UNKNOWN
    last_known_at_ns: int = 0


def update(settings: MidSettings, state: ProofState, senses: Senses, now_ns: int) -> ProofState:
    """Judge the contacts, the pole current and the voltages as they stand at ``now_ns``."""
    mid = fresh(senses.mid, now_ns, MID_LIMIT_MS)
    position = _position(mid)
    since_ns = state.since_ns if position is state.position else now_ns
    opened_at_ns = state.opened_at_ns
    if mid is not None and position is Position.OPEN and position is not state.position:
        edge_ms = mid.since_edge_ms if mid.since_edge_ms is not None else 0.0
        opened_at_ns = mid.at_ns - int(edge_ms * NS_PER_MS)
    volts, volts_doubt = _voltages(senses, now_ns)
    doubt = _doubt(settings, mid, position, opened_at_ns, volts_doubt, now_ns)
    known = position in (Position.OPEN, Position.CLOSED)
    proven = not doubt
    return replace(
        state,
        position=position,
        since_ns=since_ns,
        opened_at_ns=opened_at_ns,
        proven=proven,
        proven_at_ns=(state.proven_at_ns if state.proven else now_ns) if proven else None,
        by_volts=proven and volts,
        doubt=doubt,
        last_known=position if known else state.last_known,
        last_known_at_ns=now_ns if known else state.last_known_at_ns,
    )


def ripe_ns(settings: MidSettings, state: ProofState) -> int | None:
    """The instant at which an open position that lasts becomes a proof; ``None`` where none is on its way."""
    if state.position is not Position.OPEN or state.opened_at_ns is None or state.proven:
        return None
    return state.opened_at_ns + int(settings.proof_hold_ms * NS_PER_MS)


def _position(mid: MidState | None) -> Position:
    if mid is None:
        return Position.UNKNOWN
    if mid.nc_mirror_closed and not mid.no_contact_closed:
        return Position.OPEN
    if mid.no_contact_closed and not mid.nc_mirror_closed:
        return Position.CLOSED
    return Position.DISAGREE


def _doubt(
    settings: MidSettings,
    mid: MidState | None,
    position: Position,
    opened_at_ns: int | None,
    volts_doubt: str,
    now_ns: int,
) -> str:
    if mid is None or position is Position.UNKNOWN:
        return "the MID's contacts are not heard"
    if position is Position.CLOSED:
        return "both contacts say closed"
    if position is Position.DISAGREE:
        return "the two contacts disagree"
    # The frame's own edge time, so that a bounce inside one step restarts the hold. No edge frame for one period
    # means no edge: edges are sent at once.
    edge_ns = mid.at_ns - int((mid.since_edge_ms if mid.since_edge_ms is not None else 0.0) * NS_PER_MS)
    held_since_ns = edge_ns if opened_at_ns is None else max(edge_ns, opened_at_ns)
    if now_ns - held_since_ns < settings.proof_hold_ms * NS_PER_MS:
        return f"open for less than {settings.proof_hold_ms:g} ms"
    if mid.pole_current_a is None:
        return "the pole current is unknown"
    if mid.pole_current_a >= settings.proof_max_pole_a:
        return f"{mid.pole_current_a:.2f} A still flows through a pole"
    return volts_doubt


def _voltages(senses: Senses, now_ns: int) -> tuple[bool, str]:
    """Whether the voltages confirm "open", and what speaks against it. Two quiet sides say nothing."""
    grid = fresh(senses.grid_fast, now_ns, GRID_FAST_LIMIT_MS)
    house = fresh(senses.house_fast, now_ns, HOUSE_FAST_LIMIT_MS)
    if grid is None or house is None:
        # A missing sense cannot confirm; it does not refute two agreeing contacts either. Forming asks for the
        # house side separately, closing for both.
        return False, ""
    confirmed = False
    for name, grid_pu, house_pu in _legs(grid, house):
        if grid_pu is None or house_pu is None:
            return False, ""
        if max(grid_pu, house_pu) > QUIET_PU:
            if abs(grid_pu - house_pu) < DIFFERENCE_PU and not _apart(senses, now_ns):
                return False, f"{name} reads the same on both sides"
            confirmed = True
    return confirmed, ""


def _apart(senses: Senses, now_ns: int) -> bool:
    """Two live sides with equal volts are apart when their phases differ or slip: two sources, not one wire."""
    sync = fresh(senses.sync, now_ns, MID_LIMIT_MS)
    if sync is None or sync.phase_deg is None or sync.slip_mhz is None:
        return False
    return abs(sync.phase_deg) > 2.0 or abs(sync.slip_mhz) > 5.0


def _legs(grid: GridFast, house: HouseFast) -> tuple[tuple[str, float | None, float | None], ...]:
    return (("L1", grid.l1_pu, house.l1_pu), ("L2", grid.l2_pu, house.l2_pu))
