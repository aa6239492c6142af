"""What reaches ``step``: readings, orders and durability receipts, exactly as they were drained and recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from v2h_drivers.capabilities.devices import Reading


class OrderKind(str, Enum):
    """What an operator may ask of the core."""

    OPEN_MID = "operator.open_mid"
    ISLAND = "operator.island"
    CLOSE_MID = "operator.close_mid"
    RESET_LOCKOUT = "operator.reset_lockout"
    SET_DISCHARGE_LIMIT = "operator.set_discharge_limit"
    ACKNOWLEDGE = "operator.acknowledge"
    LOAD_ON = "operator.load_on"
    LOAD_OFF = "operator.load_off"


@dataclass(frozen=True, slots=True)
class CoreOrder:
    """One order that the owner has already checked for authority. Expired and repeated ones are dropped unread.

    ``name`` is a circuit id or an event code; ``value_w`` a power in watts.
    """

    kind: OrderKind
    nonce: str
    expires_at_ns: int
    name: str = ""
    value_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What no restart ends: the lockouts, an MID that was opened by hand, and by their ids the circuits that overloaded
    the island too often and those whose switch did not follow. The last only their switch ends, the others a person.
    ``doubted_soc_pct``: what the car's charge was taken for when its report was doubted, ``None`` = it was not;
    ``operator_limit_w``: the discharge limit that a person set, ``None`` = none; ``drift``: why the grid's voltage is not to
    be closed on, "" = nothing is known against it. ``roof_off``: the roof's inverter has been told to leave.
    ``doubted_cars``: the same as ``doubted_soc_pct`` where there are several inverters, for each car by its inverter's name.
    ``close_tries``: how often the MID has not closed in a row; ``goes_on``: what the inverter went on giving after peak
    shaving, "" = nothing."""

    lk_form: str = ""
    lk_close: str = ""
    held_open: bool = False
    culprits: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    doubted_soc_pct: int | None = None
    operator_limit_w: float | None = None
    drift: str = ""
    roof_off: bool = False
    doubted_cars: tuple[tuple[str, int], ...] = ()
    close_tries: int = 0
    goes_on: str = ""


@dataclass(frozen=True, slots=True)
class LatchReceipt:
    """The storage's word that latch record ``sequence`` is on disk (fsync returned). ``locked``, ``kept`` as written.

    ``sequence`` 0 is what was found at the start: a missing or corrupt file reads as locked.
    """

    sequence: int
    locked: bool
    kept: Kept = Kept()


@dataclass(frozen=True, slots=True)
class Observation:
    """All that is new since the last step. ``sequence`` counts steps."""

    sequence: int
    readings: tuple[Reading, ...] = ()
    orders: tuple[CoreOrder, ...] = ()
    receipts: tuple[LatchReceipt, ...] = ()
